//! `reset`: restores the environment as it was when a step was verified.
//!
//! Only the differences are undone. Steps after the restored one no longer count as verified; the
//! restored one does, even if the reset fails. At the end every lasting expectation is seen to
//! hold, and the facts of the step are recorded anew.

mod asks;
mod critical;
pub mod data;
mod kubelets;
mod phase;
mod put_back;
mod remove;
mod rollout;
pub mod snapshot;
mod words;

use tokio::time::Instant;

use crate::{
    assert::Cluster,
    engine::{
        cluster::{adopt, owner, removal, revive},
        restore::data::{Fingerprints, Say},
        run::{context::Context, dispatcher::Emitter, error::EngineError},
        steps::{announce::announce, cursor, heal, step, up},
    },
    event::{Differing, EventKind, Failure, Outcome, RunOutcome, RunState, Verb},
    plan,
    snapshot::{Difference, Live, Reach, Snapshot, difference},
    spec::{StepId, yaml},
    tool::Stopper,
};
use asks::{Asks, Came};
use critical::Critical;
use phase::Put;
use put_back::PutBack;

pub use words::told;

/// The options of a reset.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The position of the target step. The environment has reached it.
    pub to: usize,
    /// Recreates the cluster instead of restoring it.
    pub hard: bool,
    /// Restores the data even where it does not differ.
    pub data: bool,
}

/// Resets the environment, and returns the outcome.
pub async fn reset(
    context: &Context,
    options: Options,
    emitter: Emitter,
    mut stopper: Stopper,
) -> Result<RunOutcome, EngineError> {
    let started = Instant::now();
    let steps = &context.lab.steps[..=options.to];
    announce(context, Verb::Reset, steps, &emitter);
    removal::end_survivors(&emitter).await;
    let state = emitter.state();
    let outcome = if options.hard {
        // Find the removal first: if that is refused or interrupted, cursor and facts stay.
        let removal = removal::removal(context, &emitter, &mut stopper).await?;
        let to = &context.lab.steps[options.to].id;
        cursor::rewind_from(context, 0, Some(to), &emitter).await?;
        if let Some(removal) = removal {
            removal.carry_out(context, &emitter, &mut stopper).await?;
        }
        up::go_on(context, options.to, None, &emitter, &mut stopper).await?
    } else if state.is_recreating() {
        adopt::continue_recreation(context, &emitter, &mut stopper).await?;
        up::go_on(context, options.to, None, &emitter, &mut stopper).await?
    } else {
        one(context, options, &emitter, &mut stopper).await?
    };
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: started.elapsed(),
    });
    Ok(outcome)
}

