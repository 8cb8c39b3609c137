use serde_json::json;

use crate::{
    assert::fixture::{World, before, said, unschedulable},
    event::Status,
};

const REATTACHED: &str = "pvc-reattached: {pod: postgres-0, since: before}";

/// Returns the world in which the recorded pod still runs.
fn not_killed() -> World {
    World::well().with(
        "Pod",
        "postgres-0",
        json!({"metadata": {"uid": "b7000000-old"}}),
    )
}

#[test]
fn another_pod_with_the_same_claim_and_volume_passes() {
    let verdict = World::well().verdict(REATTACHED);
    let said: Vec<String> = verdict.clauses.iter().map(said).collect();
    assert_eq!(
        said,
        [
            "Pass: claim data-postgres-0 is the same: expected uid 1f300000… · volume pvc-9a000000…, \
         is uid 1f300000… · volume pvc-9a000000…",
            "Pass: volume pvc-9a000000… is the same: expected uid 70l0000-… · of claim uid 1f300000…, \
         is uid 70l0000-… · of claim uid 1f300000…",
            "Pass: pod postgres-0 was replaced: expected another uid than b7000000…, is uid \
         b7000000… → a1000000…",
            "Pass: pod postgres-0 mounts claim data-postgres-0: expected mounted, is mounted",
            "Pass: pod postgres-0 is Ready: expected Ready, is Ready",
        ]
    );
}

#[test]
fn the_recorded_pod_has_not_been_replaced() {
    let clause = not_killed().fault(REATTACHED);
    assert_eq!(clause.status, Status::Pending);
    assert_eq!(
        clause.actual,
        "still the pod of `before` (uid b7000000…), not replaced"
    );
    let faults = not_killed()
        .deleting("Pod", "postgres-0")
        .faults(REATTACHED);
    assert_eq!(
        faults[0].actual,
        "still the pod of `before` (uid b7000000…), being deleted"
    );
    assert_eq!(faults[1].actual, "being deleted");
    assert_eq!(faults[1].because, ["it is being deleted"]);
}

#[test]
fn a_drained_node_is_named_as_the_cause() {
    let message = "0/4 nodes are available: 1 node(s) were unschedulable.";
    let clause = World::well()
        .with("Pod", "postgres-0", unschedulable(message))
        .with(
            "Node",
            "lab-10-3-worker",
            json!({"spec": {"unschedulable": true}}),
        )
        .fault(REATTACHED);
    assert_eq!(
        said(&clause),
        "Pending: pod postgres-0 is Ready: expected Ready, is Pending for 30 s: no node fits"
    );
    assert_eq!(
        clause.because,
        [
            "volume pvc-9a000000… is bound to node lab-10-3-worker, which is cordoned (kubectl uncordon \
         lab-10-3-worker)"
        ]
    );
    assert_eq!(clause.evidence, [format!("scheduler: {message}")]);
}

#[test]
fn another_claim_or_volume_fails_at_once() {
    for (kind, name, patch) in [
        (
            "PersistentVolumeClaim",
            "data-postgres-0",
            json!({"metadata": {"uid": "other"}}),
        ),
        (
            "PersistentVolumeClaim",
            "data-postgres-0",
            json!({"spec": {"volumeName": "other"}}),
        ),
        (
            "PersistentVolume",
            "pvc-9a000000-4e5f",
            json!({"metadata": {"uid": "other"}}),
        ),
        (
            "PersistentVolume",
            "pvc-9a000000-4e5f",
            json!({"spec": {"claimRef": {"uid": "other"}}}),
        ),
        (
            "PersistentVolume",
            "pvc-9a000000-4e5f",
            json!({"spec": {"claimRef": null}}),
        ),
        ("Pod", "postgres-0", json!({"spec": {"volumes": null}})),
    ] {
        let clause = World::well()
            .with(kind, name, patch.clone())
            .fault(REATTACHED);
        assert_eq!(clause.status, Status::Failed, "{kind}: {patch}");
    }
}

#[test]
fn what_is_absent_or_going_is_waited_for() {
    let status = |world: World| world.verdict(REATTACHED).status;
    let claim = ("PersistentVolumeClaim", "data-postgres-0");
    assert_eq!(
        status(World::well().without("Pod", "postgres-0")),
        Status::Pending
    );
    assert_eq!(
        status(World::well().without(claim.0, claim.1)),
        Status::Pending
    );
    let volume = "pvc-9a000000-4e5f";
    assert_eq!(
        status(World::well().without("PersistentVolume", volume)),
        Status::Pending
    );
    assert_eq!(
        status(World::well().deleting(claim.0, claim.1)),
        Status::Pending
    );
    let nameless = json!({"spec": {"volumeName": null}});
    assert_eq!(
        status(World::well().with(claim.0, claim.1, nameless)),
        Status::Pending
    );
    let unbound = json!({"spec": {"volumeName": null}, "status": {"phase": "Pending"}});
    assert_eq!(
        status(World::well().with(claim.0, claim.1, unbound)),
        Status::Pending
    );
    // The old pod may mount something else: it will be replaced.
    let old = not_killed().with("Pod", "postgres-0", json!({"spec": {"volumes": null}}));
    assert_eq!(status(old), Status::Pending);
}

#[test]
fn without_the_fact_it_cannot_be_told() {
    let mut world = World::well();
    world.facts.clear();
    let clause = world.fault(REATTACHED);
    assert_eq!(clause.status, Status::Unknown);
    assert_eq!(
        clause.actual,
        "no fact named `before` is recorded; it is recorded when the step that declares it is \
         verified"
    );
    let mut fact = before();
    fact.claim = None;
    world.facts.insert("before".to_owned(), fact);
    assert_eq!(
        world.fault(REATTACHED).actual,
        "fact `before` holds no claim"
    );
    world.facts.insert("before".to_owned(), before());
    let other = world.fault("pvc-reattached: {pod: postgres-1, since: before}");
    assert_eq!(
        (other.status, other.actual.as_str()),
        (Status::Unknown, "fact `before` is about pod postgres-0")
    );
}

#[test]
fn an_unreachable_cluster_is_unknown() {
    let verdict = World::unreachable().verdict(REATTACHED);
    assert!(
        verdict
            .clauses
            .iter()
            .all(|clause| clause.status == Status::Unknown)
    );
}
