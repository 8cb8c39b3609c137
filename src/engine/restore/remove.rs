//! The removal of strangers, and of anything that holds a deletion up.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};

use crate::{
    engine::run::dispatcher::Emitter,
    event::EventKind,
    snapshot::{
        Live, LiveError, LiveObject, Reach,
        in_the_way::{finalizers, named},
    },
};

/// The time that a deletion gets before labctl looks for what holds it up.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time that a deletion gets after labctl has removed every obstacle that it can.
const LAST: Duration = Duration::from_secs(45);
/// A deletion of objects that are in the list `live`.
pub(super) struct Removal<'a> {
    pub(super) reach: &'a Reach,
    pub(super) live: &'a Live,
    pub(super) emitter: &'a Emitter,
}

impl Removal<'_> {
    /// Deletes `stranger` and everything that it owns, without a grace period where that is safe.
    /// Returns when `stranger` is gone.
    pub(super) async fn remove(&self, stranger: &LiveObject) -> Result<(), LiveError> {
        if is_namespace(stranger) {
            // Delete the contents first: deleted with their namespace, pods would get a grace
            // period.
            let within = self
                .live
                .objects
                .iter()
                .filter(|o| o.key.namespace == stranger.name());
            let (kept, made): (Vec<_>, Vec<_>) = within.partition(|object| object.is_kept);
            self.delete(&kept, is_pod).await?;
            self.delete(&made, is_pod).await?;
        }
        // Owners go before the objects that they own, or would create them again.
        self.delete(&[stranger], may_end_at_once).await?;
        self.delete(&self.live.owned_by(stranger), may_end_at_once)
            .await?;
        self.gone(stranger).await
    }

    async fn delete(
        &self,
        objects: &[&LiveObject],
        at_once: impl Fn(&LiveObject) -> bool,
    ) -> Result<(), LiveError> {
        let deletions = objects
            .iter()
            .map(|object| self.reach.delete(object, at_once(object)));
        try_join_all(deletions).await.map(drop)
    }

    /// Waits until `object`, which is being deleted, is gone. Names what holds the deletion up, and
    /// removes it where nobody else will.
    pub(super) async fn gone(&self, object: &LiveObject) -> Result<(), LiveError> {
        if self.reach.is_gone(object, PATIENCE).await? {
            return Ok(());
        }
        if is_namespace(object) {
            let live = self.reach.list().await?;
            let within = live
                .objects
                .iter()
                .filter(|o| o.key.namespace == object.name());
            try_join_all(within.map(|object| self.release(object))).await?;
        }
        self.end_users(object).await?;
        if let Some(now) = self.reach.get(&object.key).await? {
            self.release(&now).await?;
        }
        self.emitter.emit(EventKind::Notice {
            text: format!(
                "waiting up to {} s for {} to be gone",
                LAST.as_secs(),
                object.key
            ),
        });
        if self.reach.is_gone(object, LAST).await? {
            return Ok(());
        }
        let now = self.reach.get(&object.key).await?;
        Err(LiveError {
            what: format!("delete {}", object.key),
            code: Some(409),
            source: held_up(now.as_ref()).into(),
        })
    }

    /// Removes the finalizers of an object that is being deleted, except those that the cluster
    /// removes itself.
    async fn release(&self, object: &LiveObject) -> Result<(), LiveError> {
        let (kept, foreign) = finalizers(object);
        if !object.is_going() || foreign.is_empty() {
            return Ok(());
        }
        self.emitter.emit(EventKind::Notice {
            text: format!(
                "the deletion of {} was held up by {}, which labctl takes away",
                object.key,
                named(&foreign)
            ),
        });
        let patch = json!({"metadata": {"finalizers": kept}});
        match self.reach.patch(object, patch).await {
            // The object is gone already.
            Err(error) if matches!(error.code, Some(404 | 409)) => Ok(()),
            result => result,
        }
    }

    /// Deletes the pods that use `object`, if it is a claim: a claim is not deleted while a pod
    /// uses it.
    async fn end_users(&self, object: &LiveObject) -> Result<(), LiveError> {
        if object.key.kind != "PersistentVolumeClaim" {
            return Ok(());
        }
        let uses = |pod: &&LiveObject| {
            let volumes = pod.object["spec"]["volumes"].as_array();
            let claim = |v: &Value| v["persistentVolumeClaim"]["claimName"] == object.name();
            is_pod(pod)
                && pod.key.namespace == object.key.namespace
                && volumes.is_some_and(|volumes| volumes.iter().any(claim))
        };
        let pods = self.live.objects.iter().filter(uses);
        let ended = join_all(pods.map(|pod| {
            self.emitter.emit(EventKind::Notice {
                text: format!(
                    "{} is ended: it uses {}, which is being deleted",
                    pod.key, object.key
                ),
            });
            self.reach.delete(pod, false)
        }));
        ended.await.into_iter().collect()
    }
}

fn is_pod(object: &LiveObject) -> bool {
    object.key.kind == "Pod" && object.key.group.is_empty()
}

/// Returns true if the object is a pod that may be deleted without a grace period. Such a pod
/// leaves the API before its containers end. If it writes to a volume, its successor could meet it
/// there, so a pod with a claim gets its grace period.
fn may_end_at_once(object: &LiveObject) -> bool {
    let volumes = object.object["spec"]["volumes"].as_array();
    let has_claim = |volume: &Value| volume.get("persistentVolumeClaim").is_some();
    is_pod(object) && !volumes.is_some_and(|volumes| volumes.iter().any(has_claim))
}

fn is_namespace(object: &LiveObject) -> bool {
    object.key.kind == "Namespace" && object.key.group.is_empty()
}

/// Describes why the object is still there, in the cluster's own words.
fn held_up(object: Option<&LiveObject>) -> String {
    let Some(object) = object else {
        return "it is there again".to_owned();
    };
    let conditions = object.object["status"]["conditions"].as_array();
    let told = conditions
        .into_iter()
        .flatten()
        .filter(|c| c["status"] == "True");
    let mut said: Vec<String> = told
        .filter_map(|c| c["message"].as_str().map(ToOwned::to_owned))
        .collect();
    let (own, foreign) = finalizers(object);
    let all = own.iter().chain(&foreign);
    said.extend(all.map(|name| format!("finalizer {name}")));
    format!("it is still being deleted: {}", said.join("; "))
}
