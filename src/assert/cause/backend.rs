//! Causes of missing or too few ready endpoints behind a Service.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec},
        core::v1::{Pod, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use crate::assert::{Observed, cause::why_not_ready, labels, observed::Missing, pod, text::clean};

/// The label that names the Service of an `EndpointSlice`.
const SERVICE: &str = "kubernetes.io/service-name";

/// Counts the ready endpoints of the Service `name`. An endpoint in several slices counts once: a
/// pod with addresses of two families is in two, and any pod can be for a moment while slices are
/// rewritten.
pub(in crate::assert) fn ready(
    name: &str,
    observed: &Observed,
    namespace: &str,
) -> Result<usize, String> {
    let slices = observed.list::<EndpointSlice>(Some(namespace))?;
    let of_service = slices.iter().filter(|slice| {
        let labels = slice.metadata.labels.as_ref();
        labels
            .and_then(|labels| labels.get(SERVICE))
            .map(String::as_str)
            == Some(name)
    });
    let endpoints = of_service.flat_map(|slice| &slice.endpoints);
    // An endpoint without the condition `ready` is ready.
    let is_ready = |ready: Option<bool>| ready != Some(false);
    let ready: BTreeSet<&str> = endpoints
        .filter(|endpoint| is_ready(endpoint.conditions.as_ref().and_then(|c| c.ready)))
        .filter_map(|endpoint| {
            let address = endpoint.addresses.first()?;
            let target = endpoint.target_ref.as_ref();
            Some(target.and_then(|t| t.uid.as_deref()).unwrap_or(address))
        })
        .collect();
    Ok(ready.len())
}

/// Explains why the Service `name` has fewer ready endpoints than pods; empty if all of its pods
/// are ready.
pub(in crate::assert) fn why(name: &str, observed: &Observed, namespace: &str) -> Vec<String> {
    let service = match observed.get::<Service>(Some(namespace), name) {
        Ok(service) => service,
        Err(Missing::Absent) => return vec![format!("there is no Service {}", clean(name))],
        Err(Missing::Unknown(_)) => return Vec::new(),
    };
    let spec = service.spec.unwrap_or_default();
    let Some(selector) = spec.selector.filter(|selector| !selector.is_empty()) else {
        return Vec::new();
    };
    let pods = pods(&selector, observed, Some(namespace));
    if pods.is_empty() {
        let shown = shown(&selector);
        let mut why = vec![format!(
            "no ready endpoint behind Service {name}: its selector {shown} matches no pod"
        )];
        why.extend(without_replicas(&selector, observed, namespace));
        return why;
    }
    pods_not_ready(&pods, observed, namespace)
}

/// Returns the causes for the unready ones of `pods`, each with the pod's name.
pub(super) fn pods_not_ready(pods: &[Pod], observed: &Observed, namespace: &str) -> Vec<String> {
    // A pod that is being deleted is a cause only if all of them are.
    let is_going = |pod: &Pod| pod.metadata.deletion_timestamp.is_some();
    let all_go = pods.iter().all(is_going);
    let counts = |pod: &&Pod| !pod::is_ready(pod) && (all_go || !is_going(pod));
    let not_ready = pods.iter().filter(counts);
    let why = not_ready.flat_map(|pod| {
        let named = |text: String| format!("pod {}: {text}", clean(pod::name(pod)));
        let why = why_not_ready(pod, observed, namespace).into_iter();
        why.map(named).collect::<Vec<_>>()
    });
    why.collect()
}

/// Returns the pods that `selector` selects, from `namespace`, or from the list of all namespaces
/// if it is `None`.
pub(in crate::assert) fn pods(
    selector: &BTreeMap<String, String>,
    observed: &Observed,
    namespace: Option<&str>,
) -> Vec<Pod> {
    let mut pods: Vec<Pod> = observed.list(namespace).unwrap_or_default();
    pods.retain(|pod| matches(selector, pod.metadata.labels.as_ref()));
    pods
}

/// Names the Deployments with 0 replicas whose pods `selector` would select.
fn without_replicas(
    selector: &BTreeMap<String, String>,
    observed: &Observed,
    namespace: &str,
) -> Vec<String> {
    let none = deployments(selector, observed, namespace)
        .into_iter()
        .filter(|(_, spec)| spec.replicas == Some(0))
        .map(|(name, _)| format!("deployment {} has 0 replicas", clean(&name)));
    none.collect()
}

/// Returns the Deployments whose pods `selector` selects, by name, even those without pods.
pub(super) fn deployments(
    selector: &BTreeMap<String, String>,
    observed: &Observed,
    namespace: &str,
) -> Vec<(String, DeploymentSpec)> {
    let all = observed.list::<Deployment>(Some(namespace));
    let selected = all
        .unwrap_or_default()
        .into_iter()
        .filter_map(|deployment| {
            let spec = deployment.spec?;
            let labels = spec.template.metadata.as_ref()?.labels.as_ref();
            let name = deployment.metadata.name.unwrap_or_default();
            matches(selector, labels).then_some((name, spec))
        });
    selected.collect()
}

fn matches(selector: &BTreeMap<String, String>, labels: Option<&BTreeMap<String, String>>) -> bool {
    let selector = LabelSelector {
        match_labels: Some(selector.clone()),
        match_expressions: None,
    };
    labels::selects(&selector, labels)
}

/// Formats a selector: `app=api,tier=web`.
pub(super) fn shown(selector: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
    clean(&pairs.join(","))
}
