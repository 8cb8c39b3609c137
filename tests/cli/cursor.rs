//! Where the cursor stands after `up` and `verify`, on a make-believe cluster.

use std::fs;

use jiff::Timestamp;
use labctl::{
    event::{Event, EventKind, Rewound},
    spec::Facts,
    state::Journal,
};
use serde_json::{Value, json};

use crate::support::{Act, Api, Sandbox, rule};

const ENVIRONMENT: &str = "lab-crash";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// The cluster, and a labctl for it that brought the lab up to `step`.
fn up_to(step: &str) -> (Sandbox, Api) {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox
        .labctl(&format!("up crash --to {step}"))
        .run()
        .exits(0);
    (sandbox, api)
}

fn step<'a>(report: &'a Value, id: &str) -> &'a Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap()
}

/// A student writes what the step `write` expects, while the pod that it records is going.
fn written_while_the_pod_goes(api: &Api) {
    let note = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "written", "namespace": "default"}, "data": {"note": "once"}});
    api.put("/api/v1/namespaces/default/configmaps", note);
    let mut pod = api.get(&format!("{PODS}/app-0"));
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    api.put(PODS, pod);
}

#[test]
fn a_fact_that_cannot_be_recorded_is_a_line_of_the_report() {
    let (sandbox, api) = up_to("app");
    written_while_the_pod_goes(&api);
    let verify = sandbox.labctl("verify crash --output json").run().exits(1);
    let report = verify.json();
    assert_eq!(
        step(&report, "cluster")["state"],
        "held",
        "{}",
        verify.whole
    );
    let write = step(&report, "write");
    assert_eq!(write["state"], "pending", "{}", verify.whole);
    let clause = &write["verdicts"][1]["clauses"][0];
    assert_eq!(clause["what"], "fact `before` can be recorded");
    assert_eq!(clause["actual"], "pod app-0 is being deleted");
    let cursor = sandbox.run_state(ENVIRONMENT).cursor;
    assert_eq!(cursor.as_deref(), Some("app"));
}

#[test]
fn a_snapshot_that_cannot_be_kept_is_a_line_of_the_report() {
    let (sandbox, api) = up_to("app");
    written_while_the_pod_goes(&api);
    let mut pod = api.get(&format!("{PODS}/app-0"));
    pod["metadata"]["deletionTimestamp"].take();
    api.put(PODS, pod);
    let in_the_way = sandbox
        .environment(ENVIRONMENT)
        .join("snapshots/write.json");
    fs::create_dir_all(in_the_way).unwrap();
    let verify = sandbox.labctl("verify crash --output json").run().exits(1);
    let report = verify.json();
    assert_eq!(step(&report, "app")["state"], "held", "{}", verify.whole);
    let write = step(&report, "write");
    assert_eq!(write["state"], "pending", "{}", verify.whole);
    let last = write["verdicts"].as_array().unwrap().last().unwrap();
    assert_eq!(last["assertion"], "step kept", "{}", verify.whole);
    let cursor = sandbox.run_state(ENVIRONMENT).cursor;
    assert_eq!(cursor.as_deref(), Some("app"));
}

/// Appends events to the journal, as an earlier run would have left them.
fn journal(sandbox: &Sandbox, kinds: impl IntoIterator<Item = EventKind>) {
    let path = sandbox.environment(ENVIRONMENT).join("journal.jsonl");
    let (mut journal, opened) = Journal::open(&path).unwrap();
    let replayed = opened.replayed;
    for (seq, event) in (replayed.state.seq + 1..).zip(kinds) {
        let at = Timestamp::now();
        journal.append(&Event { seq, at, event }).unwrap();
    }
}

