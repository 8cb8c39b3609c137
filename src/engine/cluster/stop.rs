//! `stop`: stops the environment's node containers, and no others.

use tokio::time::Instant;

use crate::{
    engine::{
        cluster::{nodes::Presence, owner, removal},
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
        steps::{announce::announce, heal},
    },
    event::{EventKind, RunOutcome, Verb},
    tool::{Stopper, docker},
};

/// Stops the environment's node containers, all at once. Does nothing if none runs.
pub async fn stop(
    context: &Context,
    emitter: Emitter,
    mut stopper: Stopper,
) -> Result<RunOutcome, EngineError> {
    let began = Instant::now();
    announce(context, Verb::Stop, &[], &emitter);
    removal::end_survivors(&emitter).await;
    let state = emitter.state();
    let name = context.name();
    let what = format!("stop the cluster \"{name}\"");
    let found = owner::guard(context, &state, &what, &mut stopper).await?;
    if let Some(known) = &state.cluster
        && let presence @ Presence::Lost { .. } = Presence::of(known, &found)
    {
        return Err(owner::down(context, presence));
    }
    // Heal the faults of an interrupted run first: otherwise the cluster would come back broken.
    if owner::connect(context).await.is_ok() {
        heal::abandoned(context, &emitter).await?;
    }
    let running = found.iter().filter(|c| c.runs() || c.is_paused());
    let running: Vec<String> = running.map(|c| c.id.clone()).collect();
    if running.is_empty() {
        emitter.emit(EventKind::Notice {
            text: "its containers are stopped already".to_owned(),
        });
    } else {
        let command = docker::stop(&running);
        commands::tell(context, &command, &what, &emitter, &mut stopper).await?;
    }
    if !running.is_empty() || emitter.state().stopped.is_none() {
        emitter.commit(EventKind::ClusterStopped).await?;
    }
    let outcome = RunOutcome::Passed;
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: began.elapsed(),
    });
    Ok(outcome)
}
