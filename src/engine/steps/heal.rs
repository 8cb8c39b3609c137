//! Faults, and how they are healed.
//!
//! A fault is open from the intent to inject it, which is on the disk first, until
//! [`EventKind::Undone`]. It is healed at its `until`, or earlier if the run that answers for it
//! fails, is interrupted or dies. The journal says how to heal a fault, and the target is resolved
//! only then. So neither a changed lab nor a changed cluster gets in the way.

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use tokio::time::Instant;

use crate::{
    assert::Cluster,
    engine::{
        act::toxic,
        cluster::{owner, removal},
        run::{
            commands,
            context::Context,
            dispatcher::Emitter,
            error::{EngineError, Why},
        },
        steps::announce::announce,
    },
    event::{EventKind, Failure, Keeper, OpenFault, RunOutcome, Verb},
    plan::{
        self,
        commands::{drained, missing_for_undo},
    },
    spec::{Step, StepId, Undo},
    tool::{Invocation, Stopper},
};

/// `heal`: heals every open fault, whoever answers for it.
pub async fn heal(context: &Context, emitter: Emitter) -> Result<RunOutcome, EngineError> {
    let started = Instant::now();
    announce(context, Verb::Heal, &[], &emitter);
    removal::end_survivors(&emitter).await;
    if emitter.state().faults.is_empty() {
        let text = "no fault is open; there is nothing to take back".to_owned();
        emitter.emit(EventKind::Notice { text });
    }
    take_back(context, &emitter, |_| true).await?;
    let outcome = RunOutcome::Passed;
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: started.elapsed(),
    });
    Ok(outcome)
}

/// Heals the faults for which nobody answers. Every command that changes something begins with it,
/// and goes no further if one of them cannot be healed.
pub async fn abandoned(context: &Context, emitter: &Emitter) -> Result<(), EngineError> {
    let state = emitter.state();
    let abandoned = |fault: &&OpenFault| fault.keeper == Keeper::Nobody;
    for fault in state.faults.last_first().filter(abandoned) {
        let whose = if state.is_verified(&fault.step) {
            "a run behind step"
        } else {
            "step"
        };
        let step = &fault.step;
        let text = format!("{whose} {step} was interrupted; its fault is taken back");
        emitter.emit(EventKind::Notice { text });
    }
    take_back(context, emitter, |fault| fault.keeper == Keeper::Nobody).await
}

/// Heals every open fault, before a reset restores the rest.
pub async fn all(context: &Context, emitter: &Emitter) -> Result<(), EngineError> {
    take_back(context, emitter, |_| true).await
}

/// Heals every open fault of a run that failed or was interrupted. A fault that cannot be healed
/// stays open, and the next command tries again.
pub async fn after_failure(context: &Context, emitter: &Emitter) {
    if let Err(error) = take_back(context, emitter, |_| true).await {
        let again = format!("`labctl heal {}` tries again", context.call());
        let text = format!("{}; {again}", chain(&error));
        emitter.emit(EventKind::Notice { text });
    }
}

/// Formats `error` and its causes in one line.
fn chain(error: &EngineError) -> String {
    let failure = match error {
        EngineError::Step(failure) => Failure::clone(failure),
        error => Failure::of(error),
    };
    [vec![failure.summary], failure.causes].concat().join(": ")
}

/// Closes the faults that end at `step`, which was just seen to hold. Heals a fault unless the
/// action of `step` has already done so.
pub async fn at_end_of(
    context: &Context,
    step: &Step,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let is_over = |fault: &OpenFault| {
        let of_lab = context.lab.steps.iter().find(|s| s.id == fault.step);
        of_lab.is_some_and(|of_lab| of_lab.until.as_ref().unwrap_or(&of_lab.id) == &step.id)
    };
    for fault in state.faults.last_first().filter(|fault| is_over(fault)) {
        let target = context.target();
        let done_by_step = plan::undo(&fault.undo, &target, &state.facts)
            == plan::commands(&step.action, &target, &state.facts);
        if done_by_step {
            undone(context, &fault.step, emitter).await?;
        } else {
            let cluster = owner::open(context, &state).await?;
            one(context, &cluster, fault, emitter).await?;
        }
    }
    Ok(())
}

