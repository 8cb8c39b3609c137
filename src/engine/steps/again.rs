//! The wait after a restart until the expectations hold again that held before.

use crate::{
    assert::{Cluster, Needs, back, watch::Watch},
    engine::{
        cluster::revive,
        run::{context::Context, dispatcher::Emitter, error::EngineError},
        steps::{
            settle::{NO_RECORDS, Settled, Wait},
            verify,
        },
    },
    event::{EventKind, Status, Verdict},
    spec::Within,
    tool::Stopper,
};

/// The longest wait after a restart.
const AGAIN: Within = Within::seconds(120);
/// The time, after the last pod is Ready, in which the rest may follow: endpoints, and the DNS
/// names served from them.
const LAG: Within = Within::seconds(25);

/// Waits until every lasting expectation holds again. Gives up once the restart can no longer be
/// the reason why one does not: somebody broke that one before.
pub async fn wait(
    context: &Context,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let assertions = verify::lasting_assertions(context, &state);
    if assertions.is_empty() {
        return Ok(());
    }
    let step = revive::step(context);
    let wait = Wait {
        step: &step,
        owners: &[],
        assertions: &assertions,
        within: context.scaled(AGAIN),
        facts: &state.facts,
        records: &NO_RECORDS,
        needs: Needs::of(&assertions, &context.lab.namespace),
    };
    let mut watch = wait.watch(cluster);
    let unmet = tokio::select! {
        settled = wait.settle(context, &mut watch, emitter, stopper) => match settled? {
            Settled::Holds(..) => return Ok(()),
            Settled::Fails(unmet) => unmet.verdicts,
        },
        () = quiet(context, cluster) => {
            let mut watch = wait.watch(cluster);
            wait.first(context, &mut watch, stopper).await?.0
        }
    };
    let unmet: Vec<&Verdict> = unmet.iter().filter(|v| v.status != Status::Pass).collect();
    if let Some(first) = unmet.first() {
        let more = match unmet.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        emitter.emit(EventKind::Notice {
            text: format!(
                "{} does not hold{more}; `labctl verify {}` says why",
                first.assertion,
                context.call()
            ),
        });
    }
    Ok(())
}

/// Returns once all pods have been Ready for a while. An expectation that does not hold by then
/// will not hold by waiting longer.
pub async fn quiet(context: &Context, cluster: &Cluster) {
    let namespace = &context.lab.namespace;
    let mut watch = Watch::start(cluster, &back::needs(namespace));
    while !back::is_quiet(&watch.observed(), namespace) {
        watch.changed().await;
    }
    tokio::time::sleep(context.scaled(LAG)).await;
}
