//! The objects of a cluster as they are, and changes of them. The only I/O of snapshots.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{
        ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
        Preconditions, PropagationPolicy,
    },
    discovery::{Scope, verbs},
    runtime::{conditions, wait::await_condition},
};
use serde_json::{Value, json};

use super::{Key, Marks, Snapshot, clean, kinds};
use crate::assert::{Cluster, served::discover};

/// The timeout of a request to the API server. On a busy laptop, the first list of a kind that the
/// server has to read from etcd takes over ten seconds.
const ANSWER: Duration = Duration::from_secs(30);

/// A failure to list or change objects of a cluster.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what}")]
pub struct LiveError {
    /// The attempt that failed: `delete deployment/mine`.
    pub what: String,
    /// The HTTP status that the API server answered with, if it answered.
    pub code: Option<u16>,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl LiveError {
    /// Returns true if the connection was closed instead of an answer. A connection that was kept
    /// for the next request may be closed at any time. A request that only reads can be sent again.
    fn is_cut_off(&self) -> bool {
        let error = self.source.downcast_ref::<kube::Error>();
        matches!(
            error,
            Some(kube::Error::Service(_) | kube::Error::HyperError(_))
        )
    }
}

/// The objects of a cluster that a snapshot could hold, and the objects that they own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Live {
    /// The objects.
    pub objects: Vec<LiveObject>,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, Value>,
    /// The time at which the kubelet of each node last renewed its lease.
    pub renewed: BTreeMap<String, Timestamp>,
}

/// One object as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveObject {
    /// The key of the object.
    pub key: Key,
    /// The whole object.
    pub object: Value,
    /// The clean form of the object.
    pub clean: Value,
    /// True if a snapshot would hold the object, rather than only its owner.
    pub is_kept: bool,
}

impl Live {
    /// Returns a snapshot of these objects, without the fingerprints of data.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let kept = self.objects.iter().filter(|o| o.is_kept && !o.is_going());
        let nodes = self.nodes.iter();
        Snapshot {
            objects: kept.map(|o| o.clean.clone()).collect(),
            nodes: nodes
                .map(|(name, node)| (name.clone(), Marks::of(node)))
                .collect(),
            data: BTreeMap::new(),
            data_commands: String::new(),
        }
    }

    /// Returns the objects that `owner` owns, directly or through others, each once and after an
    /// owner of it. Anybody may write who owns an object, so objects may own each other or
    /// themselves.
    #[must_use]
    pub fn owned_by(&self, owner: &LiveObject) -> Vec<&LiveObject> {
        let mut found: Vec<&LiveObject> = Vec::new();
        let mut known = BTreeSet::from([owner.uid()]);
        let mut next = vec![owner.uid()];
        while let Some(uid) = next.pop() {
            for part in self.objects.iter().filter(|o| o.is_owned_by(uid)) {
                if known.insert(part.uid()) {
                    next.push(part.uid());
                    found.push(part);
                }
            }
        }
        found
    }
}

impl LiveObject {
    /// Describes `object`; `is_kind_kept` says if snapshots hold its kind. Returns `None` for an
    /// object in the cluster's own namespaces that no snapshot covers.
    #[must_use]
    pub fn of(object: Value, is_kind_kept: bool) -> Option<Self> {
        let key = Key::of(&object);
        // A Pod there without a controller is a helper of the provisioner, and ends by itself.
        let is_helper = kinds::is_of_the_cluster(&key) && key.kind == "Pod";
        kinds::is_looked_at(&key).then(|| Self {
            is_kept: is_kind_kept && !is_helper && !clean::is_made_by_the_cluster(&object),
            clean: clean::clean(&object),
            key,
            object,
        })
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// Returns the uid.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap_or_default()
    }

    /// Returns true if the object is being deleted.
    #[must_use]
    pub fn is_going(&self) -> bool {
        self.object["metadata"].get("deletionTimestamp").is_some()
    }

    /// Returns the uids of the owners.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        let owners = self.object["metadata"]["ownerReferences"].as_array();
        let owners = owners.into_iter().flatten();
        owners.filter_map(|owner| owner["uid"].as_str())
    }

    fn is_owned_by(&self, uid: &str) -> bool {
        self.owners().any(|owner| owner == uid)
    }
}

/// Returns the name of the node that `lease` belongs to, and the time of the last renewal.
fn renewed(lease: &Value) -> Option<(String, Timestamp)> {
    let key = Key::of(lease);
    let at = lease.pointer("/spec/renewTime")?.as_str()?.parse().ok()?;
    (key.namespace == "kube-node-lease").then_some((key.name, at))
}

/// A connection to a cluster whose kinds are known.
pub struct Reach {
    client: Client,
    kinds: BTreeMap<(String, String), (ApiResource, Scope)>,
}

