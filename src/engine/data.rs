//! A lab's data: known by its fingerprint, kept aside while it changes, put back when asked.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{Context, Emitter, EngineError, tools};
use crate::{
    assert::{Cluster, Probe, ProbeResult},
    event::{Change, Differing, EventKind, Untrusted},
    spec::Data,
    tool::Stopper,
};

/// The fingerprints of the data by pod; pods that cannot be asked are left out.
pub async fn fingerprints(context: &Context, cluster: &Cluster) -> BTreeMap<String, String> {
    let pods = context
        .lab
        .data
        .iter()
        .flat_map(|data| data.pods.iter().map(move |pod| (data, pod)));
    let asked = pods.map(|(data, pod)| async move {
        let probe = Probe::sql(pod, &data.fingerprint, &context.lab.namespace);
        match cluster.ask(&probe).await {
            ProbeResult::Ran {
                code: 0, stdout, ..
            } => Some((pod.clone(), stdout)),
            _ => None,
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Keeps the data of each pod in `fingerprints` aside, unless the same is kept already.
pub async fn keep(
    context: &Context,
    fingerprints: &BTreeMap<String, String>,
    stopper: &Stopper,
) -> Result<(), EngineError> {
    let kept = join_all(fingerprints.iter().map(|(pod, fingerprint)| async move {
        let kept = context.environment.data(pod, fingerprint);
        let Some(data) = of(context, pod).filter(|_| !kept.exists()) else {
            return Ok(());
        };
        let new = context.environment.data_in_the_making(&kept)?;
        let kubectl = &context.target().kubectl;
        let save = kubectl.exec(pod, None, &data.save).stdout(new.clone());
        let what = format!("keep the data of {pod}");
        tools::ask(context, &save, &what, &mut stopper.clone()).await?;
        Ok(context.environment.keep_data(&new, &kept)?)
    }));
    kept.await.into_iter().collect()
}

fn of<'a>(context: &'a Context, pod: &str) -> Option<&'a Data> {
    let mut data = context.lab.data.iter();
    data.find(|data| data.pods.iter().any(|name| name == pod))
}

/// The pods whose data has another fingerprint in `now` than in `wanted`; with `force`, all.
#[must_use]
pub fn changed(
    wanted: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    force: bool,
) -> Vec<String> {
    let other = wanted
        .iter()
        .filter(|(pod, was)| force || now.get(*pod) != Some(was));
    other.map(|(pod, _)| pod.clone()).collect()
}

/// How it is told that the data of `pod` differs from what it was.
#[must_use]
pub fn differing(pod: &str, now: &BTreeMap<String, String>) -> Differing {
    let unknown = Untrusted::new("cannot be asked for now");
    Differing {
        object: format!("data of {pod}"),
        change: Change::Changed,
        details: if now.contains_key(pod) {
            Vec::new()
        } else {
            vec![unknown]
        },
    }
}

/// Puts the data of `pods` back to what it is in `wanted`; in `now` it is what it is. Returns the
/// pods.
pub async fn restore(
    context: &Context,
    wanted: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    pods: Vec<String>,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<Vec<String>, EngineError> {
    for pod in &pods {
        let differing = differing(pod, now);
        emitter.emit(EventKind::Differs { differing });
    }
    let restored = join_all(pods.iter().map(|pod| async move {
        let (Some(data), Some(was)) = (of(context, pod), wanted.get(pod)) else {
            return Ok(());
        };
        let kept = context.environment.data(pod, was);
        let command = context.target().kubectl.feed(pod, &data.restore, &kept);
        let what = format!("put the data of {pod} back");
        tools::tell(context, &command, &what, emitter, &mut stopper.clone())
            .await
            .map(drop)
    }));
    let restored: Result<(), EngineError> = restored.await.into_iter().collect();
    restored.map(|()| pods)
}
