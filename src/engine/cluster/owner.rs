//! The check that a cluster is the one that the environment made. It precedes anything destructive.

use std::sync::Arc;

use crate::{
    assert::{Cluster, ClusterError},
    engine::{
        act::lab_tool,
        cluster::{
            kubeconfig,
            nodes::{self, Presence},
            proof,
        },
        run::{
            context::Context,
            error::{EngineError, Why},
        },
    },
    event::RunState,
    tool::{Stopper, docker::Container},
};

/// Refuses `what`, which stops or starts something, unless the cluster is the environment's: by its
/// containers, and also by its uid if its API server answers. Returns the containers.
pub async fn guard(
    context: &Context,
    state: &RunState,
    what: &str,
    stopper: &mut Stopper,
) -> Result<Vec<Container>, EngineError> {
    let survey = proof::survey(context, state, stopper).await?;
    let found = survey.unshared(what)?;
    if !found.is_empty() {
        leads_home(context, state, what).await?;
    }
    Ok(found)
}

/// Refuses `what` if the kubeconfig leads to an API server that answers but is not the
/// environment's: then something is not as the environment left it.
pub async fn leads_home(
    context: &Context,
    state: &RunState,
    what: &str,
) -> Result<(), EngineError> {
    kubeconfig::keep(context, state)?;
    match (&state.cluster, connect(context).await) {
        (Some(known), Ok((_, uid))) if uid != known.uid => {
            Err(another(context, what, &uid, &known.uid))
        }
        _ => Ok(()),
    }
}

/// Returns the environment's cluster as its kubeconfig describes it. Sends no request.
pub async fn unasked(context: &Context) -> Result<Cluster, EngineError> {
    let environment = &context.environment;
    let kubeconfig = environment.kubeconfig();
    let opened = Cluster::open(&kubeconfig, &environment.context(), context.login_programs).await;
    let cluster = opened.map_err(unreachable(context))?;
    Ok(cluster.with_tools(Arc::new(lab_tool::Runner::new(context))))
}

/// Returns the environment's cluster as its kubeconfig describes it, and its uid. Does not check
/// ownership.
pub async fn connect(context: &Context) -> Result<(Cluster, String), EngineError> {
    let cluster = unasked(context).await?;
    let uid = cluster.uid().await.map_err(unreachable(context))?;
    Ok((cluster, uid))
}

/// Returns the environment's cluster, after checking that it is the one in the journal. If it does
/// not answer, the error names the state of its containers.
pub async fn open(context: &Context, state: &RunState) -> Result<Cluster, EngineError> {
    let Some(known) = &state.cluster else {
        return Err(silent(context, "it was never seen to be complete"));
    };
    kubeconfig::keep(context, state)?;
    match connect(context).await {
        Ok((cluster, uid)) if uid == known.uid => Ok(cluster.with_ports(&state.ports)),
        Ok((_, uid)) => {
            let what = format!("use the cluster \"{}\"", context.name());
            Err(another(context, &what, &uid, &known.uid))
        }
        Err(error) if is_unreachable(&error) => {
            match nodes::list(context, &mut Stopper::never()).await {
                Ok(found) => match Presence::of(known, &found) {
                    Presence::Running => Err(error),
                    presence => Err(down(context, presence)),
                },
                // There is no engine to ask either, so report that the cluster does not answer.
                Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Returns the cluster in `open`, and opens it first if there is none.
pub async fn opened<'a>(
    open: &'a mut Option<Cluster>,
    context: &Context,
    state: &RunState,
) -> Result<&'a Cluster, EngineError> {
    Ok(match open {
        Some(cluster) => cluster,
        none => none.insert(self::open(context, state).await?),
    })
}

/// Returns true if `error` says that nothing answers: starting the cluster may mend that.
#[must_use]
pub fn is_unreachable(error: &EngineError) -> bool {
    let source = match error {
        EngineError::Nodes { .. } => return true,
        EngineError::Cluster { source, .. } => source,
        _ => return false,
    };
    matches!(source, ClusterError::Unreachable { .. })
}

/// Returns the error for a cluster that cannot be asked because of its containers' state.
#[must_use]
pub fn down(context: &Context, presence: Presence) -> EngineError {
    EngineError::Nodes {
        environment: context.name().to_owned(),
        call: context.call(),
        source: presence,
    }
}

/// Returns the error for a cluster that does not answer.
#[must_use]
pub fn silent(context: &Context, why: &str) -> EngineError {
    let why = why.to_owned();
    unreachable(context)(ClusterError::Unreachable { why })
}

fn another(context: &Context, what: &str, uid: &str, known: &str) -> EngineError {
    let kubeconfig = context.environment.kubeconfig();
    EngineError::Unsafe {
        what: what.to_owned(),
        why: Why(format!(
            "{} leads to a cluster whose kube-system namespace has the uid {uid}; the \
             environment's had {known}",
            kubeconfig.display()
        )),
    }
}

/// Returns a function that maps an error of the environment's cluster to an error of the run.
pub fn unreachable(context: &Context) -> impl Fn(ClusterError) -> EngineError {
    |source| EngineError::Cluster {
        environment: context.name().to_owned(),
        call: context.call(),
        source,
    }
}
