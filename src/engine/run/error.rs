//! The errors that end a run. A step that fails is an outcome, and not among them.

use crate::{
    assert::ClusterError,
    engine::cluster::nodes::Presence,
    event::{Failure, Redactor},
    snapshot::LiveError,
    state::StateError,
    tool::{Stopped, ToolError},
};

/// A reason why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file of the environment cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The cluster cannot be asked.
    #[error("the cluster of the environment \"{environment}\" cannot be asked")]
    Cluster {
        /// The environment.
        environment: String,
        /// The arguments that name the environment to the verbs.
        call: String,
        /// The reason.
        source: ClusterError,
    },
    /// The cluster's objects cannot be listed or changed.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The cluster cannot be asked, because its containers do not run.
    #[error("the cluster of the environment \"{environment}\" cannot be asked")]
    Nodes {
        /// The environment.
        environment: String,
        /// The arguments that name the environment to the verbs.
        call: String,
        /// The state of the containers.
        source: Presence,
    },
    /// A command failed.
    #[error("failed to {what}")]
    Tool {
        /// The purpose of the command.
        what: String,
        /// The reason.
        source: ToolError,
    },
    /// The next action would touch something that the environment did not make.
    #[error("refused to {what}")]
    Unsafe {
        /// The action that was refused.
        what: String,
        /// The reason for the refusal.
        #[source]
        why: Why,
    },
    /// A reset was begun and not finished.
    #[error("the reset to step {step} was interrupted, and is gone on with before anything else")]
    Unfinished {
        /// The step to which it resets.
        step: String,
        /// The arguments that name the environment to the verbs.
        call: String,
    },
    /// A step failed. Callers pass the failure up to where it becomes the step's outcome.
    #[error("{}", .0.summary)]
    Step(Box<Failure>),
    /// The run was asked to stop.
    #[error("the run was asked to stop")]
    Stopped,
    /// The events cannot be shown any more.
    #[error("failed to report what happens")]
    Report(#[source] std::io::Error),
}

/// A reason in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Why(pub String);

impl From<Stopped> for EngineError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl EngineError {
    /// Returns a function that maps a tool's error: to `Stopped` if the run was asked to stop while
    /// the tool ran, and to `Tool` otherwise.
    pub fn tool(what: impl Into<String>) -> impl FnOnce(ToolError) -> Self {
        let what = what.into();
        move |source| match source {
            ToolError::Stopped { .. } => Self::Stopped,
            source => Self::Tool { what, source },
        }
    }

    /// Returns the error without secrets, and harmless to print.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        match &mut self {
            Self::Tool { what, source } => {
                redactor.scrub(what);
                match source {
                    ToolError::Exit { line, tail, .. } => {
                        redactor.scrub(line);
                        redactor.all(tail);
                    }
                    ToolError::Start { line, .. }
                    | ToolError::TooMuch { line, .. }
                    | ToolError::Write { line, .. }
                    | ToolError::Stopped { line } => {
                        redactor.scrub(line);
                    }
                    ToolError::Missing { .. } | ToolError::Refused { .. } => {}
                }
            }
            Self::Cluster { source, .. } => match source {
                ClusterError::Unreachable { why } => redactor.scrub(why),
                ClusterError::Kubeconfig { source, .. } => {
                    *source = redactor.text(&source.to_string()).into();
                }
                ClusterError::Plugin { .. } => {}
            },
            Self::Live(error) => {
                redactor.scrub(&mut error.what);
                error.source = redactor.text(&error.source.to_string()).into();
            }
            Self::Unsafe { what, why } => {
                redactor.scrub(what);
                redactor.scrub(&mut why.0);
            }
            Self::Step(failure) => redactor.failure(failure),
            Self::State(_)
            | Self::Nodes { .. }
            | Self::Unfinished { .. }
            | Self::Stopped
            | Self::Report(_) => {}
        }
        self
    }

    /// Returns the failure of a step, or `self` as an error if it ends the whole run.
    pub fn into_failure(self) -> Result<Failure, Self> {
        match self {
            Self::Step(failure) => Ok(*failure),
            Self::Live(error) => Ok(Failure::of(&error)),
            Self::Tool { what, source } => Ok(source.failure(format!("failed to {what}"))),
            other => Err(other),
        }
    }
}