impl Reach {
    /// Connects to `cluster` and discovers the kinds that it serves.
    pub async fn new(cluster: &Cluster) -> Result<Self, LiveError> {
        let client = cluster.client();
        let what = "ask for the kinds that the cluster serves";
        let discovered = answer(what, discover(&client)).await?;
        let resources = discovered
            .groups()
            .flat_map(kube::discovery::ApiGroup::recommended_resources);
        let usable = resources.filter(|(resource, able)| {
            let is_namespaced = able.scope == Scope::Namespaced;
            able.supports_operation(verbs::LIST)
                && able.supports_operation(verbs::DELETE)
                && kinds::is_kept(&resource.group, &resource.kind, is_namespaced)
        });
        let kinds = usable.map(|(resource, able)| {
            (
                (resource.group.clone(), resource.kind.clone()),
                (resource, able.scope),
            )
        });
        Ok(Self {
            kinds: kinds.collect(),
            client,
        })
    }

    /// Lists all objects that a snapshot could hold, the nodes, and the leases of the kubelets.
    pub async fn list(&self) -> Result<Live, LiveError> {
        let node = ApiResource::erase::<k8s_openapi::api::core::v1::Node>(&());
        let lease = ApiResource::erase::<k8s_openapi::api::coordination::v1::Lease>(&());
        let kinds = self.kinds.values().map(|(resource, _)| resource);
        let lists = join_all(kinds.map(|resource| self.list_of(resource)));
        let (nodes, leases) = (self.list_of(&node), self.list_of(&lease));
        let (lists, nodes, leases) = futures::future::join3(lists, nodes, leases).await;
        let mut live = Live::default();
        for list in lists {
            live.objects
                .extend(list?.into_iter().filter_map(|o| LiveObject::of(o, true)));
        }
        live.nodes = nodes?
            .into_iter()
            .map(|node| (Key::of(&node).name, node))
            .collect();
        live.renewed = leases?.iter().filter_map(renewed).collect();
        Ok(live)
    }