/// The steps from the one at which a fault is injected on no longer count, and the last one does
/// again: it was put back to what it was.
fn gap(sandbox: &Sandbox) {
    let steps = ["drain", "cut", "look", "uncordon"].map(Into::into);
    let state = sandbox.run_state(ENVIRONMENT);
    let (_, fingerprint) = state.steps["uncordon"].verified.clone().unwrap();
    let rewound = Rewound {
        cursor: Some("kill".into()),
        steps: steps.into(),
    };
    let again = EventKind::Verified {
        step: "uncordon".into(),
        fingerprint,
        facts: Facts::new(),
        verdicts: Vec::new(),
    };
    journal(sandbox, [EventKind::Rewound { to: None, rewound }, again]);
}

#[test]
fn a_fault_that_is_injected_before_verified_steps_is_taken_back_at_its_end() {
    let (sandbox, api) = up_to("uncordon");
    gap(&sandbox);
    sandbox.labctl("up crash").run().exits(0);
    let state = sandbox.run_state(ENVIRONMENT);
    assert_eq!(state.faults.steps(), [""; 0], "{:?}", api.effects());
    assert_eq!(state.cursor.as_deref(), Some("uncordon"));
    assert_eq!(api.effects().last().unwrap(), "uncordon");
    let status = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(status[0]["open-faults"], json!([]));
}

#[test]
fn a_step_that_is_done_late_leaves_the_cursor_where_it_was() {
    let (sandbox, _api) = up_to("uncordon");
    let rewound = Rewound {
        cursor: Some("uncordon".into()),
        steps: vec!["app".into()],
    };
    journal(&sandbox, [EventKind::Rewound { to: None, rewound }]);
    sandbox.labctl("up crash").run().exits(0);
    let state = sandbox.run_state(ENVIRONMENT);
    assert!(state.is_verified(&"app".into()));
    assert_eq!(state.cursor.as_deref(), Some("uncordon"));
}

#[test]
fn only_a_run_that_teaches_prints_a_lessons_texts() {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    let lab = fs::read_to_string(sandbox.path("work/crash/lab.yaml")).unwrap();
    let taught = lab.replace(
        "  do: observe",
        "  teach: A text of the lesson.\n  do: observe",
    );
    sandbox.write("crash/lab.yaml", &taught);
    sandbox
        .labctl("up crash")
        .run()
        .exits(0)
        .tells("A text of the lesson.");
    // Back to an earlier step and on again, through the one with the text.
    let reset = sandbox.labctl("reset crash --to look").run().exits(0);
    let runs = sandbox.labctl("logs crash --output json").run();
    assert!(
        !reset.stderr.contains("A text"),
        "{}\n{}",
        reset.whole,
        runs.whole
    );
}

#[test]
fn what_is_compared_with_a_fact_that_is_not_recorded_is_done_again_at_once() {
    let (sandbox, _api) = up_to("uncordon");
    let state = sandbox.run_state(ENVIRONMENT);
    let (_, fingerprint) = state.steps["write"].verified.clone().unwrap();
    let rewound = Rewound {
        cursor: Some("uncordon".into()),
        steps: vec!["write".into()],
    };
    let without_its_fact = EventKind::Verified {
        step: "write".into(),
        fingerprint,
        facts: Facts::new(),
        verdicts: Vec::new(),
    };
    let rewind = |rewound| EventKind::Rewound { to: None, rewound };
    let at_the_end = Rewound {
        cursor: Some("uncordon".into()),
        steps: Vec::new(),
    };
    journal(
        &sandbox,
        [rewind(rewound), without_its_fact, rewind(at_the_end)],
    );
    let reset = sandbox.labctl("reset crash").run().exits(0);
    reset.tells("what step write records is not recorded; the steps from there on are done again");
    let state = sandbox.run_state(ENVIRONMENT);
    assert!(state.facts.contains_key("before"));
    assert_eq!(state.cursor.as_deref(), Some("uncordon"));
    assert_eq!(state.faults.steps(), [""; 0]);
    assert_eq!(state.reset_to, None);
}

