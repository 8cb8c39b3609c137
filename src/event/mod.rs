//! What happens during a run, as data: events, outcomes, verdicts, and the one fold over them.
//!
//! Pure. The same [`Event`]s are journalled, shown, printed as NDJSON and replayed.

pub mod differing;
pub mod fault;
pub mod outcome;
pub mod port;
pub mod redact;
pub mod run_state;
pub mod scrub;
pub mod untrusted;
pub mod verdict;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spec::{Facts, Measurement, StepId, Undo};

pub use differing::{Change, Differing};
pub use fault::{Faults, Keeper, OpenFault, Rewound};
pub use outcome::{Failure, Outcome, RunOutcome};
pub use port::Port;
pub use redact::Redactor;
pub use run_state::{RunState, StepState};
pub use untrusted::Untrusted;
pub use verdict::{Clause, Status, Verdict};

/// One event, as it is journalled and as `--output json` prints it, a line each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Event {
    /// Its number: from 1 in each journal, without gaps among all events of a run. What is said
    /// before a run begins has the number 0.
    pub seq: u64,
    /// When it happened, by this machine's clock.
    pub at: Timestamp,
    /// What happened.
    pub event: EventKind,
}

/// A verb that runs steps or checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// `labctl up`
    Up,
    /// `labctl next`
    Next,
    /// `labctl verify`
    Verify,
    /// `labctl heal`
    Heal,
    /// `labctl reset`
    Reset,
    /// `labctl down`
    Down,
    /// `labctl stop`
    Stop,
    /// `labctl start`
    Start,
}

impl Verb {
    /// Whether its runs may change something in the cluster: such a run answers for open faults.
    #[must_use]
    pub fn changes(self) -> bool {
        self != Self::Verify
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Next => "next",
            Self::Verify => "verify",
            Self::Heal => "heal",
            Self::Reset => "reset",
            Self::Down => "down",
            Self::Stop => "stop",
            Self::Start => "start",
        })
    }
}

/// A step, as far as a reader of events has to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepInfo {
    /// The step's id.
    pub id: StepId,
    /// Its title.
    pub title: String,
    /// Why this step, and what to look at (Markdown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teach: Option<String>,
    /// It expects nothing: all that can be said of it is that it was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
}

