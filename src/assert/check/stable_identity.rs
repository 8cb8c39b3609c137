//! `stable-identity`

mod asking;

use k8s_openapi::api::core::v1::{Pod, Service};

use super::{Context, answer, explained, missing, unknown};
use crate::{
    assert::{
        pod,
        text::{clean, quoted},
    },
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
        dns(a, &pod, context),
    ]
}

/// The clause about a label by which a `StatefulSet` tells its pods apart.
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

/// The clause about the name that the pod's spec gives it: what its hostname and its DNS name are
/// made from.
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

/// The clause about the name that the pod's processes see.
fn hostname(a: &StableIdentity, pod: &Pod, context: &Context<'_>) -> Clause {
    let what = format!("hostname inside pod {}", a.pod);
    if !pod::can_run_commands(pod) {
        let actual = format!("not asked: the pod is {}", pod::state(pod, context.now));
        let clause = Clause::new(Status::Pending, what, a.pod.clone(), actual);
        return explained(clause, pod, context);
    }
    match answer(
        &asking::hostname(a, context.namespace),
        context,
        &what,
        &a.pod,
    ) {
        Ok(name) => Clause::when(name == a.pod, Status::Pending, what, &*a.pod, clean(name)),
        Err(clause) => *clause,
    }
}

/// The clause about the Service that makes the pods' DNS names.
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

/// The clause about the pod's DNS name, asked from another pod: its own it has in `/etc/hosts`.
fn dns(a: &StableIdentity, pod: &Pod, context: &Context<'_>) -> Clause {
    let name = asking::dns_name(a, context.namespace);
    let what = format!("address of {name}");
    let Some(address) = asking::address(pod) else {
        let expected = format!("the address of pod {}", a.pod);
        let clause = Clause::new(
            Status::Pending,
            what,
            expected,
            "the pod has no address yet",
        );
        return explained(clause, pod, context);
    };
    let expected = clean(address);
    let pods = match context.observed.list::<Pod>(Some(context.namespace)) {
        Ok(pods) => pods,
        Err(why) => return unknown(what, expected, &why),
    };
    let Some(probe) = asking::dns(a, context.namespace, pod, &pods) else {
        let actual = "no other pod is ready to ask from";
        return Clause::new(Status::Pending, what, expected, actual);
    };
    let because = || {
        // A headless Service lists the pods that are Ready, unless it is told otherwise.
        let ready = pod::is_ready(pod);
        let text = format!("pod {} is {}", a.pod, pod::state(pod, context.now));
        if ready { Vec::new() } else { vec![text] }
    };
    let stdout = match answer(&probe, context, &what, &expected) {
        Ok(stdout) => stdout,
        // getent's own code for a name that is not known.
        Err(clause) if clause.actual == "exit code 2" => {
            let clause = Clause {
                actual: "no address".to_owned(),
                ..*clause
            };
            return clause.because(because());
        }
        Err(clause) => return *clause,
    };
    let addresses = asking::addresses(stdout);
    if addresses.contains(address) {
        return Clause::new(Status::Pass, what, expected.clone(), expected);
    }
    if addresses.is_empty() {
        return Clause::new(Status::Pending, what, expected, quoted(stdout)).because(because());
    }
    let actual = addresses
        .into_iter()
        .map(clean)
        .collect::<Vec<_>>()
        .join(", ");
    let cached = "an older address: DNS answers are cached for up to 30 s".to_owned();
    Clause::new(Status::Pending, what, expected, actual).evidence(vec![cached])
}

#[cfg(test)]
mod tests;
