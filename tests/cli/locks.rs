//! Two at once: the second is told who holds the environment.

use std::fs::{self, File};

use labctl::event::EventKind;
use rustix::process::Signal;

use crate::support::{Act, Running, Sandbox, rule, signal, wait_for};

/// An `up` that is in the middle of making the cluster, until the file `go on` is there.
fn held(sandbox: &Sandbox) -> Running<'_> {
    let kept = [
        Act::Write("called".into(), String::new()),
        Act::Await("go on".into()),
        Act::Exit(1),
    ];
    sandbox.fakes.obey([rule("kind", "create", kept)]);
    let up = sandbox.labctl("up small").start();
    wait_for("kind to be called", || sandbox.fakes.has("called"));
    let kind = sandbox.fakes.calls_of("kind", "create")[0].pid;
    sandbox.is_journalled("lab-small", kind);
    sandbox.fakes.forget();
    up
}

#[test]
fn the_second_is_told_who_is_at_work_and_changes_nothing() {
    let sandbox = Sandbox::new().with_small_lab();
    let mut up = held(&sandbox);
    let before = sandbox.journal("lab-small");
    let second = sandbox.labctl("up small").run();
    insta::assert_snapshot!(second.whole, @r#"
    exit 6
    --- stderr
    error: the environment "lab-small" is in use by `labctl up`
           (process <PID>, since <TIME>)

    hint: wait until it has ended, or let `--wait` do so
    "#);
    let second = second.exits(6).answers_nothing();
    second.tells(&format!("`labctl up` (process {}", up.pid()));
    let down = sandbox
        .labctl("down small")
        .run()
        .exits(6)
        .answers_nothing();
    down.tells(&format!("`labctl up` (process {}", up.pid()));
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    assert_eq!(sandbox.journal("lab-small"), before);
    assert!(up.runs());
    sandbox.fakes.put("go on", "");
    up.finish().exits(1);
    // It is free again at once.
    sandbox.labctl("down small").run().exits(0);
}

#[test]
fn whoever_only_looks_need_not_wait() {
    let sandbox = Sandbox::new().with_small_lab();
    let up = held(&sandbox);
    let before = sandbox.journal("lab-small");
    sandbox.labctl("status").run().exits(0).answers("lab-small");
    sandbox
        .labctl("logs small")
        .run()
        .exits(0)
        .answers("kind create cluster");
    sandbox.labctl("plan small").run().exits(0);
    sandbox
        .labctl("env small")
        .run()
        .exits(5)
        .tells("has no cluster yet");
    let verify = sandbox.labctl("verify small").run();
    assert_ne!(verify.code, 6, "{}", verify.whole);
    assert_eq!(
        sandbox.journal("lab-small"),
        before,
        "only the holder writes it"
    );
    sandbox.fakes.put("go on", "");
    up.finish().exits(1);
}

#[test]
fn another_environment_is_free() {
    let sandbox = Sandbox::new().with_small_lab();
    let up = held(&sandbox);
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    sandbox
        .labctl("up small --env other")
        .run()
        .exits(1)
        .tells("failed to create cluster \"other\"");
    sandbox.fakes.put("go on", "");
    up.finish().exits(1);
}

#[test]
fn a_lock_that_nobody_holds_is_no_lock() {
    let sandbox = Sandbox::new().with_small_lab();
    crate::support::Seeded::new(&sandbox, "lab-small", "small");
    let lock = sandbox.environment("lab-small").join("lock");
    // Left by a labctl that is gone, or garbled: the kernel's lock is what counts.
    for text in [
        "",
        "garbled",
        r#"{"pid":1,"started":1,"verb":"up","since":"2025-01-01T00:00:00Z"}"#,
    ] {
        fs::write(&lock, text).unwrap();
        sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
        sandbox.labctl("up small").run().exits(1);
    }
}

/// Starts `args`, and waits until it says for whom it waits.
fn waiting<'a>(sandbox: &'a Sandbox, args: &str, holder: u32) -> Running<'a> {
    let said = sandbox.path("said");
    let command = sandbox.labctl(args).stderr(File::create(&said).unwrap());
    let second = command.start();
    let name = format!("waiting for `labctl up` (process {holder}, since ");
    wait_for("the second to say for whom it waits", || {
        fs::read_to_string(&said).unwrap().contains(&name)
    });
    second
}

