//! What became of requests, counted in memory that does not grow with them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use jiff::Timestamp;
use serde::Serialize;

use super::series::Series;

/// How many pods are told apart; the others are counted as `other`.
const PODS: usize = 64;

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered, by this pod if the answer says so.
    Answer { status: u16, pod: Option<String> },
    /// It was not; a word of a short list.
    Error(&'static str),
}

/// The result, as it is printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Where to.
    pub url: String,
    /// Whether connections were kept.
    pub keep_alive: bool,
    /// Requests that ended.
    pub requests: u64,
    /// Answers with a status of 2xx.
    pub succeeded: u64,
    /// All others.
    pub failed: u64,
    /// How many by status, and by kind of error.
    pub codes: BTreeMap<String, u64>,
    /// How many each pod answered, by the header `x-pod`.
    pub pods: BTreeMap<String, u64>,
    /// Of all requests.
    pub latency_ms: Latency,
    /// The most failures in a row.
    pub longest_failure_run: u64,
    /// The longest time between two successes; the begin and the end of the time count as such.
    pub longest_without_success_ms: u64,
    /// Since when is counted.
    pub started: String,
    /// Until when.
    pub ended: String,
    /// The time between.
    pub seconds: f64,
    /// Requests a second that were achieved.
    pub rate: f64,
    /// What became of them over time.
    pub series: Series,
}

/// Milliseconds; 0 if there were no requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// 95 of 100 were not slower.
    pub p95: f64,
    /// 99 of 100 were not slower.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

#[derive(Debug)]
struct Tally {
    codes: BTreeMap<String, u64>,
    pods: BTreeMap<String, u64>,
    /// Microseconds.
    latency: Histogram<u64>,
    requests: u64,
    succeeded: u64,
    failure_run: u64,
    longest_failure_run: u64,
    last_success: Instant,
    longest_without_success: Duration,
    started: Instant,
    started_at: Timestamp,
    ended: Option<Instant>,
    series: Series,
}

impl Tally {
    fn new(latency: Histogram<u64>, now: Instant) -> Self {
        Self {
            codes: BTreeMap::new(),
            pods: BTreeMap::new(),
            latency,
            requests: 0,
            succeeded: 0,
            failure_run: 0,
            longest_failure_run: 0,
            last_success: now,
            longest_without_success: Duration::ZERO,
            started: now,
            started_at: Timestamp::now(),
            ended: None,
            series: Series::default(),
        }
    }

