//! The data of a lab: asked for, saved and restored, while somebody interrupts, blocks or changes it.

use std::time::{Duration, Instant};

use labctl::event::EventKind;
use rustix::process::Signal;

use crate::support::{
    Act, Api, CRASH_LAB, Running, Sandbox, on_the_cluster, rule, run_finished, signal, wait_for,
};

const EXEC: &str = "--kubeconfig * --context * exec";
const DATA: &str = "data:\n- in: [app-0]\n  fingerprint: [count]\n  save: [save]\n  ends-with: end\n  \
                    restore: [restore]\n";

/// The crash lab, whose pod app-0 has data.
struct Lab {
    sandbox: Sandbox,
    api: Api,
}

impl Lab {
    /// `more` is added to the declaration of the data. Saving it does `save`, restoring it `restore`.
    fn new(more: &str, save: Vec<Act>, restore: Vec<Act>) -> Self {
        let api = Api::start();
        let sandbox = Sandbox::in_memory().with_crash_lab(&api);
        let lab = Self { sandbox, api };
        lab.declares(&format!("{DATA}{more}"));
        let save_args = format!("{EXEC} --namespace default app-0 -- save");
        let mut rules = vec![
            rule("kubectl", &save_args, save),
            rule("kubectl", &format!("{EXEC} --stdin"), restore),
        ];
        rules.extend(on_the_cluster(&lab.api.address()));
        lab.sandbox.fakes.obey(rules);
        lab.api.prints("app-0", Some("rows: 1"));
        lab
    }

    fn declares(&self, data: &str) {
        let whole = CRASH_LAB.replace("steps:\n", &format!("{data}steps:\n"));
        self.sandbox.write("crash/lab.yaml", &whole);
    }

    fn up_to(&self, step: &str) -> crate::support::Answer {
        let up = self.sandbox.labctl(&format!("up crash --to {step}"));
        up.run().exits(0)
    }

    /// Starts labctl, to be read by `tells` while it runs.
    fn start(&self, args: &str) -> Running<'_> {
        let screen = std::fs::File::create(self.sandbox.path("screen")).unwrap();
        self.sandbox.labctl(args).stderr(screen).start()
    }

    /// Waits until what was started has told `text`.
    #[track_caller]
    fn tells(&self, text: &str) {
        let screen = self.sandbox.path("screen");
        wait_for(text, || {
            std::fs::read_to_string(&screen).unwrap().contains(text)
        });
    }

    fn is_saved(&self) -> bool {
        let dumps = self.sandbox.files("state/labctl/envs/lab-crash");
        dumps.iter().any(|name| name.contains("app-0"))
    }
}

fn saves() -> Vec<Act> {
    vec![Act::Out("a row".into()), Act::Out("end".into())]
}

/// Ends a run that waits with a signal, and returns how long it took to end.
fn interrupted(run: Running<'_>) -> (crate::support::Answer, Duration) {
    let sent = Instant::now();
    signal(run.pid(), Signal::INT);
    (run.finish().exits(130), sent.elapsed())
}

#[test]
fn data_that_is_long_in_coming_is_said_to_be_waited_for_and_a_signal_ends_that() {
    let lab = Lab::new("", saves(), Vec::new());
    lab.up_to("app");
    // A student does the next step by hand, and works in the database since.
    lab.api.kubectl("exec app-0 -- write");
    lab.api.prints("app-0", None);
    let verify = lab.start("verify crash");
    lab.tells("waiting for app-0 to say what data it has, for at most 60 s");
    let (_, took) = interrupted(verify);
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(
        lab.sandbox.run_state("lab-crash").cursor.as_deref(),
        Some("app")
    );
    // Whatever else was waited for: nothing was kept of half a look.
    lab.api.prints("app-0", Some("rows: 2"));
    lab.sandbox.labctl("verify crash --to write").run().exits(0);
    assert_eq!(
        lab.sandbox.run_state("lab-crash").cursor.as_deref(),
        Some("write")
    );
    lab.api.prints("app-0", None);
    let dry_run = lab.start("reset crash --dry-run");
    lab.tells("waiting for app-0 to say what data it has");
    lab.api.prints("app-0", Some("rows: 3"));
    dry_run.finish().exits(0).answers("data of app-0");
}

#[test]
fn data_that_is_saved_has_limits_that_say_how_to_raise_them() {
    let much = Act::Out("row ".repeat(1000));
    let lab = Lab::new(
        "  at-most: 1Ki\n",
        vec![much, Act::Out("end".into())],
        Vec::new(),
    );
    lab.up_to("app")
        .tells("the data of app-0 is not saved")
        .tells("printed more than the 1Ki that `at-most` of the lab's `data` allows");
    assert!(!lab.is_saved());

    let lab = Lab::new("  within: 1s\n", vec![Act::Hang], Vec::new());
    lab.up_to("app")
        .tells("did not end within 1 s")
        .tells("`within` of the lab's `data` gives it more time");
    assert!(!lab.is_saved());
}

#[test]
fn the_first_signal_waits_for_a_restore_that_was_begun() {
    let restore = vec![
        Act::Write("restores".into(), String::new()),
        Act::Await("go on".into()),
    ];
    let lab = Lab::new("", saves(), restore);
    lab.up_to("app");
    lab.api.prints("app-0", Some("rows: 2"));
    let mut reset = lab.start("reset crash");
    wait_for("the restore", || lab.sandbox.fakes.has("restores"));
    signal(reset.pid(), Signal::INT);
    lab.tells("data is being restored; the run ends as soon as that is done");
    assert!(reset.runs());
    lab.api.prints("app-0", Some("rows: 1"));
    lab.sandbox.fakes.put("go on", "");
    reset.finish().exits(130);
    lab.sandbox
        .labctl("status")
        .run()
        .answers("`labctl reset crash` goes on with it");
    lab.sandbox.labctl("reset crash").run().exits(0);
    let restored = lab
        .sandbox
        .fakes
        .calls_of("kubectl", &format!("{EXEC} --stdin"));
    assert_eq!(restored.len(), 1, "it is the same again");
}

#[test]
fn data_that_another_command_knows_is_not_compared_with_what_the_first_one_said() {
    let lab = Lab::new("", saves(), Vec::new());
    lab.up_to("app");
    lab.declares(&DATA.replace("[count]", "[count, --all]"));
    lab.api.prints("app-0", Some("all rows: 1"));
    lab.up_to("app");
    lab.sandbox.labctl("reset crash").run().exits(0);
    let restored = lab
        .sandbox
        .fakes
        .calls_of("kubectl", &format!("{EXEC} --stdin"));
    assert_eq!(restored, [], "whether it is another nobody knows");
}

#[test]
fn a_removal_that_was_interrupted_is_told_by_every_verb() {
    let sandbox = Sandbox::new().with_small_lab();
    let seeded = crate::support::Seeded::new(&sandbox, "lab-small", "small");
    let seeded = seeded.with_cluster(&["c0ffee0000000000"]);
    let started = seeded.run_started(labctl::event::Verb::Down);
    let finished = run_finished(labctl::event::RunOutcome::Failed);
    seeded.journal([started, EventKind::ClusterDeleting, finished]);
    sandbox
        .fakes
        .put(crate::support::CONTAINERS, "c0ffee0000000000\n");
    for verb in ["status", "env small", "logs small", "verify small"] {
        let run = sandbox.labctl(verb).run();
        let says =
            "the removal of \"lab-small\" was interrupted; `labctl down small` goes on with it";
        assert!(run.whole.contains(says), "{verb}: {}", run.whole);
    }
}
