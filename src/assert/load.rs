//! What came of requests that were sent while a step acted. Fed with what was seen and when; it looks
//! at no clock.

use std::{collections::BTreeMap, time::Duration};

use super::{
    check::http_answer,
    observed::{Answer, NoAnswer},
};
use crate::{
    event::{Clause, Status, Verdict},
    spec::request::Load,
};

/// Requests that were sent, and what came of them.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    samples: Vec<Sample>,
}

/// One request. Times are counted from the first one.
#[derive(Debug, Clone)]
struct Sample {
    sent: Duration,
    ended: Duration,
    /// Its status, or how it was not answered.
    came_to: String,
    failed: bool,
}

impl Tally {
    /// Takes in a request of `load` and its answer.
    pub fn add(&mut self, load: &Load, sent: Duration, ended: Duration, answer: &Answer) {
        let failed = !http_answer::fits(&load.http, answer);
        let came_to = match answer {
            Answer::Given { status, .. } if failed && *status == load.http.status => {
                format!("{status}, not as expected")
            }
            Answer::Given { status, .. } => status.to_string(),
            Answer::None(NoAnswer::Refused, _) => "refused".to_owned(),
            Answer::None(NoAnswer::Closed, _) => "closed".to_owned(),
            Answer::None(NoAnswer::Late, _) => "no answer in time".to_owned(),
        };
        self.samples.push(Sample {
            sent,
            ended,
            came_to,
            failed,
        });
    }

    fn failed(&self) -> usize {
        self.samples.iter().filter(|sample| sample.failed).count()
    }

    /// The longest time in which every request failed: from when the first of them was sent to the
    /// end of the next that did not.
    fn longest_interruption(&self) -> Duration {
        let mut samples: Vec<&Sample> = self.samples.iter().collect();
        samples.sort_by_key(|sample| sample.sent);
        let (mut longest, mut since) = (Duration::ZERO, None);
        for sample in samples {
            let began = match (since, sample.failed) {
                (None, false) => continue,
                (None, true) => sample.sent,
                (Some(began), _) => began,
            };
            longest = longest.max(sample.ended.saturating_sub(began));
            since = sample.failed.then_some(began);
        }
        longest
    }

