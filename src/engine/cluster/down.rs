//! `down`: removes the environment, and nothing else.

use tokio::time::Instant;

use crate::{
    engine::{
        cluster::removal,
        run::{context::Context, dispatcher::Emitter, error::EngineError},
        steps::announce::announce,
    },
    event::{EventKind, RunOutcome, Verb},
    tool::Stopper,
};

/// Removes the environment's cluster and network. The caller removes its directory, as it holds it.
pub async fn down(
    context: &Context,
    emitter: Emitter,
    mut stopper: Stopper,
) -> Result<RunOutcome, EngineError> {
    let started = Instant::now();
    announce(context, Verb::Down, &[], &emitter);
    removal::end_survivors(&emitter).await;
    removal::remove_cluster(context, &emitter, &mut stopper).await?;
    let outcome = RunOutcome::Passed;
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: started.elapsed(),
    });
    Ok(outcome)
}
