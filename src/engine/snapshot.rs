//! Keeping what `reset` goes back to, whenever a step is seen to hold.

use super::{Context, EngineError, data};
use crate::{
    assert::Cluster,
    event::RunState,
    plan::reset::{base, is_base},
    snapshot::Reach,
    spec::Step,
    tool::Stopper,
};

/// Keeps a snapshot for `step`, which was just seen to hold, unless a fault is open there. Those of
/// later steps that were verified already are of what `step` was before it changed; they are
/// renewed as well.
pub async fn keep(
    context: &Context,
    step: &Step,
    cluster: &Cluster,
    state: &RunState,
    stopper: &Stopper,
) -> Result<(), EngineError> {
    let lab = &context.lab;
    let Some(index) = lab.position(&step.id) else {
        return Ok(());
    };
    let later = (index + 1..lab.steps.len()).filter(|i| state.is_verified(&lab.steps[*i].id));
    let kept = std::iter::once(index)
        .chain(later)
        .filter(|i| is_base(lab, *i));
    let kept: Vec<usize> = kept.collect();
    if kept.is_empty() {
        return Ok(());
    }
    let reach = Reach::new(cluster).await?;
    let (live, fingerprints) =
        futures::future::join(reach.list(), data::fingerprints(context, cluster)).await;
    data::keep(context, &fingerprints, stopper).await?;
    let mut snapshot = live?.snapshot();
    // Data that cannot be asked for just now is taken to be what it was.
    if let Some(earlier) = index.checked_sub(1).and_then(|i| base(lab, i)) {
        let earlier = context.environment.snapshot(&lab.steps[earlier].id)?;
        snapshot.data = earlier.unwrap_or_default().data;
    }
    snapshot.data.extend(fingerprints);
    for index in kept {
        context
            .environment
            .keep_snapshot(&lab.steps[index].id, &snapshot)?;
    }
    Ok(())
}
