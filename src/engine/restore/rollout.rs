//! The restore of a `StatefulSet`, with all its pods started at once.
//!
//! With `podManagementPolicy: OrderedReady` each pod waits for the one before it. A lab may want to
//! show that, but nobody wants to wait for it a second time. The policy of an existing object is
//! immutable, but it is no part of the pod template. So a stand-in object with the policy
//! `Parallel` starts the pods. Once they are Ready, the wanted object replaces the stand-in and
//! adopts its pods.

use std::time::Duration;

use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::{
    engine::restore::remove::Removal,
    event::EventKind,
    snapshot::{Key, LiveError, LiveObject, patch::merge},
};

/// The time that a controller may take to observe a change of its object.
const SEEN: Duration = Duration::from_secs(10);
/// The time that the pods may take to be Ready. After that, the wanted object replaces the stand-in
/// anyway.
const READY: Duration = Duration::from_mins(2);
/// The smallest number of pods for which a stand-in is faster.
const WORTH_IT: usize = 2;

/// Restores the `StatefulSet` with the clean form `wanted`; `live` is the existing one.
pub(super) async fn put_back(
    removal: &Removal<'_>,
    wanted: &Value,
    live: Option<&LiveObject>,
) -> Result<(), LiveError> {
    let reach = removal.reach;
    let key = Key::of(wanted);
    let in_order = wanted["spec"]["podManagementPolicy"] != "Parallel";
    if !in_order || starts(removal, wanted, live) < WORTH_IT {
        if let Some(live) = live {
            reach.patch(live, merge(&live.clean, wanted)).await?;
        } else {
            reach.create(wanted).await?;
        }
        return renew_pods(removal, &key).await;
    }
    let mut stand_in = wanted.clone();
    stand_in["spec"]["podManagementPolicy"] = json!("Parallel");
    replace(removal, live, &stand_in).await?;
    renew_pods(removal, &key).await?;
    let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(1);
    removal.emitter.emit(EventKind::Notice {
        text: format!(
            "waiting up to {} s for the {replicas} pods of {key}, which are started at once",
            READY.as_secs()
        ),
    });
    reach
        .holds(&key, READY, move |object| {
            let count = |name: &str| object["status"][name].as_i64().unwrap_or(0);
            is_observed(object)
                && count("readyReplicas") == replicas
                && count("updatedReplicas") == replicas
        })
        .await?;
    let stand_in = reach.get(&key).await?;
    replace(removal, stand_in.as_ref(), wanted).await
}

/// Replaces `live` by a new `StatefulSet`. Deletes its pods, but keeps its claims, even if `live`
/// has a policy to delete them.
pub(super) async fn recreate(
    removal: &Removal<'_>,
    wanted: &Value,
    live: &LiveObject,
) -> Result<(), LiveError> {
    removal.reach.orphan(live).await?;
    removal.gone(live).await?;
    let owned = removal.live.owned_by(live);
    let pods = owned.iter().filter(|object| object.key.kind == "Pod");
    try_join_all(pods.map(|pod| removal.reach.delete(pod, false))).await?;
    removal.reach.create(wanted).await
}

/// Returns the number of pods that have to be started.
fn starts(removal: &Removal<'_>, wanted: &Value, live: Option<&LiveObject>) -> usize {
    let replicas = wanted["spec"]["replicas"].as_u64().unwrap_or(1);
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
    let Some(live) =
        live.filter(|live| live.clean["spec"]["template"] == wanted["spec"]["template"])
    else {
        return replicas;
    };
    let owned = removal.live.owned_by(live);
    let stay = owned
        .iter()
        .filter(|o| o.key.kind == "Pod" && !o.is_going());
    replicas.saturating_sub(stay.count())
}

/// Replaces `live` by `object`, which adopts its pods.
async fn replace(
    removal: &Removal<'_>,
    live: Option<&LiveObject>,
    object: &Value,
) -> Result<(), LiveError> {
    if let Some(live) = live {
        removal.reach.orphan(live).await?;
        removal.gone(live).await?;
    }
    removal.reach.create(object).await
}

/// Deletes the pods that do not have the current template of the `StatefulSet`. Its controller
/// would replace them itself, but one after the other, and never one that does not become Ready.
async fn renew_pods(removal: &Removal<'_>, key: &Key) -> Result<(), LiveError> {
    let reach = removal.reach;
    reach.holds(key, SEEN, is_observed).await?;
    let Some(workload) = reach.get(key).await? else {
        return Ok(());
    };
    let current = &workload.object["status"]["updateRevision"];
    let is_other = |pod: &&&LiveObject| {
        pod.key.kind == "Pod"
            && !pod.is_going()
            && pod.object["metadata"]["labels"]["controller-revision-hash"] != *current
    };
    let live = reach.list().await?;
    let owned = live.owned_by(&workload);
    let ended = owned
        .iter()
        .filter(is_other)
        .map(|pod| reach.delete(pod, false));
    try_join_all(ended).await.map(drop)
}

fn is_observed(object: &Value) -> bool {
    object["status"]["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64()
}
