//! The assertions that have to hold throughout a fault: their interruptions, and those that are too
//! long. Callers pass in verdicts and their times; nothing here reads a clock.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    event::{Clause, Status, Verdict},
    spec::Assertion,
};

/// The interruptions of assertions since a fault was injected.
#[derive(Debug, Clone)]
pub struct Throughout {
    /// The time of the fault's injection.
    began: Timestamp,
    /// The tolerance: an interruption of this length or longer is too long.
    tolerated: Duration,
    tracks: Vec<Track>,
}

/// The interruptions of one assertion.
#[derive(Debug, Clone)]
struct Track {
    assertion: String,
    /// The start of the present interruption, if there is one.
    broken: Option<Duration>,
    longest: Option<Interruption>,
}

/// A time in which an assertion did not pass. Its start is counted from the fault's injection.
#[derive(Debug, Clone)]
struct Interruption {
    since: Duration,
    lasted: Duration,
    /// The clauses of the last verdict that did not pass.
    clauses: Vec<Clause>,
}

impl Throughout {
    /// Starts to track `assertions`, all of which hold when the fault is injected.
    #[must_use]
    pub fn new(assertions: &[Assertion], tolerated: Duration, began: Timestamp) -> Self {
        let track = |assertion: &Assertion| Track {
            assertion: assertion.to_string(),
            broken: None,
            longest: None,
        };
        Self {
            began,
            tolerated,
            tracks: assertions.iter().map(track).collect(),
        }
    }

    /// Adds the verdicts at the time `at` after the injection. Every verdict but Pass is an
    /// interruption, Unknown included.
    pub fn see(&mut self, at: Duration, verdicts: &[Verdict]) {
        for (track, verdict) in self.tracks.iter_mut().zip(verdicts) {
            track.see(at, verdict);
        }
    }

    /// Returns the time after the injection at which the first of the present interruptions becomes
    /// too long.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let broken = self.tracks.iter().filter_map(|track| track.broken);
        broken.min().map(|since| since + self.tolerated)
    }

    /// Returns true if an interruption was too long.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.tracks
            .iter()
            .any(|track| self.too_long(track).is_some())
    }

    /// Returns true if no assertion is interrupted now.
    #[must_use]
    pub fn holds_now(&self) -> bool {
        self.tracks.iter().all(|track| track.broken.is_none())
    }

    fn too_long<'a>(&self, track: &'a Track) -> Option<&'a Interruption> {
        let longest = track.longest.as_ref();
        longest.filter(|longest| longest.lasted >= self.tolerated)
    }

    /// Returns the verdicts on the measured interruptions, one for each assertion.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.tracks
            .iter()
            .map(|track| self.verdict(track))
            .collect()
    }

    fn verdict(&self, track: &Track) -> Verdict {
        let most = if self.tolerated.is_zero() {
            "none".to_owned()
        } else {
            format!("less than {}", seconds(self.tolerated))
        };
        let (short, actual) = match &track.longest {
            None => ("never interrupted".to_owned(), "none".to_owned()),
            Some(longest) => {
                let lasted = seconds(longest.lasted);
                let short = format!("interrupted for {lasted}, tolerated: {most}");
                (short, format!("{lasted}, since {}", self.clock(longest)))
            }
        };
        let too_long = self.too_long(track);
        let seen = too_long.iter().flat_map(|longest| &longest.clauses);
        let because = seen
            .filter(|clause| clause.status != Status::Pass)
            .map(|c| format!("{}: expected {}, was {}", c.what, c.expected, c.actual));
        let what = "longest interruption while the fault acted";
        let clause = Clause::when(too_long.is_none(), Status::Failed, what, most, actual)
            .because(because.collect());
        let assertion = format!("{} throughout ({short})", track.assertion);
        Verdict::of(assertion, vec![clause])
    }

    /// Describes the first assertion whose interruption was too long.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let track = self.tracks.iter().find(|t| self.too_long(t).is_some())?;
        let longest = self.too_long(track)?;
        Some(format!(
            "{} was interrupted for {} while the fault acted, since {}",
            track.assertion,
            seconds(longest.lasted),
            self.clock(longest)
        ))
    }

    fn clock(&self, interruption: &Interruption) -> String {
        let since = self.began.saturating_add(interruption.since);
        let zoned = since.unwrap_or(self.began).to_zoned(TimeZone::UTC);
        zoned.strftime("%H:%M:%S UTC").to_string()
    }
}

impl Track {
    fn see(&mut self, at: Duration, verdict: &Verdict) {
        let passes = verdict.status == Status::Pass;
        let since = match (self.broken, passes) {
            (None, true) => return,
            (Some(since), _) => since,
            (None, false) => at,
        };
        self.broken = (!passes).then_some(since);
        let lasted = at.saturating_sub(since);
        let longest = self.longest.as_ref();
        if longest.is_some_and(|l| l.lasted > lasted || (l.lasted == lasted && l.since != since)) {
            return;
        }
        let clauses = match (longest, passes) {
            // The verdict that ends an interruption says nothing about it: keep the last clauses
            // that did not pass.
            (Some(longest), true) if longest.since == since => longest.clauses.clone(),
            (_, true) => Vec::new(),
            (_, false) => verdict.clauses.clone(),
        };
        self.longest = Some(Interruption {
            since,
            lasted,
            clauses,
        });
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests;