    fn add(&mut self, latency: Duration, outcome: Outcome, now: Instant) {
        self.requests += 1;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros);
        let (code, success) = match outcome {
            Outcome::Answer { status, pod } => {
                if let Some(pod) = pod {
                    self.count_pod(pod);
                }
                (status.to_string(), (200..300).contains(&status))
            }
            Outcome::Error(kind) => (kind.to_owned(), false),
        };
        *self.codes.entry(code).or_default() += 1;
        self.series
            .add(now.saturating_duration_since(self.started), success);
        if success {
            self.succeeded += 1;
            self.failure_run = 0;
            self.longest_without_success = self.without_success(now);
            self.last_success = now;
        } else {
            self.failure_run += 1;
            self.longest_failure_run = self.longest_failure_run.max(self.failure_run);
        }
    }

    fn count_pod(&mut self, pod: String) {
        let known = self.pods.len() < PODS || self.pods.contains_key(&pod);
        let name = if known { pod } else { "other".to_owned() };
        *self.pods.entry(name).or_default() += 1;
    }

    fn without_success(&self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.last_success);
        self.longest_without_success.max(since)
    }

    #[allow(clippy::cast_precision_loss)] // counts and microseconds are far below 2^52
    fn report(&self, url: &str, keep_alive: bool, now: Instant) -> Report {
        let now = self.ended.unwrap_or(now);
        let took = now.saturating_duration_since(self.started);
        let seconds = took.as_secs_f64();
        let at = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1000.0;
        Report {
            url: url.to_owned(),
            keep_alive,
            requests: self.requests,
            succeeded: self.succeeded,
            failed: self.requests - self.succeeded,
            codes: self.codes.clone(),
            pods: self.pods.clone(),
            latency_ms: Latency {
                p50: at(0.5),
                p95: at(0.95),
                p99: at(0.99),
                max: self.latency.max() as f64 / 1000.0,
            },
            longest_failure_run: self.longest_failure_run,
            longest_without_success_ms: u64::try_from(self.without_success(now).as_millis())
                .unwrap_or(u64::MAX),
            started: rfc3339(self.started_at),
            ended: rfc3339(
                self.started_at
                    .saturating_add(took)
                    .unwrap_or(self.started_at),
            ),
            seconds,
            rate: if seconds > 0.0 {
                self.requests as f64 / seconds
            } else {
                0.0
            },
            series: self.series.clone(),
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The tally that workers add to while others look at it.
#[derive(Debug, Clone)]
pub struct Shared {
    url: Arc<str>,
    keep_alive: bool,
    tally: Arc<Mutex<Tally>>,
}

impl Shared {
    /// An empty one, which begins now. Fails only if the histogram's bounds were impossible.
    pub fn new(url: &str, keep_alive: bool) -> Result<Self, hdrhistogram::CreationError> {
        // Up to ten minutes, with three digits: 100 KiB or so.
        let latency = Histogram::new_with_bounds(1, 600_000_000, 3)?;
        Ok(Self {
            url: url.into(),
            keep_alive,
            tally: Arc::new(Mutex::new(Tally::new(latency, Instant::now()))),
        })
    }

    pub(super) fn add(&self, latency: Duration, outcome: Outcome) {
        self.tally().add(latency, outcome, Instant::now());
    }

    /// Nothing more is added; a report says that the time ended here.
    pub(super) fn end(&self) {
        self.tally().ended = Some(Instant::now());
    }

    /// What there is so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.tally()
            .report(&self.url, self.keep_alive, Instant::now())
    }

    /// What there was so far; counting begins anew, in one step.
    #[must_use]
    pub fn restart(&self) -> Report {
        let mut tally = self.tally();
        let now = Instant::now();
        let report = tally.report(&self.url, self.keep_alive, now);
        let mut latency = tally.latency.clone();
        latency.reset();
        *tally = Tally::new(latency, now);
        report
    }

    /// A worker that panicked leaves counts that are whole all the same.
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Outcome = Outcome::Answer {
        status: 200,
        pod: None,
    };

    fn tally(now: Instant) -> Tally {
        Tally::new(Histogram::new_with_bounds(1, 600_000_000, 3).unwrap(), now)
    }

    #[test]
    fn interruptions_are_the_longest_run_and_the_longest_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut tally = tally(start);
        let fast = Duration::from_millis(1);
        tally.add(fast, OK, at(100));
        tally.add(fast, Outcome::Error("refused"), at(200));
        tally.add(
            fast,
            Outcome::Answer {
                status: 503,
                pod: None,
            },
            at(300),
        );
        tally.add(fast, OK, at(900));
        tally.add(fast, Outcome::Error("reset"), at(1000));
        let report = tally.report("http://x/", false, at(1100));
        assert_eq!(report.longest_failure_run, 2);
        assert_eq!(report.longest_without_success_ms, 800);
        assert_eq!(
            (report.requests, report.succeeded, report.failed),
            (5, 2, 3)
        );
        // One that has not ended yet counts as long as it lasts.
        let later = tally.report("http://x/", false, at(5000));
        assert_eq!(later.longest_without_success_ms, 4100);
    }

    #[test]
    fn percentiles_are_in_milliseconds() {
        let start = Instant::now();
        let mut tally = tally(start);
        for ms in 1..=100 {
            tally.add(Duration::from_millis(ms), OK, start);
        }
        let latency = tally.report("http://x/", false, start).latency_ms;
        assert!((latency.p50 - 50.0).abs() < 0.1, "{latency:?}");
        assert!((latency.p95 - 95.0).abs() < 0.1, "{latency:?}");
        assert!((latency.max - 100.0).abs() < 0.1, "{latency:?}");
    }

    #[test]
    fn pods_without_end_are_counted_in_bounded_memory() {
        let now = Instant::now();
        let mut tally = tally(now);
        for n in 0..1000 {
            let pod = Some(format!("pod-{n}"));
            tally.add(Duration::ZERO, Outcome::Answer { status: 200, pod }, now);
        }
        assert_eq!(tally.pods.len(), PODS + 1);
        assert_eq!(tally.pods["other"], 1000 - 64);
    }

    #[test]
    fn a_restart_begins_anew_and_loses_nothing() {
        let shared = Shared::new("http://x/", true).unwrap();
        shared.add(Duration::from_millis(1), Outcome::Error("dns"));
        assert_eq!(shared.restart().codes["dns"], 1);
        let report = shared.report();
        assert_eq!((report.requests, report.longest_failure_run), (0, 0));
        assert!(report.codes.is_empty());
    }
}
