//! The wait of a reset until every lasting expectation holds again, and the repair of those that do
//! not.

use std::time::Duration;

use k8s_openapi::{
    Metadata,
    api::core::v1::{PersistentVolume, PersistentVolumeClaim},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use tokio::time::Instant;

use crate::{
    assert::{Cluster, Needs, Observed, observed::Missing},
    engine::{
        run::{context::Context, dispatcher::Emitter, error::EngineError},
        steps::{
            again,
            settle::{Settled, Unmet, Wait},
            step,
        },
    },
    event::{EventKind, Failure, Status, Verdict},
    plan::decide::{Lasts, lasts},
    spec::{Assertion, Facts, Step, StepId, Within, model::Record},
    tool::Stopper,
};

/// The time that repeated actions get to show an effect, if the deadline has passed by then.
const GRACE: Within = Within::seconds(30);

/// The expectations of the environment once it is back at the step at `at`.
pub(super) struct Asks<'a> {
    pub(super) context: &'a Context,
    pub(super) at: usize,
    pub(super) cluster: &'a Cluster,
    /// The deadline of all waits together.
    deadline: Instant,
}

/// The result of a wait for every lasting expectation.
pub(super) enum Came {
    /// Everything holds.
    Holds(Box<Observed>),
    /// The facts of the step at this position are not recorded, or their claim or volume is gone
    /// for good.
    Lost(usize),
    /// An assertion does not hold. The first such assertion is this step's.
    Fails(StepId, Box<Failure>),
}

/// The result of one wait.
struct Waited {
    settled: Settled,
    /// The step of each assertion.
    owners: Vec<StepId>,
    /// All pods have been Ready for a while, so a longer wait changes nothing.
    is_quiet: bool,
}

impl<'a> Asks<'a> {
    pub(super) fn new(context: &'a Context, at: usize, cluster: &'a Cluster) -> Self {
        let mut asks = Self {
            context,
            at,
            cluster,
            deadline: Instant::now(),
        };
        asks.deadline += asks.within();
        asks
    }

    fn lasting(&self) -> impl Iterator<Item = (usize, &Step)> {
        let lab = &self.context.lab;
        let steps = lab.steps[..=self.at].iter().enumerate();
        steps.filter(move |(index, _)| lasts(lab, *index, Some(self.at)) == Lasts::Yes)
    }

    /// Returns the time that the lasting expectations have: the longest deadline of their steps.
    pub(super) fn within(&self) -> Duration {
        let expected = self.lasting().filter_map(|(_, step)| step.expect.as_ref());
        let within = expected.map(|expect| self.context.scaled(expect.within));
        within.max().unwrap_or_default()
    }

