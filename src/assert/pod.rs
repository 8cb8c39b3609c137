//! Accessors for the metadata, spec and status of a pod.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod, PodCondition},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};

use super::text::{age, clean};

/// Returns the pod's name.
pub(super) fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// Returns the container that `kubectl exec` takes: the annotated one, else the first. The API
/// server itself chooses no container of a pod with several, such as a meshed one.
pub(super) fn default_container(pod: &Pod) -> Option<String> {
    const DEFAULT: &str = "kubectl.kubernetes.io/default-container";
    let annotations = pod.metadata.annotations.as_ref();
    let annotated = annotations.and_then(|all| all.get(DEFAULT)).cloned();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    annotated.or_else(|| containers.map(|container| container.name.clone()).next())
}

/// Returns true if the pod is being deleted: it may still run, but it no longer counts.
pub(super) fn is_deleting(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Returns the condition of the type `of`.
pub(super) fn condition<'a>(pod: &'a Pod, of: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == of)
}

/// Returns true if `condition` is about an older spec than the pod's present one. Clusters before
/// 1.34 do not report which spec a condition is about.
pub(super) fn is_stale(pod: &Pod, condition: &PodCondition) -> bool {
    matches!((condition.observed_generation, pod.metadata.generation),
        (Some(observed), Some(present)) if observed < present)
}

/// Returns true if the pod is Ready and not being deleted.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let ready = condition(pod, "Ready");
    !is_deleting(pod) && ready.is_some_and(|c| c.status == "True" && !is_stale(pod, c))
}

/// Returns true if the pod can run commands.
pub(super) fn can_run_commands(pod: &Pod) -> bool {
    !is_deleting(pod) && phase(pod) == "Running"
}

/// Returns the pod's phase; Pending if the pod has none yet.
pub(super) fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status.and_then(|s| s.phase.as_deref()).unwrap_or("Pending")
}

/// The container of a Linkerd proxy: an ordinary container, or an init container as a native
/// sidecar.
pub(super) const PROXY: &str = "linkerd-proxy";

/// Returns true if the pod has a Linkerd proxy.
pub(super) fn is_meshed(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let initial = spec.init_containers.iter().flatten();
    spec.containers
        .iter()
        .chain(initial)
        .any(|container| container.name == PROXY)
}

/// Returns true if a container of the pod runs.
pub(super) fn has_a_running_container(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| &status.container_statuses);
    let states = statuses
        .flatten()
        .filter_map(|container| container.state.as_ref());
    states.into_iter().any(|state| state.running.is_some())
}

/// Returns the ID of the container of the pod's Linkerd proxy. A new container counts from 0.
pub(super) fn proxy_id(pod: &Pod) -> Option<&str> {
    proxy(pod)?.container_id.as_deref()
}

/// Returns the status of the container of the pod's Linkerd proxy.
pub(super) fn proxy(pod: &Pod) -> Option<&ContainerStatus> {
    let status = pod.status.as_ref()?;
    let initial = status.init_container_statuses.iter().flatten();
    let mut all = status.container_statuses.iter().flatten().chain(initial);
    all.find(|container| container.name == PROXY)
}

/// Returns the node that the pod is bound to.
pub(super) fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// Returns the owner that controls the pod.
pub(super) fn controller(pod: &Pod) -> Option<&OwnerReference> {
    let owners = pod.metadata.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// Returns the value of the pod's label `key`.
pub(super) fn label<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// Returns the claims that the pod mounts, in the order of its volumes.
pub(super) fn claims(pod: &Pod) -> Vec<&str> {
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes
        .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
        .collect()
}

/// Returns the ordinal at the end of the name of a `StatefulSet`'s pod.
pub(super) fn ordinal(name: &str) -> Option<u32> {
    name.rsplit_once('-')?.1.parse().ok()
}

/// Returns true if the scheduler found no node for the pod.
pub(super) fn is_unschedulable(pod: &Pod) -> bool {
    node(pod).is_none()
        && condition(pod, "PodScheduled")
            .is_some_and(|c| c.status == "False" && c.reason.as_deref() == Some("Unschedulable"))
}

/// Describes the pod's state in a few words: `Ready`, `Pending for 30 s: no node fits`.
pub(super) fn state(pod: &Pod, now: Timestamp) -> String {
    if is_deleting(pod) {
        return "being deleted".to_owned();
    }
    if is_ready(pod) {
        return "Ready".to_owned();
    }
    let phase = phase(pod);
    let (mut text, since) = if phase == "Running" {
        let ready = condition(pod, "Ready");
        let since = ready.and_then(|c| c.last_transition_time.as_ref());
        ("Running, not Ready".to_owned(), since)
    } else {
        (clean(phase), pod.metadata.creation_timestamp.as_ref())
    };
    if let Some(age) = age(since, now) {
        text.push_str(" for ");
        text.push_str(&age);
    }
    if is_unschedulable(pod) {
        text.push_str(": no node fits");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::fixture;
    use serde_json::json;

    fn pod(patch: serde_json::Value) -> Pod {
        fixture::typed(&fixture::patched(fixture::pod(0), patch))
    }

    #[test]
    fn ready_is_what_stays_and_speaks_of_the_present_spec() {
        assert!(is_ready(&pod(json!({}))));
        assert!(!is_ready(&pod(
            json!({"metadata": {"deletionTimestamp": fixture::NOW}})
        )));
        assert!(!is_ready(&pod(json!({"status": null}))));
        let conditions = |observed| {
            json!({"metadata": {"generation": 2}, "status": {"conditions":
                [{"type": "Ready", "status": "True", "observedGeneration": observed}]}})
        };
        assert!(is_ready(&pod(conditions(2))));
        assert!(!is_ready(&pod(conditions(1))));
    }

    #[test]
    fn a_state_says_since_when() {
        let now = fixture::now();
        assert_eq!(state(&pod(json!({})), now), "Ready");
        assert_eq!(
            state(&pod(fixture::unschedulable("no")), now),
            "Pending for 30 s: no node fits"
        );
        assert_eq!(
            state(&pod(fixture::not_ready()), now),
            "Running, not Ready for 20 s"
        );
    }

    #[test]
    fn an_ordinal_is_a_number_after_the_last_dash() {
        assert_eq!(ordinal("my-postgres-12"), Some(12));
        assert_eq!(
            (ordinal("postgres"), ordinal("postgres-7d4f-x2")),
            (None, None)
        );
    }
}
