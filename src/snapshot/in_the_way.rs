//! Objects that block the controller that made them: it waits for them forever.
//!
//! No snapshot holds these objects, as their controllers make them again. But nothing can be
//! restored while they are there.

use serde_json::Value;

use super::{Live, LiveObject};

/// Finalizers that Kubernetes itself removes in time.
const OF_THE_CLUSTER: [&str; 6] = [
    "batch.kubernetes.io/job-tracking",
    "foregroundDeletion",
    "kubernetes.io/pv-protection",
    "kubernetes.io/pvc-protection",
    "orphan",
    "service.kubernetes.io/load-balancer-cleanup",
];

/// Returns the finalizers of `object`: first those that the cluster removes itself, then those that
/// it does not know.
#[must_use]
pub fn finalizers(object: &LiveObject) -> (Vec<&str>, Vec<&str>) {
    let finalizers = object.object["metadata"]["finalizers"].as_array();
    let names = finalizers.into_iter().flatten().filter_map(Value::as_str);
    names.partition(|name| OF_THE_CLUSTER.contains(name))
}

/// Returns the objects that block their controllers, each with the reason in words.
#[must_use]
pub fn all(live: &Live) -> Vec<(&LiveObject, String)> {
    let made = live.objects.iter().filter(|object| !object.is_kept);
    let held_up = made.filter_map(|object| Some((object, held_up(object)?)));
    let sets = live.objects.iter();
    let sets = sets.filter(|o| o.key.kind == "StatefulSet" && o.key.group == "apps");
    held_up
        .chain(sets.flat_map(|set| outdated(live, set)))
        .collect()
}

/// Returns the reason if `object` is being deleted and a finalizer of somebody holds it up.
fn held_up(object: &LiveObject) -> Option<String> {
    let (_, foreign) = finalizers(object);
    let is_held_up = object.is_going() && !foreign.is_empty();
    is_held_up.then(|| format!("its deletion is held up by {}", named(&foreign)))
}

/// Formats `finalizers`, of which there is at least one.
#[must_use]
pub fn named(finalizers: &[&str]) -> String {
    let plural = if finalizers.len() == 1 { "" } else { "s" };
    format!("the finalizer{plural} {}", finalizers.join(", "))
}

/// Returns the Pods of `set` that are of an older revision and not ready. If Pods are started in
/// order, the controller waits for such a Pod to become ready before it replaces any. Kubernetes'
/// documentation calls deleting the Pod a forced rollback.
fn outdated<'a>(live: &'a Live, set: &LiveObject) -> Vec<(&'a LiveObject, String)> {
    let is_in_order = set.object["spec"]["podManagementPolicy"] != "Parallel";
    let generation = set.object["metadata"]["generation"].as_i64();
    let is_observed = set.object["status"]["observedGeneration"].as_i64() >= generation;
    let revision = set.object["status"]["updateRevision"].as_str();
    let (true, true, Some(revision)) = (is_in_order, is_observed, revision) else {
        return Vec::new();
    };
    let partition = set
        .object
        .pointer("/spec/updateStrategy/rollingUpdate/partition");
    let first = partition.and_then(Value::as_u64).unwrap_or(0);
    let is_meant = |pod: &LiveObject| {
        let ordinal = pod
            .name()
            .rsplit_once('-')
            .and_then(|(_, n)| n.parse().ok());
        let of = &pod.object["metadata"]["labels"]["controller-revision-hash"];
        pod.key.kind == "Pod"
            && !pod.is_going()
            && of.as_str().is_some_and(|of| of != revision)
            && ordinal.is_some_and(|ordinal: u64| ordinal >= first)
            && !is_ready(pod)
    };
    let pods = live.owned_by(set).into_iter().filter(|pod| is_meant(pod));
    let why = format!(
        "it is of an older revision than {} and not ready, so that its controller never replaces it",
        set.key.seen_from(&set.key.namespace)
    );
    pods.map(|pod| (pod, why.clone())).collect()
}

fn is_ready(pod: &LiveObject) -> bool {
    let conditions = pod.object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(changes: &Value) -> Value {
        let mut set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": "lab", "uid": "set", "generation": 2},
            "spec": {"podManagementPolicy": "OrderedReady"},
            "status": {"observedGeneration": 2, "updateRevision": "new"}});
        json_patch(&mut set, changes);
        set
    }

    fn pod(ordinal: u32, revision: &str, ready: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("db-{ordinal}"), "namespace": "lab", "uid": format!("pod {ordinal}"),
                "labels": {"controller-revision-hash": revision},
                "ownerReferences": [{"uid": "set", "controller": true}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn json_patch(object: &mut Value, changes: &Value) {
        match (object, changes) {
            (Value::Object(object), Value::Object(changes)) => {
                for (key, change) in changes {
                    json_patch(object.entry(key.clone()).or_insert(Value::Null), change);
                }
            }
            (object, change) => *object = change.clone(),
        }
    }

    fn found(objects: impl IntoIterator<Item = Value>) -> Vec<String> {
        let objects = objects.into_iter().filter_map(|o| LiveObject::of(o, true));
        let live = Live {
            objects: objects.collect(),
            ..Live::default()
        };
        let found = all(&live).into_iter();
        found
            .map(|(object, why)| format!("{}: {why}", object.name()))
            .collect()
    }

    #[test]
    fn a_pod_of_an_older_revision_that_never_gets_ready_is_found() {
        let pods = [
            pod(0, "new", "True"),
            pod(1, "old", "True"),
            pod(2, "old", "False"),
        ];
        let with = |set: Value| found(pods.clone().into_iter().chain([set]));
        assert_eq!(
            with(set(&json!({}))),
            [
                "db-2: it is of an older revision than statefulset/db and not ready, so that its \
              controller never replaces it"
            ]
        );
        for left_alone in [
            // The controller did not observe the change yet; it replaces the Pod by itself; a
            // partition excludes the Pod.
            json!({"metadata": {"generation": 3}}),
            json!({"spec": {"podManagementPolicy": "Parallel"}}),
            json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 3}}}}),
        ] {
            assert_eq!(with(set(&left_alone)), [""; 0], "{left_alone}");
        }
    }

    #[test]
    fn what_is_going_and_held_up_by_a_finalizer_of_somebody_is_found() {
        let going = |finalizers: &[&str]| {
            let mut pod = pod(0, "new", "True");
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            pod["metadata"]["finalizers"] = json!(finalizers);
            found([pod])
        };
        assert_eq!(
            going(&["example.org/hold", "batch.kubernetes.io/job-tracking"]),
            ["db-0: its deletion is held up by the finalizer example.org/hold"]
        );
        assert_eq!(going(&["batch.kubernetes.io/job-tracking"]), [""; 0]);
        let mut stays = pod(0, "new", "True");
        stays["metadata"]["finalizers"] = json!(["example.org/hold"]);
        assert_eq!(found([stays]), [""; 0]);
    }
}
