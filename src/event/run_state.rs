//! The only fold over events. It yields all that is known of an environment.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Child, ClusterIdentity, Event, EventKind, Faults, Outcome, Port, Rewound, RunOutcome, Verb,
};
use crate::spec::{Fact, Facts, Measurement, StepId, Undo};

/// The state of an environment, folded from its events. `status`, resuming, the exit code and
/// replay are based on it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunState {
    /// The number of the last event.
    pub seq: u64,
    /// The state of each step that an event named.
    pub steps: BTreeMap<StepId, StepState>,
    /// The cursor: the last step whose expectations were seen to hold.
    pub cursor: Option<StepId>,
    /// The step that an unfinished reset goes back to, until that step is verified.
    pub reset_to: Option<StepId>,
    /// True if the cluster was deleted since that reset began. Then the reset can no longer lose
    /// anything.
    pub recreated: bool,
    /// The recorded facts.
    pub facts: Facts,
    /// The faults that were injected and not healed.
    pub faults: Faults,
    /// The cluster, once it has answered.
    pub cluster: Option<ClusterIdentity>,
    /// The name under which a cluster was begun, until the cluster is deleted.
    pub intended_cluster: Option<String>,
    /// The ports of this machine that lead into the cluster or, without a cluster, into the last
    /// one. The next cluster gets the same ports if they are free.
    pub ports: Vec<Port>,
    /// The ports that the container engine could not open since a cluster was last created.
    pub refused_ports: BTreeSet<u16>,
    /// The time since which the cluster's containers are stopped on purpose.
    pub stopped: Option<Timestamp>,
    /// True if the deletion of the cluster began and did not end.
    pub deleting: bool,
    /// True if a part of the journal was damaged since the last event that says that a cluster was
    /// begun, answered or was about to be deleted. The lost part may have held another such event.
    pub damaged: bool,
    /// The children that were started and not seen to end.
    pub children: Vec<Child>,
    /// The verb and the start of the last run and, if the run ended, its outcome.
    pub last_run: Option<(Verb, Timestamp, Option<RunOutcome>)>,
}

/// The state of one step.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is told by other events"
)]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepState {
    /// True if the action was begun and the step was not verified since.
    pub begun: bool,
    /// True if the action was begun and not seen to end.
    pub acting: bool,
    /// True if the expectations held before the action was last begun.
    pub held: bool,
    /// The time of the last verification, and the fingerprint of the verified step.
    pub verified: Option<(Timestamp, String)>,
    /// The last outcome.
    pub outcome: Option<Outcome>,
    /// The names of the facts that the step recorded.
    pub recorded: BTreeSet<String>,
    /// True if the step was verified and no longer counts, because it was rewound on purpose.
    pub rewound: bool,
    /// True if the step's fault was healed since the step was last verified. The expectations may
    /// hold for a moment longer, which proves nothing.
    pub healed: bool,
}