/// Heals the open faults for which `meant` returns true, the last injected first. A failure does
/// not keep the other faults open: all failures are reported together.
async fn take_back(
    context: &Context,
    emitter: &Emitter,
    meant: impl Fn(&OpenFault) -> bool,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let faults: Vec<&OpenFault> = state.faults.last_first().filter(|f| meant(f)).collect();
    if faults.is_empty() {
        return Ok(());
    }
    // Never heal in a cluster that is not the environment's any more.
    let cluster = owner::open(context, &state).await?;
    let mut failures = Vec::new();
    for fault in faults {
        if let Err(error) = one(context, &cluster, fault, emitter).await {
            failures.push((fault.step.clone(), error));
        }
    }
    failed(context, failures)
}

fn failed(context: &Context, failures: Vec<(StepId, EngineError)>) -> Result<(), EngineError> {
    if failures.is_empty() {
        return Ok(());
    }
    let steps: Vec<&str> = failures.iter().map(|(step, _)| step.as_str()).collect();
    let (plural, of) = if steps.len() == 1 {
        ("", "step")
    } else {
        ("s", "steps")
    };
    let summary = format!(
        "failed to take back the fault{plural} of {of} {}",
        steps.join(", ")
    );
    let hint = format!(
        "it stays open; `labctl heal {}` tries again",
        context.call()
    );
    let mut failure = Failure::new(summary).hint(hint);
    for (step, error) in failures {
        failure.causes.push(format!("{step}: {}", chain(&error)));
    }
    Err(EngineError::Step(Box::new(failure)))
}

/// Heals `fault`, and records that.
async fn one(
    context: &Context,
    cluster: &Cluster,
    fault: &OpenFault,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let facts = emitter.state().facts;
    let what = format!("take back what step {} did", fault.step);
    if let Some(name) = missing_for_undo(&fault.undo, &facts) {
        return Err(EngineError::Unsafe {
            what,
            why: Why(format!("no fact `{name}` is recorded")),
        });
    }
    if let Undo::RemoveToxic(placed) = &fault.undo {
        Box::pin(toxic::take_back(context, cluster, placed, &what, emitter)).await?;
        return undone(context, &fault.step, emitter).await;
    }
    // Heal even while the run is being stopped.
    let mut stopper = Stopper::never();
    for command in plan::undo(&fault.undo, &context.target(), &facts) {
        commands::tell(context, &command, &what, emitter, &mut stopper).await?;
    }
    for command in of_evictions(context, cluster, &fault.undo, emitter).await? {
        commands::tell(context, &command, &what, emitter, &mut stopper).await?;
    }
    undone(context, &fault.step, emitter).await
}

/// Heals the open fault of `step`, if there is one: the step is about to inject it anew.
pub async fn of_step(
    context: &Context,
    cluster: &Cluster,
    step: &StepId,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let state = emitter.state();
    for fault in state.faults.last_first().filter(|f| f.step == *step) {
        one(context, cluster, fault, emitter).await?;
    }
    Ok(())
}

async fn undone(context: &Context, step: &StepId, emitter: &Emitter) -> Result<(), EngineError> {
    let rewound = plan::taken_back_early(&context.lab, step, &emitter.state());
    let step = step.clone();
    emitter.commit(EventKind::Undone { step, rewound }).await
}

/// Returns the commands that clean up after a drain that was cut short: disruption budgets forget
/// evictions that did not happen. There are none as a rule.
async fn of_evictions(
    context: &Context,
    cluster: &Cluster,
    undo: &Undo,
    emitter: &Emitter,
) -> Result<Vec<Invocation>, EngineError> {
    let Some(node) = drained(undo, context.name(), &emitter.state().facts) else {
        return Ok(Vec::new());
    };
    let unreachable = owner::unreachable(context);
    let pods: Vec<Pod> = cluster.every().await.map_err(&unreachable)?;
    let budgets: Vec<PodDisruptionBudget> = cluster.every().await.map_err(&unreachable)?;
    let kubectl = context.target().kubectl;
    let left = plan::cut_short(&node, &pods, &budgets);
    let forget = left
        .iter()
        .map(|left| kubectl.forget_evictions(&left.namespace, &left.budget, &left.pods));
    Ok(forget.collect())
}
