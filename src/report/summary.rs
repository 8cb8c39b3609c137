//! The header and the summary of a run, a line or two each.

use std::time::Duration;

use super::{
    line::{BAD, BOLD, DIM, GOOD, Line, Look, WAIT, hang},
    text::{duration, holds},
};
use crate::{
    event::{EventKind, Failure, Outcome, RunOutcome, Status, StepInfo, Verb},
    spec::StepId,
};

/// The part of a run's state that the summary needs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) verb: Verb,
    pub(super) environment: String,
    lab: String,
    title: String,
    pub(super) steps: Vec<StepInfo>,
    held: Vec<StepId>,
    pub(super) skipped: usize,
    held_already: usize,
    failed: Option<(StepId, String)>,
}

impl Run {
    /// Returns the run that `event` starts, if it starts one.
    pub(super) fn of(event: &EventKind) -> Option<Self> {
        let EventKind::RunStarted {
            verb,
            environment,
            lab,
            title,
            steps,
        } = event
        else {
            return None;
        };
        Some(Self {
            verb: *verb,
            environment: environment.clone(),
            lab: lab.clone(),
            title: title.clone(),
            steps: steps.clone(),
            held: Vec::new(),
            skipped: 0,
            held_already: 0,
            failed: None,
        })
    }

    /// Notes the outcome of a step.
    pub(super) fn step_finished(&mut self, step: &StepId, outcome: &Outcome) {
        match outcome {
            Outcome::Changed => self.held.push(step.clone()),
            Outcome::Skipped { .. } => {
                self.held.push(step.clone());
                self.skipped += 1;
                self.held_already += usize::from(!self.is_unchecked(step));
            }
            Outcome::Failed(failure) => self.failed = Some((step.clone(), object(failure))),
            Outcome::Cancelled => {}
        }
    }

    /// Returns true if `step` expects nothing, so that nobody can say that it holds.
    pub(super) fn is_unchecked(&self, step: &StepId) -> bool {
        self.steps.iter().any(|s| s.id == *step && s.unchecked)
    }

    /// Returns the number of finished steps that expect nothing, in words, or an empty string.
    fn not_checked(&self) -> String {
        let unchecked = self.held.iter().filter(|id| self.is_unchecked(id)).count();
        match unchecked {
            0 => String::new(),
            unchecked => format!(", {unchecked} of them not checked"),
        }
    }

    /// Notes that steps no longer count as verified.
    pub(super) fn rewound(&mut self, steps: &[StepId]) {
        self.held.retain(|held| !steps.contains(held));
    }

    /// Returns the position of `step` among all steps: `2/8`.
    pub(super) fn position(&self, step: &StepId) -> Option<String> {
        let index = self.steps.iter().position(|s| s.id == *step)?;
        Some(format!("{}/{}", index + 1, self.steps.len()))
    }

    /// Returns the lines at the beginning of a run.
    pub(super) fn header(&self, look: Look) -> Vec<Line> {
        let verb = match self.verb {
            Verb::Up | Verb::Next => "",
            Verb::Heal => "healing ",
            Verb::Reset => "resetting ",
            Verb::Verify => "verifying ",
            Verb::Down => "taking down ",
            Verb::Stop => "stopping ",
            Verb::Start => "starting ",
        };
        let first = Line::new().add(BOLD, &format!("{verb}lab {} ", self.lab));
        let text = format!("{} → environment {}", self.title, self.environment);
        hang(first, BOLD, &text, look)
    }

    /// Returns the lines at the end of a run.
    pub(super) fn summary(&self, outcome: RunOutcome, took: Duration, look: Look) -> Vec<Line> {
        let took = duration(took);
        let (style, text, next) = match outcome {
            RunOutcome::Passed => (GOOD, format!("{}, {took}", self.passed()), None),
            RunOutcome::Failed => {
                let why = self.failed.as_ref();
                let why = why.map(|(step, object)| format!("{object} in step {step}"));
                (BAD, self.fell_short(&took, why.as_deref()), self.again())
            }
            RunOutcome::Unreachable => {
                let text = self.fell_short(&took, Some("its cluster does not answer"));
                let look = "`labctl status` shows how its nodes stand".to_owned();
                (BAD, text, Some(look))
            }
            RunOutcome::Cancelled { signal } => {
                let why = format!("interrupted by {}", signal_name(signal));
                (WAIT, self.fell_short(&took, Some(&why)), self.again())
            }
        };
        let mut lines = vec![Line::new()];
        lines.extend(hang(Line::new(), style.bold(), &text, look));
        if let Some(next) = next {
            lines.extend(hang(Line::new().add(DIM, "next: "), DIM, &next, look));
        }
        lines
    }

