//! Running the commands of a step.

use super::{Context, Emitter, EngineError};
use crate::{
    event::EventKind,
    tool::{Done, Invocation, Stopper},
};

/// Runs `invocation`, telling what it is and what it prints. `what` completes "failed to".
pub async fn tell(
    context: &Context,
    invocation: &Invocation,
    what: &str,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Done, EngineError> {
    emitter.emit(EventKind::CommandStarted {
        line: invocation.to_string(),
    });
    let run = context.toolbox.run(invocation, stopper, emitter.child());
    run.await.map_err(EngineError::tool(what))
}

/// Runs `invocation` for its answer alone: neither it nor what it prints is told.
pub async fn ask(
    context: &Context,
    invocation: &Invocation,
    what: &str,
    stopper: &mut Stopper,
) -> Result<Done, EngineError> {
    let run = context.toolbox.run(invocation, stopper, |_| {});
    run.await.map_err(EngineError::tool(what))
}