async fn one(
    context: &Context,
    options: Options,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<RunOutcome, EngineError> {
    let began = Instant::now();
    let mut step = context.lab.steps[options.to].id.clone();
    let critical = Critical::new();
    let result = tokio::select! {
        result = put_back(context, options, &critical, emitter, stopper.clone()) => result,
        () = critical.stopped(stopper.clone(), emitter) => Err(EngineError::Stopped),
    };
    let (ended, outcome) = match result {
        Ok(Ended::Again(from)) => return again(context, options.to, from, emitter, stopper).await,
        Ok(Ended::Back { differed: true }) => (Outcome::Changed, RunOutcome::Passed),
        Ok(Ended::Back { differed: false }) => {
            let reason = "nothing differed, and it holds".to_owned();
            (Outcome::Skipped { reason }, RunOutcome::Passed)
        }
        Ok(Ended::Fails(of, failure)) => {
            step = of;
            (Outcome::Failed(*failure), RunOutcome::Failed)
        }
        Err(EngineError::Stopped) => {
            let signal = stopper.now().signal().unwrap_or_default();
            (Outcome::Cancelled, RunOutcome::Cancelled { signal })
        }
        Err(error) => (Outcome::Failed(error.into_failure()?), RunOutcome::Failed),
    };
    emitter.emit(EventKind::StepFinished {
        step,
        outcome: ended,
        took: began.elapsed(),
    });
    Ok(outcome)
}

/// Returns the differences that a reset to the step at `options.to` would undo. Changes nothing.
pub async fn differences(
    context: &Context,
    options: Options,
    state: &RunState,
    say: Say<'_>,
) -> Result<Vec<Differing>, EngineError> {
    let cluster = owner::open(context, state).await?;
    let (seen, now) = futures::future::join(
        look(context, &cluster, base(context, options.to, state)),
        data::fingerprints(context, &cluster, say),
    )
    .await;
    let seen = seen?;
    let told = seen
        .differences
        .iter()
        .map(|d| told(d, &context.lab.namespace));
    let wanted = &seen.snapshot.data;
    let mut pods = data::changed(wanted, &now, options.data);
    pods.extend(data::unknown(wanted, &now));
    pods.sort();
    pods.dedup();
    let data = pods.iter().map(|pod| data::differing(pod, wanted, &now));
    Ok(told.chain(data).collect())
}

/// A snapshot, and the differences of the cluster from it.
struct Seen {
    snapshot: Snapshot,
    /// The lab's commands for its data changed since the snapshot was kept. Its fingerprints cannot
    /// be compared then, and are left out.
    has_other_commands: bool,
    reach: Reach,
    live: Live,
    differences: Vec<Difference>,
}

/// Returns the position of the step whose snapshot is restored for a reset to the step at `to`: the
/// last step up to `to` that has no open fault, and up to which every step is verified. Later steps
/// are done again.
fn base(context: &Context, to: usize, state: &RunState) -> usize {
    let verified = cursor::verified(context, state);
    let to = to.min(verified.saturating_sub(1));
    plan::reset::base(&context.lab, to).unwrap_or(0)
}

async fn look(context: &Context, cluster: &Cluster, at: usize) -> Result<Seen, EngineError> {
    let lab = &context.lab;
    let Some(mut snapshot) = context.environment.snapshot(&lab.steps[at].id)? else {
        let summary = format!(
            "there is no snapshot of step {} to go back to",
            lab.steps[at].id
        );
        let failure = Failure::new(summary).hint(format!(
            "`labctl reset {} --hard` recreates the cluster and does the steps again",
            context.call()
        ));
        return Err(EngineError::Step(Box::new(failure)));
    };
    let reach = Reach::new(cluster).await?;
    let live = reach.list().await?;
    let differences = difference::between(&snapshot, &live);
    let has_other_commands =
        !snapshot.data.is_empty() && snapshot.data_commands != data::commands(context);
    if has_other_commands {
        snapshot.data.clear();
    }
    Ok(Seen {
        snapshot,
        has_other_commands,
        reach,
        live,
        differences,
    })
}

/// Compares like [`look`], and returns the data's fingerprints if nothing else differs. Otherwise
/// returns none: pods that are about to be replaced need not be asked.
async fn look_with_data(
    context: &Context,
    cluster: &Cluster,
    at: usize,
    emitter: &Emitter,
) -> Result<(Seen, Fingerprints), EngineError> {
    let mut looking = std::pin::pin!(look(context, cluster, at));
    let say = |text| emitter.notice(text);
    let mut asking = std::pin::pin!(data::fingerprints(context, cluster, &say));
    let mut asked = None;
    let seen = loop {
        tokio::select! {
            seen = &mut looking => break seen?,
            prints = &mut asking, if asked.is_none() => asked = Some(prints),
        }
    };
    if !seen.differences.is_empty() {
        return Ok((seen, Fingerprints::new()));
    }
    let prints = match asked {
        Some(prints) => prints,
        None => asking.await,
    };
    Ok((seen, prints))
}

/// The result of restoring the environment.
enum Ended {
    /// Every lasting expectation holds.
    Back { differed: bool },
    /// Everything that can be restored is; the steps from this one on have to be done again.
    Again(usize),
    /// The objects are restored, but an assertion does not hold. The first such assertion is this
    /// step's.
    Fails(StepId, Box<Failure>),
}

async fn put_back(
    context: &Context,
    options: Options,
    critical: &Critical,
    emitter: &Emitter,
    mut stopper: Stopper,
) -> Result<Ended, EngineError> {
    if emitter.state().damaged {
        adopt::settle(context, emitter, &mut stopper).await?;
        let state = emitter.state();
        if state.cursor.is_none() && state.unfinished_reset().is_none() {
            let summary = "what was verified in this cluster was lost with a part of the journal";
            let hint = format!("`labctl up {}` looks at it anew", context.call());
            let failure = Failure::new(summary).hint(hint);
            return Err(EngineError::Step(Box::new(failure)));
        }
    }
    let (cluster, _) = revive::ensure(context, emitter, &mut stopper).await?;
    heal::all(context, emitter).await?;
    let at = base(context, options.to, &emitter.state());
    let (mut seen, mut prints) = look_with_data(context, &cluster, at, emitter).await?;
    tell(context, &seen, emitter);
    let did_restart = kubelets::restart(
        context,
        &seen.reach,
        &seen.differences,
        emitter,
        &mut stopper,
    )
    .await?;
    if did_restart {
        seen = look(context, &cluster, at).await?;
        prints = Fingerprints::new();
        tell(context, &seen, emitter);
    }
    tell_what_stays(&seen, emitter);
    let Seen {
        snapshot,
        reach,
        live,
        differences,
        ..
    } = seen;
    // From here on the steps after the restored one no longer count as verified. The others do,
    // even if the reset fails.
    let to = &context.lab.steps[options.to].id;
    cursor::rewind_from(context, at + 1, Some(to), emitter).await?;
    if phase::destroys(&differences) {
        let lose = phase::losing(&differences, &live);
        data::save_before(context, &cluster, &lose, emitter).await?;
    }
    let manifests = manifests(context);
    let call = context.call();
    let work = PutBack {
        reach: &reach,
        live: &live,
        manifests: &manifests,
        namespace: &context.lab.namespace,
        call: &call,
        emitter,
    };
    let failed = work.all(&differences).await;
    if !failed.is_empty() {
        return Err(EngineError::Step(Box::new(not_undone(&failed, &call))));
    }
    let asks = Asks::new(context, at, &cluster);
    let data = phase::Phase {
        context,
        cluster: &cluster,
        wanted: &snapshot.data,
        force: options.data,
        asks: &asks,
        critical,
        emitter,
    };
    let restored = match data.put_back(prints, &mut stopper).await? {
        Put::Same => false,
        Put::Back => true,
        Put::Fails(step, failure) => return Ok(Ended::Fails(step, failure)),
    };
    match asks.hold(|_| true, emitter, &mut stopper).await? {
        Came::Holds(observed) => {
            let step = &context.lab.steps[at];
            step::record(context, step, true, Vec::new(), &observed, emitter).await?;
            if at < options.to {
                return Ok(Ended::Again(at + 1));
            }
            Ok(Ended::Back {
                differed: did_restart || restored || !differences.is_empty(),
            })
        }
        Came::Lost(from) => Ok(Ended::Again(from)),
        Came::Fails(step, failure) => Ok(Ended::Fails(step, failure)),
    }
}

/// Emits notices about the differences that the reset leaves as they are.
fn tell_what_stays(seen: &Seen, emitter: &Emitter) {
    let notice = |text| emitter.emit(EventKind::Notice { text });
    if seen.has_other_commands {
        let text = "the lab saves its data in another way by now; what is there is left as it is, and is \
                    what the next reset goes back to";
        notice(text.to_owned());
    }
    let left = difference::left_alone(&seen.snapshot, &seen.live);
    if !left.is_empty() {
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        notice(format!(
            "{} was not there before, and is left alone: nothing is removed from the cluster's own \
             namespaces",
            left.join(", ")
        ));
    }
}

/// Emits the differences.
fn tell(context: &Context, seen: &Seen, emitter: &Emitter) {
    for difference in &seen.differences {
        let differing = told(difference, &context.lab.namespace);
        emitter.emit(EventKind::Differs { differing });
    }
}

/// Does the steps from the one at `from` on again.
async fn again(
    context: &Context,
    to: usize,
    from: usize,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<RunOutcome, EngineError> {
    cursor::rewind_from(context, from, Some(&context.lab.steps[to].id), emitter).await?;
    up::go_on(context, to, None, emitter, stopper).await
}

fn manifests(context: &Context) -> Vec<serde_json::Value> {
    let texts = context.tree.files.keys().filter_map(|name| {
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|e| name.ends_with(e));
        is_manifest.then(|| context.tree.text(name)).flatten()
    });
    texts.flat_map(yaml::documents).collect()
}

fn not_undone(failed: &[crate::snapshot::LiveError], call: &str) -> Failure {
    let mut failure = Failure::new("not everything could be put back").hint(format!(
        "`labctl reset {call}` again tries what is left; `labctl reset {call} --hard` recreates the \
         cluster"
    ));
    failure.causes = failed
        .iter()
        .map(|error| {
            let of = Failure::of(error);
            let causes = of.causes.join(": ");
            format!("{}: {causes}", of.summary)
        })
        .collect();
    failure
}
