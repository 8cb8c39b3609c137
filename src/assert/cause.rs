//! Causes of unready pods, computed from the objects. Messages of the scheduler and the kubelet are
//! evidence, or the last resort.

mod accepted;
pub(super) mod backend;
mod containers;
mod dependency;
mod entrance;
pub(super) mod mesh;
mod ports;
pub(super) mod rights;
pub(super) mod routing;
pub(super) mod rule;
mod scheduling;

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{Node, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Observed, pod, text::clean};

/// Explains why `pod` is not Ready, the nearest cause first; empty if it is Ready.
#[must_use]
pub fn why_not_ready(pod: &Pod, observed: &Observed, namespace: &str) -> Vec<String> {
    if pod::is_ready(pod) {
        return Vec::new();
    }
    let trouble = pod::node(pod).and_then(|node| node_trouble(node, observed));
    if pod::is_deleting(pod) {
        let mut why = vec![format!("it is being deleted{}", held_by(&pod.metadata))];
        // Only the kubelet can report that the containers are gone.
        why.extend(trouble);
        return why;
    }
    let mut why = match pod::node(pod) {
        None => scheduling::why(pod, observed, namespace),
        // The pod's container statuses are as old as the node's last sign of life.
        Some(_) if trouble.is_some() => trouble.into_iter().collect(),
        Some(node) => {
            let mut why = containers::why(pod, node);
            // A program whose requests the API server refuses exits or does not get ready.
            why.extend(rights::why(pod, observed));
            why
        }
    };
    if why.is_empty() {
        why.push("its status does not say why".to_owned());
    }
    why
}

/// Returns the scheduler's message about `pod` as evidence, unless `because` already contains it.
#[must_use]
pub fn evidence(pod: &Pod, because: &[String]) -> Vec<String> {
    let scheduled = pod::condition(pod, "PodScheduled").filter(|c| c.status != "True");
    let message = scheduled.and_then(|c| c.message.as_deref()).map(clean);
    message
        .filter(|message| !because.iter().any(|cause| cause.contains(message)))
        .map(|message| format!("scheduler: {message}"))
        .into_iter()
        .collect()
}

/// Explains why the pod of `set` with this `ordinal` does not exist.
#[must_use]
pub fn why_missing(
    set: &StatefulSet,
    ordinal: i32,
    observed: &Observed,
    namespace: &str,
) -> Vec<String> {
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    let mut text = format!("pod {set_name}-{ordinal} does not exist yet");
    let spec = set.spec.as_ref();
    let parallel = spec.and_then(|s| s.pod_management_policy.as_deref()) == Some("Parallel");
    // OrderedReady creates a pod only after all earlier ones are Ready.
    let mut earlier = first_ordinal(set)..ordinal;
    let waits_for = earlier.find_map(|earlier| {
        let name = format!("{set_name}-{earlier}");
        let pod = observed.get::<Pod>(Some(namespace), &name);
        (!pod.is_ok_and(|pod| pod::is_ready(&pod))).then_some(name)
    });
    if let (false, Some(name)) = (parallel, waits_for) {
        text.push_str(": it waits until ");
        text.push_str(&name);
        text.push_str(" is Ready");
    }
    vec![text]
}

/// Returns the ordinal of the first pod of `set`.
pub(super) fn first_ordinal(set: &StatefulSet) -> i32 {
    let ordinals = set.spec.as_ref().and_then(|spec| spec.ordinals.as_ref());
    ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0)
}

/// Returns `, held by …` if finalizers keep an object that is being deleted, else an empty text.
pub(super) fn held_by(metadata: &ObjectMeta) -> String {
    match metadata.finalizers.as_deref() {
        None | Some([]) => String::new(),
        Some(finalizers) => format!(", held by {}", clean(&finalizers.join(", "))),
    }
}

/// Explains why the node called `name` cannot run pods; `None` if it can.
fn node_trouble(name: &str, observed: &Observed) -> Option<String> {
    let nodes = observed.list::<Node>(None).ok()?;
    let Some(node) = nodes
        .iter()
        .find(|n| n.metadata.name.as_deref() == Some(name))
    else {
        return Some(format!("its node {} is gone", clean(name)));
    };
    let reason = not_ready_reason(node)?;
    Some(format!("its node {} is NotReady ({reason})", clean(name)))
}

/// Explains why `node` is not Ready; `None` if it is.
pub(super) fn not_ready_reason(node: &Node) -> Option<String> {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let Some(ready) = conditions
        .into_iter()
        .flatten()
        .find(|c| c.type_ == "Ready")
    else {
        return Some("it reports no condition Ready".to_owned());
    };
    if ready.status == "True" {
        return None;
    }
    let reason = ready.reason.as_deref().unwrap_or("no reason given");
    Some(match ready.message.as_deref() {
        None | Some("") => clean(reason),
        Some(message) => format!("{}: {}", clean(reason), clean(message)),
    })
}

#[cfg(test)]
mod tests;
