//! Recovery of a cluster that the journal does not account for: asks the container engine and the
//! cluster itself. Nothing is deleted because the journal says little.

use crate::{
    engine::{
        cluster::{
            images, kubeconfig, owner,
            proof::{self, Survey},
            removal, revive,
        },
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::{ClusterIdentity, EventKind, RunState},
    tool::{Stopper, kind},
};

/// Makes the journal agree with what the container engine has of the cluster. Removes what an
/// interrupted run left half made or half deleted: what is provably the environment's and was never
/// seen to answer, or was about to be deleted. Adopts a cluster that is the environment's and that
/// the journal lost.
pub async fn settle(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let survey = proof::survey(context, &emitter.state(), stopper).await?;
    settle_found(context, &survey, emitter, stopper).await
}

/// Settles what `survey` found.
async fn settle_found(
    context: &Context,
    survey: &Survey,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let how = if state.cluster.is_some() {
        "half deleted"
    } else {
        "half made"
    };
    match plan(&state, survey) {
        Plan::Nothing => Ok(()),
        Plan::Remove => remove(context, how, emitter, stopper).await,
        Plan::RemoveUnlessWhole if !may_be_whole(context, survey).await => {
            remove(context, how, emitter, stopper).await
        }
        Plan::RemoveUnlessWhole | Plan::TakeIn => take_in(context, survey, emitter, stopper).await,
    }
}

/// Returns true if kind may have finished the cluster, rather than only begun it: kind writes the
/// kubeconfig last. Stopped containers cannot answer; they count as finished here, and are asked
/// once they run.
async fn may_be_whole(context: &Context, survey: &Survey) -> bool {
    let is_stopped = survey.own.iter().any(|container| !container.runs());
    context.environment.kubeconfig().is_file()
        && (is_stopped || owner::connect(context).await.is_ok())
}

/// A decision about the containers that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Leave them: the journal knows the cluster, or there is none.
    Nothing,
    /// Remove the cluster.
    Remove,
    /// Remove the cluster, unless kind finished it and it answers: then only the journal's entry is
    /// missing.
    RemoveUnlessWhole,
    /// Adopt the cluster into the journal.
    TakeIn,
}

fn plan(state: &RunState, survey: &Survey) -> Plan {
    let is_recorded = is_recorded(state, survey);
    let is_half = match (&state.cluster, &state.intended_cluster) {
        (Some(_), _) => state.deleting,
        (None, intended) => intended.is_some(),
    };
    if survey.own.is_empty() {
        return if is_half { Plan::Remove } else { Plan::Nothing };
    }
    if state.damaged {
        return Plan::TakeIn;
    }
    match &state.cluster {
        // As long as nothing of it was removed, the cluster is as whole as it was.
        Some(known) if state.deleting && is_recorded => {
            let stands = |id: &String| survey.own.iter().any(|c| c.id == *id);
            if known.containers.iter().all(stands) {
                Plan::RemoveUnlessWhole
            } else {
                Plan::Remove
            }
        }
        None if state.intended_cluster.is_some() => Plan::RemoveUnlessWhole,
        _ if is_recorded => Plan::Nothing,
        _ => Plan::TakeIn,
    }
}

/// Returns true if the journal knows all of the environment's containers. A container that it does
/// not know was created after the last line that is left of it.
fn is_recorded(state: &RunState, survey: &Survey) -> bool {
    let known = state.cluster.as_ref();
    let mut own = survey.own.iter();
    own.all(|c| known.is_some_and(|known| known.containers.contains(&c.id)))
}

/// Continues a recreation that was interrupted: removes the old cluster if its removal was begun, and
/// adopts the new one if it exists although the journal does not say so.
pub async fn continue_recreation(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let survey = proof::survey(context, &state, stopper).await?;
    if state.deleting && !state.damaged && is_recorded(&state, &survey) {
        return removal::remove_cluster(context, emitter, stopper).await;
    }
    settle_found(context, &survey, emitter, stopper).await
}

async fn remove(
    context: &Context,
    how: &str,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let name = context.name();
    emitter.emit(EventKind::Notice {
        text: format!(
            "the cluster \"{name}\" was left {how} by an interrupted run; it is removed first"
        ),
    });
    removal::remove_cluster(context, emitter, stopper).await
}

