//! The choice of the step that `reset` restores.

use crate::spec::Lab;

/// Tests whether a fault is open at the step at `index`: injected there or before, and healed
/// later.
fn has_an_open_fault(lab: &Lab, index: usize) -> bool {
    lab.steps[..=index].iter().any(|step| {
        let end = step.until.as_ref().and_then(|until| lab.position(until));
        step.is_fault() && end.is_some_and(|end| end > index)
    })
}

/// Tests whether the state after the step at `index` can be restored, and so has a snapshot.
/// Objects can be restored, but the effects of a fault on the rest of the cluster can only be
/// injected again.
#[must_use]
pub fn is_base(lab: &Lab, index: usize) -> bool {
    !has_an_open_fault(lab, index)
}

/// Returns the step to restore for a reset to the step at `index`: that step, or the last one
/// before it without an open fault. The steps between the two are done again.
#[must_use]
pub fn base(lab: &Lab, index: usize) -> Option<usize> {
    (0..=index).rev().find(|at| is_base(lab, *at))
}
