//! The probes of `stable-identity`, and the pods that they run in.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;

use crate::{
    assert::{Observed, Probe, pod},
    spec::assertion::StableIdentity,
};

/// Returns all probes that can run, given the objects observed so far.
pub(in crate::assert) fn probes(
    a: &StableIdentity,
    namespace: &str,
    observed: &Observed,
) -> Vec<Probe> {
    let Ok(pods) = observed.list::<Pod>(Some(namespace)) else {
        return Vec::new();
    };
    let Some(subject) = pods
        .iter()
        .find(|p| pod::name(p) == a.pod && !pod::is_deleting(p))
    else {
        return Vec::new();
    };
    let inside = pod::can_run_commands(subject).then(|| hostname(a, namespace));
    inside
        .into_iter()
        .chain(dns(a, namespace, subject, &pods))
        .collect()
}

/// Makes the probe for the hostname that processes in the pod see.
pub(super) fn hostname(a: &StableIdentity, namespace: &str) -> Probe {
    exec(namespace, &a.pod, &["uname", "-n"])
}

/// Makes the probe for the addresses of the DNS name of `subject`; `None` while `subject` has no
/// address, or if no other pod can run the probe.
pub(super) fn dns(
    a: &StableIdentity,
    namespace: &str,
    subject: &Pod,
    pods: &[Pod],
) -> Option<Probe> {
    let database = if address(subject)?.contains(':') {
        "ahostsv6"
    } else {
        "ahostsv4"
    };
    let name = dns_name(a, namespace);
    let from = pod::name(asker(subject, pods)?);
    Some(exec(namespace, from, &["getent", database, &name]))
}

fn exec(namespace: &str, pod: &str, command: &[&str]) -> Probe {
    Probe::Exec {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        command: command.iter().map(|&word| word.to_owned()).collect(),
    }
}

/// Returns the DNS name that the headless Service gives the pod.
pub(super) fn dns_name(a: &StableIdentity, namespace: &str) -> String {
    format!("{}.{}.{namespace}.svc", a.pod, a.service)
}

/// Returns the pod's present address.
pub(super) fn address(pod: &Pod) -> Option<&str> {
    let address = pod.status.as_ref()?.pod_ip.as_deref()?;
    (!address.is_empty()).then_some(address)
}

/// Returns the addresses in the output of getent: its first column.
pub(super) fn addresses(stdout: &str) -> BTreeSet<&str> {
    stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Returns the Ready pod that runs the DNS probe: a sibling, which has the same tools, before any
/// other pod. The first by name, so that the probe stays the same.
fn asker<'a>(subject: &Pod, pods: &'a [Pod]) -> Option<&'a Pod> {
    let owner = |pod| pod::controller(pod).map(|owner: &_| owner.uid.as_str());
    let family = owner(subject);
    pods.iter()
        .filter(|other| pod::name(other) != pod::name(subject))
        .filter(|other| pod::is_ready(other) && pod::can_run_commands(other))
        .min_by_key(|other| {
            let stranger = family.is_none() || owner(other) != family;
            (stranger, pod::name(other))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::fixture::{World, not_ready, web_pod};

    fn asked_from(world: &World) -> Option<String> {
        let pods = world.observed.list::<Pod>(Some("default")).unwrap();
        asker(&world.get::<Pod>("postgres-0"), &pods).map(|pod| pod::name(pod).to_owned())
    }

    #[test]
    fn a_ready_sibling_is_asked_before_anybody_else() {
        let world = World::well().add(web_pod("app"));
        assert_eq!(asked_from(&world).as_deref(), Some("postgres-1"));
        let world = world.with("Pod", "postgres-1", not_ready());
        assert_eq!(asked_from(&world).as_deref(), Some("postgres-2"));
        let world = world.deleting("Pod", "postgres-2");
        assert_eq!(asked_from(&world).as_deref(), Some("app"));
        assert_eq!(asked_from(&world.deleting("Pod", "app")), None);
    }
}
