//! Picking up what a labctl that was killed left behind.

use super::{Context, Emitter, EngineError, owner, tools};
use crate::{
    event::EventKind,
    plan,
    spec::{Step, Undo},
    tool::{Stopper, docker, kind, process},
};

/// Ends children that outlived the labctl that started them.
pub async fn end_survivors(emitter: &Emitter) {
    for child in emitter.state().children {
        if process::end_survivor(&child).await {
            emitter.emit(EventKind::Notice {
                text: format!(
                    "ended `{}` (process {}), which an interrupted run had left",
                    child.program, child.group
                ),
            });
        }
        emitter.emit(EventKind::ChildExited { group: child.group });
    }
}

/// Removes the cluster of the environment, and its network; what is not there is no error.
pub async fn remove_cluster(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let name = context.name();
    // Nothing of it is there; a cluster of its name that somebody else made is none of its business.
    if state.cluster.is_none() && state.intended_cluster.is_none() {
        return Ok(());
    }
    owner::guard(context, &state, &format!("delete the cluster \"{name}\"")).await?;
    let network = context.environment.network();
    let delete = kind::delete(name, &network, &context.environment.kubeconfig());
    let what = format!("delete the cluster \"{name}\"");
    tools::tell(context, &delete, &what, emitter, stopper).await?;
    let networks = tools::ask(context, &docker::networks(&network), "list networks").await?;
    if networks.stdout.lines().any(|line| line == network) {
        let what = format!("remove the network \"{network}\"");
        let remove = docker::remove_network(&network);
        tools::tell(context, &remove, &what, emitter, stopper).await?;
    }
    emitter.commit(EventKind::ClusterDeleted).await
}

/// Removes a cluster that was begun and never seen to be complete.
pub async fn remove_half_made_cluster(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    if state.cluster.is_some() || state.intended_cluster.is_none() {
        return Ok(());
    }
    emitter.emit(EventKind::Notice {
        text: format!(
            "the cluster \"{}\" was left half made by an interrupted run; it is removed first",
            context.name()
        ),
    });
    remove_cluster(context, emitter, stopper).await
}

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
    for command in plan::undo(undo, &context.target(), &facts) {
        let what = format!("take back what step {} did", step.id);
        tools::tell(context, &command, &what, emitter, &mut stopper).await?;
    }
    let step = step.id.clone();
    emitter.commit(EventKind::Undone { step }).await
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
