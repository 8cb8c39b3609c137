//! What holds throughout a fault: how long each assertion was interrupted, and whether that was too
//! long. Fed with verdicts and with when they were seen; it looks at no clock.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    event::{Clause, Status, Verdict},
    spec::Assertion,
};

/// What was seen of assertions since a fault was injected.
#[derive(Debug, Clone)]
pub struct Throughout {
    /// When the fault was injected.
    began: Timestamp,
    /// From which length on an interruption is too long.
    tolerated: Duration,
    tracks: Vec<Track>,
}

/// What was seen of one assertion.
#[derive(Debug, Clone)]
struct Track {
    assertion: String,
    /// Since when it is interrupted, if it is now.
    broken: Option<Duration>,
    longest: Option<Interruption>,
}

/// A time in which an assertion did not pass, counted from the fault's injection.
#[derive(Debug, Clone)]
struct Interruption {
    since: Duration,
    lasted: Duration,
    /// What was seen last of it.
    clauses: Vec<Clause>,
}

impl Throughout {
    /// Nothing was seen yet of `assertions`, which hold as the fault is injected.
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

    /// Takes in what the assertions came to, `at` after the injection. Whatever is not a pass, is
    /// an interruption: also what cannot be told.
    pub fn see(&mut self, at: Duration, verdicts: &[Verdict]) {
        for (track, verdict) in self.tracks.iter_mut().zip(verdicts) {
            track.see(at, verdict);
        }
    }

    /// When the first of the interruptions that go on will be too long.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let broken = self.tracks.iter().filter_map(|track| track.broken);
        broken.min().map(|since| since + self.tolerated)
    }

    /// Whether an interruption was too long.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.tracks
            .iter()
            .any(|track| self.too_long(track).is_some())
    }

    /// Whether nothing is interrupted now.
    #[must_use]
    pub fn holds_now(&self) -> bool {
        self.tracks.iter().all(|track| track.broken.is_none())
    }

    fn too_long<'a>(&self, track: &'a Track) -> Option<&'a Interruption> {
        let longest = track.longest.as_ref();
        longest.filter(|longest| longest.lasted >= self.tolerated)
    }

    /// What was measured, a verdict for each assertion.
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

    /// The first interruption that was too long, in words.
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
            // What it comes to once it holds again is not what it was.
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
