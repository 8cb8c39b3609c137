//! Text that reporters and verbs share: durations, verdicts, failures.

use std::{fmt, time::Duration};

use super::line::{
    BAD, BOLD, CODE, DIM, Line, Look, PLAIN, hang, hang_lines, indent, mark, render,
};
use crate::event::{Clause, Failure, Status, Verdict};

/// The widest clause that the column of values makes room for. A wider clause has its value below
/// it.
const WIDEST_CLAUSE: usize = 44;

/// The column at which the deadline ends on wider terminals. Farther from its text nobody notices
/// it.
const WIDEST_HEADING: usize = 80;

/// The part of a deadline that has gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The time that has gone by.
    pub elapsed: Duration,
    /// The time from the start until the deadline.
    pub within: Duration,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (elapsed, within) = (self.elapsed.as_secs(), self.within.as_secs());
        write!(f, "{elapsed} s of {within} s")
    }
}

/// Formats `duration` for people: `0.4 s`, `16.2 s`, `1 m 12 s`, `2 h 5 m`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (duration.as_millis() + 500) / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours == 0 {
        return format!("{minutes} m {} s", seconds % 60);
    }
    format!("{hours} h {minutes} m")
}

/// Formats `verdict` with all its clauses and, if a step waits for it, with the deadline.
#[must_use]
pub fn verdict(verdict: &Verdict, progress: Option<Progress>, look: Look) -> String {
    render(&verdict_lines(verdict, progress, Clauses::All, look), look)
}

/// Formats `failure` with its causes, the verdicts that did not pass, the last lines of output and
/// the hint.
#[must_use]
pub fn failure(failure: &Failure, look: Look) -> String {
    render(&failure_lines(failure, look), look)
}

/// Returns the words for `status` that follow the name of an assertion.
pub(super) fn holds(status: Status) -> &'static str {
    match status {
        Status::Pass => "holds",
        Status::Pending => "does not hold yet",
        Status::Unknown => "cannot be told",
        Status::Failed => "does not hold",
    }
}

/// The clauses of a verdict that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clauses {
    /// All clauses.
    All,
    /// The clauses that do not pass.
    Unmet,
}

/// Formats `verdict` as lines.
pub(super) fn verdict_lines(
    verdict: &Verdict,
    progress: Option<Progress>,
    clauses: Clauses,
    look: Look,
) -> Vec<Line> {
    let mut lines = vec![heading(verdict, progress, look)];
    let shown: Vec<&Clause> = verdict
        .clauses
        .iter()
        .filter(|clause| clauses == Clauses::All || clause.status != Status::Pass)
        .collect();
    let widths = shown.iter().map(|clause| clause.what.chars().count());
    let column = widths.filter(|&w| w <= WIDEST_CLAUSE).max().unwrap_or(0) + 4;
    for clause in shown {
        lines.extend(indent(clause_lines(clause, column, look.inside(2)), 2));
    }
    lines
}

fn heading(verdict: &Verdict, progress: Option<Progress>, look: Look) -> Line {
    let (style, sign) = mark(verdict.status);
    let line = Line::new()
        .add(style, sign)
        .text(" ")
        .add(BOLD, &verdict.assertion);
    let Some(progress) = progress else {
        return line;
    };
    let progress = progress.to_string();
    let end = look.width.min(WIDEST_HEADING);
    line.text(" ")
        .column(end.saturating_sub(progress.chars().count()))
        .add(DIM, &progress)
}

/// Formats a clause as lines, with its value from `column` on, and below it the causes and
/// evidence.
fn clause_lines(clause: &Clause, column: usize, look: Look) -> Vec<Line> {
    let (style, sign) = mark(clause.status);
    let line = Line::new().add(style, sign).text(" ").text(&clause.what);
    let value = value(clause);
    let value_style = if clause.status == Status::Pass {
        DIM
    } else {
        PLAIN
    };
    let mut lines = if value.is_empty() {
        vec![line]
    } else if line.width() + 2 <= column && column * 5 <= look.width * 3 {
        hang(line.column(column), value_style, &value, look)
    } else {
        let below = Line::new().text("  ");
        std::iter::once(line)
            .chain(hang(below, value_style, &value, look))
            .collect()
    };
    for because in &clause.because {
        let first = Line::new().text("  ").add(style, "because ");
        lines.extend(hang(first, PLAIN, because, look));
    }
    for evidence in &clause.evidence {
        lines.extend(hang(Line::new().add(DIM, "  seen: "), DIM, evidence, look));
    }
    lines
}

