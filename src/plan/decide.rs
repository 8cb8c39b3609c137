//! Whether a step is done or skipped, and why.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    event::{RunState, Status, StepState, Verdict},
    spec::{Lab, Step, StepId},
};

/// What is known of a step when it is decided on.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What the journal says of the environment.
    pub state: &'a RunState,
    /// The step's fingerprint as it would be done now.
    pub fingerprint: &'a str,
    /// What its lasting expectations come to now; `None` if they were not looked at.
    pub verdicts: Option<&'a [Verdict]>,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is done.
    Run {
        /// Why.
        reason: String,
    },
    /// It is left alone.
    Skip {
        /// Why.
        reason: String,
    },
    /// It is not done again; what it expects does not hold now, and may yet by waiting.
    Wait {
        /// What is waited for.
        reason: String,
    },
    /// It can neither be left nor mended by doing it again.
    Broken {
        /// Why.
        reason: String,
    },
}

/// Whether the expectations of the step at `index` are still checked once the cursor is at
/// `cursor`: unless they are seen once, or a later step that was reached ends them.
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

/// The position of the last step that was seen to hold. If the lab no longer has the one that the
/// journal names, as its author renamed it, that is the last one that it still has.
#[must_use]
pub fn cursor(lab: &Lab, state: &RunState) -> Option<usize> {
    let id = state.cursor.as_ref()?;
    lab.position(id).or_else(|| {
        let mut steps = lab.steps.iter();
        steps.rposition(|step| state.is_verified(&step.id))
    })
}

/// Whether expectations are still checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// They are.
    Yes,
    /// They were seen once.
    SeenOnce,
    /// The step at this position ended them.
    EndedBy(usize),
}

/// Decides on the step at `index` of `lab`.
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

/// Returns the step of an open fault that `step` ends. A fault is not injected twice to end another.
fn open_fault(lab: &Lab, step: &Step, state: &RunState) -> Option<StepId> {
    let ends = |id: &StepId| {
        let at = lab.position(id);
        at.is_some_and(|at| lab.steps[at].until.as_ref() == Some(&step.id))
    };
    let mut open = state.faults.steps().into_iter();
    open.find(ends).filter(|_| !step.is_fault())
}

/// The step that ends what `step` expects, if that was begun: how far it came is not known.
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
    // The one that says most against it, the first of several.
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

/// The time of day in UTC: these texts are compared and replayed, on any machine.
fn clock(at: Timestamp) -> String {
    let zoned = at.to_zoned(TimeZone::UTC);
    zoned.strftime("%H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests;
