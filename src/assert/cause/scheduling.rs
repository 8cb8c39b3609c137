//! Reasons why no node takes a pod.

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};

use crate::assert::{
    Observed,
    cause::{held_by, not_ready_reason},
    observed::Missing,
    pod,
    text::{clean, volume},
};

const HOSTNAME: &str = "kubernetes.io/hostname";

/// Explains why `pod` has no node.
pub(super) fn why(pod: &Pod, observed: &Observed, namespace: &str) -> Vec<String> {
    let claims = pod::claims(pod);
    let mut why: Vec<String> = claims
        .iter()
        .flat_map(|claim| of_claim(claim, observed, namespace))
        .collect();
    if why.is_empty() {
        why.push(of_condition(pod));
    }
    why
}

/// Returns the scheduler's reason, for a pod whose objects show none.
fn of_condition(pod: &Pod) -> String {
    let scheduled = pod::condition(pod, "PodScheduled").filter(|c| c.status != "True");
    let Some(scheduled) = scheduled else {
        return "the scheduler has not looked at it yet".to_owned();
    };
    match (scheduled.reason.as_deref(), scheduled.message.as_deref()) {
        (Some("Unschedulable") | None, Some(message)) => {
            format!("no node fits: {}", clean(message))
        }
        (Some("Unschedulable") | None, None) => "no node fits".to_owned(),
        (Some(reason), Some(message)) => format!("{}: {}", clean(reason), clean(message)),
        (Some(reason), None) => clean(reason),
    }
}

/// Explains why a claim that the pod mounts, or the nodes of its volume, keep the pod from being
/// scheduled; empty if they do not.
fn of_claim(name: &str, observed: &Observed, namespace: &str) -> Vec<String> {
    let claim = match observed.get::<PersistentVolumeClaim>(Some(namespace), name) {
        Ok(claim) => claim,
        Err(Missing::Absent) => return vec![format!("claim {} does not exist", clean(name))],
        Err(Missing::Unknown(_)) => return Vec::new(),
    };
    if claim.metadata.deletion_timestamp.is_some() {
        return vec![format!(
            "claim {name} is being deleted{}",
            held_by(&claim.metadata)
        )];
    }
    let status = claim.status.as_ref();
    if status.and_then(|s| s.phase.as_deref()) == Some("Lost") {
        return vec![format!("claim {name} has lost its volume")];
    }
    // A claim may wait for its pod to be scheduled, so an unbound claim is no cause.
    let Some(bound) = claim.spec.and_then(|spec| spec.volume_name) else {
        return Vec::new();
    };
    match observed.get::<PersistentVolume>(None, &bound) {
        Ok(volume) => of_volume(&volume, observed),
        Err(Missing::Absent) => {
            vec![format!(
                "volume {} of claim {name} does not exist",
                volume(&bound)
            )]
        }
        Err(Missing::Unknown(_)) => Vec::new(),
    }
}

/// Explains, for each node that a volume is bound to, why it takes no pods; empty if one of them
/// does.
fn of_volume(bound: &PersistentVolume, observed: &Observed) -> Vec<String> {
    let Ok(nodes) = observed.list::<Node>(None) else {
        return Vec::new();
    };
    let name = volume(bound.metadata.name.as_deref().unwrap_or_default());
    let mut why = Vec::new();
    for host in hosts(bound) {
        let Some(trouble) = of_host(host, &nodes) else {
            return Vec::new();
        };
        why.push(format!("volume {name} is bound to node {trouble}"));
    }
    why
}

/// Returns the nodes that a volume is bound to, by their hostname label.
fn hosts(volume: &PersistentVolume) -> Vec<&str> {
    let affinity = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.node_affinity.as_ref());
    let terms = affinity
        .and_then(|a| a.required.as_ref())
        .map(|r| &r.node_selector_terms);
    terms
        .into_iter()
        .flatten()
        .flat_map(|term| term.match_expressions.iter().flatten())
        .filter(|expression| expression.key == HOSTNAME && expression.operator == "In")
        .flat_map(|expression| expression.values.iter().flatten())
        .map(String::as_str)
        .collect()
}

/// Returns the node with the hostname `host` and the reasons why it takes no pods; `None` if it
/// takes them.
fn of_host(host: &str, nodes: &[Node]) -> Option<String> {
    let labelled = |node: &&Node| {
        let labels = node.metadata.labels.as_ref();
        labels
            .and_then(|labels| labels.get(HOSTNAME))
            .map(String::as_str)
            == Some(host)
    };
    let Some(node) = nodes.iter().find(labelled) else {
        return Some(format!("{}, which is gone", clean(host)));
    };
    let name = clean(node.metadata.name.as_deref().unwrap_or_default());
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
    let mut troubles = Vec::new();
    if cordoned {
        troubles.push(format!("cordoned (kubectl uncordon {name})"));
    }
    if let Some(reason) = not_ready_reason(node) {
        troubles.push(format!("NotReady ({reason})"));
    }
    (!troubles.is_empty()).then(|| format!("{name}, which is {}", troubles.join(" and ")))
}
