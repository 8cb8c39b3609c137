//! `verify`: evaluates every lasting expectation now, and moves the cursor on while the next steps
//! hold.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    assert::{
        Cluster, ClusterError, Needs, Observed, capture::held_up, check, evaluate, innermost,
    },
    engine::{
        cluster::{
            nodes::{self, Presence},
            owner,
        },
        run::{context::Context, dispatcher::Emitter, error::EngineError},
        steps::{
            announce::announce,
            compare::{self, Compared, Listing},
            step,
        },
    },
    event::{Clause, EventKind, Failure, RunOutcome, RunState, Status, Verb, Verdict},
    plan::{
        self,
        decide::{Lasts, lasts},
    },
    spec::{Assertion, Facts, Lab, Step, StepId},
    tool::Stopper,
};

/// Verdicts by step.
pub type Verdicts = BTreeMap<StepId, Vec<Verdict>>;

/// The findings of `verify`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The requested steps, in order.
    pub steps: Vec<Finding>,
    /// The steps whose fault is open.
    pub open_faults: Vec<StepId>,
    /// The outcome of the run.
    pub outcome: RunOutcome,
    /// The state of the cluster's containers, unless all of them run or the engine does not say.
    pub containers: Option<Presence>,
    /// The differences from the snapshot of the step at the cursor; `None` if they were not looked
    /// for.
    pub compared: Option<Compared>,
    /// The reason why the comparison failed.
    pub not_compared: Option<String>,
}

/// The finding on one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The step.
    pub id: StepId,
    /// The title of the step.
    pub title: String,
    /// The standing of the step.
    pub standing: Standing,
    /// The verdicts on its assertions, as far as these were evaluated.
    pub verdicts: Vec<Verdict>,
}

/// The standing of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The step was verified; its lasting expectations have this status now.
    Lasting(Status),
    /// The step was verified, and is not evaluated any more, for this reason.
    Ended(String),
    /// The step was done, but cannot be checked: it expects nothing.
    Unchecked,
    /// The step was just seen to hold: the cursor moved on to it.
    Reached,
    /// The step is the next one; its expectations have this status.
    Next(Status),
    /// An earlier step has to hold first.
    NotReached,
}

/// Verifies the lab up to the step at `last`. `advance` allows the cursor to move.
pub async fn verify(
    context: &Context,
    last: usize,
    advance: bool,
    emitter: Emitter,
    stopper: Stopper,
) -> Result<Report, EngineError> {
    let started = Instant::now();
    let steps = &context.lab.steps[..=last];
    announce(context, Verb::Verify, steps, &emitter);
    let state = emitter.state();
    // Compare only if no other run is under way: that one changes objects all the time.
    let mut listing = Ok(None);
    let looking = look(context, &state, advance.then_some(&mut listing));
    let looked = futures::future::join(looking, containers(context, &state));
    let advance = advance && state.unfinished_reset().is_none();
    let (seen, containers) = stopper.guard(looked).await?;
    let observed = match &seen {
        Ok((_, observed)) => observed,
        Err(EngineError::Cluster { source, .. })
            if state.cursor.is_some() && !matches!(source, ClusterError::Plugin { .. }) =>
        {
            &Observed::default()
        }
        Err(EngineError::Nodes { .. }) if state.cursor.is_some() => &Observed::default(),
        Err(_) => return Err(seen.err().unwrap_or(EngineError::Stopped)),
    };
    let unreachable = match &seen {
        Ok((_, observed)) => observed.unreachable().map(ToOwned::to_owned),
        Err(error) => Some(innermost(error)),
    };
    // The API server may still report a stopped node as it was before.
    let moved = match &seen {
        Ok(seen) if unreachable.is_none() && advance && containers.is_none() => {
            move_on(context, last, seen, &emitter, &stopper).await?
        }
        _ => Moved::default(),
    };
    let state = emitter.state();
    let is_up = unreachable.is_none() && containers.is_none();
    let listing = listing.map(|listing| listing.filter(|_| is_up));
    let compared = compared(context, &state, &moved, listing);
    let compared = stopper.guard(compared).await?;
    let (compared, not_compared) = match compared {
        Ok(compared) => (compared, None),
        Err(why) => (None, Some(why)),
    };
    let judge = Judge {
        context,
        observed,
        facts: &state.facts,
        unreachable: unreachable.as_deref(),
    };
    let steps = findings(&judge, &state, &moved, last);
    let mut outcome = outcome(&steps, unreachable.is_some());
    if outcome == RunOutcome::Passed && containers.is_some() {
        outcome = RunOutcome::Failed;
    }
    emitter.emit(EventKind::RunFinished {
        outcome,
        took: started.elapsed(),
    });
    Ok(Report {
        steps,
        open_faults: state.faults.steps(),
        outcome,
        containers,
        compared,
        not_compared,
    })
}

