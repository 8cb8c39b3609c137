use serde_json::{Value, json};

use crate::{
    assert::{
        Needs,
        fixture::{
            NS, World, assertion, container, deployment, not_ready, said, unschedulable, web_pod,
        },
    },
    event::Status,
};

const SET: &str = "rollout-complete: {of: statefulset/postgres}";
const WEB: &str = "rollout-complete: {of: deployment/web}";

fn set(patch: Value) -> World {
    World::well().with("StatefulSet", "postgres", patch)
}

fn web() -> World {
    World::well()
        .add(deployment())
        .add(web_pod("web-a"))
        .add(web_pod("web-b"))
}

fn all_said(world: &World, yaml: &str) -> Vec<String> {
    world.faults(yaml).iter().map(said).collect()
}

#[test]
fn a_rollout_that_is_through_passes() {
    World::well().passes(SET);
    World::well().passes("rollout-complete: {of: statefulset/postgres, replicas: 3}");
    web().passes(WEB);
}

/// Moves everything in `world` that has a namespace to the namespace `ingress`.
fn elsewhere(mut world: World) -> World {
    let objects = std::mem::take(&mut world.observed.objects).into_iter();
    let moved = objects.map(|(mut scope, seen)| {
        scope.namespace = scope.namespace.map(|_| "ingress".to_owned());
        (scope, seen)
    });
    world.observed.objects = moved.collect();
    world
}

#[test]
fn a_workload_of_another_namespace_is_looked_for_there_alone() {
    let there = "rollout-complete: {of: deployment/web, namespace: ingress}";
    let evaluate = |world: &World, yaml| world.evaluate(&assertion(yaml));
    let verdict = evaluate(&elsewhere(web()), there);
    assert_eq!(verdict.status, Status::Pass, "{verdict:#?}");
    assert_eq!(
        verdict.assertion,
        "rollout-complete deployment/web in ingress"
    );
    let scopes = Needs::of(&[assertion(there)], NS).scopes;
    assert!(scopes.iter().all(|s| s.namespace.as_deref() != Some(NS)));
    // A workload of the same name in another namespace does not count, in either direction.
    assert_ne!(evaluate(&web(), there).status, Status::Pass);
    assert_ne!(evaluate(&elsewhere(web()), WEB).status, Status::Pass);
    // A restart is stuck: the old pod holds something that the new one waits for.
    let stuck = json!({"metadata": {"generation": 3},
        "status": {"observedGeneration": 3, "replicas": 3, "updatedReplicas": 1}});
    let stuck = elsewhere(web().with("Deployment", "web", stuck));
    assert_eq!(evaluate(&stuck, there).status, Status::Pending);
}

#[test]
fn what_does_not_exist_or_cannot_be_asked_never_passes() {
    for yaml in [SET, WEB] {
        let clause = World::empty().fault(yaml);
        assert_eq!(
            (clause.status, clause.actual.as_str()),
            (Status::Pending, "absent")
        );
        assert_eq!(World::unreachable().fault(yaml).status, Status::Unknown);
        assert_eq!(web().lost("Pod").verdict(WEB).status, Status::Unknown);
    }
    assert_eq!(
        all_said(&World::well().lost("Pod"), SET),
        [
            "Unknown: pods of statefulset/postgres are Ready: expected 3, is cannot be told: \
         connection refused"
        ]
    );
    let deleting = World::well().deleting("StatefulSet", "postgres");
    assert_eq!(deleting.fault(SET).actual, "being deleted");
}

#[test]
fn other_replicas_asked_for_than_expected_fail_at_once() {
    let clause = World::well().fault("rollout-complete: {of: statefulset/postgres, replicas: 2}");
    assert_eq!(
        said(&clause),
        "Failed: replicas asked for by statefulset/postgres: expected 2, is 3"
    );
}

#[test]
fn nothing_asked_for_passes_only_where_the_lab_says_0() {
    let none = json!({"spec": {"replicas": 0}, "status": {"replicas": null, "readyReplicas": null,
        "availableReplicas": null, "updatedReplicas": null}});
    let set_status = json!({"status": {"replicas": 0}});
    for (world, yaml, of) in [
        (
            set(none.clone()).with("StatefulSet", "postgres", set_status),
            SET,
            "statefulset/postgres",
        ),
        (
            web()
                .with("Deployment", "web", none)
                .without("Pod", "web-a"),
            WEB,
            "deployment/web",
        ),
    ] {
        let clause = world.fault(yaml);
        let of_replicas = format!("replicas asked for by {of}");
        assert_eq!(
            said(&clause),
            format!("Failed: {of_replicas}: expected at least 1, is 0")
        );
        let because = format!("{of} is scaled to 0 (kubectl scale {of} --replicas=…)");
        assert_eq!(clause.because, [because]);
        world.passes(&yaml.replace('}', ", replicas: 0}"));
    }
}

#[test]
fn ready_pods_of_others_do_not_count() {
    let others = json!({"metadata": {"ownerReferences":
        [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "x", "controller": true}]}});
    for foreign in [others, json!({"metadata": {"ownerReferences": null}})] {
        let world = web().with("Pod", "web-b", foreign);
        assert_eq!(
            said(&world.fault(WEB)),
            "Pending: pods of deployment/web are Ready: expected 2, is 1"
        );
    }
    let of_another = json!({"metadata": {"ownerReferences": null}});
    let world = web().with("ReplicaSet", "web-5c", of_another);
    assert_eq!(world.fault(WEB).actual, "0");
    assert_eq!(web().lost("ReplicaSet").fault(WEB).status, Status::Unknown);
}