    /// What it comes to. `tolerated` is from which length on an interruption is too long.
    #[must_use]
    pub fn verdict(&self, load: &Load, tolerated: Option<Duration>) -> Verdict {
        let (sent, failed) = (self.samples.len(), self.failed());
        let longest = self.longest_interruption();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let clause = |holds, what: &str, expected: String, actual: String| {
            Clause::when(holds, Status::Failed, what, expected, actual)
        };
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for sample in &self.samples {
            *codes.entry(&sample.came_to).or_default() += 1;
        }
        let codes: Vec<String> = codes
            .iter()
            .map(|(code, n)| format!("{code} × {n}"))
            .collect();
        let enough = count(sent) >= load.at_least;
        let mut clauses = vec![clause(
            enough,
            "requests sent while the step acted",
            format!("at least {}", load.at_least),
            format!("{sent}, {} a second", load.rate),
        )];
        let most = load.budget();
        let least = load.failed_at_least;
        let expected = match (least, most) {
            (Some(least), Some(most)) => format!("from {least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(0)) => "none".to_owned(),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => "any".to_owned(),
        };
        let failures = count(failed);
        clauses.push(clause(
            most.is_none_or(|most| failures <= most) && least.is_none_or(|least| failures >= least),
            "requests that failed",
            expected,
            format!("{failed} of {sent} ({})", codes.join(", ")),
        ));
        let limit =
            tolerated.map_or_else(|| "any".to_owned(), |t| format!("less than {}", seconds(t)));
        clauses.push(clause(
            tolerated.is_none_or(|tolerated| longest < tolerated),
            "longest interruption",
            limit,
            seconds(longest),
        ));
        let assertion = format!(
            "{load} ({sent} requests, {failed} failed, longest interruption {})",
            seconds(longest)
        );
        Verdict::of(assertion, clauses)
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(more: &str) -> Load {
        let yaml = format!("{{http: {{port: http, path: /api}}, rate: 10, {more}}}");
        serde_saphyr::from_str(&yaml).unwrap()
    }

    fn given(status: u16) -> Answer {
        Answer::Given {
            status,
            headers: BTreeMap::new(),
            body: String::new(),
        }
    }

    /// What `load` comes to with these statuses, a request every tenth of a second; 0 is a
    /// connection that was closed.
    fn verdict(load: &Load, statuses: &[u16], tolerated: Option<u64>) -> Verdict {
        let mut tally = Tally::default();
        for (sent, status) in (0_u64..).zip(statuses) {
            let answer = match status {
                0 => Answer::None(NoAnswer::Closed, String::new()),
                status => given(*status),
            };
            let at = |tenths: u64| Duration::from_millis(100 * tenths);
            tally.add(load, at(sent), at(sent + 1), &answer);
        }
        tally.verdict(load, tolerated.map(Duration::from_secs))
    }

    fn said(verdict: &Verdict) -> Vec<String> {
        let clauses = verdict.clauses.iter();
        clauses.map(crate::assert::fixture::said).collect()
    }

    #[test]
    fn no_failure_is_tolerated_unless_the_lab_says_so() {
        let none = verdict(&load("at-least: 3"), &[200, 200, 200], None);
        assert_eq!(none.status, Status::Pass);
        let expected = "load on /api (3 requests, 0 failed, longest interruption 0.0 s)";
        assert_eq!(none.assertion, expected);
        let some = verdict(&load("at-least: 3"), &[200, 503, 0, 503, 200, 0, 200], None);
        assert_eq!(
            said(&some),
            [
                "Pass: requests sent while the step acted: expected at least 3, is 7, 10 a second",
                "Failed: requests that failed: expected none, is 4 of 7 (200 × 3, 503 × 2, closed × 2)",
                "Pass: longest interruption: expected any, is 0.4 s",
            ]
        );
        let budget = load("failed-at-most: 1");
        assert_eq!(
            verdict(&budget, &[200, 503, 200], None).status,
            Status::Pass
        );
        assert_eq!(
            verdict(&budget, &[503, 503, 200], None).status,
            Status::Failed
        );
    }

    #[test]
    fn too_few_requests_are_no_proof() {
        let few = verdict(&load("at-least: 3"), &[200, 200], None);
        assert_eq!(few.status, Status::Failed);
        assert_eq!(
            verdict(&load("at-least: 1"), &[], None).status,
            Status::Failed
        );
    }

    #[test]
    fn an_outage_may_be_what_is_to_be_seen() {
        let outage = load("failed-at-least: 2");
        assert_eq!(
            verdict(&outage, &[200, 0, 503, 0, 200], None).status,
            Status::Pass
        );
        assert_eq!(
            verdict(&outage, &[200, 0, 200], None).status,
            Status::Failed
        );
        let both = load("failed-at-least: 1, failed-at-most: 1");
        assert_eq!(verdict(&both, &[0, 0, 200], None).status, Status::Failed);
    }

    #[test]
    fn an_interruption_lasts_until_a_request_is_answered_and_may_be_limited() {
        let any = load("failed-at-most: 99");
        let statuses = [200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 0, 200];
        let verdict_of = |tolerated| verdict(&any, &statuses, tolerated);
        assert!(verdict_of(None).assertion.ends_with("interruption 1.1 s)"));
        assert_eq!(verdict_of(Some(2)).status, Status::Pass);
        assert_eq!(verdict_of(Some(1)).status, Status::Failed);
        // One that never ends lasts as long as anybody looked.
        assert!(
            verdict(&any, &[200, 0, 0], None)
                .assertion
                .ends_with("0.2 s)")
        );
    }

    #[test]
    fn an_answer_of_the_right_status_can_be_wrong() {
        let json = "{http: {port: http, json: {ok: true}}, rate: 1}";
        let json: Load = serde_saphyr::from_str(json).unwrap();
        let wrong = verdict(&json, &[200], None);
        assert!(
            said(&wrong)[1].contains("(200, not as expected × 1)"),
            "{wrong:?}"
        );
    }
}
