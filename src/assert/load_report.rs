//! The output of the demo application's load generator.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::spec::measurement::{Latencies, Series};

/// A report of the load generator. It prints an interim report about every second, and a final one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LoadReport {
    /// The number of requests that ended.
    pub requests: u64,
    /// The number of requests that succeeded.
    pub succeeded: u64,
    /// The number of requests by status, or by the kind of failure.
    pub codes: BTreeMap<String, u64>,
    latency_ms: Millis,
    seconds: f64,
    /// The counts over time; empty if the image does not report them.
    #[serde(default)]
    pub series: Series,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Millis {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

/// Parses `line`; `None` if it is not a report.
#[must_use]
pub fn parse(line: &str) -> Option<LoadReport> {
    serde_json::from_str(line).ok()
}

impl LoadReport {
    /// Returns the latencies of the requests, in microseconds.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        let Millis { p50, p95, p99, max } = self.latency_ms;
        Latencies {
            p50: thousandfold(p50),
            p95: thousandfold(p95),
            p99: thousandfold(p99),
            max: thousandfold(max),
        }
    }

    /// Returns the duration of the load, in milliseconds.
    #[must_use]
    pub fn took(&self) -> u64 {
        thousandfold(self.seconds)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // times of a load, from 0 on
fn thousandfold(number: f64) -> u64 {
    (number * 1000.0).round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_and_what_is_none_is_not() {
        let line = r#"{"url":"http://api:8080/api/entries","keep_alive":false,"requests":200,
            "succeeded":189,"failed":11,"codes":{"200":189,"503":11},"pods":{"api-5d9c-x2x7k":200},
            "latency_ms":{"p50":3.1,"p95":9.8,"p99":15.2,"max":21.4},"longest_failure_run":2,
            "longest_without_success_ms":151,"started":"2026-01-01T12:00:00.000Z",
            "ended":"2026-01-01T12:00:10.000Z","seconds":10.0,"rate":20.0,
            "series":{"interval":1,"requests":[20,20],"succeeded":[20,17]}}"#;
        let report = parse(line).unwrap();
        assert_eq!((report.requests, report.succeeded), (200, 189));
        assert_eq!((report.latency().p50, report.latency().max), (3100, 21_400));
        assert_eq!((report.took(), report.series.succeeded[1]), (10_000, 17));
        for other in ["", "error: cannot listen", "{}", "[1]", "12"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
