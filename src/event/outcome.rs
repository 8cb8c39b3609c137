//! How steps and runs end.

use serde::{Deserialize, Serialize};

use super::Verdict;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its action was done and its expectations hold.
    Changed,
    /// Its expectations held already; nothing was done.
    Skipped {
        /// Why it was skipped.
        reason: String,
    },
    /// It failed: a command, or an expectation that did not come to hold in time.
    Failed(Failure),
    /// The run was asked to stop.
    Cancelled,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    /// What failed, a lower-case fragment: `failed to create cluster "lab-10-3"`.
    pub summary: String,
    /// The chain of causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do next.
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
    /// A failure with a summary alone.
    #[must_use]
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// The same failure with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The failure with this summary, of which `error` and its chain of sources are the causes.
    #[must_use]
    pub fn by(summary: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let mut failure = Self::of(error);
        failure.causes.insert(0, failure.summary);
        failure.summary = summary.into();
        failure
    }

    /// The failure that `error` is, with its chain of sources as causes.
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

    /// The summary and its causes, as one line.
    #[must_use]
    pub fn in_one_line(self) -> String {
        let all = std::iter::once(self.summary).chain(self.causes);
        all.collect::<Vec<_>>().join(": ")
    }
}

/// How a run ended; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// All that was asked for holds.
    Passed,
    /// A step or a check failed, or is still pending.
    Failed,
    /// The cluster cannot be asked.
    Unreachable,
    /// A signal ended the run.
    Cancelled {
        /// The signal's number.
        signal: i32,
    },
}