#[test]
fn a_reset_that_fails_names_the_step_and_leaves_the_cursor() {
    let (sandbox, api) = up_to("uncordon");
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    let mut set = api.get(&format!("{sets}/app"));
    set["status"]["readyReplicas"] = json!(0);
    set["status"]["availableReplicas"] = json!(0);
    api.put(sets, set);
    let reset = sandbox
        .labctl("reset crash --timeout-scale 0.1")
        .run()
        .exits(1);
    // The recorded claim and its volume are the same.
    assert!(!reset.stderr.contains("gone for good"), "{}", reset.whole);
    reset
        .tells("rollout-complete statefulset/app of step app did not hold within 2 s")
        .tells("in step app");
    let state = sandbox.run_state(ENVIRONMENT);
    assert_eq!(state.cursor.as_deref(), Some("uncordon"));
    assert!(state.facts.contains_key("before"));
    assert_eq!(state.reset_to.as_deref(), Some("uncordon"));
    assert_eq!(
        api.count("apply"),
        1,
        "nothing is done again while it is on its way"
    );
}

#[test]
fn a_cursor_at_a_step_that_the_lab_lost_falls_back_and_every_verb_says_so() {
    let (sandbox, _api) = up_to("write");
    // Its author renamed the step.
    let lab = sandbox.environment(ENVIRONMENT).join("lab/lab.yaml");
    let text = fs::read_to_string(&lab).unwrap();
    let renamed = text.replace("- id: write", "- id: wrote");
    assert_ne!(renamed, text);
    fs::write(&lab, renamed).unwrap();
    let lost = "the lab no longer has the step write, at which the environment was; it counts from \
                the last one that the lab still has: app";
    let status = sandbox.labctl("status").run().exits(0);
    let words = status.stdout.split_whitespace().collect::<Vec<_>>();
    let words = words.join(" ");
    assert!(words.contains("2/8 app"), "{}", status.whole);
    assert!(words.contains(lost), "{}", status.whole);
    sandbox
        .labctl("reset crash --dry-run")
        .run()
        .exits(0)
        .tells(lost);
    sandbox.labctl("verify crash").run().tells(lost);
    // What it holds by its new name was seen by `verify`.
    let reset = sandbox.labctl("reset crash").run().exits(0);
    reset.tells("lab-crash is back at wrote");
}

#[test]
fn a_recreation_that_is_refused_leaves_cursor_and_facts() {
    let (sandbox, _api) = up_to("write");
    let before = sandbox.run_state(ENVIRONMENT);
    let fails = [
        Act::Err("Cannot connect to the Docker daemon".into()),
        Act::Exit(1),
    ];
    sandbox.fakes.obey([rule("docker", "ps", fails)]);
    let reset = sandbox.labctl("reset crash --hard").run();
    assert_ne!(reset.code, 0, "{}", reset.whole);
    let after = sandbox.run_state(ENVIRONMENT);
    assert_eq!(after.cursor, before.cursor);
    assert_eq!(after.facts, before.facts);
    assert_eq!(after.reset_to, None);
}

#[test]
fn a_step_that_an_author_put_in_before_the_cursor_is_not_taken_for_done() {
    let (sandbox, _api) = up_to("uncordon");
    let lab = sandbox.environment(ENVIRONMENT).join("lab/lab.yaml");
    let text = fs::read_to_string(&lab).unwrap();
    let more =
        "- id: more\n  title: More\n  do: {exec: {in: app-0, command: [more]}}\n- id: kill\n";
    let with_more = text.replace("- id: kill\n", more);
    assert_ne!(with_more, text);
    fs::write(&lab, with_more).unwrap();
    let verify = sandbox.labctl("verify crash --output json").run();
    assert_ne!(verify.code, 0, "{}", verify.whole);
    let report = verify.json();
    let state = &step(&report, "more")["state"];
    assert_eq!(*state, "not-reached", "{}", verify.whole);
}
