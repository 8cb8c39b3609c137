//! The decision to do a step or to skip it, with the reason.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    event::{RunState, Status, StepState, Verdict},
    spec::{Lab, Step, StepId},
};

/// The input to a decision about a step.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The state of the environment according to the journal.
    pub state: &'a RunState,
    /// The fingerprint that the step would have if it were done now.
    pub fingerprint: &'a str,
    /// The current verdicts of the step's lasting expectations; `None` if they were not evaluated.
    pub verdicts: Option<&'a [Verdict]>,
}

/// A decision about a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A step to do.
    Run {
        /// The reason.
        reason: String,
    },
    /// A step to leave alone.
    Skip {
        /// The reason.
        reason: String,
    },
    /// A step not to repeat, although its expectations do not hold now: they may yet hold.
    Wait {
        /// The reason, with the expectation to wait for.
        reason: String,
    },
    /// A step that can neither be left alone nor be repaired by repeating it.
    Broken {
        /// The reason.
        reason: String,
    },
}

/// Returns whether the expectations of the step at `index` are still checked once the cursor is at
/// `cursor`. They are not if they are evaluated only once, or if a later step that was reached ends
/// them.
#[must_use]
pub fn lasts(lab: &Lab, index: usize, cursor: Option<usize>) -> Lasts {
    let step = &lab.steps[index];
    if step.expect.as_ref().is_some_and(|expect| expect.once) {
        return Lasts::SeenOnce;
    }
    let end = step.ends_at().and_then(|id| lab.position(id));
    match (end, cursor) {
        (Some(end), Some(cursor)) if cursor >= end => Lasts::EndedBy(end),
        _ => Lasts::Yes,
    }
}

/// Returns the position of the last step whose expectations were observed to hold. If the author
/// renamed the step that the journal names, this is the last verified step that the lab still has.
#[must_use]
pub fn cursor(lab: &Lab, state: &RunState) -> Option<usize> {
    let id = state.cursor.as_ref()?;
    lab.position(id).or_else(|| {
        let mut steps = lab.steps.iter();
        steps.rposition(|step| state.is_verified(&step.id))
    })
}

/// The lifetime of a step's expectations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// The expectations are still checked.
    Yes,
    /// The expectations are evaluated only once.
    SeenOnce,
    /// The step at this position ended the expectations.
    EndedBy(usize),
}

/// Decides about the step at `index` of `lab`.
#[must_use]
pub fn decide(lab: &Lab, index: usize, known: &Known<'_>) -> Decision {
    let step = &lab.steps[index];
    let state = known.state.steps.get(&step.id);
    let cursor = cursor(lab, known.state);
    let Some((at, fingerprint)) = state.and_then(|s| s.verified.as_ref()) else {
        return not_verified(state);
    };
    let at = clock(*at);
    if let Some(fault) = open_fault(lab, step, known.state) {
        return Decision::Run {
            reason: format!("the fault of step {fault}, which ends here, is open"),
        };
    }
    if fingerprint != known.fingerprint {
        return changed(step, &at);
    }
    match lasts(lab, index, cursor) {
        Lasts::SeenOnce => skip(format!("verified at {at}; it is looked at once")),
        Lasts::EndedBy(end) => {
            let end = &lab.steps[end].id;
            skip(format!(
                "verified at {at}; step {end} changed it on purpose"
            ))
        }
        Lasts::Yes => match begun_end(step, known.state) {
            Some(end) => skip(format!(
                "verified at {at}; step {end}, which changes it on purpose, was begun"
            )),
            None => holds_still(step, &at, known.verdicts.unwrap_or_default()),
        },
    }
}

/// Returns the step whose open fault `step` ends. Returns `None` for a `step` that injects a fault:
/// it is not injected twice to end another one.
fn open_fault(lab: &Lab, step: &Step, state: &RunState) -> Option<StepId> {
    let ends = |id: &StepId| {
        let at = lab.position(id);
        at.is_some_and(|at| lab.steps[at].until.as_ref() == Some(&step.id))
    };
    let mut open = state.faults.steps().into_iter();
    open.find(ends).filter(|_| !step.is_fault())
}

/// Returns the step that ends the expectations of `step`, if it was begun. Its progress is unknown.
fn begun_end<'a>(step: &'a Step, state: &RunState) -> Option<&'a StepId> {
    let end = step.ends_at()?;
    state.steps.get(end).is_some_and(|s| s.begun).then_some(end)
}

fn not_verified(state: Option<&StepState>) -> Decision {
    let is = |what: fn(&StepState) -> bool| state.is_some_and(what);
    let reason = if is(|s| s.begun) {
        "it was interrupted, or failed, the last time"
    } else if is(|s| s.rewound) {
        "it was done, and then taken back"
    } else {
        "it was not done yet"
    };
    Decision::Run {
        reason: reason.to_owned(),
    }
}

fn changed(step: &Step, at: &str) -> Decision {
    if step.action.is_repeatable() {
        return Decision::Run {
            reason: format!("it, or a file it uses, changed since it was verified at {at}"),
        };
    }
    skip(format!(
        "verified at {at}; it changed since, but {} is never done twice unasked \
         (only a new cluster gets it)",
        step.action.name()
    ))
}

fn holds_still(step: &Step, at: &str, verdicts: &[Verdict]) -> Decision {
    // Picks the worst verdict, or the first of several.
    let broken = verdicts.iter().rev().max_by_key(|v| v.status);
    let broken = broken.filter(|v| v.status != Status::Pass);
    match broken {
        None if !step.is_checked() => skip(format!("done at {at}, unchanged; it is not checked")),
        None if verdicts.is_empty() => skip(format!("verified at {at}, unchanged")),
        None => skip(format!("verified at {at}, unchanged, and it still holds")),
        Some(verdict) if step.action.is_repeatable() => Decision::Run {
            reason: format!("{} no longer holds", verdict.assertion),
        },
        Some(verdict) if Verdict::worst(verdicts) < Status::Failed => Decision::Wait {
            reason: format!("verified at {at}; {} did not hold", verdict.assertion),
        },
        Some(verdict) => Decision::Broken {
            reason: format!(
                "{} no longer holds, and doing {} again would not mend it",
                verdict.assertion,
                step.action.name()
            ),
        },
    }
}

fn skip(reason: String) -> Decision {
    Decision::Skip { reason }
}

/// Formats the time of day in UTC, so that texts are the same on any machine when they are compared
/// and replayed.
fn clock(at: Timestamp) -> String {
    let zoned = at.to_zoned(TimeZone::UTC);
    zoned.strftime("%H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests;
