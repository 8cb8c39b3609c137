//! Why the engine cannot go on. A step that fails is not among it: that is an outcome.

use super::nodes::Presence;
use crate::{
    assert::ClusterError,
    event::{Failure, Redactor},
    snapshot::LiveError,
    state::StateError,
    tool::{Stopped, ToolError},
};

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The environment's files.
    #[error(transparent)]
    State(#[from] StateError),
    /// The cluster cannot be asked.
    #[error("the cluster of the environment \"{environment}\" cannot be asked")]
    Cluster {
        /// The environment.
        environment: String,
        /// What names the environment to the verbs.
        call: String,
        /// Why.
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
        /// What names the environment to the verbs.
        call: String,
        /// How they stand.
        source: Presence,
    },
    /// A command failed.
    #[error("failed to {what}")]
    Tool {
        /// What it was for.
        what: String,
        /// Why.
        source: ToolError,
    },
    /// Going on would touch what the environment did not make.
    #[error("refused to {what}")]
    Unsafe {
        /// What was about to be done.
        what: String,
        /// Why it was not.
        #[source]
        why: Why,
    },
    /// A reset was begun and not finished.
    #[error("the reset to step {step} was interrupted, and is gone on with before anything else")]
    Unfinished {
        /// The step.
        step: String,
        /// What names the environment to the verbs.
        call: String,
    },
    /// A step failed; carried up to where it becomes the step's outcome.
    #[error("{}", .0.summary)]
    Step(Box<Failure>),
    /// The run was asked to stop.
    #[error("the run was asked to stop")]
    Stopped,
    /// Whoever shows the events cannot go on.
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
    /// A command that failed, or a run that was asked to stop while it ran.
    pub fn tool(what: impl Into<String>) -> impl FnOnce(ToolError) -> Self {
        let what = what.into();
        move |source| match source {
            ToolError::Stopped { .. } => Self::Stopped,
            source => Self::Tool { what, source },
        }
    }

    /// The same error without secrets, and harmless.
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

    /// The failure of a step that `self` is; `self` if the whole run ends with it.
    pub fn into_failure(self) -> Result<Failure, Self> {
        match self {
            Self::Step(failure) => Ok(*failure),
            Self::Live(error) => Ok(Failure::of(&error)),
            Self::Tool { what, source } => Ok(source.failure(format!("failed to {what}"))),
            other => Err(other),
        }
    }
}