    /// Waits until the lasting assertions hold for which `meant` returns true. Repeats, once,
    /// actions that may mend them.
    pub(super) async fn hold(
        &self,
        meant: impl Fn(&Assertion) -> bool,
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<Came, EngineError> {
        if let Some(from) = self.lost(emitter).await {
            return Ok(Came::Lost(from));
        }
        let first = self.wait(&meant, true, emitter, stopper).await?;
        let unmet = match first.settled {
            Settled::Holds(_, observed) => return Ok(Came::Holds(observed)),
            Settled::Fails(unmet) => unmet,
        };
        if let Some(from) = self.lost(emitter).await {
            return Ok(Came::Lost(from));
        }
        let can_mend = first.is_quiet || Verdict::worst(&unmet.verdicts) == Status::Failed;
        let again = self.repeatable(&unmet.verdicts);
        let is_over = Instant::now() >= self.deadline;
        if !can_mend || (again.is_empty() && (is_over || !first.is_quiet)) {
            return Ok(self.fails(unmet, &first.owners));
        }
        for step in &again {
            let reason = "what it expects does not hold";
            let act = step::act_again(self.context, step, reason, self.cluster, emitter, stopper);
            act.await?;
        }
        let second = self.wait(&meant, false, emitter, stopper).await?;
        match second.settled {
            Settled::Holds(verdicts, observed) => {
                // The caller records the last step, once everything is restored.
                let last = &self.context.lab.steps[self.at].id;
                for step in again.into_iter().filter(|step| step.id != *last) {
                    let own = |v: &&Verdict| step.assertions().iter().any(|a| is_of(v, a));
                    let verdicts = verdicts.iter().filter(own).cloned().collect();
                    step::record(self.context, step, false, verdicts, &observed, emitter).await?;
                }
                Ok(Came::Holds(observed))
            }
            Settled::Fails(unmet) => Ok(self.fails(unmet, &second.owners)),
        }
    }

    /// Waits for the lasting assertions for which `meant` returns true. With `until_quiet`, stops
    /// waiting once the pods are quiet.
    async fn wait(
        &self,
        meant: impl Fn(&Assertion) -> bool,
        until_quiet: bool,
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<Waited, EngineError> {
        let mut assertions: Vec<Assertion> = Vec::new();
        let mut owners: Vec<StepId> = Vec::new();
        for (_, step) in self.lasting() {
            for assertion in step.assertions().iter().filter(|a| meant(a)) {
                if !assertions.contains(assertion) {
                    assertions.push(assertion.clone());
                    owners.push(step.id.clone());
                }
            }
        }
        let step = &self.context.lab.steps[self.at];
        let namespace = &self.context.lab.namespace;
        let facts = emitter.state().facts;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let within = if until_quiet {
            left
        } else {
            left.max(self.context.scaled(GRACE))
        };
        let wait = Wait {
            step: &step.id,
            owners: &owners,
            assertions: &assertions,
            within,
            facts: &facts,
            records: &step.record,
            needs: Needs::of(&assertions, namespace).and_records(step.record.values(), namespace),
        };
        let mut watch = wait.watch(self.cluster);
        let quiet = async {
            if !until_quiet {
                std::future::pending::<()>().await;
            }
            again::quiet(self.context, self.cluster).await;
        };
        let mut own = stopper.clone();
        let ended = tokio::select! {
            settled = wait.settle(self.context, &mut watch, emitter, stopper) => Some(settled?),
            () = quiet => None,
        };
        let is_quiet = ended.is_none();
        let settled = if let Some(settled) = ended {
            settled
        } else {
            let mut watch = wait.watch(self.cluster);
            let (verdicts, observed) = wait.first(self.context, &mut watch, &mut own).await?;
            if Verdict::worst(&verdicts) == Status::Pass {
                Settled::Holds(verdicts, Box::new(observed))
            } else {
                wait.unmet(verdicts)
            }
        };
        Ok(Waited {
            settled,
            owners,
            is_quiet,
        })
    }

    /// Returns the steps whose repetition may mend those of `verdicts` that do not pass.
    fn repeatable(&self, verdicts: &[Verdict]) -> Vec<&Step> {
        let is_broken = |assertion: &Assertion| {
            let mut broken = verdicts.iter().filter(|v| v.status != Status::Pass);
            broken.any(|verdict| is_of(verdict, assertion))
        };
        let steps = self.lasting().map(|(_, step)| step);
        let own = steps.filter(|step| step.assertions().iter().any(is_broken));
        own.filter(|step| step.action.is_repeatable()).collect()
    }

    fn fails(&self, mut unmet: Unmet, owners: &[StepId]) -> Came {
        // Report the time of all waits together.
        unmet.within = self.within();
        let last = &self.context.lab.steps[self.at].id;
        let owner = |at: usize| owners.get(at).unwrap_or(last);
        let first = unmet.verdicts.iter().position(|v| v.status != Status::Pass);
        let step = first.map_or(last, owner).clone();
        let failure = unmet.failure(|at, v| format!("{} of step {}", v.assertion, owner(at)));
        Came::Fails(step, Box::new(failure))
    }

    /// Returns the first step whose facts assertions compare with, and that are lost: not recorded,
    /// or their claim or volume is gone or replaced. Emits a notice about it.
    async fn lost(&self, emitter: &Emitter) -> Option<usize> {
        let facts = emitter.state().facts;
        let steps = &self.context.lab.steps;
        let compared = self.lasting().flat_map(|(_, step)| step.assertions());
        let mut lost: Option<(usize, bool)> = None;
        for name in compared.filter_map(Assertion::since) {
            let Some(from) = steps.iter().position(|s| s.record.contains_key(name)) else {
                continue;
            };
            let is_recorded = facts.contains_key(name);
            let is_lost = !is_recorded || self.is_gone(&facts, name).await;
            if is_lost && lost.is_none_or(|(known, _)| from < known) {
                lost = Some((from, is_recorded));
            }
        }
        if let Some((from, is_recorded)) = lost {
            let why = if is_recorded {
                "what step {} recorded is gone for good"
            } else {
                "what step {} records is not recorded"
            };
            let text = why.replace("{}", &steps[from].id);
            emitter.emit(EventKind::Notice {
                text: format!("{text}; the steps from there on are done again"),
            });
        }
        lost.map(|(from, _)| from)
    }

    /// Returns true if the claim of a fact, or its volume, is gone or was replaced: a new object
    /// has another uid.
    async fn is_gone(&self, facts: &Facts, name: &str) -> bool {
        let Some(claim) = facts.get(name).and_then(|fact| fact.claim.as_ref()) else {
            return false;
        };
        let record = Record {
            pod: None,
            claim: Some(claim.name.clone()),
        };
        let namespace = &self.context.lab.namespace;
        let needs = Needs::default().and_records([&record], namespace);
        let observed = self.cluster.observe(&needs, &[], namespace).await;
        let there = observed.get::<PersistentVolumeClaim>(Some(namespace), &claim.name);
        let volume = observed.get::<PersistentVolume>(None, &claim.volume);
        is_other(there, &claim.uid) || is_other(volume, &claim.volume_uid)
    }
}

/// Returns true if `there` is not the object with this uid. An unknown object counts as the same.
fn is_other<K: Metadata<Ty = ObjectMeta>>(there: Result<K, Missing>, uid: &str) -> bool {
    match there {
        Ok(object) => object.metadata().uid.as_deref() != Some(uid),
        Err(missing) => missing == Missing::Absent,
    }
}

/// Returns true if `verdict` is on `assertion`.
fn is_of(verdict: &Verdict, assertion: &Assertion) -> bool {
    verdict.assertion == assertion.to_string()
}
