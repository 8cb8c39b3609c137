//! Where `reset` goes back to.

use crate::spec::Lab;

/// Whether a fault is open while the lab stands at the step at `index`: injected there or before,
/// and taken back later.
fn has_an_open_fault(lab: &Lab, index: usize) -> bool {
    lab.steps[..=index].iter().any(|step| {
        let end = step.until.as_ref().and_then(|until| lab.position(until));
        step.is_fault() && end.is_some_and(|end| end > index)
    })
}

/// Whether the step at `index` can be gone back to as it was, and so has a snapshot. Objects can be
/// put back; what a fault does to the rest of the cluster cannot, only injected anew.
#[must_use]
pub fn is_base(lab: &Lab, index: usize) -> bool {
    !has_an_open_fault(lab, index)
}

/// The step that is put back for a reset to the step at `index`: it, or the last one before it at
/// which no fault is open. What is between the two is done again.
#[must_use]
pub fn base(lab: &Lab, index: usize) -> Option<usize> {
    (0..=index).rev().find(|at| is_base(lab, *at))
}
