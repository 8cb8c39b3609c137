//! A student does a step by hand, and goes on with labctl.

use std::time::Duration;

use labctl::event::{EventKind, Outcome, RunOutcome};

use crate::world::{LAB, STEPS, World, wait_for};

/// The pod is deleted by hand; `verify` sees it and moves on.
pub(crate) fn by_hand(world: &World) {
    world.no_further_than("database");

    world
        .labctl(&["verify"])
        .exits(1)
        .says("✓ database")
        .says("○ kill-pod")
        .says("pod postgres-0 was replaced")
        .says("not replaced");
    let before = world.verify(1);
    assert_eq!(before.step("database").state, "held");
    assert_eq!(before.step("kill-pod").state, "pending");
    assert_eq!(before.step("identity").state, "not-reached");
    before.names(
        "kill-pod",
        "pod postgres-0 was replaced",
        "another uid",
        "not replaced",
    );

    let delete = ["shell", LAB, "--", "kubectl", "delete", "pod", "postgres-0"];
    world.labctl(&delete).exits(0).says("deleted");
    world.kubectl(&["wait", "--for=create", "pod/postgres-0", "--timeout=60s"]);
    world.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "pod/postgres-0",
        "--timeout=120s",
    ]);
    // A name may lag behind its pod by as long as DNS answers are cached.
    wait_for("identity holds", Duration::from_secs(90), || {
        let after = world.verify(1);
        assert_eq!(after.step("kill-pod").state, "held");
        after.step("identity").state == "held"
    });
    world
        .labctl(&["verify", "--to", "kill-pod"])
        .exits(0)
        .says("✓ kill-pod");
    world.labctl(&["status"]).exits(0).says("5/8 identity");
}

/// `up` goes on behind what was done by hand. Its events are a machine's to read.
pub(crate) fn goes_on(world: &World) {
    world.no_further_than("identity");
    let run = world.up(&["--output", "json"]).exits(0).says_nothing();
    let events = run.events();
    let Some(EventKind::RunStarted { steps, .. }) = events.first() else {
        panic!("the first event is not run-started\n{}", run.transcript());
    };
    let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, STEPS);
    assert!(
        matches!(
            events.last(),
            Some(EventKind::RunFinished {
                outcome: RunOutcome::Passed,
                ..
            })
        ),
        "{}",
        run.transcript()
    );
    let outcomes = run.outcomes();
    let ids: Vec<&str> = outcomes.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, STEPS, "{}", run.transcript());
    for (id, outcome) in outcomes {
        assert!(
            matches!(outcome, Outcome::Skipped { .. } | Outcome::Changed),
            "{id}: {outcome:?}"
        );
    }
    let last = run.outcomes().pop();
    assert_eq!(
        last,
        Some(("uncordon".to_owned(), Outcome::Changed)),
        "{}",
        run.transcript()
    );
}