impl RunState {
    /// Folds `events` into a state, starting from an empty one.
    #[must_use]
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event);
        }
        state
    }

    /// Folds one more event into the state.
    pub fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        match &event.event {
            EventKind::RunStarted { verb, .. } => {
                self.last_run = Some((*verb, event.at, None));
                if verb.changes() {
                    self.faults.run_began();
                }
            }
            EventKind::StepStarted {
                step, undo, held, ..
            } => {
                // The step measures again, so its old measurement is no longer valid.
                self.facts
                    .retain(|name, fact| *name != **step || fact.load.is_none());
                let known = self.step(step);
                known.begun = true;
                known.acting = true;
                known.held = *held;
                known.healed = false;
                if let Some(undo) = undo.as_ref().filter(|undo| **undo != Undo::None) {
                    self.faults.injected(step, undo);
                }
            }
            EventKind::Verified {
                step,
                fingerprint,
                facts,
                ..
            } => {
                let known = self.step(step);
                known.begun = false;
                known.acting = false;
                known.rewound = false;
                known.healed = false;
                known.recorded.extend(facts.keys().cloned());
                let again = known.verified.replace((event.at, fingerprint.clone()));
                // A step that was verified before is at the cursor or before it: repairing it must
                // not move the cursor.
                if again.is_none() {
                    self.cursor = Some(step.clone());
                }
                self.facts.extend(facts.clone());
                self.reset_to.take_if(|to| to == step);
            }
            EventKind::Measured { step, measurement } => self.measured(step, measurement),
            EventKind::Applied { step } => self.step(step).acting = false,
            EventKind::Undone { step, rewound } => {
                self.faults.undone(step);
                self.step(step).healed = true;
                if let Some(rewound) = rewound {
                    self.rewind(rewound);
                }
            }
            EventKind::Rewound { to, rewound } => {
                self.reset_began(to.as_ref());
                self.rewind(rewound);
            }
            EventKind::StepFinished { step, outcome, .. } => {
                self.step(step).outcome = Some(outcome.clone());
            }
            EventKind::JournalDamaged { .. } => self.damaged = true,
            EventKind::ClusterIntended { name } => {
                self.intended_cluster = Some(name.clone());
                self.damaged = false;
            }
            EventKind::PortsChosen { ports } => self.ports.clone_from(ports),
            EventKind::PortRefused { host } => {
                self.refused_ports.insert(*host);
            }
            EventKind::ClusterCreated { cluster } => {
                self.cluster = Some(cluster.clone());
                self.damaged = false;
                self.deleting = false;
                self.refused_ports.clear();
            }
            EventKind::ClusterStopped => self.stopped = Some(event.at),
            EventKind::ClusterStarted { server, .. } => self.cluster_started(server.as_ref()),
            EventKind::ClusterDeleting => {
                self.deleting = true;
                self.damaged = false;
            }
            EventKind::ClusterDeleted => self.forget_cluster(),
            EventKind::ChildStarted { child } => self.children.push(child.clone()),
            EventKind::ChildExited { group } => self.children.retain(|c| c.group != *group),
            EventKind::RunFinished { outcome, .. } => {
                if let Some((verb, _, ended)) = &mut self.last_run {
                    *ended = Some(*outcome);
                    if verb.changes() && *outcome == RunOutcome::Passed {
                        self.faults.run_passed();
                    }
                }
            }
            EventKind::CommandStarted { .. }
            | EventKind::Output { .. }
            | EventKind::Image { .. }
            | EventKind::Measuring { .. }
            | EventKind::Waiting { .. }
            | EventKind::Differs { .. }
            | EventKind::Notice { .. }
            | EventKind::Cancelling { .. } => {}
        }
    }

    /// Returns true if no cluster was begun, as far as is known.
    #[must_use]
    pub fn is_without_cluster(&self) -> bool {
        self.cluster.is_none() && self.intended_cluster.is_none()
    }

    /// Returns the step to which a reset of this cluster began and did not finish. Until it
    /// finishes, the cluster is neither what was verified nor what a student made of it, so no
    /// snapshot of it is kept.
    #[must_use]
    pub fn unfinished_reset(&self) -> Option<&StepId> {
        let is_there = self.cluster.is_some() && !self.recreated;
        self.reset_to.as_ref().filter(|_| is_there)
    }

    /// Returns true if a reset that recreates the cluster was interrupted after it had begun to
    /// remove the cluster.
    #[must_use]
    pub fn is_recreating(&self) -> bool {
        self.reset_to.is_some() && (self.cluster.is_none() || self.recreated || self.deleting)
    }

    /// Returns true if the step was verified and still counts.
    #[must_use]
    pub fn is_verified(&self, id: &StepId) -> bool {
        self.steps.get(id).is_some_and(|s| s.verified.is_some())
    }

    /// Takes back the verification of the steps in `rewound`, drops the facts that they recorded,
    /// and moves the cursor.
    pub fn rewind(&mut self, rewound: &Rewound) {
        self.cursor.clone_from(&rewound.cursor);
        for id in &rewound.steps {
            let known = self.step(id);
            known.rewound |= known.verified.take().is_some();
            known.outcome = None;
            for name in std::mem::take(&mut known.recorded) {
                self.facts.remove(&name);
            }
        }
    }

    fn measured(&mut self, step: &StepId, measurement: &Measurement) {
        let fact = Fact {
            load: Some(measurement.clone()),
            ..Fact::default()
        };
        self.step(step).recorded.insert(step.to_string());
        self.facts.insert(step.to_string(), fact);
    }

    /// Notes that a reset to the step `to` began. Does nothing if `to` is `None`: then the steps
    /// are rewound for another reason.
    fn reset_began(&mut self, to: Option<&StepId>) {
        if to.is_some() {
            self.reset_to = to.cloned();
            self.recreated = false;
        }
    }

    fn step(&mut self, id: &StepId) -> &mut StepState {
        self.steps.entry(id.clone()).or_default()
    }

    fn cluster_started(&mut self, server: Option<&String>) {
        self.stopped = None;
        if let (Some(cluster), Some(server)) = (&mut self.cluster, server) {
            cluster.server = Some(server.clone());
        }
    }

    /// Forgets all that was known of the contents of the cluster, as another cluster has others.
    fn forget_cluster(&mut self) {
        self.steps.clear();
        self.facts.clear();
        self.faults.forget();
        self.cursor = None;
        self.cluster = None;
        self.recreated = true;
        self.intended_cluster = None;
        self.stopped = None;
        self.deleting = false;
    }
}

#[cfg(test)]
mod tests;
