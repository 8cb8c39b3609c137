//! Traces of interrupted evictions.
//!
//! The API server enters a Pod into its budget's `status.disruptedPods`, and counts it against the
//! allowed disruptions, before it deletes the Pod. If the client that asked for the eviction goes
//! away in between, the Pod stays, and the disruption controller counts it as missing for two
//! minutes (its `DeletionTimeout`). Until then every further eviction is refused.

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};

/// Pods that a budget counts as evicted although nobody is going to delete them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutShort {
    /// The budget's namespace.
    pub namespace: String,
    /// The budget.
    pub budget: String,
    /// The Pods, sorted.
    pub pods: Vec<String>,
}

/// Returns the traces in `budgets` of interrupted evictions from `node`, given all `pods`. Skips a
/// Pod that is being deleted, as its eviction succeeded, and one that is gone, which the controller
/// forgets by itself.
#[must_use]
pub fn cut_short(node: &str, pods: &[Pod], budgets: &[PodDisruptionBudget]) -> Vec<CutShort> {
    let stays = |namespace: Option<&str>, name: &str| {
        pods.iter().any(|pod| {
            pod.metadata.namespace.as_deref() == namespace
                && pod.metadata.name.as_deref() == Some(name)
                && pod.metadata.deletion_timestamp.is_none()
                && pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) == Some(node)
        })
    };
    let left = budgets.iter().filter_map(|budget| {
        let namespace = budget.metadata.namespace.as_deref();
        let disrupted = budget.status.as_ref()?.disrupted_pods.as_ref()?;
        let pods: Vec<String> = disrupted
            .keys()
            .filter(|pod| stays(namespace, pod))
            .cloned()
            .collect();
        (!pods.is_empty()).then_some(CutShort {
            namespace: namespace?.to_owned(),
            budget: budget.metadata.name.clone()?,
            pods,
        })
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn pod(namespace: &str, name: &str, node: &str) -> Value {
        json!({
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"nodeName": node, "containers": []},
        })
    }

    fn budget(name: &str, disrupted: &[&str]) -> PodDisruptionBudget {
        let at = |pod: &&str| ((*pod).to_owned(), json!("2026-01-01T00:00:00Z"));
        let disrupted: serde_json::Map<String, Value> = disrupted.iter().map(at).collect();
        from_value(json!({
            "metadata": {"namespace": "lab", "name": name},
            "status": {
                "currentHealthy": 2, "desiredHealthy": 2, "disruptionsAllowed": 0,
                "expectedPods": 3, "disruptedPods": disrupted,
            },
        }))
        .unwrap()
    }

    fn pods(pods: impl IntoIterator<Item = Value>) -> Vec<Pod> {
        pods.into_iter().map(|p| from_value(p).unwrap()).collect()
    }

    #[test]
    fn a_pod_that_stays_on_the_node_is_counted_as_evicted_no_longer() {
        let there = pods([
            pod("lab", "db-0", "worker"),
            pod("lab", "db-1", "worker2"),
            pod("lab", "db-2", "worker"),
        ]);
        let budgets = [budget("db", &["db-2", "db-0", "db-1"]), budget("web", &[])];
        assert_eq!(
            cut_short("worker", &there, &budgets),
            [CutShort {
                namespace: "lab".into(),
                budget: "db".into(),
                pods: vec!["db-0".into(), "db-2".into()],
            }]
        );
    }

    #[test]
    fn what_was_evicted_or_is_not_there_is_left_to_the_controller() {
        let mut going = pod("lab", "db-0", "worker");
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:01Z");
        let elsewhere = pod("other", "db-1", "worker");
        let there = pods([going, elsewhere]);
        let budgets = [budget("db", &["db-0", "db-1", "db-2"])];
        assert_eq!(cut_short("worker", &there, &budgets), []);
        let mut unknown = budget("db", &[]);
        unknown.status = None;
        assert_eq!(cut_short("worker", &there, &[unknown]), []);
    }
}
