//! Two at once: the second is told who holds the environment.

use crate::support::{Act, Running, Sandbox, rule, wait_for};

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

    hint: wait until it has ended
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
        std::fs::write(&lock, text).unwrap();
        sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
        sandbox.labctl("up small").run().exits(1);
    }
}
