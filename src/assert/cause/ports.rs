//! The ports of a Service: the one that a rule names, and the port of the pods that it leads to.

use k8s_openapi::{
    api::core::v1::{ContainerPort, Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::backend;
use crate::assert::{Observed, text::clean};

/// A Service's port, as a rule names it.
pub(super) enum Port {
    Named(String),
    Number(i32),
}

/// Explains why requests to `port` of the Service `name` reach no pod: the Service has no such
/// port, or it leads to a port that none of its pods has.
pub(super) fn why(name: &str, port: &Port, observed: &Observed, namespace: &str) -> Vec<String> {
    let Ok(service) = observed.get::<Service>(Some(namespace), name) else {
        return Vec::new();
    };
    let spec = service.spec.unwrap_or_default();
    let ports = spec.ports.unwrap_or_default();
    let is_meant = |of: &&ServicePort| match port {
        Port::Named(name) => of.name.as_ref() == Some(name),
        Port::Number(number) => of.port == *number,
    };
    let Some(meant) = ports.iter().find(is_meant) else {
        let asked = match port {
            Port::Named(name) => format!("port called {}", clean(name)),
            Port::Number(number) => format!("port {number}"),
        };
        let name = clean(name);
        return vec![format!("Service {name} has no {asked}: {}", has(&ports))];
    };
    let selector = spec.selector.unwrap_or_default();
    let pods = if selector.is_empty() {
        Vec::new()
    } else {
        backend::pods(&selector, observed, Some(namespace))
    };
    leads_nowhere(meant, &pods)
        .map(|to| format!("Service {} leads to {to}", clean(name)))
        .into_iter()
        .collect()
}

/// Lists a Service's ports: `it has http (8080)`.
fn has(ports: &[ServicePort]) -> String {
    let shown = |of: &ServicePort| match &of.name {
        Some(name) => format!("{} ({})", clean(name), of.port),
        None => of.port.to_string(),
    };
    let shown: Vec<String> = ports.iter().map(shown).collect();
    if shown.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", shown.join(", "))
    }
}

/// Describes the port of `pods` to which `of` leads, if the pods declare ports but not this one. A
/// pod may listen on a port that it does not declare, so a missing number is no proof; a missing
/// name is.
fn leads_nowhere(of: &ServicePort, pods: &[Pod]) -> Option<String> {
    let containers = pods.iter().flat_map(|pod| pod.spec.iter());
    let containers = containers.flat_map(|spec| &spec.containers);
    let ports: Vec<&ContainerPort> = containers.flat_map(|c| c.ports.iter().flatten()).collect();
    if pods.is_empty() {
        return None;
    }
    match &of.target_port {
        Some(IntOrString::String(name)) => {
            let is_there = ports.iter().any(|port| port.name.as_ref() == Some(name));
            let to = || {
                format!(
                    "the port called {}, which none of its pods has",
                    clean(name)
                )
            };
            (!is_there).then(to)
        }
        target => {
            let number = match target {
                Some(IntOrString::Int(number)) => *number,
                _ => of.port,
            };
            let is_said = ports.iter().any(|port| port.container_port == number);
            let said = ports.first().map(|port| port.container_port)?;
            let to = || format!("port {number} of its pods, which say that they have {said}");
            (!is_said).then(to)
        }
    }
}