    async fn list_of(&self, resource: &ApiResource) -> Result<Vec<Value>, LiveError> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), resource);
        let what = format!("list {}", resource.plural);
        let params = ListParams::default();
        let mut listed = answer(&what, api.list(&params)).await;
        if listed.as_ref().is_err_and(LiveError::is_cut_off) {
            listed = answer(&what, api.list(&params)).await;
        }
        let listed = match listed {
            Ok(listed) => listed,
            // Discovery found the kind a moment ago, so its definition is being deleted.
            Err(error) if error.code == Some(404) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let with_type = |object: DynamicObject| {
            let mut value = serde_json::to_value(object).unwrap_or_default();
            // The items of a list have no type of their own.
            value["apiVersion"] = json!(resource.api_version);
            value["kind"] = json!(resource.kind);
            if let Some(metadata) = value["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            value
        };
        Ok(listed.items.into_iter().map(with_type).collect())
    }

    fn api(&self, key: &Key) -> Result<Api<DynamicObject>, LiveError> {
        let client = self.client.clone();
        let of_kind = self.kinds.get(&(key.group.clone(), key.kind.clone()));
        let Some((resource, scope)) = of_kind else {
            return Err(LiveError {
                what: format!("reach {key}"),
                code: Some(404),
                source: "the cluster does not serve this kind any more".into(),
            });
        };
        Ok(match scope {
            Scope::Namespaced => Api::namespaced_with(client, &key.namespace, resource),
            Scope::Cluster => Api::all_with(client, resource),
        })
    }

    /// Returns the object as it is now, or `None` if it does not exist.
    pub async fn get(&self, key: &Key) -> Result<Option<LiveObject>, LiveError> {
        let api = self.api(key)?;
        let got = answer(&format!("read {key}"), api.get_opt(&key.name)).await?;
        let value = got.and_then(|object| serde_json::to_value(object).ok());
        Ok(value.and_then(|value| LiveObject::of(value, true)))
    }

    /// Creates `object`. If somebody else created it meanwhile, the error has the code 409.
    pub async fn create(&self, object: &Value) -> Result<(), LiveError> {
        let key = Key::of(object);
        let what = format!("create {key}");
        let object = serde_json::from_value(object.clone()).map_err(|e| failed(&what, None, e))?;
        let api = self.api(&key)?;
        let params = PostParams::default();
        answer(&what, api.create(&params, &object)).await.map(drop)
    }

    /// Sends a JSON merge patch for `live`. Fails if another object has the name by now.
    pub async fn patch(&self, live: &LiveObject, mut patch: Value) -> Result<(), LiveError> {
        patch["metadata"]["uid"] = json!(live.uid());
        let api = self.api(&live.key)?;
        self.send(&api, &live.key, &patch).await
    }

    /// Sends a JSON merge patch for a node. Fails if another node has the name by now.
    pub async fn patch_node(
        &self,
        name: &str,
        node: &Value,
        mut patch: Value,
    ) -> Result<(), LiveError> {
        patch["metadata"]["uid"] = node["metadata"]["uid"].clone();
        let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Node>(&());
        let api = Api::all_with(self.client.clone(), &resource);
        let mut key = Key::of(node);
        name.clone_into(&mut key.name);
        self.send(&api, &key, &patch).await
    }

    async fn send(
        &self,
        api: &Api<DynamicObject>,
        key: &Key,
        patch: &Value,
    ) -> Result<(), LiveError> {
        let params = PatchParams::default();
        let patch = Patch::Merge(patch);
        let patched = api.patch(&key.name, &params, &patch);
        answer(&format!("change {key}"), patched).await.map(drop)
    }

    /// Requests the deletion of `live`, and of no other object that has the name by now. With
    /// `at_once`, a Pod gets no time to end. An object that is gone already is no error.
    pub async fn delete(&self, live: &LiveObject, at_once: bool) -> Result<(), LiveError> {
        self.remove(live, at_once, PropagationPolicy::Background)
            .await
    }

    /// Requests the deletion of `live` and keeps the objects that it owns.
    pub async fn orphan(&self, live: &LiveObject) -> Result<(), LiveError> {
        self.remove(live, false, PropagationPolicy::Orphan).await
    }

    async fn remove(
        &self,
        live: &LiveObject,
        at_once: bool,
        propagation: PropagationPolicy,
    ) -> Result<(), LiveError> {
        let params = DeleteParams {
            grace_period_seconds: at_once.then_some(0),
            propagation_policy: Some(propagation),
            preconditions: Some(Preconditions {
                uid: Some(live.uid().to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let api = self.api(&live.key)?;
        let what = format!("delete {}", live.key);
        match answer(&what, api.delete(live.name(), &params)).await {
            Err(error) if !matches!(error.code, Some(404 | 409)) => Err(error),
            // The object is gone, or another one has the name.
            _ => Ok(()),
        }
    }

    /// Waits until `condition` holds for the object. Returns false if it does not hold within
    /// `patience`.
    pub async fn holds(
        &self,
        key: &Key,
        patience: Duration,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<bool, LiveError> {
        let api = self.api(key)?;
        let holds = |object: Option<&DynamicObject>| {
            let value = object.and_then(|object| serde_json::to_value(object).ok());
            value.is_some_and(|value| condition(&value))
        };
        let held = await_condition(api, &key.name, holds);
        Ok(tokio::time::timeout(patience, held)
            .await
            .is_ok_and(|held| held.is_ok()))
    }

    /// Waits until `live` is gone. Returns false if it is not gone within `patience`.
    pub async fn is_gone(&self, live: &LiveObject, patience: Duration) -> Result<bool, LiveError> {
        let api = self.api(&live.key)?;
        let gone = await_condition(api, live.name(), conditions::is_deleted(live.uid()));
        Ok(tokio::time::timeout(patience, gone)
            .await
            .is_ok_and(|gone| gone.is_ok()))
    }
}

async fn answer<T>(
    what: &str,
    asked: impl Future<Output = kube::Result<T>>,
) -> Result<T, LiveError> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let code = match &error {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            };
            Err(failed(what, code, error))
        }
        Err(_) => {
            let why = format!(
                "the API server did not answer within {} s",
                ANSWER.as_secs()
            );
            Err(LiveError {
                what: what.to_owned(),
                code: None,
                source: why.into(),
            })
        }
    }
}

fn failed(
    what: &str,
    code: Option<u16>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> LiveError {
    LiveError {
        what: what.to_owned(),
        code,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_map(name: &str, owners: &[&str]) -> LiveObject {
        let owners = owners.iter().map(|uid| json!({"uid": uid}));
        let metadata = json!({"name": name, "namespace": "lab", "uid": name,
            "ownerReferences": owners.collect::<Vec<_>>()});
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        LiveObject::of(object, true).unwrap()
    }

    #[test]
    fn objects_that_own_each_other_or_themselves_are_found_once() {
        let live = Live {
            objects: vec![
                config_map("self", &["self"]),
                config_map("a", &["c"]),
                config_map("b", &["a"]),
                config_map("c", &["b", "self"]),
                config_map("other", &["nobody"]),
            ],
            ..Live::default()
        };
        let owned_by = |at: usize| -> Vec<&str> {
            let owned = live.owned_by(&live.objects[at]);
            owned.into_iter().map(LiveObject::name).collect()
        };
        assert_eq!(owned_by(0), ["c", "a", "b"]);
        assert_eq!(owned_by(1), ["b", "c"]);
        assert_eq!(owned_by(4), [""; 0]);
    }
}
