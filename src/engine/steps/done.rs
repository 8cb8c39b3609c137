//! Detection of steps that were done although labctl did not see them through: by an interrupted
//! run, or by a student. Expectations that hold are not enough: they may have held before.

use k8s_openapi::api::core::v1::{Node, Pod};

use crate::{
    assert::{Needs, Observed, Scope, observed::Missing},
    engine::run::context::Context,
    event::{Outcome, StepState},
    plan::commands,
    spec::{Action, Facts, Step, action::DeletePod},
};

/// Returns the objects to observe for [`is_done`], besides those that the step's expectations need.
pub fn needs(step: &Step, namespace: &str) -> Needs {
    let scope = match &step.action {
        Action::DeletePod(_) => Some(Scope::of::<Pod>(Some(namespace))),
        Action::Drain(_) => Some(Scope::of::<Node>(None)),
        _ => None,
    };
    Needs {
        scopes: scope.into_iter().collect(),
    }
}

/// Returns true if `step`, whose expectations hold, counts as done:
///
/// - A run finished its action, or was interrupted in an action that it began while the
///   expectations did not hold: so the action made them hold. An action that failed did at most a
///   part of its work; it is done again where that is harmless.
/// - A fault leaves a mark of its own: another pod, a cordoned node. It is not injected a second
///   time.
///
/// For any other step, returns false. Its action may then run twice, but no effect is left out that
/// the expectations do not cover.
pub fn is_done(
    context: &Context,
    step: &Step,
    known: &StepState,
    facts: &Facts,
    observed: &Observed,
) -> bool {
    let failed = matches!(known.outcome, Some(Outcome::Failed(_))) && step.action.is_repeatable();
    if known.begun && (!known.acting || (!known.held && !failed)) {
        return true;
    }
    match &step.action {
        Action::DeletePod(delete) => is_replaced(context, delete, facts, observed),
        Action::Drain(node) => {
            let name = commands::node(node, &context.target().cluster, facts);
            let node: Option<Node> = name.and_then(|name| observed.get(None, &name).ok());
            node.and_then(|node| node.spec?.unschedulable) == Some(true)
        }
        _ => false,
    }
}

fn is_replaced(context: &Context, delete: &DeletePod, facts: &Facts, observed: &Observed) -> bool {
    let Some(before) = facts.get(&delete.since).and_then(|fact| fact.pod.as_ref()) else {
        return false;
    };
    match observed.get::<Pod>(Some(&context.lab.namespace), &delete.name) {
        Ok(pod) => pod.metadata.uid.as_ref() != Some(&before.uid),
        Err(Missing::Absent) => true,
        Err(Missing::Unknown(_)) => false,
    }
}
