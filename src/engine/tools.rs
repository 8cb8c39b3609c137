//! The commands of a run.

use std::time::Duration;

use super::{Context, Emitter, EngineError};
use crate::{
    event::{EventKind, Failure},
    tool::{Done, Invocation, Stop, Stopper},
};

/// Runs `invocation`, and emits its command line and its output. `what` completes "failed to".
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

/// Runs `invocation` like [`tell`], but for at most `within`. After that, ends it as a signal
/// would, and fails the step; `raised_by` is the hint that says how to give it more time.
pub async fn tell_within(
    context: &Context,
    invocation: &Invocation,
    what: &str,
    (within, raised_by): (Duration, &str),
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Done, EngineError> {
    let (end, mut own) = stopper.fork();
    let mut told = Box::pin(tell(context, invocation, what, emitter, &mut own));
    tokio::select! {
        told = &mut told => return told,
        () = tokio::time::sleep(within) => {}
    }
    end.send_replace(Stop::Term(0));
    let told = told.await;
    if stopper.now() != Stop::Run {
        return Err(EngineError::Stopped);
    }
    // It may have finished at the last moment.
    if told.is_ok() {
        return told;
    }
    let seconds = within.as_secs();
    let mut failure = Failure::new(format!("failed to {what}"));
    let cause = format!("`{invocation}` did not end within {seconds} s");
    failure.causes.push(cause);
    Err(EngineError::Step(Box::new(failure.hint(raised_by))))
}

/// Runs `invocation` for its answer. Emits neither its command line nor its output.
pub async fn ask(
    context: &Context,
    invocation: &Invocation,
    what: &str,
    stopper: &mut Stopper,
) -> Result<Done, EngineError> {
    let run = context.toolbox.run(invocation, stopper, |_| {});
    run.await.map_err(EngineError::tool(what))
}
