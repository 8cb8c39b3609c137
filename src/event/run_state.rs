//! The one fold over events: what is known of an environment.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Child, ClusterIdentity, Event, EventKind, Outcome, RunOutcome, Verb};
use crate::spec::{Facts, StepId};

/// What the events so far add up to. Behind `status`, resuming, the exit code and replay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunState {
    /// The number of the last event.
    pub seq: u64,
    /// What is known of each step that an event named.
    pub steps: BTreeMap<StepId, StepState>,
    /// The last step whose expectations were seen to hold.
    pub cursor: Option<StepId>,
    /// The recorded facts.
    pub facts: Facts,
    /// The cluster, once it was seen to answer.
    pub cluster: Option<ClusterIdentity>,
    /// The name under which a cluster was begun, until it is gone.
    pub intended_cluster: Option<String>,
    /// Since when the cluster's containers are stopped on purpose.
    pub stopped: Option<Timestamp>,
    /// Children that were started and not seen to end.
    pub children: Vec<Child>,
    /// The verb of the last run and, if it ended, how.
    pub last_run: Option<(Verb, Timestamp, Option<RunOutcome>)>,
}

/// What is known of one step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepState {
    /// Its action was begun and not yet seen to hold.
    pub begun: bool,
    /// When it was last verified, and the fingerprint of what was.
    pub verified: Option<(Timestamp, String)>,
    /// How it last ended.
    pub outcome: Option<Outcome>,
    /// Its fault was injected and not taken back. Only steps with an `undo` look at it.
    pub open: bool,
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
            }
            EventKind::StepStarted { step, .. } => {
                let known = self.step(step);
                known.begun = true;
                known.open = true;
            }
            EventKind::Verified {
                step,
                fingerprint,
                facts,
                ..
            } => {
                let known = self.step(step);
                known.begun = false;
                let again = known.verified.replace((event.at, fingerprint.clone()));
                // One that was verified before is behind the cursor: mending it leaves that alone.
                if again.is_none() {
                    self.cursor = Some(step.clone());
                }
                self.facts.extend(facts.clone());
            }
            EventKind::Undone { step } => self.step(step).open = false,
            EventKind::StepFinished { step, outcome, .. } => {
                self.step(step).outcome = Some(outcome.clone());
            }
            EventKind::ClusterIntended { name } => self.intended_cluster = Some(name.clone()),
            EventKind::ClusterCreated { cluster } => self.cluster = Some(cluster.clone()),
            EventKind::ClusterStopped => self.stopped = Some(event.at),
            EventKind::ClusterStarted { .. } => self.stopped = None,
            EventKind::ClusterDeleted => self.forget_cluster(),
            EventKind::ChildStarted { child } => self.children.push(child.clone()),
            EventKind::ChildExited { group } => self.children.retain(|c| c.group != *group),
            EventKind::RunFinished { outcome, .. } => {
                if let Some((_, _, ended)) = &mut self.last_run {
                    *ended = Some(*outcome);
                }
            }
            EventKind::CommandStarted { .. }
            | EventKind::Output { .. }
            | EventKind::Image { .. }
            | EventKind::Applied { .. }
            | EventKind::Waiting { .. }
            | EventKind::Notice { .. }
            | EventKind::Cancelling { .. } => {}
        }
    }

    /// Whether the step was ever seen to hold.
    #[must_use]
    pub fn is_verified(&self, id: &StepId) -> bool {
        self.steps.get(id).is_some_and(|s| s.verified.is_some())
    }

    fn step(&mut self, id: &StepId) -> &mut StepState {
        self.steps.entry(id.clone()).or_default()
    }

    /// Nothing that was known of the cluster's contents holds for another one.
    fn forget_cluster(&mut self) {
        self.steps.clear();
        self.facts.clear();
        self.cursor = None;
        self.cluster = None;
        self.intended_cluster = None;
        self.stopped = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mending_an_earlier_step_leaves_the_cursor_where_it_was() {
        let verified = |(seq, step): (u64, &str)| Event {
            seq,
            at: Timestamp::UNIX_EPOCH,
            event: EventKind::Verified {
                step: step.into(),
                fingerprint: seq.to_string(),
                facts: Facts::new(),
                verdicts: Vec::new(),
            },
        };
        let events = [(1, "database"), (2, "kill-pod"), (3, "database")].map(verified);
        let state = RunState::replay(&events);
        assert_eq!(state.cursor.as_deref(), Some("kill-pod"));
        let known = state.steps["database"].verified.clone();
        assert_eq!(known.map(|(_, fingerprint)| fingerprint), Some("3".into()));
    }

    #[test]
    fn a_cluster_is_stopped_until_it_is_started_or_gone() {
        let event = |event: EventKind| Event {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            event,
        };
        let started = EventKind::ClusterStarted {
            nodes: 4,
            took: std::time::Duration::ZERO,
        };
        let mut state = RunState::default();
        for end in [started, EventKind::ClusterDeleted] {
            state.apply(&event(EventKind::ClusterStopped));
            assert_eq!(state.stopped, Some(Timestamp::UNIX_EPOCH));
            state.apply(&event(end));
            assert_eq!(state.stopped, None);
        }
    }
}
