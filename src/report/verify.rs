//! The report of `labctl verify`: the state of each step of a lab.

use std::cmp::Reverse;

use serde::Serialize;

use super::{
    line::{BOLD, DIM, GOOD, Line, Look, WAIT, hang, hang_items, indent, mark, render},
    text::{Clauses, holds, verdict_lines},
};
use crate::{
    event::{Status, Verdict},
    spec::StepId,
};

/// The state of a step in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The expectations hold.
    Held,
    /// The expectations do not hold, and may hold later.
    Pending,
    /// The expectations do not hold.
    Failed,
    /// Nobody can tell if the expectations hold.
    Unknown,
    /// The action was done. The step expects nothing, so nothing can be checked.
    NotChecked,
    /// The step was not reached yet.
    NotReached,
    /// The expectations are no longer checked.
    Ended {
        /// The reason: a later step changed the state on purpose, or the expectations are seen only
        /// once.
        reason: String,
    },
}

/// A step in the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepReport {
    /// The step's id.
    pub id: StepId,
    /// The title of the step.
    pub title: String,
    /// The state of the step.
    pub state: Standing,
    /// The verdicts of the step, including the passed ones.
    pub verdicts: Vec<Verdict>,
}

impl StepReport {
    /// Creates the report on a step whose expectations were evaluated.
    #[must_use]
    pub fn of(id: impl Into<StepId>, title: impl Into<String>, verdicts: Vec<Verdict>) -> Self {
        let state = match Verdict::worst(&verdicts) {
            Status::Pass if verdicts.is_empty() => Standing::NotChecked,
            Status::Pass => Standing::Held,
            Status::Pending => Standing::Pending,
            Status::Unknown => Standing::Unknown,
            Status::Failed => Standing::Failed,
        };
        Self {
            id: id.into(),
            title: title.into(),
            state,
            verdicts,
        }
    }

    /// Creates the report on a step whose expectations were not evaluated.
    #[must_use]
    pub fn unseen(id: impl Into<StepId>, title: impl Into<String>, state: Standing) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            state,
            verdicts: Vec::new(),
        }
    }

    /// Returns the status of the expectations. None if they are not part of the verification.
    fn status(&self) -> Option<Status> {
        match self.state {
            Standing::Held => Some(Status::Pass),
            Standing::Pending => Some(Status::Pending),
            Standing::Unknown => Some(Status::Unknown),
            Standing::Failed => Some(Status::Failed),
            Standing::NotReached | Standing::NotChecked | Standing::Ended { .. } => None,
        }
    }
}