/// Returns the differences between `listing` and the snapshot of the step at the cursor, or the
/// reason why they are unknown.
async fn compared(
    context: &Context,
    state: &RunState,
    moved: &Moved,
    listing: Result<Option<Listing>, EngineError>,
) -> Result<Option<Compared>, String> {
    let Some(listing) = listing.map_err(|error| Failure::of(&error).summary)? else {
        return Ok(None);
    };
    if !moved.reached.is_empty() {
        // The snapshot was kept a moment ago, after the list was begun.
        let with = compare::base(context, state).map(|(_, step)| step.id.clone());
        return Ok(with.map(Compared::same));
    }
    compare::compare(context, state, listing).await
}

/// Evaluates the lasting expectations of verified steps now.
pub async fn lasting(context: &Context, cluster: &Cluster, state: &RunState) -> Verdicts {
    let steps = &context.lab.steps;
    let is_asked =
        |index: &usize| state.is_verified(&steps[*index].id) && is_lasting(context, *index, state);
    let asked: Vec<&Step> = (0..steps.len())
        .filter(is_asked)
        .map(|i| &steps[i])
        .collect();
    let observed = observe(context, cluster, &asked).await;
    let judge = Judge {
        context,
        observed: &observed,
        facts: &state.facts,
        unreachable: None,
    };
    let judged = asked.iter().map(|s| (s.id.clone(), judge.step(s)));
    judged.collect()
}

/// Returns the lasting assertions of verified steps.
#[must_use]
pub fn lasting_assertions(context: &Context, state: &RunState) -> Vec<Assertion> {
    let steps = context.lab.steps.iter().enumerate();
    let asked = steps
        .filter(|(index, step)| state.is_verified(&step.id) && is_lasting(context, *index, state));
    asked
        .flat_map(|(_, step)| step.assertions())
        .cloned()
        .collect()
}

/// Returns true if the expectations of the step at `index` are still checked, given the cursor.
fn is_lasting(context: &Context, index: usize, state: &RunState) -> bool {
    let cursor = plan::cursor(&context.lab, state);
    lasts(&context.lab, index, cursor) == Lasts::Yes
}

/// Returns the state of the cluster's containers, unless all of them run or the engine does not
/// say.
async fn containers(context: &Context, state: &RunState) -> Option<Presence> {
    let known = state.cluster.as_ref()?;
    let found = nodes::list(context, &mut Stopper::never()).await.ok()?;
    Some(Presence::of(known, &found)).filter(|presence| *presence != Presence::Running)
}

/// Observes the objects of all the lab's assertions. Also begins the `listing` of the lab's
/// objects, if one is wanted.
async fn look(
    context: &Context,
    state: &RunState,
    listing: Option<&mut Result<Option<Listing>, EngineError>>,
) -> Result<(Cluster, Observed), EngineError> {
    let cluster = owner::open(context, state).await?;
    if let Some(listing) = listing {
        *listing = Listing::begin(context, state, &cluster);
    }
    let all: Vec<&Step> = context.lab.steps.iter().collect();
    let observed = observe(context, &cluster, &all).await;
    Ok((cluster, observed))
}

async fn observe(context: &Context, cluster: &Cluster, steps: &[&Step]) -> Observed {
    let namespace = &context.lab.namespace;
    let assertions: Vec<Assertion> = steps.iter().flat_map(|s| s.assertions()).cloned().collect();
    let records = steps.iter().flat_map(|s| s.record.values());
    let needs = Needs::of(&assertions, namespace).and_records(records, namespace);
    cluster.observe(&needs, &assertions, namespace).await
}

/// The result of moving the cursor on.
#[derive(Debug, Default)]
struct Moved {
    /// The positions of the steps that the cursor moved on to.
    reached: Vec<usize>,
    /// The reason why the cursor stayed although the next step's expectations hold.
    held_up: Option<Verdict>,
}

/// Moves the cursor on while the next step's expectations hold.
async fn move_on(
    context: &Context,
    last: usize,
    (cluster, observed): &(Cluster, Observed),
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<Moved, EngineError> {
    let mut moved = Moved::default();
    let cursor = plan::cursor(&context.lab, &emitter.state());
    let mut next = cursor.map_or(0, |at| at + 1);
    while next <= last {
        let step = &context.lab.steps[next];
        let facts = emitter.state().facts;
        let judge = Judge {
            context,
            observed,
            facts: &facts,
            unreachable: None,
        };
        let verdicts = judge.next(step);
        // For a step that expects nothing, nothing shows that it was done.
        if verdicts.is_empty() || Verdict::worst(&verdicts) != Status::Pass {
            break;
        }
        let kept = step::verified(context, step, cluster, verdicts, observed, emitter, stopper);
        match kept.await {
            Ok(()) => {}
            Err(error @ (EngineError::Stopped | EngineError::Report(_))) => return Err(error),
            // Still report the other findings.
            Err(error) => {
                let failure = error.into_failure();
                let failure = failure.unwrap_or_else(|error| Failure::of(&error));
                moved.held_up = Some(not_kept(failure));
                break;
            }
        }
        moved.reached.push(next);
        next += 1;
    }
    Ok(moved)
}

/// Returns the verdict on a step whose expectations hold, but could not be recorded.
fn not_kept(failure: Failure) -> Verdict {
    let what = "it can be kept that the step holds";
    let clause = Clause::new(Status::Pending, what, "kept", failure.summary);
    let clause = clause.because(failure.causes);
    let said = failure.tail.iter().map(ToString::to_string);
    Verdict::of("step kept", vec![clause.evidence(said.collect())])
}

struct Judge<'a> {
    context: &'a Context,
    observed: &'a Observed,
    facts: &'a Facts,
    unreachable: Option<&'a str>,
}

