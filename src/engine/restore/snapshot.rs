//! The snapshots that `reset` restores. One is kept whenever a step is seen to hold.

use crate::{
    assert::Cluster,
    engine::{
        restore::data,
        run::{context::Context, dispatcher::Emitter, error::EngineError},
    },
    plan::reset::is_base,
    snapshot::Reach,
    spec::Step,
    tool::Stopper,
};

/// Keeps a snapshot for `step`, which was just seen to hold, unless a fault is open there. Also
/// renews the snapshots of later steps that were verified already: they show `step` as it was
/// before it changed.
pub async fn keep(
    context: &Context,
    step: &Step,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<(), EngineError> {
    let lab = &context.lab;
    let state = emitter.state();
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
    let (live, data) =
        futures::future::join(reach.list(), data::keep(context, cluster, emitter, stopper)).await;
    let mut snapshot = live?.snapshot();
    snapshot.data = data?;
    snapshot.data_commands = data::commands(context);
    for index in kept {
        context
            .environment
            .keep_snapshot(&lab.steps[index].id, &snapshot)?;
    }
    Ok(())
}
