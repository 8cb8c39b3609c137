//! Faults: taking back what was injected.

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};

use super::{Context, Emitter, EngineError, owner, tools};
use crate::{
    event::EventKind,
    plan::{self, commands::drained},
    spec::{Step, Undo},
    tool::{Invocation, Stopper},
};

/// The steps whose fault was injected and not taken back, the last first.
#[must_use]
pub fn open_faults<'a>(context: &'a Context, emitter: &Emitter) -> Vec<(&'a Step, &'a Undo)> {
    let state = emitter.state();
    let is_open = |step: &Step| state.steps.get(&step.id).is_some_and(|s| s.open);
    let steps = context.lab.steps.iter().rev();
    steps
        .filter(|step| is_open(step))
        .filter_map(|step| match &step.undo {
            Some(undo) if *undo != Undo::None => Some((step, undo)),
            _ => None,
        })
        .collect()
}

/// Takes the fault of `step` back.
pub async fn heal(
    context: &Context,
    step: &Step,
    undo: &Undo,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let facts = emitter.state().facts;
    // A fault is taken back even while the run is being stopped.
    let mut stopper = Stopper::never();
    let what = format!("take back what step {} did", step.id);
    for command in plan::undo(undo, &context.target(), &facts) {
        tools::tell(context, &command, &what, emitter, &mut stopper).await?;
    }
    for command in of_evictions(context, undo, emitter).await? {
        tools::tell(context, &command, &what, emitter, &mut stopper).await?;
    }
    let step = step.id.clone();
    emitter.commit(EventKind::Undone { step }).await
}

/// What else a drain that was cut short has to be followed by; as a rule nothing.
async fn of_evictions(
    context: &Context,
    undo: &Undo,
    emitter: &Emitter,
) -> Result<Vec<Invocation>, EngineError> {
    let state = emitter.state();
    let Some(node) = drained(undo, &state.facts) else {
        return Ok(Vec::new());
    };
    let cluster = owner::open(context, &state).await?;
    let unreachable = owner::unreachable(context);
    let pods: Vec<Pod> = cluster.every().await.map_err(&unreachable)?;
    let budgets: Vec<PodDisruptionBudget> = cluster.every().await.map_err(&unreachable)?;
    let kubectl = context.target().kubectl;
    let left = plan::cut_short(&node, &pods, &budgets);
    let forget = left
        .iter()
        .map(|left| kubectl.forget_evictions(&left.namespace, &left.budget, &left.pods));
    Ok(forget.collect())
}

/// Takes back the faults that an interrupted run left open: those whose step was never verified.
/// A fault of a verified step stays until its `until`.
pub async fn heal_leftovers(context: &Context, emitter: &Emitter) -> Result<(), EngineError> {
    let state = emitter.state();
    for (step, undo) in open_faults(context, emitter) {
        if state.steps.get(&step.id).is_some_and(|s| s.begun) {
            emitter.emit(EventKind::Notice {
                text: format!("step {} was interrupted; its fault is taken back", step.id),
            });
            heal(context, step, undo, emitter).await?;
        }
    }
    Ok(())
}
