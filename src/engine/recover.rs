//! Picking up what a labctl that was killed left behind.

use super::{Context, Emitter, EngineError, owner, tools};
use crate::{
    event::EventKind,
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
    owner::check_containers(context, &state, &format!("delete the cluster \"{name}\"")).await?;
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