/// Which of a child's streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The identity of a cluster that an environment made: what a destructive verb compares first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClusterIdentity {
    /// kind's name of the cluster.
    pub name: String,
    /// `metadata.uid` of the namespace `kube-system`.
    pub uid: String,
    /// The ids of the node containers, sorted.
    pub containers: Vec<String>,
    /// The URL of its API server; none in journals of labctls that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// A child process, known again after labctl itself is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Child {
    /// The program, for messages.
    pub program: String,
    /// Its process id, which is its process group's too.
    pub group: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`): a process id
    /// that was used again has another one.
    pub started: u64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EventKind {
    /// A run begins.
    RunStarted {
        /// The verb that was called.
        verb: Verb,
        /// The environment.
        environment: String,
        /// The lab's id.
        lab: String,
        /// The lab's title; not journalled.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        title: String,
        /// All steps of the run, in order; not journalled.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<StepInfo>,
    },
    /// A step's action is about to be done. Journalled and synced before anything is touched.
    StepStarted {
        /// The step.
        step: StepId,
        /// The fingerprint of what is about to be done.
        fingerprint: String,
        /// Why it is done, rather than skipped.
        reason: String,
        /// How it is taken back, if it is a fault: it is open from here on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Undo>,
        /// What it expects held already: that it holds later does not show that it was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
    },
    /// Ports of this machine were chosen for a cluster that is about to be made.
    PortsChosen {
        /// All of them.
        ports: Vec<Port>,
    },
    /// The container engine could not open a port that was chosen: another one is tried next.
    PortRefused {
        /// The port of this machine.
        host: u16,
    },
    /// The journal was damaged from a line on, and that part of it was kept aside: what it said is
    /// not known.
    JournalDamaged {
        /// The number of the line, from 1.
        line: u64,
    },
    /// The node containers of the cluster are about to be made under this name.
    ClusterIntended {
        /// kind's name of the cluster.
        name: String,
    },
    /// The cluster answers and is ours.
    ClusterCreated {
        /// Its identity.
        cluster: ClusterIdentity,
    },
    /// The cluster's node containers are stopped, as asked for.
    ClusterStopped,
    /// The cluster's node containers were stopped, or did not answer, and are back: the API server
    /// answers, and all nodes are Ready.
    ClusterStarted {
        /// How many nodes it has.
        nodes: usize,
        /// How long that took.
        took: Duration,
        /// The URL of its API server, if that is another one now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<String>,
    },
    /// The cluster is about to be deleted. What is found of it later is finished with first.
    ClusterDeleting,
    /// The cluster is gone.
    ClusterDeleted,
    /// A command is started.
    CommandStarted {
        /// The command line, secrets redacted.
        line: String,
    },
    /// A child runs. Journalled, so that a later command finds it if labctl is killed.
    ChildStarted {
        /// The child.
        child: Child,
    },
    /// A child ended.
    ChildExited {
        /// Its process group.
        group: u32,
    },
    /// A line that a child printed.
    Output {
        /// Which stream.
        stream: Stream,
        /// The line.
        line: Untrusted,
    },
    /// An image is being imported, or is there.
    Image {
        /// The image's name.
        image: String,
        /// The node, where it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// What happens to it: `fetched`, `imported`, `present`.
        state: ImageState,
    },
    /// A step's action is done; its expectations are looked at now.
    Applied {
        /// The step.
        step: StepId,
    },
    /// How far a step's requests are; sent about once a second.
    Measuring {
        /// The step.
        step: StepId,
        /// How many have ended.
        ended: u64,
        /// How many of these succeeded.
        succeeded: u64,
        /// How many there will be.
        of: u64,
    },
    /// What a step's requests came to. Recorded as a fact, under the step's id.
    Measured {
        /// The step.
        step: StepId,
        /// What they came to.
        measurement: Box<Measurement>,
    },
    /// Why a step is still waiting; sent whenever that changes.
    Waiting {
        /// The step.
        step: StepId,
        /// How long its expectations may take.
        within: Duration,
        /// All verdicts of the step, the ones that pass too.
        verdicts: Vec<Verdict>,
    },
    /// A step's expectations were seen to hold. Moves the cursor.
    Verified {
        /// The step.
        step: StepId,
        /// The fingerprint of what was verified.
        fingerprint: String,
        /// The facts that the step recorded.
        facts: Facts,
        /// The verdicts.
        verdicts: Vec<Verdict>,
    },
    /// A step's fault was taken back.
    Undone {
        /// The step.
        step: StepId,
        /// What no longer counts as seen to hold, if it was taken back before its time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rewound: Option<Rewound>,
    },
    /// Steps no longer count as seen to hold, and the cursor is where it says: because of a reset,
    /// or because an earlier step is done.
    Rewound {
        /// The step that a reset goes back to; none outside of a reset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<StepId>,
        /// Which, and where that leaves the cursor.
        rewound: Rewound,
    },
    /// Something is not as it was when the step was verified that is gone back to; it is put back.
    Differs {
        /// What, and how.
        differing: Differing,
    },
    /// A step is finished with, one way or another.
    StepFinished {
        /// The step.
        step: StepId,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
    },
    /// Something a reader should know and that changes nothing.
    Notice {
        /// The text.
        text: String,
    },
    /// The run is asked to stop.
    Cancelling {
        /// Why: a signal's name.
        reason: String,
    },
    /// A run ended.
    RunFinished {
        /// How.
        outcome: RunOutcome,
        /// How long it took.
        took: Duration,
    },
}

/// What happens to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    /// It is on this machine.
    Fetched,
    /// It is in the node.
    Imported,
}

impl EventKind {
    /// Whether the event belongs into the journal: only what a later command has to know.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        !matches!(
            self,
            Self::CommandStarted { .. }
                | Self::Output { .. }
                | Self::Image { .. }
                | Self::Measuring { .. }
                | Self::Waiting { .. }
                | Self::Differs { .. }
                | Self::Notice { .. }
        )
    }

    /// The event without what only a reader of the run has to know: the lesson's texts.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        if let Self::RunStarted { title, steps, .. } = &mut self {
            title.clear();
            steps.clear();
        }
        self
    }

    /// Whether the event has to be on the disk before the run goes on: intents, and what they
    /// turned into.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        matches!(
            self,
            Self::StepStarted { .. }
                | Self::JournalDamaged { .. }
                | Self::PortsChosen { .. }
                | Self::PortRefused { .. }
                | Self::ClusterIntended { .. }
                | Self::ClusterCreated { .. }
                | Self::ClusterStopped
                | Self::ClusterStarted { .. }
                | Self::ClusterDeleting
                | Self::ClusterDeleted
                | Self::Verified { .. }
                | Self::Undone { .. }
                | Self::Rewound { .. }
        )
    }
}
