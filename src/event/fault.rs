//! Faults that were injected and not healed, and their keepers.

use serde::{Deserialize, Serialize};

use crate::spec::{StepId, Undo};

/// The steps that no longer count as verified, and the new cursor. Events carry both, as only the
/// lab knows the order of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rewound {
    /// The last step that still counts, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<StepId>,
    /// The steps that no longer count, in the lab's order.
    pub steps: Vec<StepId>,
}

/// A fault that was injected and not healed.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenFault {
    /// The step that injected it.
    pub step: StepId,
    /// The way to heal the fault, from the step at the time of the injection. Later changes of the
    /// lab do not matter.
    pub undo: Undo,
    /// The keeper, who is responsible for healing the fault.
    pub keeper: Keeper,
}

/// The one who is responsible for healing an open fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// The current run.
    Run,
    /// Nobody, on purpose: the run that kept the fault passed and left it open for a later step.
    Step,
    /// Nobody: the run that kept the fault died, failed, or could not heal it.
    Nobody,
}

/// The open faults, in the order in which they were injected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults(Vec<OpenFault>);

impl Faults {
    /// Returns the faults, the last injected first. Faults are healed in this order.
    pub fn last_first(&self) -> impl Iterator<Item = &OpenFault> {
        self.0.iter().rev()
    }

    /// Returns true if no fault is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the steps that injected the faults, in the order of injection.
    #[must_use]
    pub fn steps(&self) -> Vec<StepId> {
        self.0.iter().map(|fault| fault.step.clone()).collect()
    }

    pub(super) fn injected(&mut self, step: &StepId, undo: &Undo) {
        self.undone(step);
        self.0.push(OpenFault {
            step: step.clone(),
            undo: undo.clone(),
            keeper: Keeper::Run,
        });
    }

    pub(super) fn undone(&mut self, step: &StepId) {
        self.0.retain(|fault| fault.step != *step);
    }

    /// Updates the keepers when a run begins that may change something. The run takes over the
    /// faults that were left open on purpose. Faults that an earlier run still kept have no keeper
    /// any more.
    pub(super) fn run_began(&mut self) {
        for fault in &mut self.0 {
            fault.keeper = match fault.keeper {
                Keeper::Step => Keeper::Run,
                Keeper::Run | Keeper::Nobody => Keeper::Nobody,
            };
        }
    }

    /// Updates the keepers when such a run passed: the faults stay open for a later step.
    pub(super) fn run_passed(&mut self) {
        for fault in &mut self.0 {
            if fault.keeper == Keeper::Run {
                fault.keeper = Keeper::Step;
            }
        }
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
