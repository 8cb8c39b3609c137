//! One step: steady state, intent, action, expectations, facts.

use std::time::Duration;

use crate::{
    assert::{Cluster, Needs, Observed, capture::capture, watch::Watch},
    engine::{
        act::{certificates, helm, lab_tool, measure, pinned, toxic},
        cluster::{create, owner},
        restore::snapshot,
        run::{
            commands,
            context::Context,
            dispatcher::Emitter,
            error::{EngineError, Why},
        },
        steps::{
            cursor, done, heal,
            settle::{NO_RECORDS, Settled, Wait},
            throughout::Guard,
        },
    },
    event::{EventKind, Failure, Status, Verdict},
    plan::{self, commands::missing_facts, helm::Unfinished},
    spec::{Action, Assertion, Facts, Step, Within, model::During},
    tool::{Stopper, ToolError},
};

/// The time limit for a steady state, which should hold already.
const STEADY: Within = Within::seconds(60);
/// The time limit of a step without expectations, which needs none.
const NOTHING: Within = Within::seconds(1);

/// The hint for an `exec` that took too long.
const EXEC_LONGER: &str = "what it started in the pod ends with the next thing that it prints, or with \
                           its container; if it may take that long, raise `within` of this step's \
                           `exec` in lab.yaml";

/// The result of a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// The action was done.
    Changed,
    /// An interrupted run, or somebody by hand, had done the action already, and the expectations
    /// hold.
    HeldAlready,
}

