//! The undoing of differences: removes strangers, and restores objects that were changed or lost.

use futures::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    engine::{
        restore::{remove::Removal, rollout},
        run::dispatcher::Emitter,
    },
    event::EventKind,
    snapshot::{
        Difference, Key, Live, LiveError, LiveObject, Reach, fields, kinds,
        patch::merge,
        secret::{self, is_secret},
    },
};

/// The context for undoing differences.
pub(super) struct PutBack<'a> {
    pub(super) reach: &'a Reach,
    pub(super) live: &'a Live,
    /// The objects of the lab's own manifests, from which Secrets are restored.
    pub(super) manifests: &'a [Value],
    pub(super) namespace: &'a str,
    /// The arguments that name the environment to the verbs.
    pub(super) call: &'a str,
    pub(super) emitter: &'a Emitter,
}

impl PutBack<'_> {
    /// Undoes `differences`, which are in the order of [`crate::snapshot::difference::between`].
    /// Returns the failures: one does not keep the other differences from being undone.
    pub(super) async fn all(&self, differences: &[Difference]) -> Vec<LiveError> {
        let (strangers, others): (Vec<_>, Vec<_>) = differences
            .iter()
            .partition(|d| matches!(d, Difference::Stranger { .. }));
        let (guards, strangers): (Vec<_>, Vec<_>) =
            strangers.into_iter().partition(|d| kinds::guards(&d.key()));
        let mut failed = self.each(&guards).await;
        let (of_strangers, of_others) = join(self.each(&strangers), self.in_order(&others)).await;
        failed.extend(of_strangers);
        failed.extend(of_others);
        failed
    }

    async fn in_order(&self, differences: &[&Difference]) -> Vec<LiveError> {
        let mut failed = Vec::new();
        for same in differences.chunk_by(|a, b| kinds::rank(&a.key()) == kinds::rank(&b.key())) {
            failed.extend(self.each(same).await);
        }
        failed
    }

    async fn each(&self, differences: &[&Difference]) -> Vec<LiveError> {
        let undone = join_all(differences.iter().map(|difference| self.one(difference)));
        undone.await.into_iter().filter_map(Result::err).collect()
    }

    async fn one(&self, difference: &Difference) -> Result<(), LiveError> {
        self.undo(difference).await?;
        let key = difference.key();
        if key.kind == "ConfigMap" && kinds::is_of_the_cluster(&key) {
            // Pods that mount the changed config map may have crashed on it and wait minutes in
            // back-off, or may read it only when they start.
            self.end(|pod| mounts(pod, &key)).await?;
        }
        if key.kind == "ServiceAccount" && matches!(difference, Difference::Missing { .. }) {
            // The pods' tokens belong to the account that is gone. The API server refuses them,
            // even if a new account has the same name.
            self.end(|pod| runs_under(pod, &key)).await?;
        }
        Ok(())
    }

    /// Deletes the pods for which `meant` returns true.
    async fn end(&self, meant: impl Fn(&LiveObject) -> bool) -> Result<(), LiveError> {
        let objects = self.live.objects.iter();
        let pods = objects.filter(|object| object.key.kind == "Pod" && meant(object));
        let ended = join_all(pods.map(|pod| self.reach.delete(pod, false)));
        ended.await.into_iter().collect()
    }

    async fn undo(&self, difference: &Difference) -> Result<(), LiveError> {
        match difference {
            Difference::InTheWay { live, .. } if live.is_going() => self.removal().gone(live).await,
            Difference::InTheWay { live, .. } => self.reach.delete(live, false).await,
            // Restarted already, before anything else was restored on the node.
            Difference::Kubelet { .. } => Ok(()),
            Difference::Stranger { live, .. } => self.removal().remove(live).await,
            Difference::Missing { wanted, going } => {
                if let Some(going) = going {
                    self.removal().gone(going).await?;
                }
                if is_stateful_set(wanted) {
                    return rollout::put_back(&self.removal(), wanted, None).await;
                }
                self.create(wanted).await
            }
            Difference::Changed { wanted, live, .. } if is_stateful_set(wanted) => {
                match rollout::put_back(&self.removal(), wanted, Some(live)).await {
                    Err(error) if error.code == Some(422) => {
                        rollout::recreate(&self.removal(), wanted, live).await
                    }
                    result => result,
                }
            }
            Difference::Changed { wanted, live, .. } => self.change(wanted, live).await,
            Difference::Node {
                name, wanted, live, ..
            } => self.reach.patch_node(name, live, wanted.patch(live)).await,
        }
    }

    fn removal(&self) -> Removal<'_> {
        Removal {
            reach: self.reach,
            live: self.live,
            emitter: self.emitter,
        }
    }

    async fn create(&self, wanted: &Value) -> Result<(), LiveError> {
        let object = if is_secret(wanted) {
            let mut secret = wanted.clone();
            secret["data"] = self.values(wanted, None)?.into();
            secret
        } else {
            wanted.clone()
        };
        match self.reach.create(&object).await {
            // The owner, or the cluster, was faster. Its object may differ from the wanted one.
            Err(error) if error.code == Some(409) => {
                match self.reach.get(&Key::of(wanted)).await? {
                    Some(live) if live.clean == *wanted => Ok(()),
                    Some(live) => self.reach.patch(&live, self.patch(wanted, &live)?).await,
                    None => Err(error),
                }
            }
            result => result,
        }
    }

    /// Returns the patch that makes `live` the wanted object.
    fn patch(&self, wanted: &Value, live: &LiveObject) -> Result<Value, LiveError> {
        let mut patch = merge(&live.clean, wanted);
        if is_secret(wanted) {
            let values = self.values(wanted, Some(live))?;
            let extra = live.object["data"].as_object().into_iter().flatten();
            let is_extra = |key: &&String| wanted["data"].get(*key).is_none();
            let extra = extra.map(|(key, _)| key).filter(is_extra);
            let removed = extra.map(|key| (key.clone(), Value::Null));
            patch["data"] = removed.collect::<serde_json::Map<_, _>>().into();
            for (key, value) in values {
                patch["data"][key] = value;
            }
        }
        Ok(patch)
    }

    async fn change(&self, wanted: &Value, live: &LiveObject) -> Result<(), LiveError> {
        let patch = self.patch(wanted, live)?;
        match self.reach.patch(live, patch).await {
            Err(error) if matches!(error.code, Some(403 | 422)) && kinds::holds_more(&live.key) => {
                self.leave(wanted, live).await
            }
            // The field is immutable: only a new object can have the wanted value.
            Err(error) if error.code == Some(422) => self.recreate(wanted, live).await,
            // The object was deleted since it was listed.
            Err(error) if matches!(error.code, Some(404 | 409)) => self.create(wanted).await,
            result => result,
        }
    }

    async fn recreate(&self, wanted: &Value, live: &LiveObject) -> Result<(), LiveError> {
        self.reach.delete(live, false).await?;
        self.removal().gone(live).await?;
        self.create(wanted).await
    }

    /// Restores only the metadata of `live`, and says that the rest stays. Only a new object could
    /// have the wanted fields, and deleting `live` would destroy what it holds.
    async fn leave(&self, wanted: &Value, live: &LiveObject) -> Result<(), LiveError> {
        let metadata = merge(&live.clean["metadata"], &wanted["metadata"]);
        if metadata
            .as_object()
            .is_some_and(|changed| !changed.is_empty())
        {
            self.reach
                .patch(live, json!({"metadata": metadata}))
                .await?;
        }
        let fields = fields::differing(&wanted["spec"], &live.clean["spec"]);
        self.emitter.emit(EventKind::Notice {
            text: format!(
                "{} is left as it is: {}; only another object, without what this one holds, could be \
                 as it was (`labctl reset {} --hard` recreates the cluster)",
                live.key.seen_from(self.namespace),
                fields.join(", "),
                self.call
            ),
        });
        Ok(())
    }

    /// Returns the values of a Secret. A snapshot holds only their digests, so they come from the
    /// lab's manifests and from `live`. Fails if neither has them.
    fn values(
        &self,
        wanted: &Value,
        live: Option<&LiveObject>,
    ) -> Result<serde_json::Map<String, Value>, LiveError> {
        let live = live.map(|live| live.object.clone());
        let sources = [self.manifests, live.as_slice()].concat();
        secret::values(wanted, &sources, self.namespace).ok_or_else(|| LiveError {
            what: format!("put {} back", Key::of(wanted)),
            code: Some(422),
            source: "no manifest of the lab has the values that it had, and labctl keeps none"
                .into(),
        })
    }
}

