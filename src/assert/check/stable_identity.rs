//! The assertion `stable-identity`.

mod asking;
mod dns;

use k8s_openapi::api::core::v1::{Pod, Service};

use super::{Context, answer, explained, missing};
use crate::{
    assert::{pod, text::clean},
    event::{Clause, Status},
    spec::assertion::StableIdentity,
};

pub(in crate::assert) use asking::probes;

pub(super) fn check(a: &StableIdentity, context: &Context<'_>) -> Vec<Clause> {
    let exists = format!("pod {} exists", a.pod);
    let pod = match context.pod(&a.pod) {
        Ok(pod) => pod,
        Err(why) => return vec![missing(exists, "exists", &why), headless(a, context)],
    };
    if pod::is_deleting(&pod) {
        let clause = Clause::new(Status::Pending, exists, "exists", "being deleted");
        return vec![explained(clause, &pod, context), headless(a, context)];
    }
    vec![
        label(
            a,
            &pod,
            "statefulset.kubernetes.io/pod-name",
            Some(a.pod.clone()),
        ),
        label(
            a,
            &pod,
            "apps.kubernetes.io/pod-index",
            pod::ordinal(&a.pod).map(|ordinal| ordinal.to_string()),
        ),
        asked_name(a, &pod),
        hostname(a, &pod, context),
        headless(a, context),
        dns::check(a, &pod, context),
    ]
}

/// Makes the clause about a label by which a `StatefulSet` identifies its pods.
fn label(a: &StableIdentity, pod: &Pod, key: &str, expected: Option<String>) -> Clause {
    let what = format!("label {key} of pod {}", a.pod);
    let Some(expected) = expected else {
        let actual = "the name ends in no ordinal";
        return Clause::new(Status::Failed, what, "the ordinal of the name", actual);
    };
    let actual = pod::label(pod, key);
    let holds = actual == Some(expected.as_str());
    Clause::when(
        holds,
        Status::Pending,
        what,
        expected,
        clean(actual.unwrap_or("absent")),
    )
}

/// Makes the clause about the names in the pod's spec, from which its hostname and its DNS name are
/// made.
fn asked_name(a: &StableIdentity, pod: &Pod) -> Clause {
    let what = format!("hostname and subdomain of pod {}", a.pod);
    let spec = pod.spec.as_ref();
    let shown = |field: Option<&str>| clean(field.unwrap_or("none"));
    let hostname = spec.and_then(|s| s.hostname.as_deref());
    let subdomain = spec.and_then(|s| s.subdomain.as_deref());
    let holds = hostname == Some(&a.pod) && subdomain == Some(&a.service);
    let actual = format!("{}.{}", shown(hostname), shown(subdomain));
    Clause::when(
        holds,
        Status::Pending,
        what,
        format!("{}.{}", a.pod, a.service),
        actual,
    )
}

/// Makes the clause about the hostname that the pod's processes see.
fn hostname(a: &StableIdentity, pod: &Pod, context: &Context<'_>) -> Clause {
    let what = format!("hostname inside pod {}", a.pod);
    if !pod::can_run_commands(pod) {
        let actual = format!("not asked: the pod is {}", pod::state(pod, context.now));
        let clause = Clause::new(Status::Pending, what, a.pod.clone(), actual);
        return explained(clause, pod, context);
    }
    let probe = asking::hostname(a, context.namespace);
    match answer(&probe, context, &what, &a.pod) {
        Ok(name) => Clause::when(name == a.pod, Status::Pending, what, &*a.pod, clean(name)),
        Err(clause) => *clause,
    }
}

/// Makes the clause about the Service that provides the pods' DNS names.
fn headless(a: &StableIdentity, context: &Context<'_>) -> Clause {
    let what = format!("service {} is headless", a.service);
    let expected = "headless Service";
    let service: Service = match context.observed.get(Some(context.namespace), &a.service) {
        Ok(service) => service,
        Err(why) => return missing(what, expected, &why),
    };
    let address = service.spec.and_then(|spec| spec.cluster_ip);
    let actual = match address.as_deref() {
        Some("None") => return Clause::new(Status::Pass, what, expected, expected),
        Some(address) if !address.is_empty() => format!("clusterIP {}", clean(address)),
        _ => "no clusterIP given yet".to_owned(),
    };
    Clause::new(Status::Pending, what, expected, actual)
}

#[cfg(test)]
mod tests;
