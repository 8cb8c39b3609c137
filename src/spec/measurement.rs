//! The measurement of a `load`: a fact that its step records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{StepId, toxic::PlacedToxic};

/// The measurement of the requests of one `load`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Measurement {
    /// The URL of the requests.
    pub url: String,
    /// The workload that sent them: `deployment/client`.
    pub from: String,
    /// True if connections were kept for the next request.
    pub keep_alive: bool,
    /// The number of requests that ended.
    pub requests: u64,
    /// The number of requests answered with a status of 2xx.
    pub succeeded: u64,
    /// The number of requests by status, or by the kind of failure.
    pub codes: BTreeMap<String, u64>,
    /// The latencies of the requests, in microseconds.
    pub latency: Latencies,
    /// The duration of the whole load, in milliseconds.
    pub took: u64,
    /// The requests over time.
    pub series: Series,
    /// The toxics that labctl had open during the load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub toxics: Vec<OpenToxic>,
    /// The counters of the mesh's proxy beside the client.
    pub mesh: Mesh,
}

/// The latencies of requests, in microseconds; failed requests included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Latencies {
    /// The median.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The maximum.
    pub max: u64,
}

/// Requests over time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Series {
    /// The length of an interval, in seconds.
    pub interval: u64,
    /// The number of requests that ended in each interval.
    pub requests: Vec<u64>,
    /// The number of those requests that succeeded.
    pub succeeded: Vec<u64>,
}

/// A toxic that labctl had open during a measurement, as Toxiproxy reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OpenToxic {
    /// The step that injected it.
    pub step: StepId,
    /// Its place.
    pub at: PlacedToxic,
    /// The port on which the proxy listens, if Toxiproxy reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listens: Option<u16>,
    /// True if the toxic was there when the measurement ended.
    pub present: bool,
}

/// The counters of the mesh's proxy beside the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mesh {
    /// The client has no proxy.
    Unmeshed,
    /// Unknown counters, with the reason: the proxy does not answer, or it restarted during the
    /// load.
    Unknown(String),
    /// The sum of the counters over the client's Pods.
    Counted {
        /// The counters before the first request.
        before: Counters,
        /// The counters after the last request.
        after: Counters,
    },
}

/// A proxy's counters of requests to one Service. A proxy counts from 0 when it starts, so that
/// only differences mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Counters {
    /// `outbound_http_route_request_statuses_total`: answers that the client got.
    pub effective: Answers,
    /// `outbound_http_route_backend_response_statuses_total`: answers of the Service's Pods,
    /// retries included.
    pub actual: Answers,
    /// `outbound_http_route_retry_requests_total`: retries.
    pub retries: u64,
    /// `outbound_http_route_retry_successes_total`: retries that succeeded.
    pub retry_successes: u64,
    /// `outbound_http_route_retry_limit_exceeded_total`: requests given up at the limit of retries.
    pub given_up: u64,
    /// `outbound_http_route_retry_overflow_total`: requests not retried because too many were.
    pub overflow: u64,
}

/// Numbers of good and bad answers; a good one has a status of 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answers {
    /// The number of good answers.
    pub good: u64,
    /// The number of all others.
    pub bad: u64,
}

impl Answers {
    /// Returns the number of all answers.
    #[must_use]
    pub fn all(self) -> u64 {
        self.good + self.bad
    }

    /// Returns the percentage of good answers, or `None` if there are no answers.
    #[must_use]
    pub fn success(self) -> Option<f64> {
        ratio(self.good, self.all()).map(|part| part * 100.0)
    }
}

impl Counters {
    /// Returns the difference from `before`. Returns `None` if a counter fell, which happens only
    /// when the proxy restarts.
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

    /// Returns the sum of these counters and `other`.
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
    /// Returns the percentage of requests that succeeded, or `None` if there were no requests.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        ratio(self.succeeded, self.requests).map(|part| part * 100.0)
    }

    /// Returns the counts by status as text: `200 × 189, 503 × 11`.
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

/// Returns `part` divided by `of`, or `None` if `of` is 0.
#[must_use]
#[allow(clippy::cast_precision_loss)] // counts of requests are far below 2^52
pub fn ratio(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}
