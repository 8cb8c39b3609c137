//! The outcomes of steps and runs.

use serde::{Deserialize, Serialize};

use super::Verdict;

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The action was done and the expectations hold.
    Changed,
    /// The expectations held already, so nothing was done.
    Skipped {
        /// The reason for skipping the step.
        reason: String,
    },
    /// A command failed, or an expectation did not hold in time.
    Failed(Failure),
    /// The run was asked to stop.
    Cancelled,
}

/// The reason for a failure, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    /// The summary, a lower-case fragment: `failed to create cluster "lab-10-3"`.
    pub summary: String,
    /// The chain of causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The advice for the next action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The last lines that the failed command printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tail: Vec<String>,
    /// The verdicts that did not pass, if an expectation failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
}

impl Failure {
    /// Creates a failure with a summary alone.
    #[must_use]
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Creates a failure with `summary`. Its causes are `error` and the chain of its sources.
    #[must_use]
    pub fn by(summary: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let mut failure = Self::of(error);
        failure.causes.insert(0, failure.summary);
        failure.summary = summary.into();
        failure
    }

    /// Creates a failure from `error`, with the chain of its sources as causes.
    #[must_use]
    pub fn of(error: &dyn std::error::Error) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self {
            summary: error.to_string(),
            causes,
            ..Self::default()
        }
    }

    /// Returns the summary and the causes as one line.
    #[must_use]
    pub fn in_one_line(self) -> String {
        let all = std::iter::once(self.summary).chain(self.causes);
        all.collect::<Vec<_>>().join(": ")
    }
}

/// The outcome of a run. Each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// All requested steps and assertions hold.
    Passed,
    /// A step or an assertion failed or is still pending.
    Failed,
    /// The cluster does not answer.
    Unreachable,
    /// A signal ended the run.
    Cancelled {
        /// The signal's number.
        signal: i32,
    },
}
