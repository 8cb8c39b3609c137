//! A small cluster for tests: a `StatefulSet` with three pods on three workers, all healthy.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ProbeResult;
use crate::{
    event::Clause,
    spec::{Assertion, ClaimFact, Fact, PodFact},
};

pub(super) mod measured;
pub(super) mod shop;
mod world;

pub(super) use world::World;

pub(super) const NS: &str = "default";
pub(super) const NOW: &str = "2026-11-21T10:00:00Z";
const EARLIER: &str = "2026-11-21T09:59:22Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(super) fn typed<K: DeserializeOwned>(object: &Value) -> K {
    K::deserialize(object).unwrap()
}

/// Parses `yaml` as an assertion of a lab.
pub(super) fn assertion(yaml: &str) -> Assertion {
    serde_saphyr::from_str(yaml).unwrap()
}

/// Parses `yaml` as an HTTP request of a lab.
pub(super) fn http(yaml: &str) -> crate::spec::request::Http {
    serde_saphyr::from_str(yaml).unwrap()
}

/// Applies a JSON merge patch (RFC 7386) to `object`.
pub(super) fn patched(mut object: Value, patch: Value) -> Value {
    merge(&mut object, patch);
    object
}

fn merge(object: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *object = patch;
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(&key);
        } else {
            merge(&mut object[&key], value);
        }
    }
}

pub(super) fn node_name(i: usize) -> String {
    match i {
        0 => "lab-10-3-worker".to_owned(),
        i => format!("lab-10-3-worker{}", i + 1),
    }
}

fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// Returns the patch of a node whose kubelet stopped reporting.
pub(super) fn not_ready_node() -> Value {
    json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown",
        "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}]}})
}

pub(super) fn pod(i: usize) -> Value {
    let name = format!("postgres-{i}");
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": NS, "uid": format!("a100000{i}-new"),
            "creationTimestamp": EARLIER,
            "labels": {"app": "postgres", "controller-revision-hash": "postgres-5c",
                "statefulset.kubernetes.io/pod-name": name,
                "apps.kubernetes.io/pod-index": i.to_string()},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet",
                "name": "postgres", "uid": "5e7-postgres", "controller": true}]},
        "spec": {"hostname": name, "subdomain": "postgres", "nodeName": node_name(i),
            "containers": [{"name": "postgres", "image": "docker.io/library/postgres:17",
                "readinessProbe": {"exec": {"command": ["pg_isready"]}}}],
            "volumes": [{"name": "data",
                "persistentVolumeClaim": {"claimName": format!("data-{name}")}}]},
        "status": {"phase": "Running", "podIP": format!("10.244.1.{i}"),
            "conditions": [{"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "postgres", "ready": true, "restartCount": 0,
                "image": "docker.io/library/postgres:17", "imageID": "",
                "state": {"running": {"startedAt": EARLIER}}}]}})
}

/// Returns the patch of a pod that no node takes.
pub(super) fn unschedulable(message: &str) -> Value {
    json!({"spec": {"nodeName": null},
        "status": {"phase": "Pending", "podIP": null, "containerStatuses": null,
            "conditions": [{"type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "message": message}]}})
}

/// Returns the patch of a pod whose readiness probe fails.
pub(super) fn not_ready() -> Value {
    let mut status = container(&json!({"running": {}}));
    status["status"]["conditions"] = json!([{"type": "Ready", "status": "False",
        "lastTransitionTime": "2026-11-21T09:59:36Z"}]);
    status
}

/// Returns the patch of a pod whose only container is in `state` and not ready.
pub(super) fn container(state: &Value) -> Value {
    json!({"status": {
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "postgres", "ready": false, "restartCount": 0,
            "image": "docker.io/library/postgres:17", "imageID": "", "state": state}]}})
}

pub(super) fn volume_name(i: usize) -> String {
    format!("pvc-9a00000{i}-4e5f")
}

fn claim(i: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": format!("data-postgres-{i}"), "namespace": NS,
            "uid": format!("1f30000{i}-claim")},
        "spec": {"volumeName": volume_name(i), "storageClassName": "standard"},
        "status": {"phase": "Bound"}})
}

fn volume(i: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": volume_name(i), "uid": format!("70l000{i}-volume")},
        "spec": {"claimRef": {"name": format!("data-postgres-{i}"), "namespace": NS,
                "uid": format!("1f30000{i}-claim")},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In",
                    "values": [node_name(i)]}]}]}}},
        "status": {"phase": "Bound"}})
}

fn stateful_set() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "postgres", "namespace": NS, "uid": "5e7-postgres", "generation": 1},
        "spec": {"replicas": 3, "serviceName": "postgres",
            "selector": {"matchLabels": {"app": "postgres"}}, "template": {},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
        "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3,
            "availableReplicas": 3, "updatedReplicas": 3,
            "currentRevision": "postgres-5c", "updateRevision": "postgres-5c"}})
}

pub(super) fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": NS, "uid": "d-web", "generation": 2},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {}},
        "status": {"observedGeneration": 2, "replicas": 2, "readyReplicas": 2,
            "availableReplicas": 2, "updatedReplicas": 2,
            "conditions": [{"type": "Progressing", "status": "True"}]}})
}

pub(super) fn web_pod(name: &str) -> Value {
    patched(
        pod(0),
        json!({"metadata": {"name": name, "uid": name, "labels": {"app": "web"},
            "ownerReferences": owner("ReplicaSet", "rs-web")}, "spec": {"volumes": null}}),
    )
}

fn owner(kind: &str, uid: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": true}])
}

/// Returns the `ReplicaSet` that the controller makes for the Deployment `name`.
fn replica_set(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": format!("{name}-5c"), "namespace": NS, "uid": format!("rs-{name}"),
            "ownerReferences": owner("Deployment", &format!("d-{name}"))},
        "spec": {"selector": {}}})
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "postgres", "namespace": NS}, "spec": {"clusterIP": "None"}})
}

fn budget() -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "postgres", "namespace": NS, "generation": 1},
        "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "postgres"}}},
        "status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 3,
            "desiredHealthy": 3, "expectedPods": 3}})
}

/// Returns the fact about postgres-0 and its claim before the pod was replaced.
pub(super) fn before() -> Fact {
    Fact {
        pod: Some(PodFact {
            name: "postgres-0".to_owned(),
            uid: "b7000000-old".to_owned(),
            node: node_name(0),
        }),
        claim: Some(ClaimFact {
            name: "data-postgres-0".to_owned(),
            uid: "1f300000-claim".to_owned(),
            volume: volume_name(0),
            volume_uid: "70l0000-volume".to_owned(),
        }),
        load: None,
    }
}

pub(super) fn ran(stdout: &str) -> ProbeResult {
    failed(0, stdout, "")
}

pub(super) fn failed(code: i32, stdout: &str, stderr: &str) -> ProbeResult {
    let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
    ProbeResult::Ran {
        code,
        stdout,
        stderr,
    }
}

/// Formats a clause in one line.
pub(super) fn said(clause: &Clause) -> String {
    let Clause {
        what,
        status,
        expected,
        actual,
        ..
    } = clause;
    format!("{status:?}: {what}: expected {expected}, is {actual}")
}
