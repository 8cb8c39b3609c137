//! The assertion `evicted-refused`.

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};

use super::{Context, missing, unknown};
use crate::{
    assert::{
        Probe, ProbeResult, labels,
        text::{clean, first_lines},
    },
    event::{Clause, Status},
    spec::assertion::EvictedRefused,
};

/// Returns the probe that requests the eviction.
pub(in crate::assert) fn probe(a: &EvictedRefused, namespace: &str) -> Probe {
    Probe::Evict {
        namespace: namespace.to_owned(),
        pod: a.pod.clone(),
    }
}

pub(super) fn check(a: &EvictedRefused, context: &Context<'_>) -> Vec<Clause> {
    let pod = context.pod(&a.pod);
    let budget = context.observed.get(Some(context.namespace), &a.budget);
    let budget: PodDisruptionBudget = match &budget {
        Ok(budget) => Clone::clone(budget),
        Err(why) => {
            return vec![missing(
                format!("budget {} exists", a.budget),
                "exists",
                why,
            )];
        }
    };
    let pod = match pod {
        Ok(pod) => pod,
        Err(why) => return vec![missing(format!("pod {} exists", a.pod), "exists", &why)],
    };
    vec![
        is_current(a, &budget),
        is_meant(a, &budget, &pod),
        is_refused(a, &budget, context),
    ]
}

/// Makes the clause about the budget's status. A budget that its controller has not observed yet
/// refuses every eviction, but not because too few pods would be left.
fn is_current(a: &EvictedRefused, budget: &PodDisruptionBudget) -> Clause {
    let what = format!("budget {} was seen by its controller", a.budget);
    let generation = budget.metadata.generation.unwrap_or(0);
    let observed = budget
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    let holds = observed.is_some_and(|observed| observed >= generation);
    let actual = observed.map_or("none so far".to_owned(), |o| format!("generation {o}"));
    Clause::when(
        holds,
        Status::Pending,
        what,
        format!("generation {generation}"),
        actual,
    )
}

fn is_meant(a: &EvictedRefused, budget: &PodDisruptionBudget, pod: &Pod) -> Clause {
    let what = format!("budget {} selects pod {}", a.budget, a.pod);
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let labels = pod.metadata.labels.as_ref();
    // A budget without a selector selects nothing; an empty selector selects everything.
    let holds = selector.is_some_and(|selector| labels::selects(selector, labels));
    let actual = if holds {
        "selected"
    } else {
        "its selector does not match the pod's labels"
    };
    Clause::when(holds, Status::Pending, what, "selected", actual)
}

fn is_refused(a: &EvictedRefused, budget: &PodDisruptionBudget, context: &Context<'_>) -> Clause {
    let what = format!("eviction of pod {} is refused", a.pod);
    let expected = format!("refused by budget {}", a.budget);
    let pending = |actual: String| Clause::new(Status::Pending, &*what, &*expected, actual);
    let allowed = budget
        .status
        .as_ref()
        .map(|status| status.disruptions_allowed);
    match context.observed.probe(&probe(a, context.namespace)) {
        Some(ProbeResult::EvictionRefused { message }) => {
            let evidence = first_lines(message);
            let by = refusing_budget(message);
            let clause = match by {
                Some(by) if by != a.budget => pending(format!("refused by budget {}", clean(by))),
                None if allowed != Some(0) => {
                    pending(format!("refused, but {}", allowed_text(allowed)))
                }
                _ => Clause::new(Status::Pass, &*what, &*expected, &*expected),
            };
            clause.evidence(evidence)
        }
        Some(ProbeResult::EvictionGranted) => {
            pending(format!("would be granted; {}", allowed_text(allowed)))
        }
        Some(ProbeResult::Refused { message }) => {
            pending("could not be asked for".to_owned()).evidence(first_lines(message))
        }
        Some(ProbeResult::Unreachable(why)) => unknown(what, expected, why),
        Some(ProbeResult::Ran { .. } | ProbeResult::Http { .. }) | None => {
            pending("not asked yet".to_owned())
        }
    }
}

fn allowed_text(allowed: Option<i32>) -> String {
    match allowed {
        Some(allowed) => format!("disruptionsAllowed is {allowed}"),
        None => "the budget has no status yet".to_owned(),
    }
}

/// Returns the budget that refuses, if the API server's message contains the cause: "The disruption
/// budget NAME needs 2 healthy pods and has 2 currently".
fn refusing_budget(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("disruption budget ")?;
    let (name, rest) = rest.split_once(' ')?;
    rest.starts_with("needs ").then_some(name)
}

#[cfg(test)]
mod tests;