impl Judge<'_> {
    fn step(&self, step: &Step) -> Vec<Verdict> {
        let seen = check::Context {
            observed: self.observed,
            facts: self.facts,
            namespace: &self.context.lab.namespace,
            now: Timestamp::now(),
        };
        let judge = |assertion: &Assertion| match self.unreachable {
            None => evaluate(assertion, &seen),
            Some(why) => {
                let clause = Clause::new(
                    Status::Unknown,
                    "the cluster answers",
                    "an answer of its API server",
                    why,
                );
                Verdict::of(assertion.to_string(), vec![clause])
            }
        };
        step.assertions().iter().map(judge).collect()
    }

    /// Returns the verdicts on a step that was not verified yet. The objects of its records have to
    /// exist, too.
    fn next(&self, step: &Step) -> Vec<Verdict> {
        let mut verdicts = self.step(step);
        if !verdicts.is_empty() && Verdict::worst(&verdicts) == Status::Pass {
            let namespace = &self.context.lab.namespace;
            verdicts.extend(held_up(&step.record, self.facts, namespace, self.observed));
        }
        verdicts
    }
}

/// Returns true if the expectations of the step are evaluated now, instead of counting as seen
/// before.
fn is_judged(lab: &Lab, index: usize, cursor: Option<usize>, step: &Step) -> bool {
    step.is_checked() && lasts(lab, index, cursor) == Lasts::Yes
}

fn findings(judge: &Judge<'_>, state: &RunState, moved: &Moved, last: usize) -> Vec<Finding> {
    let lab = &judge.context.lab;
    let cursor = plan::cursor(lab, state);
    let next = cursor.map_or(0, |at| at + 1);
    let finding = |(index, step): (usize, &Step)| {
        let (standing, verdicts) = match index.cmp(&next) {
            Ordering::Greater => (Standing::NotReached, Vec::new()),
            Ordering::Equal => {
                let mut verdicts = judge.next(step);
                verdicts.extend(moved.held_up.clone());
                // For a step that expects nothing, nothing shows that it was done.
                let status = if verdicts.is_empty() {
                    Status::Pending
                } else {
                    Verdict::worst(&verdicts)
                };
                (Standing::Next(status), verdicts)
            }
            // Its author added the step, or changed its `when`, after the steps behind it were
            // done.
            Ordering::Less
                if !state.is_verified(&step.id) && !is_judged(lab, index, cursor, step) =>
            {
                (Standing::NotReached, Vec::new())
            }
            Ordering::Less if !step.is_checked() => (Standing::Unchecked, Vec::new()),
            Ordering::Less => match lasts(lab, index, cursor) {
                Lasts::SeenOnce => (Standing::Ended("it is looked at once".into()), Vec::new()),
                Lasts::EndedBy(end) => {
                    let why = format!("step {} changed it on purpose", lab.steps[end].id);
                    (Standing::Ended(why), Vec::new())
                }
                Lasts::Yes => {
                    let verdicts = judge.step(step);
                    let status = Verdict::worst(&verdicts);
                    let standing = if moved.reached.contains(&index) && status == Status::Pass {
                        Standing::Reached
                    } else {
                        Standing::Lasting(status)
                    };
                    (standing, verdicts)
                }
            },
        };
        Finding {
            id: step.id.clone(),
            title: step.title.clone(),
            standing,
            verdicts,
        }
    };
    lab.steps[..=last].iter().enumerate().map(finding).collect()
}

fn outcome(steps: &[Finding], unreachable: bool) -> RunOutcome {
    let holds = |finding: &Finding| {
        matches!(
            finding.standing,
            Standing::Lasting(Status::Pass) | Standing::Ended(_) | Standing::Reached
        )
    };
    let is_unchecked = |finding: &Finding| finding.standing == Standing::Unchecked;
    if unreachable {
        RunOutcome::Unreachable
    } else if steps.iter().all(|f| holds(f) || is_unchecked(f)) && steps.iter().any(holds) {
        RunOutcome::Passed
    } else {
        RunOutcome::Failed
    }
}
