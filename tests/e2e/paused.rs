//! A cluster that is stopped on purpose, that a restart left behind, or that is another one by now.

use std::process::Command;

use labctl::event::{EventKind, Outcome, RunOutcome, Status};

use crate::{
    remains::{self, docker},
    run::Run,
    world::{STEPS, World, setting},
};

/// Stopped with labctl, nothing is known, and nothing passes; started, everything is as it was.
pub(crate) fn stop_and_start(world: &World) {
    world.at_the_end();
    let before = identity(world);
    let run = world.labctl(&["stop"]).exits(0).says("is stopped");
    world.figure(format!("stop: {:.1?}", run.took));
    assert_eq!(running(&world.name), [""; 0], "still running");

    world
        .labctl(&["verify"])
        .exits(5)
        .says("the cluster's containers are stopped (4 of 4)")
        .says(&start_hint(world));
    let verified = world.verify(5);
    assert_eq!(verified.outcome, RunOutcome::Unreachable);
    for step in &verified.steps {
        assert_ne!(step.state, "held", "{step:?}");
        for verdict in &step.verdicts {
            assert_eq!(verdict.status, Status::Unknown, "{verdict:?}");
        }
    }
    let seen = verified.steps.iter().flat_map(|step| &step.verdicts);
    assert!(seen.count() > 5, "{verified:?}");
    for verb in [
        &["status"][..],
        &["env"],
        &["logs"],
        &["shell", "--", "true"],
    ] {
        world
            .labctl(verb)
            .exits(0)
            .says("the cluster's containers are stopped (4 of 4)")
            .says(&start_hint(world));
    }
    world.labctl(&["list"]).exits(0).says("(stopped)");
    // Again it is nothing to do.
    let again = world.labctl(&["stop"]).exits(0).says("stopped already");
    assert!(again.took.as_secs() < 5, "{}", again.transcript());

    let run = world.labctl(&["start"]).exits(0).says("is back");
    world.figure(format!("start: {:.1?}", run.took));
    // Not a moment later: what `start` waited for is what `verify` looks at.
    world.verify(0);
    assert_eq!(identity(world), before);
    world.labctl(&["start"]).exits(0).says("it runs already");
    world.labctl(&["status"]).exits(0).says("answers");
}

/// A restart of the engine ended all nodes at once and brought one of them back, at the address of
/// another: it is told of, and `up` brings the rest back.
pub(crate) fn left_behind(world: &World) {
    world.at_the_end();
    let before = identity(world);
    let nodes = remains::containers(&world.name);
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let workers = nodes.iter().filter(|name| !name.contains("control-plane"));
    let mut addresses: Vec<(u8, &str)> = workers.map(|name| (last_byte(name), *name)).collect();
    addresses.sort_unstable();
    docker(&[&["kill"], &nodes[..]].concat());
    // What comes back first gets the lowest address, which was another's.
    let (was, moved) = addresses[addresses.len() - 1];
    docker(&["start", moved]);
    assert_ne!(last_byte(moved), was, "{moved} has the address that it had");

    world.labctl(&["status"]).exits(0).says("stopped (3 of 4)");
    world
        .labctl(&["verify"])
        .exits(5)
        .says("the cluster's containers are stopped (3 of 4)")
        .says(&start_hint(world));
    let run = world.up(&["--output", "json"]).exits(0);
    world.figure(format!("up of a cluster left behind: {:.1?}", run.took));
    let started = |event: &EventKind| matches!(event, EventKind::ClusterStarted { nodes: 4, .. });
    assert!(run.events().iter().any(started), "{}", run.transcript());
    nothing_was_done(&run);
    world.verify(0);
    assert_eq!(identity(world), before);

    // One node is not there: the API server still answers, and yet nothing is called verified.
    docker(&["kill", moved]);
    world
        .labctl(&["verify"])
        .exits(1)
        .says("the cluster's containers are stopped (1 of 4)");
    world.labctl(&["start"]).exits(0);
    world.verify(0);
}

/// The command that restarts the engine, if it may be restarted.
pub(crate) fn engine_restart() -> Option<String> {
    setting("LABCTL_E2E_RESTART_ENGINE").and_then(|command| command.into_string().ok())
}

