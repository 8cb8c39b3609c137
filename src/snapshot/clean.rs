//! The clean form of an object: the fields that somebody asked for, without those that the cluster
//! writes.

use serde_json::{Map, Value};

use super::{Key, kinds, secret};

/// Annotations that controllers write.
const BY_CONTROLLERS: [&str; 9] = [
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "pv.kubernetes.io/provisioned-by",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
];
/// The annotation in which `kubectl apply` keeps the manifest.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// `ConfigMap`s that the control plane writes, and writes again if they are deleted.
const OF_THE_API_SERVER: [&str; 3] = [
    "extension-apiserver-authentication",
    "kube-apiserver-legacy-service-account-token-tracking",
    "kube-root-ca.crt",
];
/// Labels that the Job controller writes into the Pod template of a Job.
const OF_JOBS: [&str; 4] = [
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
];

/// Returns true if a snapshot leaves `object` out although it keeps others of its kind: a
/// controller or the cluster makes the object, and would make it again.
#[must_use]
pub fn is_made_by_the_cluster(object: &Value) -> bool {
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    let is_controller = |owner: &Value| owner["controller"] == Value::Bool(true);
    if owners.is_some_and(|owners| owners.iter().any(is_controller)) {
        return true;
    }
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let has = |part: &str, key: &str| object["metadata"][part].get(key).is_some();
    match object["kind"].as_str().unwrap_or_default() {
        "ConfigMap" => OF_THE_API_SERVER.contains(&name),
        "Secret" => object["type"] == "kubernetes.io/service-account-token",
        "PersistentVolume" => has("annotations", "pv.kubernetes.io/provisioned-by"),
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => {
            has("labels", "kubernetes.io/bootstrapping")
        }
        _ => false,
    }
}

/// Returns the clean form of `object`, which is compared and restored.
#[must_use]
pub fn clean(object: &Value) -> Value {
    let Value::Object(mut object) = object.clone() else {
        return Value::Null;
    };
    object.remove("status");
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        clean_metadata(metadata);
    }
    let is_baseline = kinds::is_of_the_cluster(&Key::of(&Value::Object(object.clone())));
    let kind = object.get("kind").and_then(Value::as_str);
    match kind.unwrap_or_default().to_owned().as_str() {
        "Secret" => {
            secret::conceal(&mut object);
            remove_annotations(&mut object, &[APPLIED]);
        }
        "ServiceAccount" => drop(object.remove("secrets")),
        // A controller gathers the rules of an aggregated role from other roles.
        "ClusterRole" if object.contains_key("aggregationRule") => drop(object.remove("rules")),
        "Namespace" => drop(object.remove("spec")),
        // Keeps the address of the cluster's DNS, as it is written into every Pod.
        "Service" if is_baseline => {}
        kind => {
            if let Some(Value::Object(spec)) = object.get_mut("spec") {
                clean_spec(kind, spec);
            }
        }
    }
    Value::Object(object)
}

fn clean_spec(kind: &str, spec: &mut Map<String, Value>) {
    match kind {
        // The claim and the volume agree on each other by themselves.
        "PersistentVolumeClaim" => drop(spec.remove("volumeName")),
        "PersistentVolume" => drop(spec.remove("claimRef")),
        "Service" => clean_service(spec),
        "Pod" => clean_pod(spec),
        "Job" => clean_job(spec),
        _ => {}
    }
}

fn clean_metadata(metadata: &mut Map<String, Value>) {
    const KEPT: [&str; 5] = ["annotations", "finalizers", "labels", "name", "namespace"];
    metadata.retain(|key, _| KEPT.contains(&key.as_str()));
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.retain(|key, _| !BY_CONTROLLERS.contains(&key.as_str()));
    }
    metadata.retain(|_, value| !is_empty(value));
}

fn remove_annotations(object: &mut Map<String, Value>, names: &[&str]) {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.retain(|key, _| !names.contains(&key.as_str()));
        }
        metadata.retain(|_, value| !is_empty(value));
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Removes an assigned address, as any other would do.
fn clean_service(spec: &mut Map<String, Value>) {
    if spec.get("clusterIP").is_some_and(|ip| ip != "None") {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    spec.remove("healthCheckNodePort");
}

/// Removes the node that the scheduler chose, and the volume of the token, which every Pod gets.
fn clean_pod(spec: &mut Map<String, Value>) {
    const TOKEN: &str = "kube-api-access-";
    let is_token = |item: &Value| {
        item["name"]
            .as_str()
            .is_some_and(|name| name.starts_with(TOKEN))
    };
    spec.remove("nodeName");
    if let Some(Value::Array(volumes)) = spec.get_mut("volumes") {
        volumes.retain(|volume| !is_token(volume));
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if let Some(Value::Array(mounts)) = container.get_mut("volumeMounts") {
                mounts.retain(|mount| !is_token(mount));
            }
        }
    }
}

/// Removes the selector and its labels, which are made from the Job's uid.
fn clean_job(spec: &mut Map<String, Value>) {
    if spec.get("manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    spec.remove("selector");
    let labels = spec
        .get_mut("template")
        .and_then(|t| t.pointer_mut("/metadata/labels"));
    if let Some(Value::Object(labels)) = labels {
        labels.retain(|key, _| !OF_JOBS.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_cluster_writes_is_no_difference() {
        let applied = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "api", "namespace": "shop", "labels": {"app": "api"}},
            "spec": {"selector": {"app": "api"}},
        });
        let live = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "api", "namespace": "shop", "labels": {"app": "api"}, "uid": "1",
                "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 3,
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "x"},
            },
            "spec": {"selector": {"app": "api"}, "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"]},
            "status": {"loadBalancer": {}},
        });
        assert_eq!(clean(&live), applied);
    }

    #[test]
    fn a_secrets_values_are_not_kept_and_still_compared() {
        let secret = |value: &str| {
            clean(&json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "db", "namespace": "shop", "annotations": {APPLIED: value}},
                "data": {"password": value},
            }))
        };
        assert_eq!(secret("aHVudGVyMg=="), secret("aHVudGVyMg=="));
        assert_ne!(secret("aHVudGVyMg=="), secret("aHVudGVyMw=="));
        assert!(!secret("aHVudGVyMg==").to_string().contains("aHVudGVyMg"));
    }

    #[test]
    fn what_a_controller_makes_is_left_to_it() {
        let owned = json!({
            "kind": "Pod",
            "metadata": {"name": "p", "ownerReferences": [{"kind": "ReplicaSet", "controller": true}]},
        });
        assert!(is_made_by_the_cluster(&owned));
        let alone = json!({"kind": "Pod", "metadata": {"name": "p"}});
        assert!(!is_made_by_the_cluster(&alone));
    }

    #[test]
    fn a_pod_is_compared_without_what_is_put_into_every_pod() {
        let asked = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "volumeMounts": []}], "volumes": []},
        });
        let mut live = asked.clone();
        live["spec"]["nodeName"] = json!("worker");
        live["spec"]["volumes"] = json!([{"name": "kube-api-access-x2", "projected": {}}]);
        live["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "kube-api-access-x2", "mountPath": "/var/run"}]);
        assert_eq!(clean(&live), clean(&asked));
    }
}
