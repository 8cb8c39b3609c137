//! What a `load` came to: a fact that its step records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{StepId, toxic::PlacedToxic};

/// What became of the requests of one `load`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Measurement {
    /// Where they were sent to.
    pub url: String,
    /// Who sent them: `deployment/client`.
    pub from: String,
    /// Whether connections were kept for the next request.
    pub keep_alive: bool,
    /// How many ended.
    pub requests: u64,
    /// How many of them with a status of 2xx.
    pub succeeded: u64,
    /// How many by status, or by how they failed.
    pub codes: BTreeMap<String, u64>,
    /// How long they took, in microseconds.
    pub latency: Latencies,
    /// How long all of it took, in milliseconds.
    pub took: u64,
    /// What became of them over time.
    pub series: Series,
    /// The toxics that labctl had open meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub toxics: Vec<OpenToxic>,
    /// What the mesh's proxy beside the client counted.
    pub mesh: Mesh,
}

/// How long requests took, in microseconds; those that failed, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Latencies {
    /// The median.
    pub p50: u64,
    /// 95 of 100 were not slower.
    pub p95: u64,
    /// 99 of 100 were not slower.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

/// Requests over time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Series {
    /// How long an interval is, in seconds.
    pub interval: u64,
    /// Requests that ended in each.
    pub requests: Vec<u64>,
    /// Those of them that succeeded.
    pub succeeded: Vec<u64>,
}

/// A toxic that labctl had open during a measurement, as Toxiproxy had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OpenToxic {
    /// The step that injected it.
    pub step: StepId,
    /// Where it is.
    pub at: PlacedToxic,
    /// The port on which the proxy listens, if Toxiproxy said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listens: Option<u16>,
    /// Whether it was there when the measurement ended.
    pub present: bool,
}

/// What the mesh's proxy beside the client counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mesh {
    /// There is none.
    Unmeshed,
    /// It cannot be told, and why: a proxy that does not answer, or that was restarted meanwhile.
    Unknown(String),
    /// Its counters, summed up over the client's pods.
    Counted {
        /// Before the first request.
        before: Counters,
        /// After the last one.
        after: Counters,
    },
}

/// Counters of a proxy about requests to one Service. They begin at 0 whenever a proxy starts: only
/// differences say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Counters {
    /// `outbound_http_route_request_statuses_total`: what the client got, good and bad.
    pub effective: Answers,
    /// `outbound_http_route_backend_response_statuses_total`: what the Service's pods said, retries
    /// included.
    pub actual: Answers,
    /// `outbound_http_route_retry_requests_total`: requests that were sent again.
    pub retries: u64,
    /// `outbound_http_route_retry_successes_total`: those that were answered well then.
    pub retry_successes: u64,
    /// `outbound_http_route_retry_limit_exceeded_total`: given up, as the limit was reached.
    pub given_up: u64,
    /// `outbound_http_route_retry_overflow_total`: not sent again, as too many were.
    pub overflow: u64,
}

/// Answers, by whether they are good: a status of 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answers {
    /// Good ones.
    pub good: u64,
    /// All others.
    pub bad: u64,
}

impl Answers {
    /// All of them.
    #[must_use]
    pub fn all(self) -> u64 {
        self.good + self.bad
    }

    /// How many of a hundred are good; none if there are none at all.
    #[must_use]
    pub fn success(self) -> Option<f64> {
        ratio(self.good, self.all()).map(|part| part * 100.0)
    }
}

impl Counters {
    /// What was counted between `before` and these; none if one of them fell, which they do only
    /// when a proxy starts anew.
    #[must_use]
    pub fn since(&self, before: &Self) -> Option<Self> {
        let answers = |now: Answers, then: Answers| {
            Some(Answers {
                good: now.good.checked_sub(then.good)?,
                bad: now.bad.checked_sub(then.bad)?,
            })
        };
        Some(Self {
            effective: answers(self.effective, before.effective)?,
            actual: answers(self.actual, before.actual)?,
            retries: self.retries.checked_sub(before.retries)?,
            retry_successes: self.retry_successes.checked_sub(before.retry_successes)?,
            given_up: self.given_up.checked_sub(before.given_up)?,
            overflow: self.overflow.checked_sub(before.overflow)?,
        })
    }

    /// These and others.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let answers = |a: Answers, b: Answers| Answers {
            good: a.good + b.good,
            bad: a.bad + b.bad,
        };
        Self {
            effective: answers(self.effective, other.effective),
            actual: answers(self.actual, other.actual),
            retries: self.retries + other.retries,
            retry_successes: self.retry_successes + other.retry_successes,
            given_up: self.given_up + other.given_up,
            overflow: self.overflow + other.overflow,
        }
    }
}

impl Measurement {
    /// How many of a hundred requests succeeded; none if there were no requests.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        ratio(self.succeeded, self.requests).map(|part| part * 100.0)
    }

    /// `200 × 189, 503 × 11`
    #[must_use]
    pub fn codes(&self) -> String {
        let codes: Vec<String> = self
            .codes
            .iter()
            .map(|(code, n)| format!("{code} × {n}"))
            .collect();
        codes.join(", ")
    }
}

/// How many times `of` is in `part`; none if `of` is 0.
#[must_use]
#[allow(clippy::cast_precision_loss)] // counts of requests are far below 2^52
pub fn ratio(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}
