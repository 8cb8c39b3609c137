//! The restart of silent kubelets: the nodes are containers, so labctl can do it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    engine::{
        cluster::proof,
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::{EventKind, Failure},
    snapshot::{Difference, Live, Reach, difference::silent_nodes},
    spec::Within,
    tool::{Stopper, docker},
};

/// The longest time that a restarted kubelet may take to report.
const REPORTS: Within = Within::seconds(60);
/// The pause between two checks for a report. The leases of nodes are not watched.
const PAUSE: Duration = Duration::from_secs(1);

/// Restarts the kubelets in `differences`, and waits until they report. Returns true if there were
/// any: then the caller has to compare anew.
pub(super) async fn restart(
    context: &Context,
    reach: &Reach,
    differences: &[Difference],
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<bool, EngineError> {
    let names = differences
        .iter()
        .filter_map(|difference| match difference {
            Difference::Kubelet { name, .. } => Some(name.as_str()),
            _ => None,
        });
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Ok(false);
    }
    let what = format!("restart the kubelets of the cluster \"{}\"", context.name());
    let found = proof::survey(context, &emitter.state(), stopper)
        .await?
        .unshared(&what)?;
    for node in found
        .iter()
        .filter(|node| names.contains(&node.name.as_str()))
    {
        let what = format!("restart the kubelet of {}", node.name);
        let restart = docker::restart_kubelet(&node.id);
        commands::tell(context, &restart, &what, emitter, stopper).await?;
    }
    let within = context.scaled(REPORTS);
    emitter.emit(EventKind::Notice {
        text: format!(
            "waiting up to {} s until {} report{} again",
            within.as_secs(),
            names.join(", "),
            if names.len() == 1 { "s" } else { "" }
        ),
    });
    let deadline = Instant::now() + within;
    loop {
        let live: Live = reach.list().await?;
        let silent: Vec<String> = silent_nodes(&live).map(|(name, _)| name).collect();
        let late =
            |name: &&&str| !live.nodes.contains_key(**name) || silent.iter().any(|s| s == *name);
        let late: Vec<&str> = names.iter().filter(late).copied().collect();
        if late.is_empty() {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            let summary = format!(
                "{} did not report within {} s after its kubelet was restarted",
                late.join(", "),
                within.as_secs()
            );
            let hint = format!(
                "`docker exec {} journalctl -u kubelet` says why; `labctl reset {} \
                --hard` makes the cluster anew",
                late[0],
                context.call()
            );
            return Err(EngineError::Step(Box::new(
                Failure::new(summary).hint(hint),
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
