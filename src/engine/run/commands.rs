//! The commands of a run.

use std::{future::Future, time::Duration};

use tokio::sync::watch;

use crate::{
    engine::run::{context::Context, dispatcher::Emitter, error::EngineError},
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
    let told = tell(context, invocation, what, emitter, &mut own);
    ended_within(told, end, invocation, what, (within, raised_by), stopper).await
}

/// Returns the output of `run`, of the command `invocation`. Sends `end` after `within`, and fails then.
async fn ended_within(
    run: impl Future<Output = Result<Done, EngineError>>,
    end: watch::Sender<Stop>,
    invocation: &Invocation,
    what: &str,
    (within, raised_by): (Duration, &str),
    stopper: &Stopper,
) -> Result<Done, EngineError> {
    let mut run = Box::pin(run);
    tokio::select! {
        done = &mut run => return done,
        () = tokio::time::sleep(within) => {}
    }
    end.send_replace(Stop::Term(0));
    let done = run.await;
    if stopper.now() != Stop::Run {
        return Err(EngineError::Stopped);
    }
    // It may have finished at the last moment.
    if done.is_ok() {
        return done;
    }
    let seconds = within.as_secs();
    let mut failure = Failure::new(format!("failed to {what}"));
    let cause = format!("`{invocation}` did not end within {seconds} s");
    failure.causes.push(cause);
    Err(EngineError::Step(Box::new(failure.hint(raised_by))))
}

/// Runs `invocation` for its answer, and fails if that takes longer than `within`. `raised_by` says
/// how to give it more time.
pub async fn ask_within(
    context: &Context,
    invocation: &Invocation,
    what: &str,
    (within, raised_by): (Duration, &str),
    stopper: &Stopper,
) -> Result<Done, EngineError> {
    let (end, mut own) = stopper.fork();
    let asked = ask(context, invocation, what, &mut own);
    ended_within(asked, end, invocation, what, (within, raised_by), stopper).await
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
