//! `start`: brings the environment's cluster back.

use tokio::time::Instant;

use crate::{
    engine::{
        cluster::{nodes::Presence, owner, removal, revive},
        run::{context::Context, dispatcher::Emitter, error::EngineError},
        steps::{again, announce::announce, heal},
    },
    event::{EventKind, RunOutcome, Verb},
    tool::Stopper,
};

/// Starts the environment's node containers, and waits until the cluster is as it was. Does nothing
/// if it is.
pub async fn start(
    context: &Context,
    emitter: Emitter,
    mut stopper: Stopper,
) -> Result<RunOutcome, EngineError> {
    let began = Instant::now();
    announce(context, Verb::Start, &[], &emitter);
    removal::end_survivors(&emitter).await;
    let state = emitter.state();
    let what = format!("start the cluster \"{}\"", context.name());
    let found = owner::guard(context, &state, &what, &mut stopper).await?;
    if let Some(known) = &state.cluster
        && let presence @ Presence::Lost { .. } = Presence::of(known, &found)
    {
        return Err(owner::down(context, presence));
    }
    let nodes = found.len();
    let is_news = revive::bring_back(context, found, &emitter, &mut stopper).await?;
    let cluster = owner::open(context, &emitter.state()).await?;
    heal::abandoned(context, &emitter).await?;
    if is_news {
        again::wait(context, &cluster, &emitter, &mut stopper).await?;
    } else {
        emitter.emit(EventKind::Notice {
            text: format!("it runs already: its API server answers, and {nodes} nodes are Ready"),
        });
    }
    let outcome = RunOutcome::Passed;
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: began.elapsed(),
    });
    Ok(outcome)
}
