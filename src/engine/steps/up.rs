//! `up`: does every step in order, except those that were done before and still hold.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    assert::Cluster,
    engine::{
        cluster::{adopt, owner, removal, revive},
        run::{context::Context, dispatcher::Emitter, error::EngineError},
        steps::{
            again,
            announce::announce,
            cursor, heal,
            step::{self, Done},
            verify,
        },
    },
    event::{EventKind, Failure, Outcome, RunOutcome, RunState, Verb},
    plan::{self, Decision},
    spec::{Step, StepId},
    tool::{Stop, Stopper},
};

/// The target of `up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The step at this position.
    Step(usize),
    /// The step after the cursor.
    Next,
}

/// Brings the environment up to `goal`, and returns the outcome.
pub async fn up(
    context: &Context,
    goal: Goal,
    emitter: Emitter,
    mut stopper: Stopper,
) -> Result<RunOutcome, EngineError> {
    let started = Instant::now();
    let verb = match goal {
        Goal::Step(_) => Verb::Up,
        Goal::Next => Verb::Next,
    };
    announce(context, verb, &context.lab.steps, &emitter);
    removal::end_survivors(&emitter).await;
    if let Some(step) = emitter.state().unfinished_reset() {
        return Err(EngineError::Unfinished {
            step: step.to_string(),
            call: context.call(),
        });
    }
    adopt::settle(context, &emitter, &mut stopper).await?;
    let mut open = None;
    if emitter.state().cluster.is_some() {
        let (cluster, revived) = revive::ensure(context, &emitter, &mut stopper).await?;
        heal::abandoned(context, &emitter).await?;
        if revived {
            again::wait(context, &cluster, &emitter, &mut stopper).await?;
        }
        open = Some(cluster);
    }
    let last = last_step(context, goal, &emitter);
    let outcome = go_on(context, last, open, &emitter, &mut stopper).await?;
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: started.elapsed(),
    });
    Ok(outcome)
}

