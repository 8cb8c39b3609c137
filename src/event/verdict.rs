//! Verdicts: what an assertion came to, clause by clause.

use serde::{Deserialize, Serialize};

/// What a clause, or a whole assertion, came to.
///
/// Ordered by how much it says against passing: the status of a whole is the greatest of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds.
    Pass,
    /// It does not hold, and may still come to hold by waiting.
    Pending,
    /// It cannot be told: the cluster does not answer, or the fact to compare with is missing.
    /// Never a pass.
    Unknown,
    /// It does not hold, and waiting alone will not change that.
    Failed,
}

/// One thing that an assertion looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clause {
    /// What is looked at, naming the object: `claim data-postgres-0 is the same`.
    pub what: String,
    /// What it came to.
    pub status: Status,
    /// What was expected.
    pub expected: String,
    /// What is.
    pub actual: String,
    /// What else was seen that bears on it: events, messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Why it does not hold, computed from the objects; the nearest cause first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

impl Clause {
    /// A clause about `what`.
    #[must_use]
    pub fn new(
        status: Status,
        what: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            status,
            expected: expected.into(),
            actual: actual.into(),
            evidence: Vec::new(),
            because: Vec::new(),
        }
    }

    /// A clause that passes if `holds`, and is `otherwise` if not.
    #[must_use]
    pub fn when(
        holds: bool,
        otherwise: Status,
        what: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        let status = if holds { Status::Pass } else { otherwise };
        Self::new(status, what, expected, actual)
    }

    /// The same clause with a chain of causes.
    #[must_use]
    pub fn because(mut self, because: Vec<String>) -> Self {
        self.because = because;
        self
    }

    /// The same clause with evidence.
    #[must_use]
    pub fn evidence(mut self, evidence: Vec<String>) -> Self {
        self.evidence = evidence;
        self
    }
}

/// What an assertion came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Verdict {
    /// The assertion and its subject: `pvc-reattached postgres-0`.
    pub assertion: String,
    /// What it came to: the greatest status of its clauses.
    pub status: Status,
    /// Its clauses, never none.
    pub clauses: Vec<Clause>,
}

impl Verdict {
    /// The verdict that `clauses` add up to. No clause at all is Unknown: nothing was seen.
    #[must_use]
    pub fn of(assertion: impl Into<String>, clauses: Vec<Clause>) -> Self {
        let status = clauses.iter().map(|c| c.status).max();
        Self {
            assertion: assertion.into(),
            status: status.unwrap_or(Status::Unknown),
            clauses,
        }
    }

    /// The greatest status of all `verdicts`; a pass if there are none, as a step without
    /// expectations has nothing that could fail.
    #[must_use]
    pub fn worst(verdicts: &[Self]) -> Status {
        verdicts
            .iter()
            .map(|v| v.status)
            .max()
            .unwrap_or(Status::Pass)
    }
}
