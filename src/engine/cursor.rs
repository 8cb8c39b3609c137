//! Where the cursor stands, and which steps count as seen to hold.

use super::{Context, Emitter, EngineError};
use crate::{
    event::{EventKind, Rewound, RunState},
    plan::rewind,
    spec::{Step, StepId},
};

/// Returns how many steps, from the first on, were verified without a gap.
#[must_use]
pub fn verified(context: &Context, state: &RunState) -> usize {
    let steps = context.lab.steps.iter();
    steps.take_while(|step| state.is_verified(&step.id)).count()
}

/// Has the step at `from`, and all behind it, no longer count. `reset_to` is the step to which a
/// reset is under way.
pub async fn rewind_from(
    context: &Context,
    from: usize,
    reset_to: Option<&StepId>,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let rewound = rewind(&context.lab, from, &emitter.state());
    set(reset_to, rewound, emitter).await
}

/// Puts the cursor where it has to be once `step` was seen to hold: there, or where it was `before`
/// if that is further on. A step that is done late, or again, does not move it back.
pub async fn keep(
    context: &Context,
    step: &Step,
    before: Option<StepId>,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let at = |id: &StepId| context.lab.position(id);
    let further = before.filter(|before| at(before) > at(&step.id));
    let wanted = further.or_else(|| Some(step.id.clone()));
    if emitter.state().cursor == wanted {
        return Ok(());
    }
    let rewound = Rewound {
        cursor: wanted,
        steps: Vec::new(),
    };
    set(None, rewound, emitter).await
}

async fn set(
    reset_to: Option<&StepId>,
    rewound: Rewound,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let to = reset_to.cloned();
    emitter.commit(EventKind::Rewound { to, rewound }).await
}
