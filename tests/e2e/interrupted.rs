//! labctl is ended while it works.

use std::{
    env,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use labctl::event::EventKind;
use rustix::process::Signal;

use crate::{
    remains,
    run::Running,
    world::{World, wait_for},
};

/// Ctrl-C while the cluster is made: nothing of it is left.
pub(crate) fn ctrl_c(world: &World) {
    world.remove();
    let mut running = begin_cluster(world);
    let asked = Instant::now();
    running.signal(Signal::INT);
    world.ended(running).exits(130);
    let after = asked.elapsed();
    world.figure(format!(
        "the half-made cluster was gone {after:.1?} after Ctrl-C"
    ));
    assert_eq!(world.remains(), [""; 0], "left after Ctrl-C");
}

/// SIGKILL while the cluster is made: the next run ends what was left running, and makes it. The
/// environment may be one in which making it was interrupted before.
pub(crate) fn sigkill(world: &World) {
    if !remains::containers(&world.name).is_empty() {
        world.remove();
    }
    let mut running = begin_cluster(world);
    running.signal(Signal::KILL);
    world.ended(running);
    let left = world.processes();
    world.figure(format!("left running by SIGKILL: {} processes", left.len()));
    assert!(
        !remains::containers(&world.name).is_empty(),
        "nothing was left to pick up"
    );
    world.up(&["--to", "cluster"]).exits(0).says(&format!(
        "the cluster \"{}\" was left half made",
        world.name
    ));
    let still = world.processes();
    assert_eq!(still, [""; 0], "of {left:?}");
    assert_eq!(remains::containers(&world.name).len(), 4);
}

/// Ctrl-C, and then SIGKILL, while a node is drained: the one gives the node back at once; after the
/// other `status` tells of the open fault, and the next run gives the node back.
pub(crate) fn fault(world: &World) {
    world.no_further_than("identity");
    let mut running = begin_drain(world);
    running.signal(Signal::INT);
    let run = world.ended(running).exits(130);
    let undone =
        |event: &EventKind| matches!(event, EventKind::Undone { step, .. } if step == "drain");
    assert!(run.events().iter().any(undone), "{}", run.transcript());
    assert_eq!(cordoned(world), "");
    world
        .labctl(&["status"])
        .exits(0)
        .says("5/8 identity answers none");

    let mut running = begin_drain(world);
    running.signal(Signal::KILL);
    world.ended(running);
    world
        .labctl(&["status"])
        .exits(0)
        .says("5/8 identity answers drain");
    world
        .up(&["--to", "identity"])
        .exits(0)
        .says("step drain was interrupted; its fault is taken back");
    assert_eq!(cordoned(world), "");
    world
        .labctl(&["status"])
        .exits(0)
        .says("5/8 identity answers none");
    assert_eq!(
        world.processes(),
        [""; 0],
        "left after the fault was taken back"
    );
}

/// An eviction that the API server had begun and that was cut short: for two minutes its pod would
/// count as missing. Taking the drain back takes that back, too, and the next drain is granted.
pub(crate) fn eviction(world: &World) {
    world.no_further_than("identity");
    count_as_evicted(world, "postgres-2");
    let mut running = begin_drain(world);
    running.until("a refused eviction", |event| {
        matches!(event, EventKind::Output { line, .. } if line.as_str().contains("Cannot evict pod"))
    });
    running.signal(Signal::INT);
    world.ended(running).exits(130);
    assert_eq!(cordoned(world), "");
    assert_eq!(budget(world, "disruptedPods"), "");
    wait_for("an allowed disruption", Duration::from_secs(30), || {
        budget(world, "disruptionsAllowed") == "1"
    });
}

/// Killed and interrupted at random moments of `up`, again and again: the next run goes on, and the
/// last one gets to the end.
pub(crate) fn any_moment(world: &World) {
    world.remove();
    for moment in 0..moments() {
        let after = Duration::from_millis(RandomState::new().hash_one(moment) % 70_000);
        let signal = if moment % 2 == 0 {
            Signal::KILL
        } else {
            Signal::INT
        };
        let began = Instant::now();
        let mut running = world.start_up(&[]);
        while began.elapsed() < after && !running.is_over() {
            std::thread::sleep(Duration::from_millis(20));
        }
        if running.is_over() {
            world.ended(running).exits(0);
            world.figure(format!("moment {moment}: the lab was up before {after:?}"));
            world.remove();
            continue;
        }
        running.signal(signal);
        let run = world.ended(running);
        let how = if signal == Signal::KILL {
            "SIGKILL"
        } else {
            "SIGINT"
        };
        world.figure(format!("moment {moment}: {how} after {after:?}"));
        if signal == Signal::INT {
            run.was_interrupted();
            assert_eq!(world.processes(), [""; 0], "left after Ctrl-C at {after:?}");
        }
        world.labctl(&["status"]).exits(0);
    }
    world.at_the_end();
    world.verify(0);
    world.remove();
    assert_eq!(world.remains(), [""; 0], "left after down");
}

/// How many random moments are tried.
pub(crate) fn moments() -> u64 {
    let asked = env::var("LABCTL_E2E_MOMENTS").ok();
    asked.map_or(0, |n| n.parse().expect("LABCTL_E2E_MOMENTS is a number"))
}

/// An `up` that has got to where kind is at work and a node's container is there.
fn begin_cluster(world: &World) -> Running {
    let mut running = world.start_up(&["--to", "cluster", "--output", "json"]);
    running.until("kind create", |event| {
        matches!(event, EventKind::CommandStarted { line } if line.contains("kind create cluster"))
    });
    let name = world.name.as_str();
    wait_for("a node's container", Duration::from_mins(1), || {
        !remains::containers(name).is_empty()
    });
    running
}

/// An `up` that has got to where a node is cordoned.
fn begin_drain(world: &World) -> Running {
    let mut running = world.start_up(&["--output", "json"]);
    running.until(
        "kubectl drain",
        |event| matches!(event, EventKind::CommandStarted { line } if line.contains(" drain ")),
    );
    wait_for("a cordoned node", Duration::from_mins(1), || {
        !cordoned(world).is_empty()
    });
    running
}

/// The nodes that are cordoned.
pub(crate) fn cordoned(world: &World) -> String {
    let names = "jsonpath={.items[?(@.spec.unschedulable)].metadata.name}";
    world.kubectl(&["get", "nodes", "-o", names]).text()
}

/// Has the budget count `pod` as evicted, as an eviction does that is cut short before the pod is
/// deleted: for two minutes no other is granted.
pub(crate) fn count_as_evicted(world: &World, pod: &str) {
    // A pod that is on its way out already would have its entry removed.
    wait_for("an allowed disruption", Duration::from_mins(1), || {
        budget(world, "disruptionsAllowed") == "1"
    });
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let entry = format!(r#"{{"status":{{"disruptedPods":{{"{pod}":"{now}"}}}}}}"#);
    world.kubectl(&[
        "patch",
        "pdb",
        "postgres",
        "--subresource=status",
        "--type=merge",
        "--patch",
        &entry,
    ]);
    wait_for("the entry to count", Duration::from_secs(30), || {
        budget(world, "disruptionsAllowed") == "0"
    });
}

/// A field of the status of the disruption budget.
pub(crate) fn budget(world: &World, field: &str) -> String {
    let path = format!("jsonpath={{.status.{field}}}");
    let run = world.kubectl(&["get", "pdb", "postgres", "-o", &path]);
    run.text()
}
