//! A fault stays open as long as its step says, and no longer than the run that answers for it.

use std::time::Duration;

use labctl::event::{EventKind, Outcome, Status};
use rustix::process::Signal;

use crate::{
    interrupted::{budget, cordoned, count_as_evicted},
    run::{Run, Running},
    world::{LAB, World, wait_for},
};

/// Three runs of `next`, one step each: the node is given back by the third, and by no other.
pub(crate) fn kept(world: &World) {
    world.no_further_than("identity");
    let run = next(world).exits(0);
    assert_eq!(run.outcomes().last(), Some(&changed("drain")));
    held_throughout(&run);
    assert_ne!(cordoned(world), "");
    let run = next(world).exits(0);
    assert_eq!(run.outcomes().last(), Some(&changed("budget")));
    assert_ne!(cordoned(world), "");
    let status = world.labctl(&["status"]).exits(0);
    status.says("7/8 budget answers drain");
    world.labctl(&["verify"]).says("open faults: drain");
    let run = next(world).exits(0);
    assert_eq!(run.outcomes().last(), Some(&changed("uncordon")));
    assert_eq!(cordoned(world), "");
    let status = world.labctl(&["status"]).exits(0);
    status.says("8/8 uncordon answers none");
    let run = world.labctl(&["next", LAB]).exits(0);
    run.says("lab 10.3 is complete: there is no next step");
    world.labctl(&["heal"]).exits(0).says("no fault is open");
}

/// What `during` says was measured, and stands in the event that the step was seen to hold.
fn held_throughout(run: &Run) {
    let events = run.events();
    let verdicts = events.iter().rev().find_map(|event| match event {
        EventKind::Verified { step, verdicts, .. } if step == "drain" => Some(verdicts),
        _ => None,
    });
    let throughout: Vec<_> = verdicts
        .into_iter()
        .flatten()
        .filter(|verdict| verdict.assertion.contains(" throughout ("))
        .collect();
    assert_eq!(throughout.len(), 2, "{}", run.transcript());
    assert!(
        throughout
            .iter()
            .all(|verdict| verdict.status == Status::Pass)
    );
}

/// With the fault open, a run behind it is interrupted, then one fails, then one is killed. The
/// first two give the node back at once; after the third the next command does. Each time the
/// fault's step is done anew.
pub(crate) fn owner_ends(world: &World) {
    world.no_further_than("identity");

    let mut running = stuck_behind_drain(world);
    running.signal(Signal::INT);
    let run = world.ended(running).exits(130);
    assert!(
        run.events().iter().any(taken_back_early),
        "{}",
        run.transcript()
    );
    back_at_identity(world);

    let running = stuck_behind_drain(world);
    let run = world.ended(running).exits(1);
    assert!(
        run.events().iter().any(taken_back_early),
        "{}",
        run.transcript()
    );
    back_at_identity(world);

    let mut running = stuck_behind_drain(world);
    running.signal(Signal::KILL);
    world.ended(running);
    let status = world.labctl(&["status"]).exits(0);
    status
        .says("6/8 drain answers drain")
        .says("was interrupted");
    assert_ne!(cordoned(world), "");
    mend_budget(world);
    let run = next(world).exits(0);
    let at = run.events().iter().position(taken_back_early);
    let anew = run
        .events()
        .iter()
        .position(|event| matches!(event, EventKind::StepStarted { step, .. } if step == "drain"));
    assert!(at.is_some() && at < anew, "{}", run.transcript());
    assert_eq!(run.outcomes().last(), Some(&changed("drain")));
    world
        .labctl(&["heal"])
        .exits(0)
        .says("drain  fault taken back");
    back_at_identity(world);
}

/// Where what has to hold before a fault does not, nothing is injected, and nothing is begun.
pub(crate) fn unsteady(world: &World) {
    world.no_further_than("identity");
    let patch = r#"{"spec":{"maxUnavailable":2}}"#;
    world.kubectl(&["patch", "pdb", "postgres", "--patch", patch]);
    let run = next_scaled(world, "0.1").exits(1);
    let Some((_, Outcome::Failed(failure))) = run.outcomes().pop() else {
        panic!("the last step did not fail\n{}", run.transcript());
    };
    assert!(
        failure.summary.contains("nothing was done, because"),
        "{failure:?}"
    );
    let begun =
        |event: &EventKind| matches!(event, EventKind::StepStarted { step, .. } if step == "drain");
    assert!(!run.events().iter().any(begun), "{}", run.transcript());
    back_at_identity(world);
    mend_budget(world);
}

/// What has to hold while the fault acts stops to do so: the fault is ended and taken back.
pub(crate) fn interruption(world: &World) {
    world.no_further_than("identity");
    // The drain is kept from getting on, so that there is time.
    count_as_evicted(world, "postgres-2");
    let running = world.start(&["next", LAB, "--timeout-scale", "0.2", "--output", "json"]);
    wait_for("a cordoned node", Duration::from_mins(1), || {
        !cordoned(world).is_empty()
    });
    world.sql("update lab set note = 'another one'");
    let run = world.ended(running).exits(1);
    let Some((step, Outcome::Failed(failure))) = run.outcomes().pop() else {
        panic!("the last step did not fail\n{}", run.transcript());
    };
    assert_eq!(step, "drain");
    assert!(
        failure
            .summary
            .starts_with("sql in postgres-0 was interrupted for"),
        "{failure:?}"
    );
    let seen = &failure.verdicts[0].clauses[0].because[0];
    assert!(seen.contains("another one"), "{seen}");
    assert_eq!(budget(world, "disruptedPods"), "");
    back_at_identity(world);
    world.sql("update lab set note = 'written before the kill'");
}

fn next(world: &World) -> Run {
    next_scaled(world, "1")
}

fn next_scaled(world: &World, scale: &str) -> Run {
    world.labctl(&["next", LAB, "--timeout-scale", scale, "--output", "json"])
}

/// A `next` that waits behind the verified and open drain for what does not come by itself.
fn stuck_behind_drain(world: &World) -> Running {
    mend_budget(world);
    next(world).exits(0);
    world.kubectl(&["delete", "pdb", "postgres"]);
    let mut running = world.start(&["next", LAB, "--timeout-scale", "0.2", "--output", "json"]);
    running.until("a wait", |event| matches!(event, EventKind::Waiting { .. }));
    running
}

fn mend_budget(world: &World) {
    let manifest = format!("envs/{}/lab/manifests/postgres.yaml", world.name);
    let manifest = world.state().join(manifest);
    world.kubectl(&["apply", "-f", &manifest.to_string_lossy()]);
}

fn taken_back_early(event: &EventKind) -> bool {
    matches!(event, EventKind::Undone { step, rewound: Some(_) } if step == "drain")
}

fn back_at_identity(world: &World) {
    assert_eq!(cordoned(world), "");
    let status = world.labctl(&["status"]).exits(0);
    status.says("5/8 identity answers none");
}

fn changed(step: &str) -> (String, Outcome) {
    (step.to_owned(), Outcome::Changed)
}
