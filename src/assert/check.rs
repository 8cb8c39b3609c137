//! The evaluation of assertions: a pure function of observed objects, recorded facts and time.

mod absent;
mod endpoints_ready;
pub(super) mod evicted_refused;
pub(super) mod http_answer;
mod image_running;
pub(super) mod linkerd_check;
mod matching;
mod measured;
pub(super) mod mesh_injected;
pub(super) mod mesh_mtls;
mod mesh_retries;
mod nodes_ready;
mod object;
mod pvc_bound;
mod pvc_reattached;
mod rollout_complete;
mod spread_over_nodes;
pub(super) mod sql;
pub(super) mod stable_identity;
pub(super) mod workload_pods;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::{Observed, Probe, ProbeResult, cause, observed::Missing, text};
use crate::{
    event::{Clause, Status, Verdict},
    spec::{Assertion, Facts},
};

/// The input of an evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The observed state of the cluster.
    pub observed: &'a Observed,
    /// The recorded facts.
    pub facts: &'a Facts,
    /// The lab's namespace.
    pub namespace: &'a str,
    /// The present time, from which ages are computed.
    pub now: Timestamp,
}

/// Evaluates `assertion`.
#[must_use]
pub fn evaluate(assertion: &Assertion, context: &Context<'_>) -> Verdict {
    let clauses = match assertion {
        Assertion::NodesReady(a) => nodes_ready::check(a, context),
        Assertion::RolloutComplete(a) => {
            rollout_complete::check(a, &context.within(a.namespace.as_deref()))
        }
        Assertion::PvcBound(a) => pvc_bound::check(a, context),
        Assertion::PvcReattached(a) => pvc_reattached::check(a, context),
        Assertion::StableIdentity(a) => stable_identity::check(a, context),
        Assertion::Sql(a) => sql::check(a, context),
        Assertion::Object(a) => object::check(a, context),
        Assertion::Absent(a) => absent::check(a, context),
        Assertion::Http(a) => http_answer::check(a, context),
        Assertion::EndpointsReady(a) => endpoints_ready::check(a, context),
        Assertion::SpreadOverNodes(a) => spread_over_nodes::check(a, context),
        Assertion::ImageRunning(a) => image_running::check(a, context),
        Assertion::EvictedRefused(a) => evicted_refused::check(a, context),
        Assertion::LinkerdCheck(a) => linkerd_check::check(a, context),
        Assertion::MeshInjected(a) => mesh_injected::check(a, context),
        Assertion::MeshMtls(a) => mesh_mtls::check(a, context),
        Assertion::SuccessRate(a) => measured::success_rate(a, context),
        Assertion::Latency(a) => measured::latency(a, context),
        Assertion::MeshRetries(a) => mesh_retries::check(a, context),
    };
    Verdict::of(assertion.to_string(), clauses)
}

impl<'a> Context<'a> {
    /// Returns this context in `namespace`, or unchanged if it is `None`.
    fn within(self, namespace: Option<&'a str>) -> Self {
        Self {
            namespace: namespace.unwrap_or(self.namespace),
            ..self
        }
    }

    fn pod(&self, name: &str) -> Result<Pod, Missing> {
        self.observed.get(Some(self.namespace), name)
    }
}

/// Makes an Unknown clause that gives the reason `why`.
pub(super) fn unknown(what: impl Into<String>, expected: impl Into<String>, why: &str) -> Clause {
    let actual = format!("cannot be told: {}", text::clean(why));
    Clause::new(Status::Unknown, what, expected, actual)
}

/// Makes the clause about a missing object: Pending if it is absent, Unknown if that cannot be
/// told.
fn missing(what: impl Into<String>, expected: impl Into<String>, why: &Missing) -> Clause {
    match why {
        Missing::Absent => Clause::new(Status::Pending, what, expected, "absent"),
        Missing::Unknown(why) => unknown(what, expected, why),
    }
}

/// Adds the causes and the evidence of an unready `pod` to `clause`.
fn explained(clause: Clause, pod: &Pod, context: &Context<'_>) -> Clause {
    let because = cause::why_not_ready(pod, context.observed, context.namespace);
    let evidence = cause::evidence(pod, &because);
    clause.because(because).evidence(evidence)
}

/// Returns the standard output of the command that `probe` ran, or the clause that says why there
/// is none.
fn answer<'a>(
    probe: &Probe,
    context: &Context<'a>,
    what: &str,
    expected: &str,
) -> Result<&'a str, Box<Clause>> {
    let pending = |actual: String| Clause::new(Status::Pending, what, expected, actual);
    let clause = match context.observed.probe(probe) {
        Some(ProbeResult::Ran {
            code: 0, stdout, ..
        }) => return Ok(stdout),
        Some(ProbeResult::Ran { code, stderr, .. }) => {
            pending(format!("exit code {code}")).evidence(text::first_lines(stderr))
        }
        Some(ProbeResult::Refused { message }) => {
            pending("could not be asked".to_owned()).evidence(text::first_lines(message))
        }
        Some(ProbeResult::Unreachable(why)) => unknown(what, expected, why),
        Some(
            ProbeResult::EvictionGranted
            | ProbeResult::EvictionRefused { .. }
            | ProbeResult::Http { .. },
        )
        | None => pending("not asked yet".to_owned()),
    };
    Err(Box::new(clause))
}

#[cfg(test)]
mod tests;