#[test]
fn a_status_about_an_older_generation_says_nothing() {
    for (world, yaml, expected) in [
        (
            set(json!({"metadata": {"generation": 2}})),
            SET,
            "generation 1 so far",
        ),
        (set(json!({"status": null})), SET, "none so far"),
        (
            web().with("Deployment", "web", json!({"metadata": {"generation": 3}})),
            WEB,
            "generation 2 so far",
        ),
    ] {
        let clause = world.fault(yaml);
        assert_eq!(
            (clause.status, clause.actual.as_str()),
            (Status::Pending, expected)
        );
    }
}

#[test]
fn every_count_that_is_off_has_a_clause() {
    let world = set(
        json!({"status": {"readyReplicas": 2, "availableReplicas": null,
        "updatedReplicas": 1, "replicas": 4, "currentRevision": "postgres-4b"}}),
    );
    assert_eq!(
        all_said(&world, SET),
        [
            "Pending: replicas of statefulset/postgres: expected 3, is 4",
            "Pending: updated replicas of statefulset/postgres: expected 3, is 1",
            "Pending: ready replicas of statefulset/postgres: expected 3, is 2",
            "Pending: available replicas of statefulset/postgres: expected 3, is 0",
            "Pending: revision of statefulset/postgres: expected postgres-5c, is postgres-4b",
        ]
    );
    let world = web().with(
        "Deployment",
        "web",
        json!({"spec": {"paused": true}, "status": {
        "replicas": 3, "conditions": [{"type": "Progressing", "status": "False",
            "reason": "ProgressDeadlineExceeded", "message": "timed out"}]}}),
    );
    let clause = world.fault(WEB);
    assert_eq!(
        said(&clause),
        "Pending: replicas of deployment/web: expected 2, is 3"
    );
    assert_eq!(
        clause.evidence,
        [
            "Progressing: ProgressDeadlineExceeded: timed out",
            "it is paused (kubectl rollout resume)",
        ]
    );
}

#[test]
fn what_the_controller_complains_of_is_evidence() {
    let quota = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "exceeded quota"});
    let world = web().with(
        "Deployment",
        "web",
        json!({"status": {"replicas": 1, "conditions": [quota]}}),
    );
    assert_eq!(
        world.fault(WEB).evidence,
        ["ReplicaFailure: FailedCreate: exceeded quota"]
    );
}

#[test]
fn a_partition_holds_pods_back_on_purpose() {
    let held = |updated: i32| {
        set(json!({
            "spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}},
            "status": {"updatedReplicas": updated, "currentRevision": "postgres-4b"}}))
        .with(
            "Pod",
            "postgres-0",
            json!({"metadata": {"labels": {"controller-revision-hash": "postgres-4b"}}}),
        )
    };
    held(1).passes(SET);
    assert_eq!(
        all_said(&held(0), SET),
        [
            "Pending: updated replicas of statefulset/postgres: expected at least 1 (partition 2), is 0"
        ]
    );
}

#[test]
fn on_delete_waits_for_somebody_to_delete() {
    let strategy = json!({"spec": {"updateStrategy": {"type": "OnDelete"}},
        "status": {"currentRevision": "postgres-4b"}});
    set(strategy.clone()).passes(SET);
    let world = set(strategy).with(
        "StatefulSet",
        "postgres",
        json!({"status":
        {"updatedReplicas": 2}}),
    );
    assert_eq!(
        world.fault(SET).evidence,
        ["its updateStrategy is OnDelete: a pod gets the new revision when it is deleted"]
    );
}

#[test]
fn pods_are_looked_at_themselves_as_a_status_can_lag() {
    let old = json!({"metadata": {"labels": {"controller-revision-hash": "postgres-4b"}}});
    let foreign = json!({"metadata": {"ownerReferences": null}});
    for (world, because) in [
        (
            World::well().deleting("Pod", "postgres-1"),
            "pod postgres-1: it is being deleted",
        ),
        (
            World::well().with("Pod", "postgres-1", not_ready()),
            "pod postgres-1: container postgres runs, but its readiness probe fails",
        ),
        (
            World::well().without("Pod", "postgres-2"),
            "pod postgres-2 does not exist yet",
        ),
        (
            World::well().with("Pod", "postgres-1", old),
            "pod postgres-1 runs revision postgres-4b, not postgres-5c",
        ),
        (
            World::well().with("Pod", "postgres-1", foreign),
            "pod postgres-1 does not belong to statefulset/postgres",
        ),
    ] {
        let clause = world.fault(SET);
        assert_eq!(
            said(&clause),
            "Pending: pods of statefulset/postgres are Ready: expected 3, is 2"
        );
        assert_eq!(clause.because, [because]);
    }
    let world = web().deleting("Pod", "web-b");
    assert_eq!(world.fault(WEB).because, ["pod web-b: it is being deleted"]);
}

#[test]
fn each_pod_that_is_not_ready_has_its_causes() {
    let waiting = json!({"waiting": {"reason": "CreateContainerConfigError",
        "message": "secret \"postgres\" not found"}});
    let world = World::well()
        .with(
            "Pod",
            "postgres-1",
            unschedulable("0/4 nodes are available"),
        )
        .with(
            "Node",
            "lab-10-3-worker2",
            json!({"spec": {"unschedulable": true}}),
        )
        .with("Pod", "postgres-2", container(&waiting));
    let clause = world.fault(SET);
    assert_eq!(
        clause.because,
        [
            "pod postgres-1: volume pvc-9a000001… is bound to node lab-10-3-worker2, which is cordoned \
         (kubectl uncordon lab-10-3-worker2)",
            "pod postgres-2: container postgres cannot start (CreateContainerConfigError): secret \
         \"postgres\" not found",
        ]
    );
    assert_eq!(
        clause.evidence,
        ["pod postgres-1: scheduler: 0/4 nodes are available"]
    );
}
