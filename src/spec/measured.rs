//! Assertions about the measurement of a `load`: `success-rate`, `latency`, `mesh-retries`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{StepId, measurement::Latencies, span::Span};

/// The arguments of `success-rate`: the percentage of requests that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SuccessRate {
    /// The step that measured; the assertion's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<StepId>,
    /// The exact percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exactly: Option<f64>,
    /// The minimum percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The maximum percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl SuccessRate {
    /// Returns the range of allowed percentages.
    #[must_use]
    pub fn range(&self) -> Range {
        Range {
            exactly: self.exactly,
            at_least: self.at_least,
            at_most: self.at_most,
        }
    }
}

/// The arguments of `latency`: the time that requests took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LatencyOf {
    /// The step that measured; the assertion's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<StepId>,
    /// The quantile to compare.
    pub quantile: Quantile,
    /// The minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Span>,
    /// The maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Span>,
    /// The step to compare with: the limits then apply to the increase since that step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<StepId>,
}

/// A quantile of the latencies of all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantile {
    /// The median.
    P50,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
    /// The maximum.
    Max,
}

impl Quantile {
    /// Returns the quantile's latency, in microseconds.
    #[must_use]
    pub fn of(self, latency: &Latencies) -> u64 {
        match self {
            Self::P50 => latency.p50,
            Self::P95 => latency.p95,
            Self::P99 => latency.p99,
            Self::Max => latency.max,
        }
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
        })
    }
}

/// The arguments of `mesh-retries`: the counters of the client's Linkerd proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MeshRetries {
    /// The step that measured; the assertion's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<StepId>,
    /// The number of retries for each request.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub per_request: Range,
    /// The share of requests, from 0 to 1, that the proxy gave up at the limit of retries.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub given_up: Range,
    /// The percentage of good answers to the client.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub effective: Range,
    /// The percentage of good answers of the Service's Pods, retries included.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub actual: Range,
}

/// The allowed values of a number.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Range {
    /// The only allowed value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exactly: Option<f64>,
    /// The minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

/// The position of a number relative to a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Below the range.
    Below,
    /// Within the range.
    Within,
    /// Above the range.
    Above,
}

impl Range {
    /// Tests whether the range allows every number.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the position of `number` relative to the range.
    #[must_use]
    pub fn side(&self, number: f64) -> Side {
        /// The tolerance for rounding errors.
        const EPSILON: f64 = 1e-9;
        let least = self.exactly.or(self.at_least);
        let most = self.exactly.or(self.at_most);
        if least.is_some_and(|least| number < least - EPSILON) {
            Side::Below
        } else if most.is_some_and(|most| number > most + EPSILON) {
            Side::Above
        } else {
            Side::Within
        }
    }

    /// Validates the range of a number from 0 to `most`. Returns a message for each error, in which
    /// `what` names the range.
    pub(super) fn faults(&self, what: &str, most: Option<f64>) -> Vec<String> {
        let mut faults = Vec::new();
        if self.is_any() {
            faults.push(format!("{what} needs `exactly`, `at-least` or `at-most`"));
        }
        if self.exactly.is_some() && (self.at_least.is_some() || self.at_most.is_some()) {
            faults.push(format!("{what} says `exactly`, and something else besides"));
        }
        let all = [self.exactly, self.at_least, self.at_most];
        let is_out = |n: &f64| *n < 0.0 || most.is_some_and(|most| *n > most);
        if all.into_iter().flatten().any(|n| is_out(&n)) {
            let most = most.map_or_else(String::new, |most| format!(" to {most}"));
            faults.push(format!("{what} is from 0{most}"));
        }
        if matches!((self.at_least, self.at_most), (Some(a), Some(b)) if a > b) {
            faults.push(format!("{what} has to be more than it may"));
        }
        faults
    }
}

impl fmt::Display for Range {
    /// Writes, for instance, `from 90 to 97`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.exactly, self.at_least, self.at_most) {
            (Some(n), ..) => write!(f, "exactly {n}"),
            (_, Some(a), Some(b)) => write!(f, "from {a} to {b}"),
            (_, Some(a), None) => write!(f, "at least {a}"),
            (_, None, Some(b)) => write!(f, "at most {b}"),
            (_, None, None) => f.write_str("any"),
        }
    }
}

impl MeshRetries {
    /// Validates the assertion. Returns a message for each error.
    pub(super) fn faults(&self) -> Vec<String> {
        let named = [
            ("`mesh-retries`: `per-request`", self.per_request, None),
            ("`mesh-retries`: `given-up`", self.given_up, Some(1.0)),
            ("`mesh-retries`: `effective`", self.effective, Some(100.0)),
            ("`mesh-retries`: `actual`", self.actual, Some(100.0)),
        ];
        if named.iter().all(|(_, range, _)| range.is_any()) {
            return vec!["`mesh-retries` says nothing that could fail".to_owned()];
        }
        let given = named.iter().filter(|(_, range, _)| !range.is_any());
        given
            .flat_map(|(what, range, most)| range.faults(what, *most))
            .collect()
    }
}

impl LatencyOf {
    /// Validates the assertion. Returns a message for each error.
    pub(super) fn faults(&self) -> Vec<String> {
        match (self.at_least, self.at_most) {
            (None, None) => vec!["`latency` needs `at-least` or `at-most`".to_owned()],
            (Some(a), Some(b)) if a > b => vec!["`latency` has to be more than it may".to_owned()],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_on_a_side() {
        let range = |yaml: &str| -> Range { serde_saphyr::from_str(yaml).unwrap() };
        let between = range("{at-least: 90, at-most: 97}");
        assert_eq!(between.side(89.99), Side::Below);
        assert_eq!(between.side(97.0), Side::Within);
        assert_eq!(between.side(97.01), Side::Above);
        let exactly = range("{exactly: 3}");
        assert_eq!(exactly.side(600.0 / 200.0), Side::Within);
        assert_eq!(exactly.side(3.005), Side::Above);
        assert_eq!(between.to_string(), "from 90 to 97");
        assert_eq!(exactly.to_string(), "exactly 3");
    }
}
