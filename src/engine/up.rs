//! `up`: every step in order, each done unless it holds already.

use tokio::time::Instant;

use super::{
    Context, Emitter, EngineError, again,
    announce::announce,
    owner, recover, revive,
    step::{self, Done},
    verify,
};
use crate::{
    event::{EventKind, Failure, Outcome, RunOutcome, RunState, Verb},
    plan::{self, Decision},
    spec::Step,
    tool::{Stop, Stopper},
};

/// Brings the environment up to the step at `last`, and says how that went.
pub async fn up(
    context: &Context,
    last: usize,
    emitter: Emitter,
    mut stopper: Stopper,
) -> Result<RunOutcome, EngineError> {
    let started = Instant::now();
    let steps = &context.lab.steps[..=last];
    announce(context, Verb::Up, &context.lab.steps, &emitter);
    recover::end_survivors(&emitter).await;
    recover::remove_half_made_cluster(context, &emitter, &mut stopper).await?;
    let mut verdicts = verify::Verdicts::new();
    if emitter.state().cluster.is_some() {
        let (cluster, revived) = revive::ensure(context, &emitter, &mut stopper).await?;
        recover::heal_leftovers(context, &emitter).await?;
        if revived {
            again::wait(context, &cluster, &emitter, &mut stopper).await?;
        }
        verdicts = verify::lasting(context, &cluster, &emitter.state()).await;
    }
    let mut outcome = RunOutcome::Passed;
    for (index, step) in steps.iter().enumerate() {
        if let Stop::Term(signal) | Stop::Kill(signal) = stopper.now() {
            outcome = RunOutcome::Cancelled { signal };
            break;
        }
        let began = Instant::now();
        let state = emitter.state();
        let decision = decide(context, index, &state, &verdicts);
        let result = one(context, step, decision, &emitter, &mut stopper).await;
        let ended = match result {
            Ok(ended) => ended,
            Err(EngineError::Stopped) => Outcome::Cancelled,
            Err(error) => Outcome::Failed(error.into_failure()?),
        };
        let mended = ended == Outcome::Changed && state.is_verified(&step.id);
        let early_end = match &ended {
            Outcome::Failed(_) => Some(RunOutcome::Failed),
            Outcome::Cancelled => Some(RunOutcome::Cancelled {
                signal: stopper.now().signal().unwrap_or_default(),
            }),
            _ => None,
        };
        if early_end.is_some() {
            heal_own(context, &emitter).await;
        }
        emitter.emit(EventKind::StepFinished {
            step: step.id.clone(),
            outcome: ended,
            took: began.elapsed(),
        });
        if let Some(early_end) = early_end {
            outcome = early_end;
            break;
        }
        // What the later steps expect may not have held for the very reason that was mended.
        if mended {
            let state = emitter.state();
            let cluster = owner::open(context, &state).await?;
            verdicts = verify::lasting(context, &cluster, &state).await;
        }
    }
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: started.elapsed(),
    });
    Ok(outcome)
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
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Outcome, EngineError> {
    let reason = match decision {
        Decision::Skip { reason } => return Ok(Outcome::Skipped { reason }),
        Decision::Run { reason } => reason,
        Decision::Broken { reason } => {
            let name = context.name();
            let hint = format!(
                "`labctl verify` shows what is and what should be; `labctl down {name}` and \
                 `labctl up` begin anew"
            );
            return Ok(Outcome::Failed(Failure::new(reason).hint(hint)));
        }
    };
    let redo = emitter.state().is_verified(&step.id);
    match step::perform(context, step, &reason, redo, emitter, stopper).await? {
        Done::Changed => Ok(Outcome::Changed),
        Done::HeldAlready => Ok(Outcome::Skipped {
            reason: "what it expects holds already".to_owned(),
        }),
    }
}

/// Takes back the faults of steps that this run began and did not see hold.
async fn heal_own(context: &Context, emitter: &Emitter) {
    let state = emitter.state();
    for (step, undo) in recover::open_faults(context, emitter) {
        let begun = state.steps.get(&step.id).is_some_and(|s| s.begun);
        if !begun {
            continue;
        }
        // One that cannot be taken back does not keep the others from it; it stays open, and the
        // next command tries again.
        if let Err(error) = recover::heal(context, step, undo, emitter).await {
            emitter.emit(EventKind::Notice {
                text: format!(
                    "the fault of step {} could not be taken back: {error}",
                    step.id
                ),
            });
        }
    }
}