/// The engine is restarted under an environment.
pub(crate) fn engine_restarted(world: &World) {
    let restart = engine_restart().expect("a command that restarts the engine");
    // What stands there may be one that was broken for good.
    world.remove();
    world.at_the_end();
    let before = identity(world);
    let ours = |name: &String| name.starts_with(&world.name);
    let others: Vec<String> = docker(&["ps", "--format", "{{.Names}}"]);
    let others: Vec<String> = others.into_iter().filter(|name| !ours(name)).collect();
    assert_eq!(others, [""; 0], "the engine is not restarted under others");
    let restarted = Command::new("sh").args(["-c", &restart]).status();
    assert!(restarted.expect("a shell").success(), "{restart}");
    let left = running(&world.name).len();
    world.figure(format!(
        "nodes that a restart of the engine left running: {left} of 4"
    ));
    if left < 4 {
        let stopped = format!("the cluster's containers are stopped ({} of 4)", 4 - left);
        world.labctl(&["status"]).exits(0).says(&stopped);
    }
    let run = world.labctl(&["start"]).exits(0).says("is back");
    world.figure(format!(
        "start after a restart of the engine: {:.1?}",
        run.took
    ));
    world.verify(0);
    assert_eq!(identity(world), before);
    nothing_was_done(&world.up(&["--output", "json"]).exits(0));
}

/// A container of a cluster of the environment's name that the environment did not make. It ends
/// with the value.
pub(crate) struct Foreign {
    /// Its name.
    pub(crate) name: String,
}

impl Foreign {
    /// Starts one beside the environment's own.
    pub(crate) fn beside(world: &World) -> Self {
        let own = remains::containers(&world.name);
        let image = docker(&["container", "inspect", "--format", "{{.Image}}", &own[0]]).concat();
        let label = format!("io.x-k8s.kind.cluster={}", world.name);
        let name = format!("{}-foreign", world.name);
        let create = ["create", "--name", &name, "--label", &label];
        docker(&[&create[..], &["--entrypoint", "sleep", &image, "infinity"]].concat());
        docker(&["start", &name]);
        Self { name }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.name]);
    }
}

/// Under the environment's name stands a cluster that it did not make: nothing that changes
/// anything touches it.
pub(crate) fn recreated(world: &World) {
    world.at_the_end();
    let own = remains::containers(&world.name);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    // Somebody removed the cluster and made one of the same name; a container is all of it that
    // has to be there.
    let foreign = Foreign::beside(world);
    let network = remains::networks(&world.name);
    for verb in ["stop", "start"] {
        world.labctl(&[verb]).exits(7).says("did not make");
    }
    docker(&[&["stop"], &own[..]].concat());
    world.up(&[]).exits(7).says("did not make");
    assert_eq!(
        running(&world.name),
        [foreign.name.as_str()],
        "only the foreign one runs"
    );
    drop(foreign);
    assert_eq!(remains::networks(&world.name), network);
    assert_eq!(remains::containers(&world.name).len(), 4);
    world.labctl(&["start"]).exits(0);
    world.verify(0);
}

/// `up` did no step.
#[track_caller]
fn nothing_was_done(run: &Run) {
    let outcomes = run.outcomes();
    assert_eq!(outcomes.len(), STEPS.len(), "{}", run.transcript());
    for (id, outcome) in outcomes {
        let is_skipped = matches!(outcome, Outcome::Skipped { .. });
        assert!(is_skipped, "{id}: {outcome:?}\n{}", run.transcript());
    }
}

fn start_hint(world: &World) -> String {
    format!("`labctl start 10.3 --env {}`", world.name)
}

/// What has to be the same after a restart: the pods, their claims, and the row.
#[track_caller]
fn identity(world: &World) -> Vec<String> {
    let uids = "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
    let of = |what: &str| world.kubectl(&["get", what, "-o", uids]).text();
    let psql = ["psql", "-qtAU", "postgres", "-c", "select * from lab"];
    let row = world.kubectl(&[&["exec", "postgres-0", "--"], &psql[..]].concat());
    vec![of("pods"), of("pvc"), row.text()]
}

/// The names of the running node containers of the cluster `name`.
pub(crate) fn running(name: &str) -> Vec<String> {
    let label = format!("label=io.x-k8s.kind.cluster={name}");
    docker(&["ps", "--format", "{{.Names}}", "--filter", &label])
}

/// The last byte of a container's address.
#[track_caller]
fn last_byte(container: &str) -> u8 {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = docker(&["container", "inspect", "--format", format, container]).concat();
    let last = address
        .rsplit('.')
        .next()
        .and_then(|byte| byte.parse().ok());
    last.unwrap_or_else(|| panic!("{container} has the address `{address}`"))
}
