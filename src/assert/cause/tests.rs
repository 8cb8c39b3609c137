use serde_json::{Value, json};

use super::*;
use crate::assert::fixture::{
    self, NS, World, container, not_ready, not_ready_node, unschedulable, volume_name,
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
fn containers_say_what_they_wait_for() {
    let waiting = |reason: &str, message: &str| {
        pod(container(
            &json!({"waiting": {"reason": reason, "message": message}}),
        ))
    };
    let mut crash = container(&json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    crash["status"]["containerStatuses"][0]["lastState"] =
        json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    crash["status"]["containerStatuses"][0]["restartCount"] = json!(4);
    for (world, expected) in [
        (
            waiting("ImagePullBackOff", "not \u{1b}[1mfound"),
            "container postgres cannot have its image docker.io/library/postgres:17 \
             (ImagePullBackOff): not found",
        ),
        (
            waiting("CreateContainerConfigError", "secret \"x\" not found"),
            "container postgres cannot start (CreateContainerConfigError): secret \"x\" not found",
        ),
        (
            waiting("ContainerCreating", ""),
            "container postgres is being created",
        ),
        (
            pod(crash),
            "container postgres ends again and again: exit code 137 (OOMKilled), after 4 restarts",
        ),
        (
            pod(container(
                &json!({"terminated": {"exitCode": 1, "message": "no space left\n"}}),
            )),
            "container postgres ended with exit code 1: no space left",
        ),
        (
            pod(not_ready()),
            "container postgres runs, but its readiness probe fails",
        ),
        (
            pod(not_ready()).with(
                "Pod",
                POD,
                json!({"spec": {"containers": [
            {"name": "postgres"}]}}),
            ),
            "container postgres runs, but is not ready",
        ),
        (
            pod(json!({"status": {"phase": "Pending", "conditions": null,
            "containerStatuses": null}})),
            "node lab-10-3-worker has not started it yet",
        ),
    ] {
        assert_eq!(why(&world), [expected]);
    }
    let mut starting = container(&json!({"running": {}}));
    starting["status"]["containerStatuses"][0]["started"] = json!(false);
    starting["spec"] = json!({"containers": [{"name": "postgres", "startupProbe": {}}]});
    let expected = "container postgres runs, but its startup probe has not succeeded yet";
    assert_eq!(why(&pod(starting)), [expected]);
}

#[test]
fn init_containers_come_first_and_sidecars_have_to_be_ready() {
    let init = |restart: Option<&str>, state: Value| {
        let mut patch = container(&json!({"waiting": {"reason": "PodInitializing"}}));
        patch["spec"] = json!({"initContainers": [{"name": "init", "restartPolicy": restart}]});
        patch["status"]["initContainerStatuses"] = json!([{"name": "init", "ready": false,
            "restartCount": 0, "image": "i", "imageID": "", "state": state}]);
        why(&pod(patch))
    };
    let running = json!({"running": {}});
    assert_eq!(
        init(None, running.clone()),
        ["init container init still runs"]
    );
    assert_eq!(
        init(Some("Always"), running),
        ["init container init runs, but is not ready"]
    );
    assert_eq!(
        init(None, json!({"terminated": {"exitCode": 3}})),
        ["init container init ended with exit code 3"]
    );
    let not_its_turn = json!({"waiting": {"reason": "PodInitializing"}});
    assert_eq!(
        init(None, not_its_turn),
        ["container postgres is being created"]
    );
}

#[test]
fn what_else_ready_waits_for() {
    let gates = json!({"spec": {"readinessGates": [{"conditionType": "example.org/up"}]},
        "status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    assert_eq!(
        why(&pod(gates)),
        ["its readiness gate example.org/up is not True"]
    );
    let stale = json!({"metadata": {"generation": 2}, "status": {"conditions":
        [{"type": "Ready", "status": "True", "observedGeneration": 1}]}});
    assert_eq!(
        why(&pod(stale)),
        ["its condition Ready is about an older generation"]
    );
    let silent = json!({"status": {"conditions": null}});
    assert_eq!(why(&pod(silent)), ["its status does not say why"]);
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
