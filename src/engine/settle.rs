//! Waiting until a step's expectations hold, by watching.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Context, Emitter, EngineError};
use crate::{
    assert::{
        Cluster, Needs, Observed, capture::held_up, check, evaluate, needs::probes, watch::Watch,
    },
    event::{EventKind, Failure, Status, Verdict},
    spec::{Assertion, Facts, StepId, model::Record},
    tool::{Stop, Stopper},
};

/// Nothing is recorded at the end of a wait.
pub static NO_RECORDS: BTreeMap<String, Record> = BTreeMap::new();

/// What a wait came to.
#[derive(Debug)]
pub enum Settled {
    /// Everything holds. What was seen is what facts are recorded from.
    Holds(Vec<Verdict>, Box<Observed>),
    /// Something does not, and either cannot any more or did not in time.
    Fails(Unmet),
}

/// Verdicts of which not all pass, once nobody waits for them any longer.
#[derive(Debug, Clone)]
pub struct Unmet {
    /// The verdicts, those that pass too, in the order of the assertions.
    pub verdicts: Vec<Verdict>,
    /// How long was waited.
    pub within: Duration,
    /// The facts that are not recorded, without which some of them cannot be told.
    pub lacking: Vec<String>,
}

impl Unmet {
    /// Returns the failure that these verdicts are. `name` names a verdict by its position.
    #[must_use]
    pub fn failure(self, name: impl Fn(usize, &Verdict) -> String) -> Failure {
        let unmet = self.verdicts.iter().enumerate();
        let names = unmet.filter(|(_, v)| v.status != Status::Pass);
        let names: Vec<String> = names.map(|(at, verdict)| name(at, verdict)).collect();
        let names = names.join(", ");
        let summary = if Verdict::worst(&self.verdicts) == Status::Failed {
            format!("{names} cannot hold any more")
        } else if !self.lacking.is_empty() {
            format!(
                "{names} cannot be told: {} is not recorded",
                self.lacking.join(", ")
            )
        } else {
            format!("{names} did not hold within {} s", self.within.as_secs())
        };
        let mut verdicts = self.verdicts;
        verdicts.retain(|v| v.status != Status::Pass);
        Failure {
            verdicts,
            ..Failure::new(summary)
        }
    }
}

impl From<Unmet> for Failure {
    fn from(unmet: Unmet) -> Self {
        unmet.failure(|_, verdict| verdict.assertion.clone())
    }
}

/// A wait for the assertions of one step.
pub struct Wait<'a> {
    /// The step.
    pub step: &'a StepId,
    /// The step of each assertion where they are of several; else nothing.
    pub owners: &'a [StepId],
    /// What has to hold.
    pub assertions: &'a [Assertion],
    /// How long it may take.
    pub within: Duration,
    /// The recorded facts.
    pub facts: &'a Facts,
    /// What is recorded once everything holds; the wait is over when that can be, too.
    pub records: &'a BTreeMap<String, Record>,
    /// What else has to be seen: what facts are recorded from.
    pub needs: Needs,
}

impl Wait<'_> {
    /// Starts watching what this waits for.
    #[must_use]
    pub fn watch(&self, cluster: &Cluster) -> Watch {
        Watch::start(cluster, &self.needs)
    }

    /// Evaluates the assertions after the first complete observation; returns what was seen, too.
    pub async fn first(
        &self,
        context: &Context,
        watch: &mut Watch,
        stopper: &mut Stopper,
    ) -> Result<(Vec<Verdict>, Observed), EngineError> {
        /// The API server may just have come up; then the first look is as good as none.
        const PATIENCE: Duration = Duration::from_secs(10);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.look(context, watch);
            if watch.is_complete() {
                return Ok(seen);
            }
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(seen),
                _ = stopper.beyond(Stop::Run) => return Err(EngineError::Stopped),
            }
        }
    }

    /// What the assertions come to now, and what was seen.
    pub(super) fn look(&self, context: &Context, watch: &mut Watch) -> (Vec<Verdict>, Observed) {
        let namespace = &context.lab.namespace;
        let observed = watch.observed();
        watch.probe(&probes(self.assertions, namespace, &observed));
        let seen = check::Context {
            observed: &observed,
            facts: self.facts,
            namespace,
            now: Timestamp::now(),
        };
        let verdicts = self.assertions.iter().map(|a| evaluate(a, &seen)).collect();
        (verdicts, observed)
    }

    /// Waits until everything holds, until something cannot hold any more, or until the time is up.
    pub async fn settle(
        &self,
        context: &Context,
        watch: &mut Watch,
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<Settled, EngineError> {
        /// Before everything was seen once, a verdict says more about labctl than about the cluster.
        const QUIET: Duration = Duration::from_secs(2);
        let started = Instant::now();
        let deadline = started + self.within;
        let mut told: Vec<Verdict> = Vec::new();
        // Facts do not appear while somebody waits for what is compared with them.
        let lacking = self.lacking();
        loop {
            let (mut verdicts, observed) = self.look(context, watch);
            if Verdict::worst(&verdicts) == Status::Pass {
                let namespace = &context.lab.namespace;
                verdicts.extend(held_up(self.records, self.facts, namespace, &observed));
            }
            match Verdict::worst(&verdicts) {
                // What facts are recorded from may be seen later than what the assertions look at.
                Status::Pass if watch.is_complete() => {
                    return Ok(Settled::Holds(verdicts, Box::new(observed)));
                }
                Status::Failed if watch.is_complete() => return Ok(self.unmet(verdicts)),
                _ if watch.is_complete() && !lacking.is_empty() => return Ok(self.unmet(verdicts)),
                _ => {}
            }
            let worth_telling = watch.is_complete() || started.elapsed() >= QUIET;
            if worth_telling && verdicts != told {
                emitter.emit(EventKind::Waiting {
                    step: self.owner(&verdicts).clone(),
                    within: self.within,
                    verdicts: verdicts.clone(),
                });
                told.clone_from(&verdicts);
            }
            let is_silent = told.is_empty();
            tokio::select! {
                () = watch.changed() => {}
                // Nothing may change before it is time to say what is waited for.
                () = tokio::time::sleep_until(started + QUIET), if is_silent => {}
                _ = stopper.beyond(Stop::Run) => return Err(EngineError::Stopped),
                () = tokio::time::sleep_until(deadline) => return Ok(self.unmet(verdicts)),
            }
        }
    }

    /// Returns the facts that the assertions compare with and that are not recorded.
    fn lacking(&self) -> Vec<String> {
        let compared = self.assertions.iter().filter_map(Assertion::since);
        let lacking = compared.filter(|name| !self.facts.contains_key(*name));
        let names: BTreeSet<String> = lacking.map(|name| format!("fact `{name}`")).collect();
        names.into_iter().collect()
    }

    pub(super) fn unmet(&self, verdicts: Vec<Verdict>) -> Settled {
        Settled::Fails(Unmet {
            verdicts,
            within: self.within,
            lacking: self.lacking(),
        })
    }

    /// Returns the step whose assertion is the first that does not pass.
    fn owner(&self, verdicts: &[Verdict]) -> &StepId {
        let first = verdicts.iter().position(|v| v.status != Status::Pass);
        let owner = first.and_then(|at| self.owners.get(at));
        owner.unwrap_or(self.step)
    }
}
