//! Whether a cluster is the one that the environment made. Asked before anything is destroyed.

use super::{Context, EngineError, error::Why, tools};
use crate::{
    assert::{Cluster, ClusterError},
    event::RunState,
    tool::docker,
};

/// The ids of the node containers that carry the environment's cluster name, sorted.
pub async fn node_ids(context: &Context) -> Result<Vec<String>, EngineError> {
    let what = "list the containers of the cluster";
    let done = tools::ask(context, &docker::node_ids(context.name()), what).await?;
    let mut ids: Vec<String> = done.stdout.lines().map(ToOwned::to_owned).collect();
    ids.sort();
    Ok(ids)
}

/// Refuses `what` if containers exist under the environment's cluster name that it did not make.
/// Returns whether there are any that it did.
pub async fn check_containers(
    context: &Context,
    state: &RunState,
    what: &str,
) -> Result<bool, EngineError> {
    let found = node_ids(context).await?;
    let foreign = match (&state.cluster, &state.intended_cluster) {
        (Some(cluster), _) => found.iter().find(|id| !cluster.containers.contains(id)),
        // Begun, and never seen to be done: what stands there is what is left of it.
        (None, Some(_)) => None,
        (None, None) => found.first(),
    };
    if let Some(id) = foreign {
        let short = id.get(..12).unwrap_or(id);
        let name = context.name();
        return Err(EngineError::Unsafe {
            what: what.to_owned(),
            why: Why(format!(
                "the container {short} belongs to a kind cluster \"{name}\" that this environment \
                 did not make"
            )),
        });
    }
    Ok(!found.is_empty())
}

/// The environment's cluster as its kubeconfig describes it, and its uid. Whose it is is not asked.
pub async fn connect(context: &Context) -> Result<(Cluster, String), EngineError> {
    let cluster = Cluster::open(&context.environment.kubeconfig(), context.login_programs)
        .await
        .map_err(unreachable(context))?;
    let uid = cluster.uid().await.map_err(unreachable(context))?;
    Ok((cluster, uid))
}

/// The environment's cluster, once it was seen to be the one that the journal knows.
pub async fn open(context: &Context, state: &RunState) -> Result<Cluster, EngineError> {
    let (cluster, uid) = connect(context).await?;
    match &state.cluster {
        Some(known) if known.uid != uid => Err(EngineError::Unsafe {
            what: format!("use the cluster \"{}\"", context.name()),
            why: Why(format!(
                "its kube-system namespace has the uid {uid}, the environment's had {}",
                known.uid
            )),
        }),
        Some(_) => Ok(cluster),
        None => Err(unreachable(context)(ClusterError::Unreachable {
            why: "it was never seen to be complete".to_owned(),
        })),
    }
}

fn unreachable(context: &Context) -> impl Fn(ClusterError) -> EngineError {
    |source| EngineError::Cluster {
        environment: context.name().to_owned(),
        source,
    }
}