/// Adopts the cluster with the environment's containers into the journal, once it answers.
async fn take_in(
    context: &Context,
    survey: &Survey,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let name = context.name();
    let what = format!("use the cluster \"{name}\"");
    let own = survey.clone().unshared(&what)?;
    let uid = answer(context, &survey.own, emitter, stopper).await?;
    let cluster = ClusterIdentity {
        name: name.to_owned(),
        uid,
        containers: own.iter().map(|c| c.id.clone()).collect(),
        server: kubeconfig::server(&context.environment),
    };
    let is_same = |known: &ClusterIdentity| {
        (&known.uid, &known.containers) == (&cluster.uid, &cluster.containers)
    };
    let is_known = state.cluster.as_ref().is_some_and(is_same);
    emitter.emit(EventKind::Notice {
        text: format!(
            "a cluster \"{name}\" of this environment answers; {}",
            if is_known {
                "it is the one that the journal knows"
            } else {
                "the journal lost it, so what was done in it is looked at anew"
            }
        ),
    });
    if state.cluster.is_some() && !is_known {
        emitter.commit(EventKind::ClusterDeleted).await?;
    }
    if !state.damaged && !is_known {
        // The journal does not say either that the nodes got all their images.
        images::provide_to(context, &own, emitter, stopper).await?;
    }
    if !is_known {
        let name = name.to_owned();
        emitter.commit(EventKind::ClusterIntended { name }).await?;
    }
    emitter
        .commit(EventKind::ClusterCreated { cluster })
        .await?;
    kubeconfig::keep(context, &emitter.state())?;
    Ok(kubeconfig::renew(context)?)
}

/// Returns the uid of the cluster with these containers, and starts them if they do not run. Writes
/// the kubeconfig anew first: it may lead somewhere else.
async fn answer(
    context: &Context,
    own: &[crate::tool::docker::Container],
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<String, EngineError> {
    revive::start(context, own, emitter, stopper).await?;
    let target = context.target();
    let kubeconfig = context.environment.kubeconfig();
    let export = kind::export_kubeconfig(context.name(), &target.network, &kubeconfig);
    let what = "write the kubeconfig anew";
    commands::tell(context, &export, what, emitter, stopper).await?;
    match owner::connect(context).await {
        Ok((_, uid)) => Ok(uid),
        Err(error) if owner::is_unreachable(&error) => {
            revive::bring_back(context, own.to_vec(), emitter, stopper).await?;
            Ok(owner::connect(context).await?.1)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::docker;

    fn state(intended: bool, known: Option<&str>, deleting: bool, damaged: bool) -> RunState {
        RunState {
            intended_cluster: intended.then(|| "lab".into()),
            cluster: known.map(|id| ClusterIdentity {
                name: "lab".into(),
                uid: "u".into(),
                containers: vec![id.into()],
                server: None,
            }),
            deleting,
            damaged,
            ..RunState::default()
        }
    }

    fn own(ids: &str) -> Survey {
        Survey {
            own: docker::containers(ids),
            ..Survey::default()
        }
    }

    #[test]
    fn only_a_whole_journal_says_that_something_is_half_made_or_half_deleted() {
        for (state, ids, expected) in [
            (state(false, None, false, false), "", Plan::Nothing),
            (state(true, None, false, false), "", Plan::Remove),
            (
                state(true, None, false, false),
                "a",
                Plan::RemoveUnlessWhole,
            ),
            (state(true, None, false, true), "a", Plan::TakeIn),
            (state(true, None, false, true), "", Plan::Remove),
            (state(true, Some("a"), false, false), "a", Plan::Nothing),
            // All of its containers still exist.
            (
                state(true, Some("a"), true, false),
                "a",
                Plan::RemoveUnlessWhole,
            ),
            // It was made after the one that was being deleted.
            (state(true, Some("a"), true, false), "b", Plan::TakeIn),
            (state(true, Some("a"), true, false), "a\nb", Plan::TakeIn),
            (state(true, Some("a"), true, true), "a", Plan::TakeIn),
            (state(true, Some("a"), false, true), "a", Plan::TakeIn),
            // The cluster is lost: whoever uses it reports that.
            (state(true, Some("a"), false, false), "", Plan::Nothing),
            // The journal does not know this container.
            (state(true, Some("a"), false, false), "b", Plan::TakeIn),
            (state(false, None, false, false), "b", Plan::TakeIn),
        ] {
            assert_eq!(plan(&state, &own(ids)), expected, "{state:?} {ids}");
        }
        let mut state = state(true, Some("a"), true, false);
        if let Some(known) = &mut state.cluster {
            known.containers.push("b".into());
        }
        assert_eq!(
            plan(&state, &own("b")),
            Plan::Remove,
            "a part of it is gone"
        );
    }
}
