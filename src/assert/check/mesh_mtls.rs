//! The assertion `mesh-mtls`: the connections between two workloads are encrypted, and both sides
//! prove their identity.
//!
//! For each connection between two workloads (an edge), Viz reports the identity that each side
//! proved, or the reason why there was no TLS. Viz knows six reasons and reports any other as none,
//! so labctl checks both identities, too. Edges are the open connections that the Prometheus of Viz
//! saw.

use k8s_openapi::api::apps::v1::Deployment;
use serde::Deserialize;

use super::{
    Context, answer, mesh_injected,
    workload_pods::{self, WorkloadPods},
};
use crate::{
    assert::{Observed, Probe, Scope, pod, text::clean},
    event::{Clause, Status},
    spec::{ToolName, Workload, mesh::MeshMtls},
};

/// The namespace of Viz.
const VIZ: &str = "linkerd-viz";

/// Returns the scopes that explain why an edge is not known.
pub(in crate::assert) fn explaining() -> Vec<Scope> {
    let mut scopes = vec![Scope::of::<Deployment>(Some(VIZ))];
    scopes.extend(mesh_injected::explaining());
    scopes
}

/// Returns the probe: a question to Viz, or a request from a ready pod of the caller to the called
/// workload itself. `None` if there is no such pod.
pub(in crate::assert) fn probe(
    a: &MeshMtls,
    namespace: &str,
    observed: &Observed,
) -> Option<Probe> {
    let Some(url) = &a.by else {
        let arguments = a.arguments(namespace).into_iter();
        return Some(Probe::Tool {
            name: ToolName::linkerd(),
            arguments: arguments.map(ToOwned::to_owned).collect(),
        });
    };
    let caller = workload_pods::any_ready(&a.from, namespace, observed)?;
    Some(Probe::Exec {
        namespace: namespace.to_owned(),
        pod: pod::name(&caller).to_owned(),
        command: ["/demo", "get", url].map(ToOwned::to_owned).to_vec(),
    })
}

pub(super) fn check(a: &MeshMtls, context: &Context<'_>) -> Vec<Clause> {
    let pods = |of: &Workload| workload_pods::of(of, context);
    let (from, to) = match (pods(&a.from), pods(&a.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(clause), _) | (_, Err(clause)) => return vec![*clause],
    };
    let ends = Ends {
        a,
        from: &from,
        to: &to,
    };
    let what = format!("{} proves to {} who it is", a.from, a.to);
    let expected = identity(&from, context.namespace);
    let Some(probe) = probe(a, context.namespace, context.observed) else {
        let actual = format!("no pod of {} is Ready to ask", a.from);
        return vec![Clause::new(Status::Pending, what, expected, actual)];
    };
    let stdout = match answer(&probe, context, &what, &expected) {
        Ok(stdout) => stdout,
        Err(clause) => {
            let because = ends.why_unknown(context);
            return vec![clause.because(because)];
        }
    };
    if a.by.is_some() {
        vec![ends.by_header(stdout, context)]
    } else {
        ends.by_viz(stdout, context)
    }
}

/// Returns the identity of a workload's pods in the form of Viz: `SERVICE-ACCOUNT.NAMESPACE`.
fn identity(pods: &WorkloadPods, namespace: &str) -> String {
    let spec = pods.template.spec.as_ref();
    let account = spec.and_then(|spec| spec.service_account_name.as_deref());
    format!("{}.{namespace}", clean(account.unwrap_or("default")))
}

/// A connection that Viz saw.
#[derive(Debug, Deserialize)]
struct Edge {
    src: String,
    src_namespace: String,
    dst: String,
    dst_namespace: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    server_id: String,
    #[serde(default)]
    no_tls_reason: String,
}

/// The fields of `/api/whoami` of the demo API that are used here.
#[derive(Debug, Deserialize)]
struct Whoami {
    caller: Caller,
}

#[derive(Debug, Deserialize)]
struct Caller {
    l5d_client_id: Option<String>,
}

struct Ends<'a> {
    a: &'a MeshMtls,
    from: &'a WorkloadPods,
    to: &'a WorkloadPods,
}

