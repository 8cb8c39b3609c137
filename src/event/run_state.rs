//! The one fold over events: what is known of an environment.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Child, ClusterIdentity, Event, EventKind, Faults, Outcome, Port, Rewound, RunOutcome, Verb,
};
use crate::spec::{Fact, Facts, Measurement, StepId, Undo};

/// What the events so far add up to. Behind `status`, resuming, the exit code and replay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunState {
    /// The number of the last event.
    pub seq: u64,
    /// What is known of each step that an event named.
    pub steps: BTreeMap<StepId, StepState>,
    /// The last step whose expectations were seen to hold.
    pub cursor: Option<StepId>,
    /// The step that a reset goes back to, until that step is seen to hold.
    pub reset_to: Option<StepId>,
    /// The cluster is another one than when that reset was begun: with it went all that the reset
    /// could lose.
    pub recreated: bool,
    /// The recorded facts.
    pub facts: Facts,
    /// The faults that were injected and not taken back.
    pub faults: Faults,
    /// The cluster, once it was seen to answer.
    pub cluster: Option<ClusterIdentity>,
    /// The name under which a cluster was begun, until it is gone.
    pub intended_cluster: Option<String>,
    /// The ports of this machine that lead into the cluster, or led into the last one: the next one
    /// gets the same, if they are free.
    pub ports: Vec<Port>,
    /// Ports that the container engine could not open since a cluster was last made.
    pub refused_ports: BTreeSet<u16>,
    /// Since when the cluster's containers are stopped on purpose.
    pub stopped: Option<Timestamp>,
    /// The cluster's deletion was begun, and not seen to be done.
    pub deleting: bool,
    /// A part of the journal was damaged since a cluster was last begun, seen to answer or about to
    /// be deleted: it may have told so.
    pub damaged: bool,
    /// Children that were started and not seen to end.
    pub children: Vec<Child>,
    /// The verb of the last run and, if it ended, how.
    pub last_run: Option<(Verb, Timestamp, Option<RunOutcome>)>,
}

/// What is known of one step.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is told by other events"
)]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepState {
    /// Its action was begun and not yet seen to hold.
    pub begun: bool,
    /// Its action was begun, and not seen to come to its end.
    pub acting: bool,
    /// What it expects held before its action was last begun.
    pub held: bool,
    /// When it was last verified, and the fingerprint of what was.
    pub verified: Option<(Timestamp, String)>,
    /// How it last ended.
    pub outcome: Option<Outcome>,
    /// The facts that it recorded.
    pub recorded: BTreeSet<String>,
    /// It was seen to hold, and that no longer counts: something was taken back on purpose.
    pub rewound: bool,
    /// Its fault was taken back since it was last seen to hold. What it expects may hold for a
    /// moment longer, and says nothing.
    pub healed: bool,
}

impl RunState {
    /// The state that `events` add up to.
    #[must_use]
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event);
        }
        state
    }

    /// Takes one more event in.
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
                // What is measured anew is not known any more.
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
                // One that was verified before is behind the cursor: mending it leaves that alone.
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

    /// Whether no cluster was begun, as far as is known.
    #[must_use]
    pub fn is_without_cluster(&self) -> bool {
        self.cluster.is_none() && self.intended_cluster.is_none()
    }

    /// Returns the step to which a reset of this cluster was begun and not finished. Until it is, what
    /// is there is neither what was verified nor what somebody made of it: nothing is kept of it.
    #[must_use]
    pub fn unfinished_reset(&self) -> Option<&StepId> {
        let is_there = self.cluster.is_some() && !self.recreated;
        self.reset_to.as_ref().filter(|_| is_there)
    }

    /// Whether a reset that recreates the cluster was interrupted after it had begun to remove it.
    #[must_use]
    pub fn is_recreating(&self) -> bool {
        self.reset_to.is_some() && (self.cluster.is_none() || self.recreated || self.deleting)
    }

    /// Whether the step was ever seen to hold.
    #[must_use]
    pub fn is_verified(&self, id: &StepId) -> bool {
        self.steps.get(id).is_some_and(|s| s.verified.is_some())
    }

    /// Has steps count as not seen to hold any more, and drops the facts that they recorded.
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

    /// A reset to the step `to` was begun; none was, if there is no such step.
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

    /// Nothing that was known of the cluster's contents holds for another one.
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
