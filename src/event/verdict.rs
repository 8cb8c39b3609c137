//! Verdicts: the results of assertions, clause by clause.

use serde::{Deserialize, Serialize};

/// The status of a clause or of a whole assertion.
///
/// Ordered by how strongly it speaks against a pass: the status of an assertion is the greatest
/// status of its clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The clause holds.
    Pass,
    /// The clause does not hold, and may hold later without anybody acting.
    Pending,
    /// Nobody can tell: the cluster does not answer, or the fact to compare with is missing. Never
    /// counts as a pass.
    Unknown,
    /// The clause does not hold, and waiting alone will not change that.
    Failed,
}

/// One part of an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clause {
    /// The subject of the clause, naming the object: `claim data-postgres-0 is the same`.
    pub what: String,
    /// The status of the clause.
    pub status: Status,
    /// The expected value.
    pub expected: String,
    /// The observed value.
    pub actual: String,
    /// Other observations that bear on the clause: events, messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The causes if the clause does not hold, computed from the objects, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

impl Clause {
    /// Creates a clause about `what`, without evidence or causes.
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

    /// Creates a clause that passes if `holds` and has the status `otherwise` if not.
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

    /// Sets the chain of causes.
    #[must_use]
    pub fn because(mut self, because: Vec<String>) -> Self {
        self.because = because;
        self
    }

    /// Sets the evidence.
    #[must_use]
    pub fn evidence(mut self, evidence: Vec<String>) -> Self {
        self.evidence = evidence;
        self
    }
}

/// The result of an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Verdict {
    /// The assertion and its subject: `pvc-reattached postgres-0`.
    pub assertion: String,
    /// The greatest status of the clauses.
    pub status: Status,
    /// The clauses, at least one unless nothing was seen.
    pub clauses: Vec<Clause>,
}

impl Verdict {
    /// Combines `clauses` into a verdict. Without clauses the verdict is Unknown, as nothing was
    /// seen.
    #[must_use]
    pub fn of(assertion: impl Into<String>, clauses: Vec<Clause>) -> Self {
        let status = clauses.iter().map(|c| c.status).max();
        Self {
            assertion: assertion.into(),
            status: status.unwrap_or(Status::Unknown),
            clauses,
        }
    }

    /// Returns the greatest status of `verdicts`. Without verdicts that is a pass, as a step
    /// without expectations has nothing that could fail.
    #[must_use]
    pub fn worst(verdicts: &[Self]) -> Status {
        verdicts
            .iter()
            .map(|v| v.status)
            .max()
            .unwrap_or(Status::Pass)
    }
}