impl Ends<'_> {
    fn by_viz(&self, stdout: &str, context: &Context<'_>) -> Vec<Clause> {
        let (from, to) = (&self.a.from, &self.a.to);
        let what = format!("connections from {from} to {to}");
        let Ok(edges) = serde_json::from_str::<Vec<Edge>>(stdout) else {
            let actual = "something else than a list of edges";
            return vec![Clause::new(Status::Pending, what, "known to Viz", actual)];
        };
        let is_between = |edge: &&Edge| {
            let here = context.namespace;
            (edge.src.as_str(), edge.src_namespace.as_str()) == (&*from.name, here)
                && (edge.dst.as_str(), edge.dst_namespace.as_str()) == (&*to.name, here)
        };
        let between: Vec<&Edge> = edges.iter().filter(is_between).collect();
        if between.is_empty() {
            let clause = Clause::new(Status::Pending, what, "known to Viz", "none");
            return vec![clause.because(self.why_unknown(context))];
        }
        let here = context.namespace;
        let each = between.into_iter().flat_map(|edge| {
            // If only one side proves nothing, the reason is about that side.
            let is_one_sided = edge.client_id.is_empty() != edge.server_id.is_empty();
            let client = (from, &edge.client_id, identity(self.from, here), to);
            let server = (to, &edge.server_id, identity(self.to, here), from);
            [client, server].map(|(who, proved, expected, whom)| {
                let what = format!("{who} proves to {whom} who it is");
                let actual = match (proved.as_str(), edge.no_tls_reason.as_str()) {
                    ("", "") => "nothing is proved".to_owned(),
                    ("", why) => format!("nothing is proved: {}", clean(why)),
                    (proved, "") => clean(proved),
                    (proved, why) => format!("{}, but: {}", clean(proved), clean(why)),
                };
                let holds = *proved == expected && (edge.no_tls_reason.is_empty() || is_one_sided);
                let clause = Clause::when(holds, Status::Pending, what, expected, actual);
                if holds {
                    clause
                } else {
                    clause.because(self.unmeshed(context))
                }
            })
        });
        each.collect()
    }

    fn by_header(&self, stdout: &str, context: &Context<'_>) -> Clause {
        let (from, to) = (&self.a.from, &self.a.to);
        let what = format!("{from} proves to {to} who it is");
        let expected = identity(self.from, context.namespace);
        let Ok(answer) = serde_json::from_str::<Whoami>(stdout) else {
            let actual = "no answer of the demo API's /api/whoami";
            return Clause::new(Status::Pending, what, expected, actual);
        };
        let id = answer.caller.l5d_client_id.unwrap_or_default();
        // NAME.NAMESPACE.serviceaccount.identity.…
        let proved = id
            .split_once(".serviceaccount.")
            .map_or("", |(name, _)| name);
        let actual = match (id.as_str(), proved) {
            ("", _) => "nothing is proved".to_owned(),
            (id, "") => clean(id),
            (_, proved) => clean(proved),
        };
        let holds = proved == expected;
        let clause = Clause::when(holds, Status::Pending, what, expected, actual);
        if holds {
            clause
        } else {
            clause.because(self.unmeshed(context))
        }
    }

    /// Names each of the two workloads that has pods without a proxy, and explains why.
    fn unmeshed(&self, context: &Context<'_>) -> Vec<String> {
        let each = [(&self.a.from, self.from), (&self.a.to, self.to)];
        let lacks = |pods: &WorkloadPods| {
            let mut all = pods.ready.iter().chain(&pods.others);
            all.any(|pod| !pod::is_deleting(pod) && !pod::is_meshed(pod))
        };
        let without = each.into_iter().filter(|(_, pods)| lacks(pods));
        let why = without.flat_map(|(of, pods)| {
            let why = mesh_injected::why_not(of, &pods.template, context);
            std::iter::once(format!("{of} has pods without a proxy")).chain(why)
        });
        why.collect()
    }

    /// Explains why Viz knows no connection.
    fn why_unknown(&self, context: &Context<'_>) -> Vec<String> {
        let mut because = self.unmeshed(context);
        if self.a.by.is_some() {
            return because;
        }
        for name in ["prometheus", "metrics-api"] {
            let deployment = context.observed.get::<Deployment>(Some(VIZ), name);
            let status = deployment.ok().and_then(|d| d.status);
            if status.is_none_or(|s| s.available_replicas.unwrap_or(0) == 0) {
                because.push(format!(
                    "deployment/{name} in the namespace {VIZ} has no pod that runs: Viz sees nothing \
                     without it"
                ));
            }
        }
        if because.is_empty() {
            because.push(format!(
                "Viz knows only connections that are open, and looks every ten seconds: {} has to \
                 call all the while",
                self.a.from
            ));
        }
        because
    }
}

#[cfg(test)]
mod tests;