/// Does `step` and waits until its expectations hold. Skips the action if they hold already and the
/// step shows that it was done.
///
/// `redo` does the action whatever holds, because something that it uses changed. `open` is the
/// cluster, once it is connected.
pub async fn perform(
    context: &Context,
    step: &Step,
    reason: &str,
    redo: bool,
    open: &mut Option<Cluster>,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Done, EngineError> {
    if let Action::KindCluster(kind) = &step.action
        && emitter.state().cluster.is_none()
    {
        begin(context, step, reason, false, emitter).await?;
        create::create(context, kind, emitter, stopper).await?;
        emitter.emit(EventKind::Applied {
            step: step.id.clone(),
        });
    }
    let cluster = owner::opened(open, context, &emitter.state()).await?;
    let facts = emitter.state().facts;
    let wait = wait(context, step, &facts);
    let mut watch = wait.watch(cluster);
    let is_fault = step.taken_back_by().is_some();
    let cluster_made = matches!(step.action, Action::KindCluster(_));
    let is_due = step.action.is_always_done();
    // Effects of a fault that was healed may last a moment longer, and a release that an
    // interrupted run left half made has to be completed: in both cases act, whatever holds.
    let known = emitter.state().steps.remove(&step.id).unwrap_or_default();
    let left = helm::left_behind(context, step, known.acting, stopper).await?;
    Box::pin(toxic::prepare(context, step, cluster, emitter, stopper)).await?;
    let is_cut_short = known.acting && matches!(step.action, Action::Helm(_));
    // Clients notice the effect only while the action runs.
    let is_shown = step.load().is_some();
    let must_act = is_due || is_shown || known.healed || is_cut_short;
    let can_skip = !redo && !cluster_made && !must_act;
    let mut held_before = false;
    if can_skip && !wait.assertions.is_empty() {
        let (verdicts, observed) = wait.first(context, &mut watch, stopper).await?;
        held_before = Verdict::worst(&verdicts) == Status::Pass;
        if held_before && done::is_done(context, step, &known, &facts, &observed) {
            // Skip the action, but wait for the objects to record facts from.
            return match wait.settle(context, &mut watch, emitter, stopper).await? {
                Settled::Holds(verdicts, observed) => {
                    verified(
                        context, step, cluster, verdicts, &observed, emitter, stopper,
                    )
                    .await?;
                    Ok(Done::HeldAlready)
                }
                Settled::Fails(unmet) => {
                    Err(EngineError::Step(Box::new(with_hint(unmet.into(), step))))
                }
            };
        }
    }
    let (settled, held) = if cluster_made {
        let settled = wait.settle(context, &mut watch, emitter, stopper).await?;
        (settled, Vec::new())
    } else {
        let guard = if is_fault || !step.steady.is_empty() || step.during.is_some() {
            steady(context, step, cluster, &facts, emitter, stopper).await?
        } else {
            None
        };
        let mut reason = reason.to_owned();
        if held_before {
            reason.push_str("; what it expects holds already, and does not show that it was");
        }
        begin(context, step, &reason, held_before, emitter).await?;
        let (end, mut own) = stopper.fork();
        let work = act_and_settle(context, step, left, cluster, emitter, &mut own);
        match guard {
            Some(guard) => guard.during(context, work, end, stopper).await?,
            None => (work.await?, Vec::new()),
        }
    };
    match settled {
        Settled::Holds(mut verdicts, observed) => {
            verdicts.extend(held);
            verified(
                context, step, cluster, verdicts, &observed, emitter, stopper,
            )
            .await?;
            Ok(Done::Changed)
        }
        Settled::Fails(unmet) => Err(EngineError::Step(Box::new(with_hint(unmet.into(), step)))),
    }
}

/// Does the action of `step` once more, to mend something. Does not wait for its expectations.
pub async fn act_again(
    context: &Context,
    step: &Step,
    reason: &str,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let known = emitter.state().steps.remove(&step.id).unwrap_or_default();
    let left = helm::left_behind(context, step, known.acting, stopper).await?;
    begin(context, step, reason, false, emitter).await?;
    act(context, step, left, cluster, emitter, stopper).await?;
    emitter.emit(EventKind::Applied {
        step: step.id.clone(),
    });
    Ok(())
}

/// Does the action of the step, and waits for its expectations.
async fn act_and_settle(
    context: &Context,
    step: &Step,
    left: Option<Unfinished>,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Settled, EngineError> {
    act(context, step, left, cluster, emitter, stopper).await?;
    // The facts now include the action's measurement.
    let facts = emitter.state().facts;
    let wait = wait(context, step, &facts);
    // Start a new watch: an observation from before the action says nothing about its effect.
    let mut watch = wait.watch(cluster);
    emitter.emit(EventKind::Applied {
        step: step.id.clone(),
    });
    wait.settle(context, &mut watch, emitter, stopper).await
}

/// Waits until the expectations of a verified `step` hold again. Does not act.
pub async fn hold_again(
    context: &Context,
    step: &Step,
    open: &mut Option<Cluster>,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let cluster = owner::opened(open, context, &emitter.state()).await?;
    let facts = emitter.state().facts;
    let wait = wait(context, step, &facts);
    let mut watch = wait.watch(cluster);
    match wait.settle(context, &mut watch, emitter, stopper).await? {
        Settled::Holds(..) => Ok(()),
        Settled::Fails(unmet) => {
            let name = step.action.name();
            let mut failure = Failure::from(unmet);
            let hint = format!("doing {name} again would not mend it");
            failure.summary = format!("{}, and {hint}", failure.summary);
            Err(EngineError::Step(Box::new(failure)))
        }
    }
}

fn wait<'a>(context: &Context, step: &'a Step, facts: &'a Facts) -> Wait<'a> {
    let namespace = &context.lab.namespace;
    let mut needs =
        Needs::of(step.assertions(), namespace).and_records(step.record.values(), namespace);
    needs.scopes.extend(done::needs(step, namespace).scopes);
    let within = step.expect.as_ref().map_or(NOTHING, |expect| expect.within);
    Wait {
        step: &step.id,
        owners: &[],
        assertions: step.assertions(),
        within: context.scaled(within),
        facts,
        records: &step.record,
        needs,
    }
}

/// Journals the intent: from here on the step counts as begun. `held` says that its expectations
/// held before.
async fn begin(
    context: &Context,
    step: &Step,
    reason: &str,
    held: bool,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    emitter
        .commit(EventKind::StepStarted {
            step: step.id.clone(),
            fingerprint: fingerprint(context, step, emitter),
            reason: reason.to_owned(),
            undo: step.taken_back_by(),
            held,
        })
        .await
}

fn fingerprint(context: &Context, step: &Step, emitter: &Emitter) -> String {
    let cluster = emitter.state().cluster;
    context.fingerprint(step, cluster.as_ref().map_or("", |cluster| &cluster.uid))
}

/// Waits for the steady state, without which no fault is injected. The assertions that have to hold
/// throughout are part of it. Returns the guard that watches those from now on.
async fn steady<'a>(
    context: &Context,
    step: &'a Step,
    cluster: &Cluster,
    facts: &'a Facts,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Option<Guard<'a>>, EngineError> {
    let namespace = &context.lab.namespace;
    let mut assertions = [&step.steady, step.throughout()].concat();
    // The target of the traffic has to answer before anything is done, too.
    assertions.extend(step.load().map(|load| Assertion::Http(load.http.clone())));
    let wait = Wait {
        step: &step.id,
        owners: &[],
        assertions: &assertions,
        within: context.scaled(STEADY),
        facts,
        records: &NO_RECORDS,
        needs: Needs::of(&assertions, namespace),
    };
    let mut watch: Watch = wait.watch(cluster);
    if let Settled::Fails(unmet) = wait.settle(context, &mut watch, emitter, stopper).await? {
        let mut failure = Failure::from(unmet);
        failure.summary = format!("nothing was done, because {}", failure.summary);
        return Err(EngineError::Step(Box::new(failure)));
    }
    let guard = |during: &'a During| Guard {
        wait: Wait {
            step: &step.id,
            owners: &[],
            assertions: &during.all,
            within: wait.within,
            facts,
            records: &NO_RECORDS,
            needs: Needs::of(&during.all, namespace),
        },
        tolerated: during
            .interrupted_at_most
            .map_or(Duration::ZERO, |most| context.scaled(most)),
        watch,
        load: during.load.as_ref().map(|load| (load, cluster.clone())),
        load_tolerated: during.interrupted_at_most.map(|most| context.scaled(most)),
    };
    Ok(step.during.as_ref().map(guard))
}

async fn act(
    context: &Context,
    step: &Step,
    left: Option<Unfinished>,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let facts = emitter.state().facts;
    if let Some(name) = missing_facts(&step.action, &facts) {
        return Err(EngineError::Unsafe {
            what: format!("do step {}", step.id),
            why: Why(format!("no fact `{name}` was recorded")),
        });
    }
    match &step.action {
        Action::Helm(release) => return helm::act(context, release, left, emitter, stopper).await,
        Action::Tool(tool) => return lab_tool::provide(context, tool, emitter, stopper).await,
        Action::Certificates(wanted) => return certificates::make(context, wanted, emitter),
        Action::Load(load) => {
            return Box::pin(measure::act(context, step, load, cluster, emitter, stopper)).await;
        }
        Action::Apply(apply) => {
            if let Some(output) = &apply.output {
                lab_tool::prepare(context, output, emitter, stopper).await?;
            }
            if let Some(file) = apply.pinned() {
                pinned::provide(context, &file, emitter, stopper).await?;
            }
        }
        _ => {}
    }
    let what = format!("do step {}", step.id);
    for command in plan::commands(&step.action, &context.target(), &facts) {
        let result = match &step.action {
            Action::Exec(exec) => {
                let limit = (context.scaled(exec.within()), EXEC_LONGER);
                let told = commands::tell_within(context, &command, &what, limit, emitter, stopper);
                Box::pin(told).await
            }
            _ => commands::tell(context, &command, &what, emitter, stopper).await,
        };
        match result {
            // The pod with that uid is gone: an earlier, interrupted try deleted it.
            Err(EngineError::Tool { source, .. })
                if matches!(step.action, Action::DeletePod(_)) && was_replaced(&source) => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// Returns true if the API server refused a deletion because the pod was replaced or is gone.
fn was_replaced(error: &ToolError) -> bool {
    let ToolError::Exit { tail, .. } = error else {
        return false;
    };
    let says = |text: &str| tail.iter().any(|line| line.contains(text));
    says("(Conflict)") || says("(NotFound)")
}

/// Keeps a snapshot for `reset`, and records that the step was seen to hold.
pub async fn verified(
    context: &Context,
    step: &Step,
    cluster: &Cluster,
    verdicts: Vec<Verdict>,
    observed: &Observed,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let fingerprint = fingerprint(context, step, emitter);
    let known = state.steps.get(&step.id).and_then(|s| s.verified.as_ref());
    if known.is_none_or(|(_, known)| *known != fingerprint) {
        snapshot::keep(context, step, cluster, emitter, stopper).await?;
    }
    record(context, step, false, verdicts, observed, emitter).await
}

/// Records the step's facts and moves the cursor on. Facts that the step recorded before stay, as
/// later steps compare with them; with `anew`, they are replaced.
pub async fn record(
    context: &Context,
    step: &Step,
    anew: bool,
    verdicts: Vec<Verdict>,
    observed: &Observed,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let before = state.cursor.clone();
    let known = if anew { Facts::new() } else { state.facts };
    let mut facts = Facts::new();
    for (name, record) in &step.record {
        if known.contains_key(name) {
            continue;
        }
        let fact = capture(record, &context.lab.namespace, observed).map_err(|why| {
            let mut failure = Failure::new(format!("failed to record the fact `{name}`"));
            failure.causes.push(why);
            EngineError::Step(Box::new(failure))
        })?;
        facts.insert(name.clone(), fact);
    }
    emitter
        .commit(EventKind::Verified {
            step: step.id.clone(),
            fingerprint: fingerprint(context, step, emitter),
            facts,
            verdicts,
        })
        .await?;
    cursor::keep(context, step, before, emitter).await?;
    heal::at_end_of(context, step, emitter).await
}

fn with_hint(mut failure: Failure, step: &Step) -> Failure {
    if failure.hint.is_none() {
        failure.hint = step.hints.first().cloned();
    }
    failure
}