    fn passed(&self) -> String {
        let (held, total) = (self.held.len(), self.steps.len());
        let already = match self.held_already {
            0 => String::new(),
            already => format!(", {already} of them held already"),
        };
        let already = format!("{already}{}", self.not_checked());
        match (self.verb, self.held.last()) {
            (Verb::Down, _) => format!("{} is gone", self.environment),
            (Verb::Stop, _) => format!("{} is stopped", self.environment),
            (Verb::Start, _) => format!("{} is back", self.environment),
            (Verb::Verify, _) => format!("{} is verified", self.lab),
            (Verb::Reset, _) => {
                let at = self.steps.last().map_or("", |step| step.id.as_str());
                format!("{} is back at {at}", self.environment)
            }
            (Verb::Heal, _) => format!("no fault is open in {}", self.environment),
            (Verb::Up | Verb::Next, Some(last)) if held < total => {
                format!(
                    "{} is up to {last}: {held} of {total} steps{already}",
                    self.lab
                )
            }
            (Verb::Up | Verb::Next, _) => format!("{} is up: {}{already}", self.lab, steps(total)),
        }
    }

    fn fell_short(&self, took: &str, why: Option<&str>) -> String {
        let checked = self.held.iter().filter(|id| !self.is_unchecked(id));
        let (held, total) = (checked.count(), self.steps.len());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let not_checked = self.not_checked().replace(" of them", "");
        let tally = format!("({held} of {} hold{not_checked})", steps(total));
        match self.verb {
            Verb::Up | Verb::Next => format!("{} is not up after {took}{why} {tally}", self.lab),
            Verb::Verify => format!("{} is not verified after {took}{why} {tally}", self.lab),
            Verb::Heal => format!("{} is not healed after {took}{why}", self.environment),
            Verb::Down => format!("{} is not gone after {took}{why}", self.environment),
            Verb::Stop => format!("{} is not stopped after {took}{why}", self.environment),
            Verb::Reset | Verb::Start => {
                format!("{} is not back after {took}{why}", self.environment)
            }
        }
    }

    /// Suggests the command to use once the cause is fixed. None if no step is left to do.
    fn again(&self) -> Option<String> {
        let call = format!("`labctl {} {}{}`", self.verb, self.lab, self.flag());
        match self.verb {
            Verb::Up | Verb::Next => {
                let next = self
                    .steps
                    .iter()
                    .find(|step| !self.held.contains(&step.id))?;
                Some(format!("{call} goes on at {}", next.id))
            }
            Verb::Verify => Some(format!("{call} looks again")),
            Verb::Heal | Verb::Reset => Some(format!("{call} tries again")),
            Verb::Down => Some(format!("{call} removes what is left")),
            Verb::Stop => Some(format!("{call} stops what still runs")),
            Verb::Start => Some(format!("{call} goes on")),
        }
    }

    /// Returns the argument that names the environment, or an empty string for the lab's default.
    fn flag(&self) -> String {
        if self.environment == format!("lab-{}", self.lab.replace('.', "-")) {
            return String::new();
        }
        format!(" --env {}", self.environment)
    }
}

fn steps(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} step{plural}")
}

/// Returns the failed assertion, if it was one, or the failure's summary.
fn object(failure: &Failure) -> String {
    let unmet = failure.verdicts.iter().find(|v| v.status != Status::Pass);
    unmet.map_or_else(
        || failure.summary.clone(),
        |verdict| format!("{} {}", verdict.assertion, holds(verdict.status)),
    )
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}
