//! The wait until a step's expectations hold, by watching.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    assert::{
        Cluster, Needs, Observed, capture::held_up, check, evaluate, needs::probes, watch::Watch,
    },
    engine::run::{context::Context, dispatcher::Emitter, error::EngineError},
    event::{EventKind, Failure, Status, Verdict},
    spec::{Assertion, Facts, StepId, model::Record},
    tool::{Stop, Stopper},
};

/// The records of a wait that records nothing.
pub static NO_RECORDS: BTreeMap<String, Record> = BTreeMap::new();

/// The result of a wait.
#[derive(Debug)]
pub enum Settled {
    /// Everything holds. Facts are recorded from the observation.
    Holds(Vec<Verdict>, Box<Observed>),
    /// Something does not hold: it cannot hold any more, or did not in time.
    Fails(Unmet),
}

/// The verdicts at the end of a wait that failed. Not all of them pass.
#[derive(Debug, Clone)]
pub struct Unmet {
    /// The verdicts, passing ones included, in the order of the assertions.
    pub verdicts: Vec<Verdict>,
    /// The time limit of the wait.
    pub within: Duration,
    /// The missing facts, without which some assertions cannot be evaluated.
    pub lacking: Vec<String>,
}

impl Unmet {
    /// Returns the failure for these verdicts. `name` names a verdict by its position.
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
    /// The step of each assertion, if they belong to several steps; otherwise empty.
    pub owners: &'a [StepId],
    /// The assertions that have to hold.
    pub assertions: &'a [Assertion],
    /// The time limit.
    pub within: Duration,
    /// The recorded facts.
    pub facts: &'a Facts,
    /// The records to make once everything holds. The wait ends only when they can be made, too.
    pub records: &'a BTreeMap<String, Record>,
    /// The objects to observe: for the assertions, and for the records.
    pub needs: Needs,
}

impl Wait<'_> {
    /// Starts to watch the objects that this wait needs.
    #[must_use]
    pub fn watch(&self, cluster: &Cluster) -> Watch {
        Watch::start(cluster, &self.needs)
    }

    /// Evaluates the assertions after the first complete observation; returns the observation, too.
    pub async fn first(
        &self,
        context: &Context,
        watch: &mut Watch,
        stopper: &mut Stopper,
    ) -> Result<(Vec<Verdict>, Observed), EngineError> {
        /// The longest wait for a complete observation: if the API server has just come up, the
        /// first observation is worthless.
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

    /// Evaluates the assertions now; returns the observation, too.
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
        /// The time without reports: before the first complete observation, a verdict says more
        /// about labctl than about the cluster.
        const QUIET: Duration = Duration::from_secs(2);
        let started = Instant::now();
        let deadline = started + self.within;
        let mut told: Vec<Verdict> = Vec::new();
        // Missing facts do not appear while this waits for the assertions that compare with them.
        let lacking = self.lacking();
        loop {
            let (mut verdicts, observed) = self.look(context, watch);
            if Verdict::worst(&verdicts) == Status::Pass {
                let namespace = &context.lab.namespace;
                verdicts.extend(held_up(self.records, self.facts, namespace, &observed));
            }
            match Verdict::worst(&verdicts) {
                // The objects to record facts from may be observed later than those of the
                // assertions.
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
                // Nothing may change until the time of the first report.
                () = tokio::time::sleep_until(started + QUIET), if is_silent => {}
                _ = stopper.beyond(Stop::Run) => return Err(EngineError::Stopped),
                () = tokio::time::sleep_until(deadline) => return Ok(self.unmet(verdicts)),
            }
        }
    }

    /// Returns the names of the facts that the assertions compare with and that are not recorded.
    fn lacking(&self) -> Vec<String> {
        let compared = self.assertions.iter().filter_map(Assertion::since);
        let lacking = compared.filter(|name| !self.facts.contains_key(*name));
        let names: BTreeSet<String> = lacking.map(|name| format!("fact `{name}`")).collect();
        names.into_iter().collect()
    }

    /// Returns the failure of a wait whose assertions came to `verdicts` at the deadline.
    pub fn unmet(&self, verdicts: Vec<Verdict>) -> Settled {
        Settled::Fails(Unmet {
            verdicts,
            within: self.within,
            lacking: self.lacking(),
        })
    }

    /// Returns the step of the first assertion that does not pass.
    fn owner(&self, verdicts: &[Verdict]) -> &StepId {
        let first = verdicts.iter().position(|v| v.status != Status::Pass);
        let owner = first.and_then(|at| self.owners.get(at));
        owner.unwrap_or(self.step)
    }
}
