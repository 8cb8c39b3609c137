//! The objects and answers that assertions need before they can have a verdict.
//!
//! Pure. [`Needs::of`] names the kinds to watch; [`probes`] names the probes to run, which can
//! depend on objects that were observed before (from which pod a DNS name is resolved).

use std::collections::BTreeSet;

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    core::v1::{Event, Node, PersistentVolume, PersistentVolumeClaim, Pod, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
    policy::v1::PodDisruptionBudget,
};

use super::{
    Observed, Scope,
    cause::{mesh, rights, rule},
    check::{
        evicted_refused, http_answer, linkerd_check, mesh_injected, mesh_mtls, sql, stable_identity,
    },
    kinds, owned, pod,
};
use crate::spec::{Assertion, ToolName, Workload, WorkloadKind, model::Record, request::Request};

/// The objects that a set of assertions looks at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// The scopes, with one watch each.
    pub scopes: BTreeSet<Scope>,
}

/// A question that no watch answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// A command in a pod.
    Exec {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A run of a tool that the lab brings.
    Tool {
        /// The tool's name.
        name: ToolName,
        /// The tool's arguments.
        arguments: Vec<String>,
    },
    /// The eviction of a pod, requested as a dry run.
    Evict {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
    },
    /// HTTP requests through a port of this machine, in a row.
    Http {
        /// The port's name.
        port: String,
        /// The request.
        request: Request,
        /// The number of requests.
        times: u32,
    },
}

impl Needs {
    /// Returns the objects that `assertions` look at in `namespace`, and those that explain why an
    /// assertion does not hold.
    #[must_use]
    pub fn of(assertions: &[Assertion], namespace: &str) -> Self {
        let scopes = assertions.iter().flat_map(|a| scopes(a, namespace));
        Self {
            scopes: scopes.collect(),
        }
    }

    /// Adds the objects that `records` are captured from.
    #[must_use]
    pub fn and_records<'a>(
        mut self,
        records: impl IntoIterator<Item = &'a Record>,
        namespace: &str,
    ) -> Self {
        for record in records {
            if record.pod.is_some() {
                self.scopes.insert(Scope::of::<Pod>(Some(namespace)));
            }
            if record.claim.is_some() {
                self.scopes
                    .insert(Scope::of::<PersistentVolumeClaim>(Some(namespace)));
                self.scopes.insert(Scope::of::<PersistentVolume>(None));
            }
        }
        self
    }
}

fn scopes(assertion: &Assertion, namespace: &str) -> Vec<Scope> {
    let namespaced = Some(namespace);
    match assertion {
        Assertion::NodesReady(_) => vec![Scope::of::<Node>(None)],
        Assertion::RolloutComplete(a) => {
            let namespace = a.namespace.as_deref().unwrap_or(namespace);
            let mut scopes = with_pods(namespace, workload(&a.of, namespace));
            scopes.extend(rights::scopes());
            scopes
        }
        Assertion::PvcBound(a) => with_pods(namespace, workload(&a.of, namespace)),
        Assertion::PvcReattached(_) | Assertion::Sql(_) => with_pods(namespace, []),
        Assertion::StableIdentity(_) => with_pods(namespace, [Scope::of::<Service>(namespaced)]),
        Assertion::Object(a) => vec![kinds::scope(&a.api_version, &a.kind, namespace)],
        Assertion::Absent(a) => vec![kinds::scope(&a.api_version, &a.kind, namespace)],
        Assertion::Http(_) => with_the_way(namespace),
        Assertion::EndpointsReady(_) => with_backend(namespace),
        Assertion::SpreadOverNodes(a) => with_pods(namespace, workload(&a.of, namespace)),
        Assertion::ImageRunning(a) => with_pods(namespace, workload(&a.of, namespace)),
        Assertion::EvictedRefused(_) => vec![
            Scope::of::<Pod>(namespaced),
            Scope::of::<PodDisruptionBudget>(namespaced),
        ],
        Assertion::LinkerdCheck(_) => Vec::new(),
        Assertion::MeshInjected(a) => {
            let mut scopes = with_pods(namespace, workload(&a.of, namespace));
            scopes.extend(mesh_injected::explaining());
            scopes
        }
        Assertion::MeshMtls(a) => {
            let mut scopes = with_pods(namespace, workload(&a.from, namespace));
            scopes.extend(workload(&a.to, namespace));
            scopes.extend(mesh_mtls::explaining());
            scopes
        }
        // The measurement is a fact; these objects explain why it is not as expected.
        Assertion::SuccessRate(_) | Assertion::Latency(_) | Assertion::MeshRetries(_) => vec![
            Scope::of::<Pod>(namespaced),
            Scope::of::<Service>(namespaced),
            Scope::of::<Deployment>(namespaced),
            Scope::of::<ReplicaSet>(namespaced),
            Scope::of::<StatefulSet>(namespaced),
            mesh::service_profiles(namespace),
        ],
    }
}

/// Returns the scopes of a workload and of the kind between it and its pods.
fn workload(of: &Workload, namespace: &str) -> Vec<Scope> {
    let own = match of.kind {
        WorkloadKind::Deployment => Scope::of::<Deployment>(Some(namespace)),
        WorkloadKind::StatefulSet => Scope::of::<StatefulSet>(Some(namespace)),
    };
    let between = owned::between(of.kind, namespace);
    std::iter::once(own).chain(between).collect()
}

