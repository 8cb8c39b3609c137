//! The data model of a run: events, outcomes, verdicts, and the fold that turns events into state.
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

/// An event, written as one line in the journal and by `--output json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Event {
    /// The number of the event. A journal counts from 1, without gaps among all events of a run.
    /// Events before a run begins have the number 0.
    pub seq: u64,
    /// The time of the event, by the clock of this machine.
    pub at: Timestamp,
    /// The kind of the event and its data.
    pub event: EventKind,
}

/// A verb that runs steps or evaluates assertions.
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
    /// Returns true if a run of this verb may change something in the cluster. Such a run is
    /// responsible for open faults.
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

/// The part of a step that a reader of events needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepInfo {
    /// The step's id.
    pub id: StepId,
    /// The title of the step.
    pub title: String,
    /// The lesson of the step: why the step is there, and where to look (Markdown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teach: Option<String>,
    /// True if the step expects nothing. Such a step can only be said to be done, not to hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
}

/// The stream of a child that a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The identity of a cluster that an environment made. Destructive verbs compare it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClusterIdentity {
    /// kind's name of the cluster.
    pub name: String,
    /// `metadata.uid` of the namespace `kube-system`.
    pub uid: String,
    /// The ids of the node containers, sorted.
    pub containers: Vec<String>,
    /// The URL of the API server. None in journals of older versions of labctl, which did not
    /// record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// A child process, described well enough for a later labctl to find it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Child {
    /// The program, for messages.
    pub program: String,
    /// The process id, which is the id of the process group too.
    pub group: u32,
    /// The start time in clock ticks since boot (field 22 of `/proc/PID/stat`). A process that
    /// reuses the id has another start time.
    pub started: u64,
}

/// The kind of an event, with its data.
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
    /// A step's action is about to run. Journalled and synced before anything is touched.
    StepStarted {
        /// The step.
        step: StepId,
        /// The fingerprint of the step as it is about to run.
        fingerprint: String,
        /// The reason for running the step rather than skipping it.
        reason: String,
        /// The way to heal the fault, if the step injects one. The fault is open from here on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Undo>,
        /// True if the expectations held before the action. Then their holding later does not prove
        /// that the action was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
    },
    /// Ports of this machine were chosen for a cluster that is about to be created.
    PortsChosen {
        /// All chosen ports.
        ports: Vec<Port>,
    },
    /// The container engine could not open a chosen port. Another one is tried next.
    PortRefused {
        /// The port of this machine.
        host: u16,
    },
    /// The journal was damaged from a line on, and that tail was kept aside. The events in the tail
    /// are lost.
    JournalDamaged {
        /// The number of the first damaged line, from 1.
        line: u64,
    },
    /// The node containers of the cluster are about to be created under this name.
    ClusterIntended {
        /// kind's name of the cluster.
        name: String,
    },
    /// The cluster answers and belongs to the environment.
    ClusterCreated {
        /// The identity of the cluster.
        cluster: ClusterIdentity,
    },
    /// The cluster's node containers were stopped on request.
    ClusterStopped,
    /// A cluster whose node containers were stopped or did not answer is back: the API server
    /// answers, and all nodes are Ready.
    ClusterStarted {
        /// The number of nodes.
        nodes: usize,
        /// The time until the cluster was back.
        took: Duration,
        /// The URL of the API server, if it changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<String>,
    },
    /// The cluster is about to be deleted. A later command that finds remains of the cluster
    /// deletes them first.
    ClusterDeleting,
    /// The cluster is gone.
    ClusterDeleted,
    /// A command starts.
    CommandStarted {
        /// The command line, with secrets redacted.
        line: String,
    },
    /// A child started. Journalled, so that a later command finds the child if labctl is killed.
    ChildStarted {
        /// The child.
        child: Child,
    },
    /// A child ended.
    ChildExited {
        /// The id of the child's process group.
        group: u32,
    },
    /// A line that a child printed.
    Output {
        /// The stream that the child printed to.
        stream: Stream,
        /// The line.
        line: Untrusted,
    },
    /// An image was fetched, or imported into a node.
    Image {
        /// The image's name.
        image: String,
        /// The node, if the image was imported into one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// The new state of the image.
        state: ImageState,
    },
    /// A step's action is done. The step's expectations are evaluated next.
    Applied {
        /// The step.
        step: StepId,
    },
    /// The progress of a step's load. Sent about once a second.
    Measuring {
        /// The step.
        step: StepId,
        /// The number of requests that have ended.
        ended: u64,
        /// The number of ended requests that succeeded.
        succeeded: u64,
        /// The total number of requests of the load.
        of: u64,
    },
    /// The measurement of a step's load. Recorded as a fact under the step's id.
    Measured {
        /// The step.
        step: StepId,
        /// The measurement.
        measurement: Box<Measurement>,
    },
    /// A step waits for its expectations to hold. Sent whenever the reason changes.
    Waiting {
        /// The step.
        step: StepId,
        /// The time within which the expectations have to hold.
        within: Duration,
        /// All verdicts of the step, including the passed ones.
        verdicts: Vec<Verdict>,
    },
    /// A step's expectations held. Moves the cursor to the step, unless the step was verified
    /// before.
    Verified {
        /// The step.
        step: StepId,
        /// The fingerprint of the verified step.
        fingerprint: String,
        /// The facts that the step recorded.
        facts: Facts,
        /// The verdicts.
        verdicts: Vec<Verdict>,
    },
    /// A step's fault was healed.
    Undone {
        /// The step.
        step: StepId,
        /// The steps that no longer count as verified, if the fault was healed before its time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rewound: Option<Rewound>,
    },
    /// Steps no longer count as verified, and the cursor moves: because of a reset, or because an
    /// earlier step runs again.
    Rewound {
        /// The step that a reset goes back to. None outside of a reset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<StepId>,
        /// The steps that no longer count, and the new cursor.
        rewound: Rewound,
    },
    /// Something differs from the snapshot that a reset goes back to. The reset restores it.
    Differs {
        /// The difference.
        differing: Differing,
    },
    /// A step ended.
    StepFinished {
        /// The step.
        step: StepId,
        /// The outcome of the step.
        outcome: Outcome,
        /// The duration of the step.
        took: Duration,
    },
    /// Something that a reader should know. Changes nothing.
    Notice {
        /// The text.
        text: String,
    },
    /// The run was asked to stop.
    Cancelling {
        /// The reason: the name of a signal.
        reason: String,
    },
    /// A run ended.
    RunFinished {
        /// The outcome of the run.
        outcome: RunOutcome,
        /// The duration of the run.
        took: Duration,
    },
}

/// The state of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    /// The image is on this machine.
    Fetched,
    /// The image is in the node.
    Imported,
}

impl EventKind {
    /// Returns true if the event belongs into the journal: if a later command needs it.
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

    /// Returns the event without the lesson's texts, which only a reader of the run needs.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        if let Self::RunStarted { title, steps, .. } = &mut self {
            title.clear();
            steps.clear();
        }
        self
    }

    /// Returns true if the event has to be on disk before the run goes on. These are intents, and
    /// the events that say how an intent ended.
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
