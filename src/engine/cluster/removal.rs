//! Recovery of what a killed labctl left behind.

use crate::{
    engine::{
        cluster::{
            owner,
            proof::{self, Survey},
        },
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::EventKind,
    state::files,
    tool::{Stop, Stopper, docker, process},
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

/// A removal of containers and networks. They are provably the environment's, and nothing else is
/// removed.
pub struct Removal {
    survey: Survey,
    what: String,
}

/// Plans the removal of the environment's cluster and network. Returns `None` if there is nothing
/// to remove. Names anything else that carries the cluster's name, and leaves it alone. Changes
/// nothing.
pub async fn removal(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Option<Removal>, EngineError> {
    let state = emitter.state();
    // A journal that is empty or damaged does not prove that nothing was begun.
    let is_told = state.seq > 0 && !state.damaged;
    let survey = match proof::survey(context, &state, stopper).await {
        Ok(survey) => survey,
        // Nothing was begun, so the engine need not be asked.
        Err(_) if is_told && state.is_without_cluster() => return Ok(None),
        Err(error) => return Err(error),
    };
    for other in survey.others() {
        emitter.emit(EventKind::Notice {
            text: format!("{other}; it is left alone"),
        });
    }
    let is_there = !(survey.own.is_empty() && survey.networks.is_empty());
    if !is_there && state.is_without_cluster() {
        return Ok(None);
    }
    let what = format!("delete the cluster \"{}\"", context.name());
    // Compare uids only if the journal knows one of the containers: otherwise its uid, if any, is
    // another cluster's.
    let is_recorded = |c: &docker::Container| {
        let known = state.cluster.as_ref();
        known.is_some_and(|known| known.containers.contains(&c.id))
    };
    if survey.own.iter().any(is_recorded) {
        owner::leads_home(context, &state, &what).await?;
    }
    if stopper.now() != Stop::Run {
        return Err(EngineError::Stopped);
    }
    Ok(Some(Removal { survey, what }))
}

impl Removal {
    /// Removes the containers, the networks and the kubeconfig.
    pub async fn carry_out(
        self,
        context: &Context,
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<(), EngineError> {
        let Self { survey, what } = self;
        emitter.commit(EventKind::ClusterDeleting).await?;
        if !survey.own.is_empty() {
            // Remove by id: another container that gets such a name meanwhile is not meant.
            let ids: Vec<String> = survey.own.into_iter().map(|c| c.id).collect();
            commands::tell(context, &docker::remove(&ids), &what, emitter, stopper).await?;
        }
        for network in survey.networks {
            let what = format!("remove the network \"{}\"", network.name);
            let remove = docker::remove_network(&network.id);
            commands::tell(context, &remove, &what, emitter, stopper).await?;
        }
        // The kubeconfig leads nowhere any more.
        files::remove(&context.environment.kubeconfig())?;
        emitter.commit(EventKind::ClusterDeleted).await
    }
}

/// Removes the cluster of the environment, and its network. Succeeds if there is none.
pub async fn remove_cluster(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    match removal(context, emitter, stopper).await? {
        Some(removal) => removal.carry_out(context, emitter, stopper).await,
        None => Ok(()),
    }
}
