use serde_json::{Value, json};

use super::*;
use crate::assert::fixture::{
    self, NS, World, not_ready, not_ready_node, unschedulable, volume_name,
};

const POD: &str = "postgres-0";
const NODE: &str = "lab-10-3-worker";
const CLAIM: (&str, &str) = ("PersistentVolumeClaim", "data-postgres-0");

fn why(world: &World) -> Vec<String> {
    why_not_ready(&world.get(POD), &world.observed, NS)
}

fn pod(patch: Value) -> World {
    World::well().with("Pod", POD, patch)
}

fn unscheduled() -> World {
    pod(unschedulable("0/4 nodes are available"))
}

#[test]
fn a_ready_pod_has_no_cause() {
    assert_eq!(why(&World::well()), [""; 0]);
}

#[test]
fn a_volume_on_a_node_that_takes_no_pods_is_the_cause() {
    let cordoned = json!({"spec": {"unschedulable": true}});
    let bound = "volume pvc-9a000000… is bound to node lab-10-3-worker, which is";
    let heard = "NotReady (NodeStatusUnknown: Kubelet stopped posting node status.)";
    let uncordon = "cordoned (kubectl uncordon lab-10-3-worker)";
    for (world, expected) in [
        (
            unscheduled().with("Node", NODE, cordoned.clone()),
            format!("{bound} {uncordon}"),
        ),
        (
            unscheduled().with("Node", NODE, not_ready_node()),
            format!("{bound} {heard}"),
        ),
        (
            unscheduled()
                .with("Node", NODE, cordoned)
                .with("Node", NODE, not_ready_node()),
            format!("{bound} {uncordon} and {heard}"),
        ),
        (unscheduled().without("Node", NODE), format!("{bound} gone")),
    ] {
        assert_eq!(why(&world), [expected]);
    }
}

#[test]
fn a_volume_that_another_node_can_have_is_not_the_cause() {
    let terms = json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In",
            "values": [NODE, "lab-10-3-worker2"]}]}]}}}});
    let world = unscheduled()
        .with("PersistentVolume", &volume_name(0), terms)
        .with("Node", NODE, json!({"spec": {"unschedulable": true}}));
    assert_eq!(why(&world), ["no node fits: 0/4 nodes are available"]);
    let world = world.without("Node", "lab-10-3-worker2");
    assert_eq!(why(&world).len(), 2);
}

#[test]
fn a_claim_that_is_missing_going_or_lost_is_the_cause() {
    for (world, expected) in [
        (
            unscheduled().without(CLAIM.0, CLAIM.1),
            "claim data-postgres-0 does not exist",
        ),
        (
            unscheduled().deleting(CLAIM.0, CLAIM.1),
            "claim data-postgres-0 is being deleted",
        ),
        (
            unscheduled().with(CLAIM.0, CLAIM.1, json!({"status": {"phase": "Lost"}})),
            "claim data-postgres-0 has lost its volume",
        ),
        (
            unscheduled().without("PersistentVolume", &volume_name(0)),
            "volume pvc-9a000000… of claim data-postgres-0 does not exist",
        ),
    ] {
        assert_eq!(why(&world), [expected]);
    }
}

#[test]
fn the_scheduler_is_quoted_where_the_objects_do_not_tell() {
    let blind = [CLAIM.0, "PersistentVolume", "Node"];
    for kind in blind {
        assert_eq!(
            why(&unscheduled().lost(kind)),
            ["no node fits: 0/4 nodes are available"]
        );
    }
    let waiting = unscheduled().with(
        CLAIM.0,
        CLAIM.1,
        json!({"spec": {"volumeName": null}, "status": {"phase": "Pending"}}),
    );
    assert_eq!(why(&waiting), ["no node fits: 0/4 nodes are available"]);
    let new = pod(json!({"spec": {"nodeName": null}, "status": null}));
    assert_eq!(why(&new), ["the scheduler has not looked at it yet"]);
    let gated = pod(
        json!({"spec": {"nodeName": null}, "status": {"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
            "message": "gated by x"}]}}),
    );
    assert_eq!(why(&gated), ["SchedulingGated: gated by x"]);
}

#[test]
fn what_the_scheduler_says_is_evidence_where_it_is_not_the_cause() {
    let world = unscheduled().with("Node", NODE, json!({"spec": {"unschedulable": true}}));
    let quoted = ["scheduler: 0/4 nodes are available"];
    assert_eq!(evidence(&world.get(POD), &why(&world)), quoted);
    let world = unscheduled();
    assert_eq!(evidence(&world.get(POD), &why(&world)), [""; 0]);
    assert_eq!(evidence(&World::well().get(POD), &[]), [""; 0]);
}

#[test]
fn a_pod_on_its_way_out_is_told_with_what_holds_it() {
    let world = World::well().deleting("Pod", POD);
    assert_eq!(why(&world), ["it is being deleted"]);
    let held = world
        .with(
            "Pod",
            POD,
            json!({"metadata": {"finalizers": ["example.org/keep"]}}),
        )
        .with("Node", NODE, not_ready_node());
    assert_eq!(
        why(&held),
        [
            "it is being deleted, held by example.org/keep",
            "its node lab-10-3-worker is NotReady (NodeStatusUnknown: Kubelet stopped posting node \
         status.)",
        ]
    );
}

#[test]
fn a_node_that_is_not_heard_from_comes_before_what_it_last_said() {
    let world = pod(not_ready()).with("Node", NODE, not_ready_node());
    assert_eq!(why(&world).len(), 1);
    assert!(why(&world)[0].starts_with("its node lab-10-3-worker is NotReady"));
    let gone = pod(not_ready()).without("Node", NODE);
    assert_eq!(why(&gone), ["its node lab-10-3-worker is gone"]);
}

#[test]
fn a_pod_that_is_missing_waits_for_those_before_it() {
    let missing = |world: &World, ordinal| {
        why_missing(
            &world.get::<StatefulSet>("postgres"),
            ordinal,
            &world.observed,
            fixture::NS,
        )
    };
    let world = World::well().without("Pod", "postgres-2");
    assert_eq!(missing(&world, 2), ["pod postgres-2 does not exist yet"]);
    let world = world.with("Pod", "postgres-1", not_ready());
    assert_eq!(
        missing(&world, 2),
        ["pod postgres-2 does not exist yet: it waits until postgres-1 is Ready"]
    );
    let parallel = json!({"spec": {"podManagementPolicy": "Parallel"}});
    let world = world.with("StatefulSet", "postgres", parallel);
    assert_eq!(missing(&world, 2), ["pod postgres-2 does not exist yet"]);
}
