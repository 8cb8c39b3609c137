//! The cursor, and the steps that count as seen to hold.

use crate::{
    engine::run::{context::Context, dispatcher::Emitter, error::EngineError},
    event::{EventKind, Rewound, RunState},
    plan::rewind,
    spec::{Step, StepId},
};

/// Returns the number of steps, from the first one on, that were verified without a gap.
#[must_use]
pub fn verified(context: &Context, state: &RunState) -> usize {
    let steps = context.lab.steps.iter();
    steps.take_while(|step| state.is_verified(&step.id)).count()
}

/// Rewinds the cursor: the step at `from` and all later ones no longer count as verified.
/// `reset_to` is the target step of a reset that is under way.
pub async fn rewind_from(
    context: &Context,
    from: usize,
    reset_to: Option<&StepId>,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let rewound = rewind(&context.lab, from, &emitter.state());
    set(reset_to, rewound, emitter).await
}

/// Sets the cursor after `step` was seen to hold: to `step`, or to `before` if that is further on.
/// A step that is done late, or again, does not move the cursor back.
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
