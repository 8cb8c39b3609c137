//! A lab that is up is broken; `verify` names what, and mended it passes again.

use std::time::Duration;

use labctl::event::Outcome;

use crate::world::{STEPS, World, wait_for};

/// The row of step `database`.
const ROW: &str = "insert into lab (id, note) values (1, 'written before the kill')";

/// The row is deleted.
pub(crate) fn row(world: &World) {
    world.at_the_end();
    world.sql("delete from lab where id = 1");
    verify_names_the_row(world);
    world.sql(ROW);
    world.verify(0);
}

/// The row is deleted; `up` writes it again, and does nothing else.
pub(crate) fn row_mended(world: &World) {
    world.at_the_end();
    world.sql("delete from lab where id = 1");
    verify_names_the_row(world);
    let run = world.up(&["--output", "json"]).exits(0).says_nothing();
    let changed: Vec<String> = run
        .outcomes()
        .into_iter()
        .filter(|(_, outcome)| *outcome == Outcome::Changed)
        .map(|(id, _)| id)
        .collect();
    assert_eq!(changed, ["database"], "{}", run.transcript());
    world.verify(0);
    world.labctl(&["status"]).exits(0).says("8/8 uncordon");
}

fn verify_names_the_row(world: &World) {
    world
        .labctl(&["verify"])
        .exits(1)
        .says("○ database")
        .says("answer of postgres-0 to `select note from lab where id = 1`")
        .says("expected \"written before the kill\", is nothing")
        .says("not verified: sql in postgres-0");
    let question = "postgres-0 to `select note from lab where id = 1`";
    let verified = world.verify(1);
    verified.names(
        "database",
        question,
        "\"written before the kill\"",
        "nothing",
    );
    assert_eq!(verified.step("uncordon").state, "held");
}

/// The `StatefulSet` is scaled to two.
pub(crate) fn scaled(world: &World) {
    world.at_the_end();
    world.kubectl(&["scale", "statefulset/postgres", "--replicas=2"]);
    world.kubectl(&["wait", "--for=delete", "pod/postgres-2", "--timeout=60s"]);
    world
        .labctl(&["verify"])
        .exits(1)
        .says("uncordon")
        .says("replicas asked for by statefulset/postgres expected 3, is 2")
        .says("pod postgres-2");
    let verified = world.verify(1);
    verified.names(
        "uncordon",
        "replicas asked for by statefulset/postgres",
        "3",
        "2",
    );
    verified.names("uncordon", "pod postgres-2 is Ready", "Ready", "absent");
    world.kubectl(&["scale", "statefulset/postgres", "--replicas=3"]);
    world.kubectl(&[
        "rollout",
        "status",
        "statefulset/postgres",
        "--timeout=120s",
    ]);
    world.verify(0);
}

/// The Service is deleted.
pub(crate) fn service(world: &World) {
    world.at_the_end();
    world.kubectl(&["delete", "service", "postgres"]);
    world
        .labctl(&["verify"])
        .exits(1)
        .says("service/postgres exists expected exists, is absent")
        .says("service postgres is headless");
    let verified = world.verify(1);
    verified.names("uncordon", "service/postgres", "exists", "absent");
    verified.names(
        "identity",
        "service postgres is headless",
        "headless Service",
        "absent",
    );
    let manifest = world
        .state()
        .join(format!("envs/{}/lab/manifests/postgres.yaml", world.name));
    world.kubectl(&["apply", "-f", &manifest.to_string_lossy()]);
    // A name that was not found is remembered, too.
    wait_for(
        "the Service's names are served",
        Duration::from_secs(90),
        || world.labctl(&["verify"]).code() == Some(0),
    );
}

/// The claim is deleted with its pod: what comes back is another, empty volume, and `up` says that
/// it cannot mend that.
pub(crate) fn claim(world: &World) {
    world.at_the_end();
    let uid = |world: &World| {
        let path = "jsonpath={.metadata.uid}";
        world
            .kubectl(&["get", "pvc", "data-postgres-0", "-o", path])
            .text()
    };
    let before = uid(world);
    world.kubectl(&["delete", "pvc", "data-postgres-0", "--wait=false"]);
    world.kubectl(&["delete", "pod", "postgres-0"]);
    world.kubectl(&[
        "rollout",
        "status",
        "statefulset/postgres",
        "--timeout=120s",
    ]);
    let after = uid(world);
    assert_ne!(before, after);

    world
        .labctl(&["verify"])
        .exits(1)
        .says("✗ claim data-postgres-0 is the same")
        .says("not verified: pvc-reattached postgres-0");
    let verified = world.verify(1);
    let step = verified.step("kill-pod");
    assert_eq!(step.state, "failed");
    let short = |uid: &str| uid.chars().take(7).collect::<String>();
    verified.names(
        "kill-pod",
        "claim data-postgres-0 is the same",
        &short(&before),
        &short(&after),
    );

    let run = world
        .up(&[])
        .exits(1)
        .says("pvc-reattached postgres-0 no longer holds");
    let run = run.says("would not mend it").says("labctl reset");
    assert!(
        !run.text().contains('{'),
        "stdout is for machines\n{}",
        run.transcript()
    );
    assert_eq!(STEPS.len(), verified.steps.len());
}
