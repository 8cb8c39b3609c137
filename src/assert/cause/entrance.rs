//! The workloads that open a port of a node, and the causes of a port that none opens.

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment},
        core::v1::{Pod, PodSpec, PodTemplateSpec, Service},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};

use super::{
    backend::{pods, pods_not_ready, shown},
    rights,
};
use crate::assert::{Observed, pod, text::clean};

/// Explains why the port `node` of the node is not open; empty if the workload that opens it is
/// well, or if that cannot be told.
pub(super) fn why(node: u16, observed: &Observed) -> Vec<String> {
    let found = (
        observed.list::<Deployment>(None),
        observed.list::<DaemonSet>(None),
        observed.list::<Service>(None),
    );
    let (Ok(deployments), Ok(sets), Ok(services)) = found else {
        return Vec::new();
    };
    let mut is_opened = false;
    let mut why = Vec::new();
    for deployment in &deployments {
        let Some(spec) = deployment
            .spec
            .as_ref()
            .filter(|s| template_opens(&s.template, node))
        else {
            continue;
        };
        is_opened = true;
        let of = named("deployment", &deployment.metadata);
        if spec.replicas == Some(0) {
            why.push(format!("{of} has 0 replicas"));
        } else {
            why.extend(of_pods(&of, &deployment.metadata, &spec.selector, observed));
        }
    }
    for set in &sets {
        let Some(spec) = set
            .spec
            .as_ref()
            .filter(|s| template_opens(&s.template, node))
        else {
            continue;
        };
        is_opened = true;
        let of = named("daemonset", &set.metadata);
        why.extend(of_pods(&of, &set.metadata, &spec.selector, observed));
    }
    for service in &services {
        let Some(spec) = service.spec.as_ref() else {
            continue;
        };
        let mut ports = spec.ports.iter().flatten();
        if ports.any(|port| port.node_port == Some(i32::from(node))) {
            is_opened = true;
            let selector = LabelSelector {
                match_labels: spec.selector.clone(),
                match_expressions: None,
            };
            let of = named("service", &service.metadata);
            why.extend(of_pods(&of, &service.metadata, &selector, observed));
        }
    }
    if !is_opened {
        why.push(format!(
            "no workload has the host port {node}, and no Service the node port {node}: there is no \
             ingress controller"
        ));
    }
    why
}

/// Returns the rights that the pods with the host port `node` lack. A controller works with the API
/// server: without rights it runs, but sees no objects.
pub(super) fn without_rights(node: u16, observed: &Observed) -> Vec<String> {
    let mut pods = observed.list::<Pod>(None).unwrap_or_default();
    pods.retain(|pod| pod.spec.as_ref().is_some_and(|spec| opens(spec, node)));
    let mut why: Vec<String> = pods
        .iter()
        .flat_map(|pod| {
            let mut why = rights::why(pod, observed);
            if why.is_empty() {
                why.extend(rights::has_none(pod, observed));
            }
            let name = clean(pod::name(pod));
            why.into_iter().map(move |why| format!("pod {name}: {why}"))
        })
        .collect();
    why.dedup();
    why
}

/// Returns true if a pod of this template opens the port `node` of its node.
fn template_opens(template: &PodTemplateSpec, node: u16) -> bool {
    template.spec.as_ref().is_some_and(|spec| opens(spec, node))
}

/// Returns true if a pod of this specification opens the port `node` of its node.
fn opens(spec: &PodSpec, node: u16) -> bool {
    let containers = spec.containers.iter();
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.any(|port| port.host_port == Some(i32::from(node)))
}

/// Returns the causes of the unready pods of the object called `of`; empty if at least one of them
/// is ready.
fn of_pods(
    of: &str,
    metadata: &ObjectMeta,
    selector: &LabelSelector,
    observed: &Observed,
) -> Vec<String> {
    let labels = selector.match_labels.clone().unwrap_or_default();
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let mut pods = pods(&labels, observed, None);
    pods.retain(|pod| pod.metadata.namespace.as_deref().unwrap_or_default() == namespace);
    if pods.is_empty() {
        let selector = shown(&labels);
        return vec![format!("{of}: its selector {selector} matches no pod")];
    }
    let why = pods_not_ready(&pods, observed, namespace);
    if pods.iter().any(crate::assert::pod::is_ready) {
        return Vec::new();
    }
    why.into_iter().map(|why| format!("{of}: {why}")).collect()
}

/// Formats an object's name: `deployment traefik of namespace traefik`.
fn named(kind: &str, metadata: &ObjectMeta) -> String {
    let name = clean(metadata.name.as_deref().unwrap_or_default());
    let namespace = clean(metadata.namespace.as_deref().unwrap_or_default());
    format!("{kind} {name} of namespace {namespace}")
}