/// Returns the value of a clause in words.
fn value(clause: &Clause) -> String {
    let Clause {
        expected, actual, ..
    } = clause;
    if clause.status == Status::Pass || expected.is_empty() {
        return actual.clone();
    }
    if actual.is_empty() {
        return format!("expected {expected}");
    }
    format!("expected {expected}, is {actual}")
}

/// Formats `failure` as lines.
pub(super) fn failure_lines(failure: &Failure, look: Look) -> Vec<Line> {
    let first = Line::new().add(BAD.bold(), "error: ");
    let mut lines = hang(first, BOLD, &failure.summary, look);
    for cause in &failure.causes {
        lines.extend(hang_lines(
            Line::new().add(BAD, "  caused by: "),
            PLAIN,
            cause,
            look,
        ));
    }
    for verdict in failure.verdicts.iter().filter(|v| v.status != Status::Pass) {
        let verdict = verdict_lines(verdict, None, Clauses::All, look.inside(2));
        lines.extend(indent(verdict, 2));
    }
    for line in &failure.tail {
        lines.push(Line::new().add(DIM, "  │ ").add(DIM, line));
    }
    if let Some(hint) = &failure.hint {
        lines.push(Line::new());
        lines.extend(hang_lines(
            Line::new().add(CODE.bold(), "hint: "),
            PLAIN,
            hint,
            look,
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    const LOOK: Look = Look {
        width: 82,
        colour: false,
    };

    #[test]
    fn durations_are_as_exact_as_they_matter() {
        for (millis, text) in [
            (0, "0.0 s"),
            (380, "0.4 s"),
            (16_249, "16.2 s"),
            (59_949, "59.9 s"),
            (59_950, "1 m 0 s"),
            (72_100, "1 m 12 s"),
            (3_599_600, "1 h 0 m"),
            (7_500_000, "2 h 5 m"),
        ] {
            assert_eq!(super::duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_verdict_says_what_holds_what_does_not_and_why() {
        let progress = Progress {
            elapsed: Duration::from_millis(41_900),
            within: Duration::from_mins(2),
        };
        insta::assert_snapshot!(super::verdict(&sample::cordoned(), Some(progress), LOOK), @r"
        ✗ pvc-reattached postgres-0                                        41 s of 120 s
          ✓ claim data-postgres-0 is the same  uid 1f3c · volume pvc-9a41
          ✗ pod is Ready                       expected Ready, is Pending for 38 s: no
                                               node fits
            because volume pvc-9a41 is bound to node lab-10-3-worker2, which is cordoned
                    (kubectl uncordon lab-10-3-worker2)
            seen: FailedScheduling: 0/4 nodes are available
        ");
    }

    #[test]
    fn a_long_clause_has_its_value_below() {
        let what = "the pod that the service postgres-headless answers with is postgres-0";
        let long = Clause::new(
            Status::Unknown,
            what,
            "10.244.1.7",
            "the cluster does not answer",
        );
        let short = Clause::new(Status::Pass, "name is the same", "", "postgres-0");
        let verdict = Verdict::of("stable-identity postgres-0", vec![long, short]);
        insta::assert_snapshot!(super::verdict(&verdict, None, LOOK), @r"
        ? stable-identity postgres-0
          ? the pod that the service postgres-headless answers with is postgres-0
            expected 10.244.1.7, is the cluster does not answer
          ✓ name is the same  postgres-0
        ");
    }

    #[test]
    fn a_failure_names_its_causes_and_the_way_out() {
        insta::assert_snapshot!(super::failure(&sample::failure(), LOOK), @r#"
        error: failed to create cluster "lab-10-3"
          caused by: kind create cluster ended with exit status 1
          caused by: port 127.0.0.1:80 is taken
          │ Creating cluster "lab-10-3" ...
          │ ERROR: failed to create cluster

        hint: free the port, or choose another with --set http-port=8080
        "#);
        let nothing_else = Failure::new("no lab is called 10.9");
        assert_eq!(
            super::failure(&nothing_else, LOOK),
            "error: no lab is called 10.9\n"
        );
    }
}
