//! Waiting until a step's expectations hold, by watching.

use std::{collections::BTreeMap, time::Duration};

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
    Fails(Vec<Verdict>),
}

/// A wait for the assertions of one step.
pub struct Wait<'a> {
    /// The step.
    pub step: &'a StepId,
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
                Status::Failed if watch.is_complete() => return Ok(Settled::Fails(verdicts)),
                _ => {}
            }
            let worth_telling = watch.is_complete() || started.elapsed() > QUIET;
            if worth_telling && verdicts != told {
                emitter.emit(EventKind::Waiting {
                    step: self.step.clone(),
                    within: self.within,
                    verdicts: verdicts.clone(),
                });
                told.clone_from(&verdicts);
            }
            tokio::select! {
                () = watch.changed() => {}
                _ = stopper.beyond(Stop::Run) => return Err(EngineError::Stopped),
                () = tokio::time::sleep_until(deadline) => return Ok(Settled::Fails(verdicts)),
            }
        }
    }
}

/// The failure that `verdicts`, not all of them passes, are.
#[must_use]
pub fn unmet(verdicts: Vec<Verdict>, within: Duration) -> Failure {
    let unmet: Vec<Verdict> = verdicts
        .into_iter()
        .filter(|v| v.status != Status::Pass)
        .collect();
    let names: Vec<&str> = unmet.iter().map(|v| v.assertion.as_str()).collect();
    let names = names.join(", ");
    let summary = if Verdict::worst(&unmet) == Status::Failed {
        format!("{names} cannot hold any more")
    } else {
        format!("{names} did not hold within {} s", within.as_secs())
    };
    Failure {
        verdicts: unmet,
        ..Failure::new(summary)
    }
}
