//! The clause about the pod's DNS name.

use k8s_openapi::api::core::v1::Pod;

use super::asking;
use crate::{
    assert::{
        ProbeResult,
        check::{Context, answer, explained, unknown},
        pod,
        text::clean,
    },
    event::{Clause, Status},
    spec::assertion::StableIdentity,
};

/// The exit code of getent for an unknown name.
const NOT_FOUND: i32 = 2;

/// Makes the clause about the pod's DNS name, resolved in another pod: the pod itself finds its own
/// name in `/etc/hosts`.
pub(super) fn check(a: &StableIdentity, pod: &Pod, context: &Context<'_>) -> Clause {
    let name = asking::dns_name(a, context.namespace);
    let what = format!("address of {name}");
    let Some(address) = asking::address(pod) else {
        let expected = format!("the address of pod {}", a.pod);
        let actual = "the pod has no address yet";
        let clause = Clause::new(Status::Pending, what, expected, actual);
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
    let not_found = matches!(context.observed.probe(&probe),
        Some(ProbeResult::Ran { code, .. }) if *code == NOT_FOUND);
    let stdout = match answer(&probe, context, &what, &expected) {
        Ok(stdout) => stdout,
        Err(_) if not_found => "",
        Err(clause) => return *clause,
    };
    let addresses = asking::addresses(stdout);
    if addresses.contains(address) {
        return Clause::new(Status::Pass, what, expected.clone(), expected);
    }
    if addresses.is_empty() {
        let clause = Clause::new(Status::Pending, what, expected, "no address");
        return clause.because(unlisted(a, pod, context));
    }
    let actual: Vec<String> = addresses.into_iter().map(clean).collect();
    let cached = "an older address: DNS answers are cached for up to 30 s".to_owned();
    Clause::new(Status::Pending, what, expected, actual.join(", ")).evidence(vec![cached])
}

/// Explains why a name has no address: a headless Service lists only Ready pods, unless it is
/// configured otherwise.
fn unlisted(a: &StableIdentity, pod: &Pod, context: &Context<'_>) -> Vec<String> {
    if pod::is_ready(pod) {
        return Vec::new();
    }
    vec![format!("pod {} is {}", a.pod, pod::state(pod, context.now))]
}