#[test]
fn with_wait_the_second_says_for_whom_it_waits_and_goes_on_after_it() {
    let sandbox = Sandbox::new().with_small_lab();
    let mut up = held(&sandbox);
    let mut second = waiting(&sandbox, "up small --wait", up.pid());
    assert!(up.runs() && second.runs());
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(3)])]);
    sandbox.fakes.put("go on", "");
    up.finish().exits(1);
    second.finish().exits(1);
    let said = fs::read_to_string(sandbox.path("said")).unwrap();
    assert!(said.contains("exited with code 3"), "it went on: {said}");
    assert_eq!(said.matches("waiting for").count(), 1, "{said}");
}

#[test]
fn programs_are_told_of_the_wait_as_an_event_outside_of_the_run() {
    let sandbox = Sandbox::new().with_small_lab();
    let up = held(&sandbox);
    let second = sandbox.labctl("down small --wait=1s --output json").run();
    let events = second.events();
    assert_eq!((events.len(), events[0].seq), (1, 0));
    let EventKind::Notice { text } = &events[0].event else {
        panic!("{events:?}");
    };
    let holder = format!("waiting for `labctl up` (process {}, since", up.pid());
    assert!(text.starts_with(&holder), "{text}");
    // And when the time is up, it is told as it is without waiting.
    second.exits(6).tells("is in use by `labctl up`");
    sandbox.fakes.put("go on", "");
    up.finish().exits(1);
}

#[test]
fn a_wait_can_be_interrupted_and_a_duration_has_to_be_one() {
    let sandbox = Sandbox::new().with_small_lab();
    let mut up = held(&sandbox);
    for verb in ["up", "down", "verify"] {
        let second = waiting(&sandbox, &format!("{verb} small --wait"), up.pid());
        signal(second.pid(), Signal::INT);
        second.finish().exits(130).answers_nothing();
    }
    let wrong = sandbox.labctl("up small --wait=soon").run().exits(2);
    wrong.tells("is not a duration");
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    assert!(up.runs());
    sandbox.fakes.put("go on", "");
    up.finish().exits(1);
}

#[test]
fn whoever_is_waited_for_may_be_killed() {
    let sandbox = Sandbox::new().with_small_lab();
    let up = held(&sandbox);
    let second = waiting(&sandbox, "down small --wait", up.pid());
    signal(up.pid(), Signal::KILL);
    up.finish().exits(-9);
    // What it left running is ended, rather than waited for.
    second.finish().exits(0);
    let said = fs::read_to_string(sandbox.path("said")).unwrap();
    assert!(said.contains("ended `kind`"), "{said}");
    sandbox.has_no_environment();
}

#[test]
fn an_environment_that_is_removed_meanwhile_is_not_made_anew() {
    let sandbox = Sandbox::new().with_small_lab();
    crate::support::Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    sandbox.fakes.put("containers", "c0ffee0000000000\n");
    let deletes = [
        Act::Write("called".into(), String::new()),
        Act::Await("go on".into()),
        Act::Remove("containers".into()),
    ];
    sandbox.fakes.obey([rule("docker", "rm", deletes)]);
    let first = sandbox.labctl("down small").start();
    wait_for("kind to be called", || sandbox.fakes.has("called"));
    let said = sandbox.path("said");
    let second = sandbox.labctl("down small --wait");
    let second = second.stderr(File::create(&said).unwrap()).start();
    wait_for("the second to wait", || {
        fs::read_to_string(&said)
            .unwrap()
            .contains("waiting for `labctl down`")
    });
    sandbox.fakes.put("go on", "");
    first.finish().exits(0);
    second.finish().exits(2);
    let said = fs::read_to_string(said).unwrap();
    assert!(
        said.contains("there is no environment \"lab-small\""),
        "{said}"
    );
    sandbox.has_no_environment();
}