/// Returns true if `pod` mounts the config map.
fn mounts(pod: &LiveObject, config: &Key) -> bool {
    let volumes = pod.object["spec"]["volumes"].as_array();
    let mut volumes = volumes.into_iter().flatten();
    pod.key.namespace == config.namespace
        && volumes.any(|volume| volume["configMap"]["name"] == config.name)
}

/// Returns true if `pod` runs under the service account, and has a controller that replaces it.
fn runs_under(pod: &LiveObject, account: &Key) -> bool {
    let owners = pod.object["metadata"]["ownerReferences"].as_array();
    let mut owners = owners.into_iter().flatten();
    pod.key.namespace == account.namespace
        && pod.object["spec"]["serviceAccountName"] == account.name
        && owners.any(|owner| owner["controller"] == true)
}

fn is_stateful_set(object: &Value) -> bool {
    object["kind"] == "StatefulSet" && object["apiVersion"] == "apps/v1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_with_the_token_of_an_account_that_is_gone_are_found() {
        let key = |kind: &str, namespace: &str, name: &str| Key {
            group: String::new(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let pod = |namespace: &str, account: &str, controller: bool| LiveObject {
            key: key("Pod", namespace, "a"),
            object: json!({
                "metadata": {"ownerReferences": [{"kind": "ReplicaSet", "controller": controller}]},
                "spec": {"serviceAccountName": account},
            }),
            clean: Value::Null,
            is_kept: false,
        };
        let account = key("ServiceAccount", "ingress", "traefik");
        assert!(runs_under(&pod("ingress", "traefik", true), &account));
        assert!(!runs_under(&pod("ingress", "default", true), &account));
        assert!(!runs_under(&pod("shop", "traefik", true), &account));
        // No controller would replace this pod.
        assert!(!runs_under(&pod("ingress", "traefik", false), &account));
    }
}