/// Formats `steps` as text: one line for each step that holds, all clauses of the verdicts that do
/// not pass, and a summary. With `all_clauses`, steps that hold are shown with all clauses too.
#[must_use]
pub fn verify_report(steps: &[StepReport], all_clauses: bool, look: Look) -> String {
    let column = 4 + steps
        .iter()
        .map(|step| step.id.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for step in steps {
        let sign = |style, sign| Line::new().add(style, sign).text(" ");
        match (&step.state, step.status()) {
            (Standing::Held, _) if !all_clauses => {
                let (style, held) = mark(Status::Pass);
                let names: Vec<&str> = step.verdicts.iter().map(|v| v.assertion.as_str()).collect();
                let first = sign(style, held).text(&step.id).column(column);
                lines.extend(hang_items(first, DIM, &names, look));
            }
            (_, Some(status)) => {
                let (style, sign_of) = mark(status);
                let first = sign(style, sign_of).add(BOLD, &step.id).column(column);
                lines.extend(hang(first, BOLD, &step.title, look));
                lines.extend(details(step, all_clauses, look));
            }
            (state, None) => {
                let why = match state {
                    Standing::Ended { reason } => reason,
                    Standing::NotChecked => "not checked: it expects nothing",
                    _ => "not reached yet",
                };
                let first = sign(DIM, "·").add(DIM, &step.id).column(column);
                lines.extend(hang(first, DIM, why, look));
            }
        }
    }
    lines.push(Line::new());
    lines.extend(summary(steps, look));
    render(&lines, look)
}

fn details(step: &StepReport, all: bool, look: Look) -> impl Iterator<Item = Line> {
    let shown = step
        .verdicts
        .iter()
        .filter(move |v| all || v.status != Status::Pass);
    let lines = shown.flat_map(|v| verdict_lines(v, None, Clauses::All, look.inside(2)));
    indent(lines.collect(), 2)
}

fn summary(steps: &[StepReport], look: Look) -> Vec<Line> {
    let seen: Vec<&StepReport> = steps.iter().filter(|s| s.status().is_some()).collect();
    let ended = steps
        .iter()
        .filter(|s| matches!(s.state, Standing::Ended { .. }))
        .count();
    let unchecked = steps
        .iter()
        .filter(|s| s.state == Standing::NotChecked)
        .count();
    let reached = seen.len() + ended + unchecked;
    let held = seen.iter().filter(|s| s.state == Standing::Held).count();
    let no_longer = match ended {
        0 => String::new(),
        ended => format!(", {ended} no longer checked"),
    };
    let not_checked = match unchecked {
        0 => String::new(),
        unchecked => format!(", {unchecked} not checked"),
    };
    let next = steps.iter().find(|s| s.state == Standing::NotReached);
    let not_reached = next.map_or_else(String::new, |next| {
        format!(
            ", {} not reached (next: {})",
            steps.len() - reached,
            next.id
        )
    });
    let tally = format!(
        "{held} of {} steps hold{not_checked}{no_longer}{not_reached}",
        seen.len()
    );
    if reached == 0 {
        return vec![Line::new().add(DIM, "nothing to verify: no step was reached yet")];
    }
    if reached == unchecked {
        let first = Line::new().add(WAIT.bold(), "not verified: ");
        return hang(first, BOLD, "no step that was reached is checked", look);
    }
    // Goes by the state of the step, not by its verdicts: if the cluster did not answer, there are
    // no verdicts, and that is no pass.
    let mut unmet: Vec<(Status, String)> = seen.iter().flat_map(|step| unmet(step)).collect();
    unmet.sort_by_key(|(status, _)| Reverse(*status));
    let Some((worst, first)) = unmet.first() else {
        let first = Line::new().add(GOOD.bold(), "verified: ");
        return hang(first, GOOD, &tally, look);
    };
    let more = match unmet.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let (style, _) = mark(*worst);
    let text = format!("{first}{more}; {tally}");
    let first = Line::new().add(style.bold(), "not verified: ");
    hang(first, BOLD, &text, look)
}

/// Describes the assertions of `step` that do not pass. Each description names the assertion and
/// the step.
fn unmet(step: &StepReport) -> Vec<(Status, String)> {
    let unmet = step.verdicts.iter().filter(|v| v.status != Status::Pass);
    let unmet: Vec<(Status, String)> = unmet
        .map(|v| {
            let what = format!("{} {} in step {}", v.assertion, holds(v.status), step.id);
            (v.status, what)
        })
        .collect();
    match step.status() {
        Some(status) if unmet.is_empty() && status != Status::Pass => {
            vec![(status, format!("step {} {}", step.id, holds(status)))]
        }
        _ => unmet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{cordoned, rollout};

    const LOOK: Look = Look {
        width: 80,
        colour: false,
    };

    fn lab(database: Vec<Verdict>, last: Vec<Verdict>) -> Vec<StepReport> {
        let reason = "scale changed it on purpose".to_owned();
        vec![
            StepReport::of("cluster", "Create a kind cluster", Vec::new()),
            StepReport::of("database", "Deploy PostgreSQL", database),
            StepReport::unseen("two-pods", "Scale to two", Standing::Ended { reason }),
            StepReport::of("kill-pod", "Kill postgres-0", last),
            StepReport::unseen("drain", "Drain a node", Standing::NotReached),
        ]
    }

    #[test]
    fn what_holds_takes_a_line_each() {
        let steps = lab(vec![rollout(3), rollout(3)], vec![rollout(3)]);
        insta::assert_snapshot!(verify_report(&steps, false, LOOK), @r"
        · cluster   not checked: it expects nothing
        ✓ database  rollout-complete statefulset/postgres ·
                    rollout-complete statefulset/postgres
        · two-pods  scale changed it on purpose
        ✓ kill-pod  rollout-complete statefulset/postgres
        · drain     not reached yet

        verified: 2 of 2 steps hold, 1 not checked, 1 no longer checked, 1 not reached
                  (next: drain)
        ");
    }

    #[test]
    fn what_does_not_hold_is_shown_with_all_its_clauses_and_named_at_the_end() {
        let steps = lab(vec![rollout(3), rollout(2)], vec![rollout(3), cordoned()]);
        insta::assert_snapshot!(verify_report(&steps, false, LOOK), @r"
        · cluster   not checked: it expects nothing
        ○ database  Deploy PostgreSQL
          ○ rollout-complete statefulset/postgres
            ✓ replicas exist      3
            ○ replicas are ready  expected 3, is 2
        · two-pods  scale changed it on purpose
        ✗ kill-pod  Kill postgres-0
          ✗ pvc-reattached postgres-0
            ✓ claim data-postgres-0 is the same  uid 1f3c · volume pvc-9a41
            ✗ pod is Ready                       expected Ready, is Pending for 38 s: no
                                                 node fits
              because volume pvc-9a41 is bound to node lab-10-3-worker2, which is
                      cordoned (kubectl uncordon lab-10-3-worker2)
              seen: FailedScheduling: 0/4 nodes are available
        · drain     not reached yet

        not verified: pvc-reattached postgres-0 does not hold in step kill-pod, and 1
                      more; 0 of 2 steps hold, 1 not checked, 1 no longer checked, 1 not
                      reached (next: drain)
        ");
    }

    #[test]
    fn what_is_not_checked_is_shown_as_that_and_not_counted() {
        let steps = [
            StepReport::of("database", "Deploy PostgreSQL", vec![rollout(3)]),
            StepReport::unseen("write", "Write a value", Standing::NotChecked),
        ];
        insta::assert_snapshot!(verify_report(&steps, false, LOOK), @r"
        ✓ database  rollout-complete statefulset/postgres
        · write     not checked: it expects nothing

        verified: 1 of 1 steps hold, 1 not checked
        ");
        let report = verify_report(&steps[1..], false, LOOK);
        let last = "\nnot verified: no step that was reached is checked\n";
        assert!(report.ends_with(last), "{report}");
    }

    #[test]
    fn all_clauses_are_shown_if_asked_for() {
        let steps = [StepReport::of(
            "database",
            "Deploy PostgreSQL",
            vec![rollout(3)],
        )];
        insta::assert_snapshot!(verify_report(&steps, true, LOOK), @r"
        ✓ database  Deploy PostgreSQL
          ✓ rollout-complete statefulset/postgres
            ✓ replicas exist      3
            ✓ replicas are ready  3

        verified: 1 of 1 steps hold
        ");
    }

    #[test]
    fn nothing_reached_is_not_verified() {
        let steps = [StepReport::unseen(
            "cluster",
            "Create",
            Standing::NotReached,
        )];
        let report = verify_report(&steps, false, LOOK);
        assert!(
            report.ends_with("\nnothing to verify: no step was reached yet\n"),
            "{report}"
        );
        assert!(!report.contains("verified:"));
    }

    #[test]
    fn a_step_that_could_not_be_looked_at_is_no_pass() {
        let steps = [StepReport::unseen("database", "Deploy", Standing::Unknown)];
        let report = verify_report(&steps, false, LOOK);
        let last = "not verified: step database cannot be told; 0 of 1 steps hold\n";
        assert!(report.ends_with(last), "{report}");
    }

    #[test]
    fn a_program_gets_the_same_report() {
        let steps = lab(vec![rollout(3)], vec![rollout(1)]);
        let json = serde_json::to_value(&steps).unwrap();
        assert_eq!(json[0]["state"], "not-checked");
        assert_eq!(json[1]["state"], "held");
        assert_eq!(
            json[2]["state"]["ended"]["reason"],
            "scale changed it on purpose"
        );
        assert_eq!(json[3]["state"], "pending");
        assert_eq!(json[3]["verdicts"][0]["clauses"][1]["actual"], "1");
        assert_eq!(json[4]["state"], "not-reached");
    }
}
