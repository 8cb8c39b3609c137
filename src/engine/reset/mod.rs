//! `reset`: an environment is put back to what it was when a step was verified.
//!
//! Only the difference is undone. What was verified behind that step no longer counts, its own facts
//! are recorded anew, and in the end everything that lasts is seen to hold.

mod put_back;
mod remove;
mod rollout;

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{
    Context, Emitter, EngineError,
    announce::announce,
    data, heal, owner, recover, revive,
    settle::{Settled, Wait, unmet},
    step, up,
};
use crate::{
    assert::{Cluster, Needs, Observed},
    event::{
        Change, Differing, EventKind, Failure, Outcome, Rewound, RunOutcome, RunState, Status,
        Untrusted, Verb, Verdict,
    },
    plan::{
        decide::{Lasts, lasts},
        reset::base,
    },
    snapshot::{Difference, Live, Reach, Snapshot, difference},
    spec::{Assertion, Step, yaml},
    tool::Stopper,
};
use put_back::PutBack;

/// What is asked of a reset.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The position of the step that is gone back to. It was reached.
    pub to: usize,
    /// Recreate the cluster rather than put it back.
    pub hard: bool,
    /// Put the data back even where it is the same.
    pub data: bool,
}

/// Puts the environment back, and says how that went.
pub async fn reset(
    context: &Context,
    options: Options,
    emitter: Emitter,
    mut stopper: Stopper,
) -> Result<RunOutcome, EngineError> {
    let started = Instant::now();
    let steps = &context.lab.steps[..=options.to];
    announce(context, Verb::Reset, steps, &emitter);
    recover::end_survivors(&emitter).await;
    let outcome = if options.hard {
        rewind(context, options.to, 0, &emitter).await?;
        recover::remove_cluster(context, &emitter, &mut stopper).await?;
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
    let step = &context.lab.steps[options.to];
    let result = tokio::select! {
        result = put_back(context, options, emitter, stopper.clone()) => result,
        _ = stopper.beyond(crate::tool::Stop::Run) => Err(EngineError::Stopped),
    };
    let (ended, outcome) = match result {
        Ok(Ended::Again(from)) => return again(context, options.to, from, emitter, stopper).await,
        Ok(Ended::Back { differed: true }) => (Outcome::Changed, RunOutcome::Passed),
        Ok(Ended::Back { differed: false }) => {
            let reason = "nothing differed, and it holds".to_owned();
            (Outcome::Skipped { reason }, RunOutcome::Passed)
        }
        Err(EngineError::Stopped) => {
            let signal = stopper.now().signal().unwrap_or_default();
            (Outcome::Cancelled, RunOutcome::Cancelled { signal })
        }
        Err(error) => (Outcome::Failed(error.into_failure()?), RunOutcome::Failed),
    };
    emitter.emit(EventKind::StepFinished {
        step: step.id.clone(),
        outcome: ended,
        took: began.elapsed(),
    });
    Ok(outcome)
}

/// What a reset to the step at `to` would put back. Changes nothing.
pub async fn differences(
    context: &Context,
    options: Options,
    state: &RunState,
) -> Result<Vec<Differing>, EngineError> {
    let cluster = owner::open(context, state).await?;
    let (seen, now) = futures::future::join(
        look(context, &cluster, options.to),
        data::fingerprints(context, &cluster),
    )
    .await;
    let seen = seen?;
    let told = seen
        .differences
        .iter()
        .map(|d| told(d, &context.lab.namespace));
    let data = data::changed(&seen.snapshot.data, &now, options.data);
    Ok(told
        .chain(data.iter().map(|pod| data::differing(pod, &now)))
        .collect())
}

/// What is compared.
struct Seen {
    /// The position of the step whose snapshot it is.
    at: usize,
    snapshot: Snapshot,
    reach: Reach,
    live: Live,
    differences: Vec<Difference>,
}

async fn look(context: &Context, cluster: &Cluster, to: usize) -> Result<Seen, EngineError> {
    let lab = &context.lab;
    let at = base(lab, to).unwrap_or(0);
    let Some(snapshot) = context.environment.snapshot(&lab.steps[at].id)? else {
        let summary = format!(
            "there is no snapshot of step {} to go back to",
            lab.steps[at].id
        );
        let failure = Failure::new(summary)
            .hint("`labctl reset --hard` recreates the cluster and does the steps again");
        return Err(EngineError::Step(Box::new(failure)));
    };
    let reach = Reach::new(cluster).await?;
    let live = reach.list().await?;
    let differences = difference::between(&snapshot, &live);
    Ok(Seen {
        at,
        snapshot,
        reach,
        live,
        differences,
    })
}

/// The same, and what the data's fingerprints are, if nothing else differs: pods that are about to
/// be replaced need not be asked for theirs.
async fn look_with_data(
    context: &Context,
    cluster: &Cluster,
    to: usize,
) -> Result<(Seen, Option<BTreeMap<String, String>>), EngineError> {
    let mut looking = std::pin::pin!(look(context, cluster, to));
    let mut asking = std::pin::pin!(data::fingerprints(context, cluster));
    let mut asked = None;
    let seen = loop {
        tokio::select! {
            seen = &mut looking => break seen?,
            prints = &mut asking, if asked.is_none() => asked = Some(prints),
        }
    };
    if !seen.differences.is_empty() {
        return Ok((seen, None));
    }
    let prints = match asked {
        Some(prints) => prints,
        None => asking.await,
    };
    Ok((seen, Some(prints)))
}

/// What putting back came to.
enum Ended {
    /// Everything that lasts holds.
    Back { differed: bool },
    /// Everything is back that can be; the steps from this one on have to be done again.
    Again(usize),
}

async fn put_back(
    context: &Context,
    options: Options,
    emitter: &Emitter,
    mut stopper: Stopper,
) -> Result<Ended, EngineError> {
    let (cluster, _) = revive::ensure(context, emitter, &mut stopper).await?;
    heal::all(context, emitter).await?;
    let (seen, prints) = look_with_data(context, &cluster, options.to).await?;
    let Seen {
        at,
        snapshot,
        reach,
        live,
        differences,
    } = seen;
    let is_data_same = prints
        .as_ref()
        .is_some_and(|now| data::changed(&snapshot.data, now, options.data).is_empty());
    for difference in &differences {
        let differing = told(difference, &context.lab.namespace);
        emitter.emit(EventKind::Differs { differing });
    }
    rewind(context, options.to, at, emitter).await?;
    let manifests = manifests(context);
    let work = PutBack {
        reach: &reach,
        live: &live,
        manifests: &manifests,
        namespace: &context.lab.namespace,
        emitter,
    };
    let failed = work.all(&differences).await;
    if !failed.is_empty() {
        return Err(EngineError::Step(Box::new(not_undone(&failed))));
    }
    let asks = Asks {
        context,
        at,
        cluster: &cluster,
    };
    let restored = if is_data_same {
        Vec::new()
    } else {
        // Data can be asked for once its pods are back.
        let is_data = |assertion: &Assertion| matches!(assertion, Assertion::Sql(_));
        let settled = asks.settle(|a| !is_data(a), emitter, &mut stopper).await?;
        if let Settled::Fails(verdicts) = settled {
            return asks.mend(verdicts, emitter, &mut stopper).await;
        }
        let now = match prints {
            Some(now) => now,
            None => data::fingerprints(context, &cluster).await,
        };
        let changed = data::changed(&snapshot.data, &now, options.data);
        data::restore(context, &snapshot.data, &now, changed, emitter, &stopper).await?
    };
    match asks.settle(|_| true, emitter, &mut stopper).await? {
        Settled::Holds(_, observed) => {
            asks.verified(&observed, emitter).await?;
            if at < options.to {
                return Ok(Ended::Again(at + 1));
            }
            Ok(Ended::Back {
                differed: !differences.is_empty() || !restored.is_empty(),
            })
        }
        Settled::Fails(verdicts) => asks.mend(verdicts, emitter, &mut stopper).await,
    }
}

/// The steps from the one at `from` on are done again.
async fn again(
    context: &Context,
    to: usize,
    from: usize,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<RunOutcome, EngineError> {
    rewind(context, to, from, emitter).await?;
    up::go_on(context, to, None, emitter, stopper).await
}

/// Has the step at `at`, and those behind it, no longer count as seen to hold, on the way back to
/// the step at `to`.
async fn rewind(
    context: &Context,
    to: usize,
    at: usize,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let (before, after) = context.lab.steps.split_at(at);
    let rewound = Rewound {
        cursor: before.last().map(|step| step.id.clone()),
        steps: after.iter().map(|step| step.id.clone()).collect(),
    };
    let to = context.lab.steps[to].id.clone();
    emitter.commit(EventKind::Rewound { to, rewound }).await
}

/// What has to hold of the environment once it is back at the step at `at`.
struct Asks<'a> {
    context: &'a Context,
    at: usize,
    cluster: &'a Cluster,
}

impl Asks<'_> {
    fn lasting(&self) -> impl Iterator<Item = (usize, &Step)> {
        let lab = &self.context.lab;
        let steps = lab.steps[..=self.at].iter().enumerate();
        steps.filter(move |(index, _)| lasts(lab, *index, Some(self.at)) == Lasts::Yes)
    }

    async fn settle(
        &self,
        which: impl Fn(&Assertion) -> bool,
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<Settled, EngineError> {
        let mut assertions: Vec<Assertion> = Vec::new();
        let mut within = Duration::ZERO;
        for (_, step) in self.lasting() {
            for assertion in step.assertions().iter().filter(|a| which(a)) {
                if !assertions.contains(assertion) {
                    assertions.push(assertion.clone());
                }
            }
            let own = step
                .expect
                .as_ref()
                .map(|expect| self.context.scaled(expect.within));
            within = within.max(own.unwrap_or_default());
        }
        let step = &self.context.lab.steps[self.at];
        let namespace = &self.context.lab.namespace;
        let facts = emitter.state().facts;
        let wait = Wait {
            step: &step.id,
            assertions: &assertions,
            within,
            facts: &facts,
            records: &step.record,
            needs: Needs::of(&assertions, namespace).and_records(step.record.values(), namespace),
        };
        let mut watch = wait.watch(self.cluster);
        wait.settle(self.context, &mut watch, emitter, stopper)
            .await
    }

    async fn verified(&self, observed: &Observed, emitter: &Emitter) -> Result<(), EngineError> {
        let step = &self.context.lab.steps[self.at];
        step::record(self.context, step, Vec::new(), observed, emitter).await
    }

    /// What can be done about `verdicts`: objects are back, and still this does not hold.
    async fn mend(
        &self,
        verdicts: Vec<Verdict>,
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<Ended, EngineError> {
        let broken: Vec<String> = verdicts
            .iter()
            .filter(|v| v.status != Status::Pass)
            .map(|v| v.assertion.clone())
            .collect();
        let is_broken = |assertion: &&Assertion| broken.contains(&assertion.to_string());
        let steps = &self.context.lab.steps;
        let all = self.lasting().flat_map(|(_, step)| step.assertions());
        // What was recorded is of something that is gone for good, such as a claim.
        let recorded = all.filter(is_broken).filter_map(Assertion::since);
        let recorded =
            recorded.filter_map(|fact| steps.iter().position(|s| s.record.contains_key(fact)));
        if let Some(from) = recorded.min() {
            emitter.emit(EventKind::Notice {
                text: format!(
                    "what step {} recorded is gone for good; the steps from there on are done again",
                    steps[from].id
                ),
            });
            return Ok(Ended::Again(from));
        }
        let own = |(_, step): &(usize, &Step)| step.assertions().iter().any(|a| is_broken(&a));
        let repeatable = self
            .lasting()
            .filter(own)
            .filter(|(_, s)| s.action.is_repeatable());
        let repeatable: Vec<&Step> = repeatable.map(|(_, step)| step).collect();
        let mut open = Some(self.cluster.clone());
        for step in &repeatable {
            let reason = "what it expects does not hold".to_owned();
            step::perform(
                self.context,
                step,
                &reason,
                true,
                &mut open,
                emitter,
                stopper,
            )
            .await?;
        }
        if repeatable.is_empty() {
            return Err(EngineError::Step(Box::new(unmet(verdicts, Duration::ZERO))));
        }
        match self.settle(|_| true, emitter, stopper).await? {
            Settled::Holds(_, observed) => {
                self.verified(&observed, emitter).await?;
                Ok(Ended::Back { differed: true })
            }
            Settled::Fails(verdicts) => {
                Err(EngineError::Step(Box::new(unmet(verdicts, Duration::ZERO))))
            }
        }
    }
}

fn manifests(context: &Context) -> Vec<serde_json::Value> {
    let texts = context.tree.files.keys().filter_map(|name| {
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|e| name.ends_with(e));
        is_manifest.then(|| context.tree.text(name)).flatten()
    });
    texts.flat_map(yaml::documents).collect()
}

fn not_undone(failed: &[crate::snapshot::LiveError]) -> Failure {
    let mut failure = Failure::new("not everything could be put back").hint(
        "`labctl reset` again tries what is left; `labctl reset --hard` recreates the cluster",
    );
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

fn told(difference: &Difference, namespace: &str) -> Differing {
    let (change, details) = match difference {
        Difference::Missing { .. } => (Change::Missing, Vec::new()),
        Difference::Changed { fields, .. } => (Change::Changed, fields.clone()),
        Difference::Node { words, .. } => (Change::Changed, words.clone()),
        Difference::Stranger { contents: 0, .. } => (Change::Stranger, Vec::new()),
        Difference::Stranger { contents, .. } => (
            Change::Stranger,
            vec![format!("with {contents} objects in it")],
        ),
    };
    Differing {
        object: difference.key().seen_from(namespace),
        change,
        details: details.iter().map(|line| Untrusted::new(line)).collect(),
    }
}