/// Goes on to the step at `last`, as part of a run that began with something else. `open` is the
/// cluster, if it is connected already.
pub async fn go_on(
    context: &Context,
    last: usize,
    mut open: Option<Cluster>,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<RunOutcome, EngineError> {
    let state = emitter.state();
    let mut verdicts = verify::Verdicts::new();
    if state.cluster.is_some() {
        let cluster = owner::opened(&mut open, context, &state).await?;
        verdicts = verify::lasting(context, cluster, &state).await;
    }
    let result = steps(context, last, open, verdicts, emitter, stopper).await;
    if !matches!(result, Ok(RunOutcome::Passed)) {
        heal::after_failure(context, emitter).await;
    }
    result
}

/// Returns the position of the last step to do, given the goal and the cursor.
fn last_step(context: &Context, goal: Goal, emitter: &Emitter) -> usize {
    let lab = &context.lab;
    let next = match (goal, plan::cursor(lab, &emitter.state())) {
        (Goal::Step(last), _) => return last,
        (Goal::Next, at) => at.map_or(0, |at| at + 1),
    };
    if next == lab.steps.len() {
        emitter.emit(EventKind::Notice {
            text: format!("lab {} is complete: there is no next step", lab.lab),
        });
        return next - 1;
    }
    next
}

/// Does the steps up to the one at `last`, except those that were done before and still hold.
async fn steps(
    context: &Context,
    last: usize,
    mut open: Option<Cluster>,
    mut verdicts: verify::Verdicts,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<RunOutcome, EngineError> {
    for (index, step) in context.lab.steps[..=last].iter().enumerate() {
        if let Stop::Term(signal) | Stop::Kill(signal) = stopper.now() {
            return Ok(RunOutcome::Cancelled { signal });
        }
        let began = Instant::now();
        let state = emitter.state();
        let decision = decide(context, index, &state, &verdicts);
        let waited = matches!(decision, Decision::Wait { .. });
        if matches!(decision, Decision::Run { .. }) {
            forget_later(context, index, &state, emitter).await?;
        }
        let ended = match one(context, step, decision, &mut open, emitter, stopper).await {
            Ok(ended) => ended,
            Err(EngineError::Stopped) => Outcome::Cancelled,
            Err(error) => Outcome::Failed(error.into_failure()?),
        };
        let acted = waited || ended == Outcome::Changed;
        let early_end = match &ended {
            Outcome::Failed(_) => Some(RunOutcome::Failed),
            Outcome::Cancelled => Some(RunOutcome::Cancelled {
                signal: stopper.now().signal().unwrap_or_default(),
            }),
            _ => None,
        };
        emitter.emit(EventKind::StepFinished {
            step: step.id.clone(),
            outcome: ended,
            took: began.elapsed(),
        });
        if let Some(early_end) = early_end {
            return Ok(early_end);
        }
        // An action may change the verdicts on later steps: evaluate those again.
        let state = emitter.state();
        let mut later = context.lab.steps[index + 1..=last].iter();
        if acted && later.any(|step| state.is_verified(&step.id)) {
            let cluster = owner::opened(&mut open, context, &state).await?;
            verdicts = verify::lasting(context, cluster, &state).await;
        }
    }
    concluded(context, last, emitter).await
}

/// Rewinds later steps when a fault is about to be injected, as it changes on purpose what they
/// expect. They may have been verified before the lab had the fault, or before it was healed.
async fn forget_later(
    context: &Context,
    index: usize,
    state: &RunState,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let step = &context.lab.steps[index];
    let mut later = context.lab.steps[index + 1..].iter();
    let stays_open = step.until.is_some() && step.is_fault();
    if !stays_open || state.is_verified(&step.id) || !later.any(|s| state.is_verified(&s.id)) {
        return Ok(());
    }
    cursor::rewind_from(context, index, None, emitter).await
}

/// Concludes a run to the step at `last`: sets the cursor, and fails if a fault is open that should
/// have ended there or before.
async fn concluded(
    context: &Context,
    last: usize,
    emitter: &Emitter,
) -> Result<RunOutcome, EngineError> {
    let lab = &context.lab;
    let state = emitter.state();
    cursor::keep(context, &lab.steps[last], state.cursor.clone(), emitter).await?;
    let end = |id: &StepId| {
        let of_lab = lab.position(id).map(|at| &lab.steps[at])?;
        let end = lab.position(of_lab.until.as_ref().unwrap_or(id))?;
        (end <= last).then_some(end)
    };
    let open = state.faults.steps();
    let Some((step, end)) = open.iter().find_map(|step| Some((step, end(step)?))) else {
        return Ok(RunOutcome::Passed);
    };
    let end = &lab.steps[end].id;
    let call = context.call();
    let failure = Failure::new(format!(
        "the fault of step {step} is open behind step {end}"
    ))
    .hint(format!("`labctl heal {call}` takes it back"));
    emitter.emit(EventKind::StepFinished {
        step: end.clone(),
        outcome: Outcome::Failed(failure),
        took: Duration::ZERO,
    });
    Ok(RunOutcome::Failed)
}

fn decide(
    context: &Context,
    index: usize,
    state: &RunState,
    verdicts: &verify::Verdicts,
) -> Decision {
    let step = &context.lab.steps[index];
    let uid = state.cluster.as_ref().map_or("", |c| c.uid.as_str());
    let known = plan::Known {
        state,
        fingerprint: &context.fingerprint(step, uid),
        verdicts: verdicts.get(&step.id).map(Vec::as_slice),
    };
    plan::decide(&context.lab, index, &known)
}

async fn one(
    context: &Context,
    step: &Step,
    decision: Decision,
    open: &mut Option<Cluster>,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Outcome, EngineError> {
    let reason = match decision {
        Decision::Skip { reason } => return Ok(Outcome::Skipped { reason }),
        Decision::Run { reason } => reason,
        Decision::Wait { reason } => {
            step::hold_again(context, step, open, emitter, stopper).await?;
            let reason = format!("{reason}; by now it holds again");
            return Ok(Outcome::Skipped { reason });
        }
        Decision::Broken { reason } => {
            let call = context.call();
            let hint = format!(
                "`labctl verify {call}` shows what is and what should be; `labctl reset {call}` puts \
                 back what differs"
            );
            return Ok(Outcome::Failed(Failure::new(reason).hint(hint)));
        }
    };
    let redo = emitter.state().is_verified(&step.id);
    // On the heap: the future is large, and part of every future that awaits it.
    let performed = Box::pin(step::perform(
        context, step, &reason, redo, open, emitter, stopper,
    ))
    .await?;
    match performed {
        Done::Changed => Ok(Outcome::Changed),
        Done::HeldAlready => Ok(Outcome::Skipped {
            reason: "it was done already, and what it expects holds".to_owned(),
        }),
    }
}
