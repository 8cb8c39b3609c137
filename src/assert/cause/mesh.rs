//! Causes of an unexpected measurement: conditions that keep a mesh from retrying requests, and
//! conditions that hide a toxic.

use k8s_openapi::{
    api::core::v1::{Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::backend;
use crate::{
    assert::{Observed, Scope, clients, pod, retry, text::clean},
    spec::{
        Measurement, client_load,
        measured::Side,
        measurement::{Mesh, OpenToxic},
    },
};

/// The ports that Linkerd treats as opaque by default: its `opaquePorts`.
const OPAQUE: [u16; 8] = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211];
/// The annotation that replaces this default for a Service or a pod.
const OPAQUE_PORTS: &str = "config.linkerd.io/opaque-ports";

/// Returns the scope of `ServiceProfile`s. A cluster without Linkerd has none.
#[must_use]
pub(in crate::assert) fn service_profiles(namespace: &str) -> Scope {
    Scope {
        api_version: "linkerd.io/v1alpha2".to_owned(),
        kind: "ServiceProfile".to_owned(),
        namespace: Some(namespace.to_owned()),
    }
}

/// Explains why more, or fewer, requests succeeded than expected.
pub(in crate::assert) fn of_rate(
    measured: &Measurement,
    side: Side,
    observed: &Observed,
    namespace: &str,
) -> Vec<String> {
    match side {
        Side::Within => Vec::new(),
        Side::Above => {
            let mut why = of_toxics(measured, observed, namespace);
            why.extend(sent_again(measured, observed, namespace));
            why
        }
        Side::Below => {
            // Without a mesh, and without annotations that ask for retries, no retry is missing.
            let annotated = service(measured, observed, namespace)
                .and_then(|service| service.metadata.annotations)
                .is_some_and(|all| all.keys().any(|name| name.starts_with("retry.linkerd.io/")));
            if measured.mesh == Mesh::Unmeshed && !annotated {
                return Vec::new();
            }
            of_retries(measured, observed, namespace)
        }
    }
}

/// Explains why requests are not retried.
pub(in crate::assert) fn of_retries(
    measured: &Measurement,
    observed: &Observed,
    namespace: &str,
) -> Vec<String> {
    let mut why = Vec::new();
    if measured.mesh == Mesh::Unmeshed {
        why.push(unmeshed(measured, observed, namespace));
    }
    let Some(service) = service(measured, observed, namespace) else {
        return why;
    };
    let name = clean(service.metadata.name.as_deref().unwrap_or_default());
    let annotations = service.metadata.annotations.unwrap_or_default();
    if let Some(trouble) = retry::trouble(&annotations) {
        why.push(clean(&format!("Service {name} {trouble}")));
    }
    let spec = service.spec.unwrap_or_default();
    if spec.cluster_ip.as_deref() == Some("None") {
        why.push(format!(
            "Service {name} is headless: a proxy sees its pods and not the Service, whose \
             annotations say nothing then"
        ));
    }
    let profile = format!("{name}.{namespace}.svc.cluster.local");
    let profiles = observed.all(&service_profiles(namespace));
    if profiles.is_ok_and(|profiles| profiles.contains_key(&profile)) {
        why.push(format!(
            "there is a ServiceProfile {profile}: proxies go by it, and ignore the annotations of \
             the Service (kubectl delete serviceprofile {profile})"
        ));
    }
    why
}

/// Explains why toxics do not act as they should.
pub(in crate::assert) fn of_toxics(
    measured: &Measurement,
    observed: &Observed,
    namespace: &str,
) -> Vec<String> {
    let mut why = Vec::new();
    for toxic in measured.toxics.iter().filter(|toxic| !toxic.present) {
        why.push(clean(&format!(
            "the {} is not there any more: somebody took it back, or Toxiproxy was started anew \
             (step {} injects it)",
            toxic.at, toxic.step
        )));
    }
    if measured.toxics.iter().all(|toxic| !toxic.present) {
        return why;
    }
    if measured.keep_alive {
        why.push(
            "the client keeps its connections (keep-alive: true): a toxic is drawn once for each \
             connection, and one that is kept by then is spared"
                .to_owned(),
        );
    }
    let present = measured.toxics.iter().filter(|toxic| toxic.present);
    why.extend(present.filter_map(|toxic| not_opaque(toxic, observed, namespace)));
    why
}

/// Explains that failed requests are retried, although none should be.
fn sent_again(measured: &Measurement, observed: &Observed, namespace: &str) -> Option<String> {
    let Mesh::Counted { before, after } = &measured.mesh else {
        return None;
    };
    let retries = after.since(before)?.retries;
    let service = service(measured, observed, namespace)?;
    let name = service.metadata.name.unwrap_or_default();
    let annotations = service.metadata.annotations.unwrap_or_default();
    (retries > 0 && retry::trouble(&annotations).is_none()).then(|| {
        let shown = retry::shown(&annotations);
        clean(&format!(
            "the client's proxy sent {retries} requests again, as Service {name} says ({shown})"
        ))
    })
}

fn unmeshed(measured: &Measurement, observed: &Observed, namespace: &str) -> String {
    let from = clean(&measured.from);
    let without = measured.from.parse().ok().and_then(|workload| {
        let pods = clients::pods(&workload, observed, namespace).ok()?;
        pods.into_iter().find(|pod| !pod.meshed)
    });
    let pod = without.map_or_else(String::new, |pod| format!(" (pod {})", clean(&pod.name)));
    format!(
        "the client {from}{pod} has no container linkerd-proxy: retries are made by the proxy of \
         whoever asks (linkerd.io/inject: enabled, then kubectl rollout restart {from})"
    )
}

/// Returns the Service that the requests were sent to.
fn service(measured: &Measurement, observed: &Observed, namespace: &str) -> Option<Service> {
    let asked = client_load::service(&measured.url, namespace)?;
    if asked.namespace != namespace {
        return None;
    }
    observed.get(Some(namespace), &asked.name).ok()
}

/// Explains that the mesh may keep connections on the way to `toxic`, because the port is not
/// opaque.
fn not_opaque(toxic: &OpenToxic, observed: &Observed, namespace: &str) -> Option<String> {
    let listens = toxic.listens?;
    let service: Service = observed.get(Some(namespace), &toxic.at.service).ok()?;
    let pods: Vec<Pod> = observed.list(Some(namespace)).ok()?;
    if !pods.iter().any(pod::is_meshed) {
        return None;
    }
    let spec = service.spec?;
    let behind = backend::pods(&spec.selector?, observed, Some(namespace));
    let leads_there = |port: &&ServicePort| target(port, &behind) == Some(listens);
    let port = spec.ports.iter().flatten().find(leads_there)?;
    let number = u16::try_from(port.port).ok()?;
    let is_opaque = match service
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(OPAQUE_PORTS))
    {
        Some(ports) => is_in(ports, number),
        None => OPAQUE.contains(&number),
    };
    let said_so = port.app_protocol.as_deref() == Some("linkerd.io/opaque");
    (!is_opaque && !said_so).then(|| {
        clean(&format!(
            "port {number} of Service {} is not opaque to the mesh ({OPAQUE_PORTS}), which may keep \
             connections on it for other requests: a toxic is drawn once for each connection",
            toxic.at.service
        ))
    })
}

/// Returns the port of the pods that `port` leads to.
fn target(port: &ServicePort, pods: &[Pod]) -> Option<u16> {
    let number = match &port.target_port {
        None => port.port,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => {
            let specs = pods.iter().filter_map(|pod| pod.spec.as_ref());
            let containers = specs.flat_map(|spec| &spec.containers);
            let mut ports = containers.flat_map(|c| c.ports.iter().flatten());
            ports
                .find(|port| port.name.as_ref() == Some(name))?
                .container_port
        }
    };
    u16::try_from(number).ok()
}

/// Returns true if the list `ports` contains `port`: `4143,8000-8010`.
fn is_in(ports: &str, port: u16) -> bool {
    ports.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let bounds = (first.trim().parse::<u16>(), last.trim().parse::<u16>());
        matches!(bounds, (Ok(first), Ok(last)) if (first..=last).contains(&port))
    })
}
