//! The pace at which a log says that a step waits, and for what.

use std::time::Duration;

use jiff::Timestamp;

use super::{between, text::Progress};
use crate::event::{Status, Verdict};

/// The minimum time between two lines about a wait, no matter how fast things change.
const AT_MOST_EVERY: Duration = Duration::from_secs(5);

/// The time after which an unchanged wait is shown again: silence looks like a hang.
const AT_LEAST_EVERY: Duration = Duration::from_secs(30);

/// The identity of a clause that does not pass: assertion, subject and status.
type Unmet = (String, String, Status);

/// The wait of one step.
#[derive(Debug, Default)]
pub(super) struct Waits {
    since: Option<Timestamp>,
    shown: Option<(Timestamp, Vec<Unmet>)>,
    progress: Option<Timestamp>,
}

impl Waits {
    /// Starts a new wait.
    pub(super) fn begin(&mut self, at: Timestamp) {
        *self = Self {
            since: Some(at),
            ..Self::default()
        };
    }

    /// Returns the part of the deadline that has gone by.
    pub(super) fn progress(&mut self, at: Timestamp, within: Duration) -> Progress {
        let since = *self.since.get_or_insert(at);
        Progress {
            elapsed: between(since, at),
            within,
        }
    }

    /// Returns true if the progress of a load, which changes all the time, is due to be shown
    /// again.
    pub(super) fn is_time(&mut self, at: Timestamp) -> bool {
        let since = *self.progress.get_or_insert(at);
        let is_time = between(since, at) >= AT_MOST_EVERY;
        if is_time {
            self.progress = Some(at);
        }
        is_time
    }

    /// Returns true if the unmet clauses are due to be shown. A change of a clause's text alone
    /// does not count, as the text may contain an age.
    pub(super) fn is_due(&mut self, at: Timestamp, verdicts: &[Verdict]) -> bool {
        let unmet = unmet(verdicts);
        if let Some((then, shown)) = &self.shown {
            let silent = between(*then, at);
            let pause = if *shown == unmet {
                AT_LEAST_EVERY
            } else {
                AT_MOST_EVERY
            };
            if silent < pause {
                return false;
            }
        }
        if unmet.is_empty() {
            return false;
        }
        self.shown = Some((at, unmet));
        true
    }
}

/// Returns the clauses that do not pass. A verdict without clauses counts as one clause.
fn unmet(verdicts: &[Verdict]) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    for verdict in verdicts.iter().filter(|v| v.status != Status::Pass) {
        if verdict.clauses.is_empty() {
            unmet.push((verdict.assertion.clone(), String::new(), verdict.status));
        }
        for clause in verdict.clauses.iter().filter(|c| c.status != Status::Pass) {
            unmet.push((
                verdict.assertion.clone(),
                clause.what.clone(),
                clause.status,
            ));
        }
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Clause, report::sample::at};

    fn verdicts(what: &str, actual: &str) -> [Verdict; 1] {
        let clause = Clause::new(Status::Pending, what, "Ready", actual);
        [Verdict::of("pods-ready app=web", vec![clause])]
    }

    #[test]
    fn a_change_is_said_but_not_a_hail_of_them() {
        let mut waits = Waits::default();
        waits.begin(at(0));
        for (second, what, due) in [
            (1, "web-0", true),
            (2, "web-1", false),
            (5, "web-2", false),
            (6, "web-2", true),
            (20, "web-2", false),
            (36, "web-2", true),
        ] {
            let seen = verdicts(what, &format!("Pending for {second} s"));
            assert_eq!(waits.is_due(at(second), &seen), due, "at {second} s");
        }
        assert!(!waits.is_due(at(99), &[]));
    }

    #[test]
    fn a_wait_counts_from_the_end_of_the_action() {
        let mut waits = Waits::default();
        waits.begin(at(10));
        let within = Duration::from_mins(2);
        assert_eq!(waits.progress(at(51), within).to_string(), "41 s of 120 s");
        let mut unannounced = Waits::default();
        assert_eq!(unannounced.progress(at(51), within).elapsed, Duration::ZERO);
    }
}
