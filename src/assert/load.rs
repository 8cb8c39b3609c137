//! The traffic during a step: counts, failures and the longest interruption of its requests.
//! Callers pass in the answers and their times; nothing here reads a clock.

use std::{collections::BTreeMap, time::Duration};

use super::{
    check::http_answer,
    observed::{Answer, NoAnswer},
    side::{Side, said, side},
};
use crate::{
    event::{Clause, Status, Verdict},
    spec::request::Load,
};

/// The requests of the traffic, with their results.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    samples: Vec<Sample>,
    /// The failed requests, by the side that failed them.
    sides: BTreeMap<Side, Failures>,
}

/// The requests that failed on one side.
#[derive(Debug, Clone)]
struct Failures {
    count: usize,
    /// The text of the first failure: from the answer, or the error instead of one.
    first: String,
}

/// One request. Its times are counted from the first request.
#[derive(Debug, Clone)]
struct Sample {
    sent: Duration,
    ended: Duration,
    /// The status, or the reason why there is no answer.
    came_to: String,
    failed: bool,
}

impl Tally {
    /// Adds a request of `load` and its answer.
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
            Answer::None(NoAnswer::Local, _) => "not asked".to_owned(),
        };
        if failed {
            let of_side = self.sides.entry(side(answer)).or_insert_with(|| Failures {
                first: said(answer),
                count: 0,
            });
            of_side.count += 1;
        }
        self.samples.push(Sample {
            sent,
            ended,
            came_to,
            failed,
        });
    }

    /// Returns, for each side, its number of failures and the text of its first failure. The side
    /// with the most failures comes first.
    fn by_side(&self) -> (Vec<String>, Vec<String>) {
        let mut sides: Vec<(&Side, &Failures)> = self.sides.iter().collect();
        sides.sort_by_key(|(_, failures)| std::cmp::Reverse(failures.count));
        let counts = sides.iter().map(|(side, failures)| {
            let plural = if failures.count == 1 { "" } else { "s" };
            format!("{} request{plural} failed by {side}", failures.count)
        });
        let said = sides
            .iter()
            .map(|(side, failures)| format!("{side}: {}", failures.first));
        (counts.collect(), said.collect())
    }

    fn failed(&self) -> usize {
        self.samples.iter().filter(|sample| sample.failed).count()
    }

    /// Returns the longest time in which every request failed: from the sending of the first failed
    /// request to the end of the next one that did not fail.
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

    /// Returns the verdict on the traffic. An interruption of the length `tolerated` or longer is
    /// too long.
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
        // Failures without a failed clause need no cause: the lab may want them to be seen.
        if let Some(clause) = clauses[1..].iter_mut().find(|c| c.status != Status::Pass) {
            (clause.because, clause.evidence) = self.by_side();
        }
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

    /// Returns the verdict on requests with these statuses, sent every tenth of a second; 0 is a
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
    fn a_measurement_that_failed_says_which_side_failed_and_what_was_heard_of_it() {
        let none_may = load("at-least: 3");
        let mut tally = Tally::default();
        let full = r#"{"kind":"database-connect","error":"sorry, too many clients already"}"#;
        let by_api = |status, body: &str| Answer::Given {
            status,
            headers: [("x-pod".to_owned(), "api-0".to_owned())].into(),
            body: body.to_owned(),
        };
        let none = |how, why: &str| Answer::None(how, why.to_owned());
        let answers = [
            by_api(200, ""),
            by_api(503, full),
            none(NoAnswer::Local, "Cannot assign requested address"),
            by_api(503, full),
            given(502),
            none(NoAnswer::Late, "no answer within 3 s"),
            by_api(500, r#"{"kind":"other"}"#),
        ];
        for answer in &answers {
            tally.add(&none_may, Duration::ZERO, Duration::ZERO, answer);
        }
        let clauses = tally.verdict(&none_may, None).clauses;
        assert_eq!(
            clauses[1].because,
            [
                "2 requests failed by the database",
                "1 request failed by this machine",
                "1 request failed by the way in",
                "1 request failed by the API",
                "1 request failed by nobody who could be told",
            ]
        );
        assert_eq!(clauses[1].evidence[0], format!("the database: 503 {full}"));
        assert_eq!(
            clauses[1].evidence[1],
            "this machine: Cannot assign requested address"
        );
        assert_eq!(clauses[1].evidence[2], "the way in: 502, without a word");
        // An outage that the lab wants to be seen needs no cause.
        let outage = load("failed-at-least: 2");
        let verdict = tally.verdict(&outage, None);
        assert!(
            verdict.clauses.iter().all(|c| c.because.is_empty()),
            "{verdict:?}"
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
        // An interruption that never ends lasts until the last request.
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
