//! The assertion `rollout-complete`: the part that both kinds of workload share.

mod deployment;
mod pods;
mod stateful_set;

use std::mem::take;

use k8s_openapi::{
    api::apps::v1::{Deployment, StatefulSet},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Context, missing};
use crate::{
    assert::cause::held_by,
    event::{Clause, Status},
    spec::{WorkloadKind, assertion::RolloutComplete},
};

pub(super) fn check(a: &RolloutComplete, context: &Context<'_>) -> Vec<Clause> {
    let namespace = Some(context.namespace);
    let absent = |why| vec![missing(format!("{} exists", a.of), "exists", &why)];
    match a.of.kind {
        WorkloadKind::StatefulSet => {
            match context.observed.get::<StatefulSet>(namespace, &a.of.name) {
                Ok(set) => clauses(a, &stateful_set::rollout(&set), || {
                    stateful_set::pods(a, &set, context)
                }),
                Err(why) => absent(why),
            }
        }
        WorkloadKind::Deployment => {
            match context.observed.get::<Deployment>(namespace, &a.of.name) {
                Ok(deployment) => clauses(a, &deployment::rollout(&deployment), || {
                    deployment::pods(a, &deployment, context)
                }),
                Err(why) => absent(why),
            }
        }
    }
}

/// The rollout of a workload, as its spec and its controller describe it.
struct Rollout<'a> {
    metadata: &'a ObjectMeta,
    /// `status.observedGeneration`
    observed: Option<i64>,
    /// `spec.replicas`
    asked: i32,
    /// The fields of the status that are compared.
    fields: Vec<Field>,
    /// The complaints of the controller.
    complaints: Vec<String>,
}

/// One field of a status, with its expected value.
struct Field {
    what: &'static str,
    expected: String,
    actual: String,
    holds: bool,
}

impl Field {
    /// Compares a count that has to be exact.
    fn count(what: &'static str, expected: i32, actual: Option<i32>) -> Self {
        // The API omits a count of zero.
        let actual = actual.unwrap_or(0);
        Self {
            what,
            expected: expected.to_string(),
            actual: actual.to_string(),
            holds: actual == expected,
        }
    }
}

fn clauses(
    a: &RolloutComplete,
    rollout: &Rollout<'_>,
    pods: impl FnOnce() -> Clause,
) -> Vec<Clause> {
    let of = &a.of;
    let mut clauses = Vec::new();
    clauses.extend(asked(a, rollout.asked));
    if rollout.metadata.deletion_timestamp.is_some() {
        let actual = format!("being deleted{}", held_by(rollout.metadata));
        clauses.push(Clause::new(
            Status::Pending,
            format!("{of} exists"),
            "exists",
            actual,
        ));
        return clauses;
    }
    let generation = rollout.metadata.generation.unwrap_or(0);
    if rollout
        .observed
        .is_none_or(|observed| observed < generation)
    {
        let actual = match rollout.observed {
            Some(observed) => format!("generation {observed} so far"),
            None => "none so far".to_owned(),
        };
        let what = format!("{of} was seen by its controller");
        clauses.push(Clause::new(
            Status::Pending,
            what,
            format!("generation {generation}"),
            actual,
        ));
        // The rest of the status is about the older generation.
        return clauses;
    }
    clauses.extend(counts(a, rollout));
    let mut pods = pods();
    let is_pending = |clause: &&mut Clause| clause.status == Status::Pending;
    if pods.status == Status::Pass {
        // A cause that keeps new pods from being ready also keeps the rollout from completing.
        let (because, evidence) = (take(&mut pods.because), take(&mut pods.evidence));
        if let Some(first) = clauses.iter_mut().find(is_pending) {
            first.because.extend(because);
            first.evidence.extend(evidence);
        }
    }
    clauses.push(pods);
    if let Some(first) = clauses.iter_mut().find(is_pending) {
        first.evidence.extend(rollout.complaints.iter().cloned());
    }
    clauses
}

/// Makes the clause about the number of replicas that the workload asks for: it has to be the lab's
/// number or, if the lab gives none, not 0, because a rollout of no replicas is always complete.
/// `None` if the lab gives no number and the workload asks for some.
fn asked(a: &RolloutComplete, asked: i32) -> Option<Clause> {
    let what = format!("replicas asked for by {}", a.of);
    match a.replicas {
        Some(replicas) => Some(Clause::when(
            replicas == asked,
            Status::Failed,
            what,
            replicas.to_string(),
            asked.to_string(),
        )),
        None if asked == 0 => {
            let because = format!("{} is scaled to 0 (kubectl scale {0} --replicas=…)", a.of);
            let clause = Clause::new(Status::Failed, what, "at least 1", "0");
            Some(clause.because(vec![because]))
        }
        None => None,
    }
}

/// Makes a clause for each field that does not hold, or one clause if all hold.
fn counts(a: &RolloutComplete, rollout: &Rollout<'_>) -> Vec<Clause> {
    let wrong: Vec<Clause> = rollout
        .fields
        .iter()
        .filter(|field| !field.holds)
        .map(|field| {
            let what = format!("{} of {}", field.what, a.of);
            Clause::new(Status::Pending, what, &*field.expected, &*field.actual)
        })
        .collect();
    if !wrong.is_empty() {
        return wrong;
    }
    let what = format!("replicas of {} are updated, ready and available", a.of);
    let asked = rollout.asked.to_string();
    vec![Clause::new(Status::Pass, what, asked.clone(), asked)]
}

#[cfg(test)]
mod tests;
