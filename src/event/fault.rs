//! Faults that were injected and not taken back, and who answers for them.

use serde::{Deserialize, Serialize};

use crate::spec::{StepId, Undo};

/// Steps that no longer count as seen to hold, and where that leaves the cursor. Carried by events:
/// what the order of steps is only the lab knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rewound {
    /// The last step that still counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<StepId>,
    /// The steps that do not any more, in the lab's order.
    pub steps: Vec<StepId>,
}

/// A fault that was injected and not taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenFault {
    /// The step that injected it.
    pub step: StepId,
    /// How it is taken back: as the step said when it was injected, whatever the lab says now.
    pub undo: Undo,
    /// Who answers for it.
    pub keeper: Keeper,
}

/// Who answers for an open fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// The run that is under way.
    Run,
    /// Nobody needs to: the run that had it ended well, and left it open for a later step.
    Step,
    /// Nobody does: the run that had it died, failed, or could not take it back.
    Nobody,
}

/// The open faults, in the order in which they were injected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults(Vec<OpenFault>);

impl Faults {
    /// All of them, the last injected first: the order in which they are taken back.
    pub fn last_first(&self) -> impl Iterator<Item = &OpenFault> {
        self.0.iter().rev()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their steps, in the order in which they were injected.
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

    /// A run begins that may change something: it answers for what was left open on purpose. What
    /// still is another run's has lost it.
    pub(super) fn run_began(&mut self) {
        for fault in &mut self.0 {
            fault.keeper = match fault.keeper {
                Keeper::Step => Keeper::Run,
                Keeper::Run | Keeper::Nobody => Keeper::Nobody,
            };
        }
    }

    /// Such a run ended well.
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
