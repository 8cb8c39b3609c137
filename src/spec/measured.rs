//! Assertions about what a `load` measured: `success-rate`, `latency`, `mesh-retries`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{StepId, measurement::Latencies, span::Span};

/// `success-rate`: how many of a hundred requests succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SuccessRate {
    /// The step that measured; the assertion's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<StepId>,
    /// This many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exactly: Option<f64>,
    /// Not fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Not more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl SuccessRate {
    /// What it may be.
    #[must_use]
    pub fn range(&self) -> Range {
        Range {
            exactly: self.exactly,
            at_least: self.at_least,
            at_most: self.at_most,
        }
    }
}

/// `latency`: how long requests took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LatencyOf {
    /// The step that measured; the assertion's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<StepId>,
    /// Of which request.
    pub quantile: Quantile,
    /// Not less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Span>,
    /// Not more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Span>,
    /// How much longer than in this step, rather than how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<StepId>,
}

/// Which request of all, by how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantile {
    /// The one in the middle.
    P50,
    /// The one that 95 of 100 are not slower than.
    P95,
    /// The one that 99 of 100 are not slower than.
    P99,
    /// The slowest.
    Max,
}

impl Quantile {
    /// Its time, in microseconds.
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

/// `mesh-retries`: what the client's Linkerd proxy counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MeshRetries {
    /// The step that measured; the assertion's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<StepId>,
    /// How many retries there were for each request.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub per_request: Range,
    /// How many of the requests were given up, as the limit of retries was reached: from 0 to 1.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub given_up: Range,
    /// How many of a hundred answers to the client were good.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub effective: Range,
    /// How many of a hundred answers of the Service's pods were good, retries included.
    #[serde(default, skip_serializing_if = "Range::is_any")]
    pub actual: Range,
}

/// What a number may be.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Range {
    /// This.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exactly: Option<f64>,
    /// Not less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Not more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

/// Where a number lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Below what it may be.
    Below,
    /// Within it.
    Within,
    /// Above it.
    Above,
}

impl Range {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Where `number` lies.
    #[must_use]
    pub fn side(&self, number: f64) -> Side {
        /// What is lost by computing.
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

    /// What is wrong with it, where the number is from 0 to `most`.
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
    /// `from 90 to 97`
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
    /// What is wrong with it.
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
    /// What is wrong with it.
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
