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
    let what = format!("delete the cluster \"{name}\"");
    owner::guard(context, &state, &what, stopper).await?;
    let network = context.environment.network();
    let delete = kind::delete(name, &network, &context.environment.kubeconfig());
    emitter.commit(EventKind::ClusterDeleting).await?;
    tools::tell(context, &delete, &what, emitter, stopper).await?;
    let networks = tools::ask(
        context,
        &docker::networks(&network),
        "list networks",
        stopper,
    )
    .await?;
    if networks.stdout.lines().any(|line| line == network) {
        let what = format!("remove the network \"{network}\"");
        let remove = docker::remove_network(&network);
        tools::tell(context, &remove, &what, emitter, stopper).await?;
    }
    emitter.commit(EventKind::ClusterDeleted).await
}

/// Removes a cluster that was begun and never seen to be complete, or whose deletion was begun.
pub async fn remove_half_made_cluster(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let how = match (&state.cluster, &state.intended_cluster) {
        (Some(_), _) if state.deleting => "half deleted",
        (None, Some(_)) => "half made",
        _ => return Ok(()),
    };
    emitter.emit(EventKind::Notice {
        text: format!(
            "the cluster \"{}\" was left {how} by an interrupted run; it is removed first",
            context.name()
        ),
    });
    remove_cluster(context, emitter, stopper).await
}
