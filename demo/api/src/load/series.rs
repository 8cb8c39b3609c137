//! Requests over time, in memory that does not grow with it.

use std::time::Duration;

use serde::Serialize;

/// How many intervals are told apart. One more, and each becomes twice as long.
const MOST: usize = 120;

/// How many requests ended in each interval since the start, and how many of them well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Series {
    /// How long an interval is, in seconds.
    pub interval: u64,
    /// Requests that ended in each.
    pub requests: Vec<u64>,
    /// Those of them that succeeded.
    pub succeeded: Vec<u64>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            interval: 1,
            requests: Vec::new(),
            succeeded: Vec::new(),
        }
    }
}

impl Series {
    /// Counts a request that ended so long after the start.
    pub(super) fn add(&mut self, after: Duration, success: bool) {
        while after.as_secs() / self.interval >= MOST as u64 {
            self.interval *= 2;
            for counts in [&mut self.requests, &mut self.succeeded] {
                *counts = counts.chunks(2).map(|pair| pair.iter().sum()).collect();
            }
        }
        // Below MOST by now.
        let at = usize::try_from(after.as_secs() / self.interval).unwrap_or(0);
        for (counts, one) in [
            (&mut self.requests, 1),
            (&mut self.succeeded, u64::from(success)),
        ] {
            if counts.len() <= at {
                counts.resize(at + 1, 0);
            }
            counts[at] += one;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_requests_and_one_without_any_has_none() {
        let mut series = Series::default();
        for (ms, success) in [(0, true), (999, false), (1000, true), (3500, true)] {
            series.add(Duration::from_millis(ms), success);
        }
        assert_eq!(series.requests, [2, 1, 0, 1]);
        assert_eq!(series.succeeded, [1, 1, 0, 1]);
    }

    #[test]
    fn a_load_without_end_is_told_more_and_more_coarsely_and_loses_nothing() {
        let mut series = Series::default();
        for second in 0..1000 {
            series.add(Duration::from_secs(second), second % 2 == 0);
        }
        assert_eq!(series.interval, 16);
        assert_eq!(series.requests.len(), 63);
        assert_eq!(series.requests[0], 16);
        assert_eq!(series.requests.iter().sum::<u64>(), 1000);
        assert_eq!(series.succeeded.iter().sum::<u64>(), 500);
    }
}