/// Returns the scopes that explain unready pods, plus `more`.
fn with_pods(namespace: &str, more: impl IntoIterator<Item = Scope>) -> Vec<Scope> {
    let pods = [
        Scope::of::<Pod>(Some(namespace)),
        Scope::of::<PersistentVolumeClaim>(Some(namespace)),
        Scope::of::<PersistentVolume>(None),
        Scope::of::<Node>(None),
    ];
    pods.into_iter().chain(more).collect()
}

/// Returns the scopes of a Service and of the objects that explain why nothing is behind it.
fn with_backend(namespace: &str) -> Vec<Scope> {
    let mut scopes = with_pods(namespace, [Scope::of::<Service>(Some(namespace))]);
    scopes.push(Scope::of::<EndpointSlice>(Some(namespace)));
    scopes.push(Scope::of::<Deployment>(Some(namespace)));
    scopes.extend(rights::scopes());
    scopes
}

/// Returns the scopes of everything that a request passes, from the port of the node to the pods.
/// The workload that opens the port may be in any namespace.
fn with_the_way(namespace: &str) -> Vec<Scope> {
    let mut scopes = with_backend(namespace);
    scopes.extend([
        // An Ingress of another namespace can have taken the host.
        Scope::of::<Ingress>(None),
        Scope::of::<Event>(Some(namespace)),
        rule::http_routes(namespace),
        Scope::of::<IngressClass>(None),
        Scope::of::<Deployment>(None),
        Scope::of::<DaemonSet>(None),
        Scope::of::<Service>(None),
        Scope::of::<Pod>(None),
    ]);
    scopes
}

/// Returns the probes to run for `assertions` in `namespace`, given the objects observed so far.
///
/// A pod is probed only while it runs. The caller has to forget the answers of probes that are no
/// longer returned: such an answer came from a pod that is gone, and the next pod of that name has
/// to be probed itself.
#[must_use]
pub fn probes(assertions: &[Assertion], namespace: &str, observed: &Observed) -> BTreeSet<Probe> {
    let mut probes = BTreeSet::new();
    let pod = |name: &str| observed.get::<Pod>(Some(namespace), name).ok();
    for assertion in assertions {
        match assertion {
            Assertion::StableIdentity(a) => {
                probes.extend(stable_identity::probes(a, namespace, observed));
            }
            Assertion::Sql(a) if pod(&a.pod).is_some_and(|p| pod::can_run_commands(&p)) => {
                probes.insert(sql::probe(a, namespace));
            }
            Assertion::Http(a) => {
                probes.insert(http_answer::probe(a));
            }
            Assertion::EvictedRefused(a) if pod(&a.pod).is_some() => {
                probes.insert(evicted_refused::probe(a, namespace));
            }
            Assertion::LinkerdCheck(a) => {
                probes.insert(linkerd_check::probe(a, namespace));
            }
            Assertion::MeshMtls(a) => {
                probes.extend(mesh_mtls::probe(a, namespace, observed));
            }
            _ => {}
        }
    }
    probes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::fixture::{NS, World, assertion, unschedulable};

    fn asked(world: &World, yaml: &str) -> Vec<String> {
        let probes = probes(&[assertion(yaml)], NS, &world.observed);
        let shown = |probe: &Probe| match probe {
            Probe::Exec { pod, command, .. } => format!("{pod}: {}", command[0]),
            Probe::Evict { pod, .. } => format!("evict {pod}"),
            Probe::Tool { name, arguments } => format!("{name} {}", arguments.join(" ")),
            Probe::Http { port, .. } => format!("http through {port}"),
        };
        probes.iter().map(shown).collect()
    }

    #[test]
    fn what_explains_is_needed_beside_what_is_asserted() {
        let needs = Needs::of(&[assertion("rollout-complete: {of: deployment/web}")], NS);
        let kinds: Vec<&str> = needs
            .scopes
            .iter()
            .map(|scope| scope.kind.as_str())
            .collect();
        assert_eq!(
            kinds,
            [
                "Deployment",
                "ReplicaSet",
                "ClusterRole",
                "ClusterRoleBinding",
                "Role",
                "RoleBinding",
                "Node",
                "PersistentVolume",
                "PersistentVolumeClaim",
                "Pod"
            ]
        );
        let absent = assertion("absent: {api-version: v1, kind: Namespace, name: shop}");
        assert_eq!(
            Needs::of(&[absent], NS).scopes,
            [kinds::scope("v1", "Namespace", NS)].into()
        );
    }

    #[test]
    fn only_pods_that_run_are_asked() {
        let identity = "stable-identity: {pod: postgres-0, service: postgres}";
        let sql = "sql: {in: postgres-0, query: select 1, equals: \"1\"}";
        let evict = "evicted-refused: {pod: postgres-0, budget: postgres}";
        let well = World::well();
        assert_eq!(
            asked(&well, identity),
            ["postgres-0: uname", "postgres-1: getent"]
        );
        assert_eq!(asked(&well, sql), ["postgres-0: sh"]);
        assert_eq!(asked(&well, evict), ["evict postgres-0"]);
        let pending = well.clone().with("Pod", "postgres-0", unschedulable("no"));
        let deleting = well.clone().deleting("Pod", "postgres-0");
        for world in [pending, deleting, World::empty(), World::unreachable()] {
            assert_eq!(asked(&world, identity), [""; 0]);
            assert_eq!(asked(&world, sql), [""; 0]);
        }
        assert_eq!(asked(&World::empty(), evict), [""; 0]);
    }
}
