//! The differences between a cluster and a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::Value;

use super::{Key, Live, LiveObject, Marks, Snapshot, fields, in_the_way, kinds, release};

/// One difference between a cluster and a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// An object of the snapshot is gone or being deleted.
    Missing {
        /// The clean form of the object in the snapshot.
        wanted: Value,
        /// The object that is still there under that name and being deleted.
        going: Option<LiveObject>,
    },
    /// An object has changed.
    Changed {
        /// The clean form of the object in the snapshot.
        wanted: Value,
        /// The object as it is now.
        live: LiveObject,
        /// The fields that differ, in words.
        fields: Vec<String>,
    },
    /// The snapshot does not have the object.
    Stranger {
        /// The object as it is now.
        live: LiveObject,
        /// The number of objects in it, if it is a namespace.
        contents: usize,
    },
    /// An object blocks the controller that made it. Waiting does not help.
    InTheWay {
        /// The object as it is now.
        live: LiveObject,
        /// The reason, in words.
        why: String,
    },
    /// The kubelet of a node has stopped reporting.
    Kubelet {
        /// The node.
        name: String,
        /// The symptom, in words.
        why: String,
    },
    /// The marks of a node have changed.
    Node {
        /// The node.
        name: String,
        /// The marks in the snapshot.
        wanted: Marks,
        /// The node as it is now.
        live: Value,
        /// The marks that differ, in words.
        words: Vec<String>,
    },
}

impl Difference {
    /// Returns the key of the object that differs. The group of a node is empty.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Missing { wanted, .. } | Self::Changed { wanted, .. } => Key::of(wanted),
            Self::Stranger { live, .. } | Self::InTheWay { live, .. } => live.key.clone(),
            Self::Kubelet { name, .. } => Key {
                group: String::new(),
                kind: "Node".to_owned(),
                namespace: String::new(),
                name: name.clone(),
            },
            Self::Node { live, .. } => Key::of(live),
        }
    }
}

/// Returns the differences of `live` from `snapshot`: first the objects that the snapshot does not
/// have, then the nodes, as all else runs on them, then the objects that block their controllers,
/// then the rest in the order of restoring. The revisions of a Helm release are no difference if
/// the snapshot knows the release. An unknown release is a stranger.
#[must_use]
pub fn between(snapshot: &Snapshot, live: &Live) -> Vec<Difference> {
    let wanted = snapshot.by_key();
    let kept = live.objects.iter().filter(|object| object.is_kept);
    let there: BTreeMap<&Key, &LiveObject> = kept.map(|object| (&object.key, object)).collect();
    let going: BTreeSet<&str> = namespaces(live)
        .filter(|o| o.is_going())
        .map(LiveObject::name)
        .collect();
    let is_going_with_its_namespace = |key: &Key| going.contains(key.namespace.as_str());

    let releases = release::all(snapshot.objects.iter());
    let is_known_release =
        |object: &Value| release::of(object).is_some_and(|r| releases.contains(&r));
    let is_stranger = |key: &&Key| !wanted.contains_key(*key) && !kinds::is_of_the_cluster(key);
    let strange: BTreeSet<&str> = namespaces(live)
        .filter(|o| is_stranger(&&o.key))
        .map(LiveObject::name)
        .collect();
    let mut strangers: Vec<Difference> = there
        .iter()
        .filter(|(key, object)| is_stranger(key) && !is_known_release(&object.clean))
        // The objects in a namespace go with the namespace.
        .filter(|(key, _)| !strange.contains(key.namespace.as_str()))
        .filter(|(key, _)| !is_going_with_its_namespace(key))
        .map(|(key, object)| Difference::Stranger {
            live: (*object).clone(),
            contents: contents(live, key),
        })
        .collect();
    strangers.sort_by_key(|difference| !kinds::guards(&difference.key()));

    let mut others: Vec<Difference> = Vec::new();
    for (key, wanted) in wanted
        .iter()
        .filter(|(_, wanted)| !is_known_release(wanted))
    {
        let difference = match there.get(key) {
            Some(object) if object.is_going() || is_going_with_its_namespace(key) => {
                Difference::Missing {
                    wanted: (*wanted).clone(),
                    going: Some((*object).clone()),
                }
            }
            Some(object) if object.clean == **wanted => continue,
            Some(object) => Difference::Changed {
                wanted: (*wanted).clone(),
                live: (*object).clone(),
                fields: fields::differing(wanted, &object.clean),
            },
            None => Difference::Missing {
                wanted: (*wanted).clone(),
                going: None,
            },
        };
        others.push(difference);
    }
    others.sort_by_key(|difference| kinds::rank(&difference.key()));
    // Restoring a changed object replaces its Pods, so these are no differences of their own.
    let differs = |uid: &str| {
        let mut changed = others.iter();
        changed.any(|other| matches!(other, Difference::Changed { live, .. } if live.uid() == uid))
    };
    let in_the_way = in_the_way::all(live).into_iter();
    let in_the_way = in_the_way.filter(|(object, _)| {
        !strange.contains(object.key.namespace.as_str())
            && !is_going_with_its_namespace(&object.key)
            && (object.is_going() || !object.owners().any(differs))
    });
    let in_the_way: Vec<Difference> = in_the_way
        .map(|(object, why)| Difference::InTheWay {
            live: object.clone(),
            why,
        })
        .collect();
    strangers
        .into_iter()
        .chain(kubelets(snapshot, live))
        .chain(nodes(snapshot, live))
        .chain(in_the_way)
        .chain(others)
        .collect()
}

/// Returns the objects in the cluster's own namespaces that the snapshot does not have. They are
/// left alone, as labctl cannot know if the cluster needs them. Empty if the snapshot has nothing
/// of these namespaces: then nobody can tell which objects are new.
#[must_use]
pub fn left_alone(snapshot: &Snapshot, live: &Live) -> Vec<Key> {
    let wanted = snapshot.by_key();
    if !wanted.keys().any(kinds::is_of_the_cluster) {
        return Vec::new();
    }
    let there = live.objects.iter().filter(|object| object.is_kept);
    let strange = there.filter(|object| {
        kinds::is_of_the_cluster(&object.key) && !wanted.contains_key(&object.key)
    });
    strange.map(|object| object.key.clone()).collect()
}

/// Returns the nodes whose kubelet has stopped reporting, each with the symptom in words. The node
/// controller notices that after 40 seconds; a lease that is not renewed shows it sooner.
pub fn silent_nodes(live: &Live) -> impl Iterator<Item = (String, String)> {
    /// The age at which a lease is late. A kubelet renews it every 10 seconds.
    const LATE: SignedDuration = SignedDuration::from_secs(25);
    // Compares the leases with each other, not with this machine's clock, which may differ.
    let newest = live.renewed.values().max();
    live.nodes.iter().filter_map(move |(name, node)| {
        let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
        let mut ready = conditions
            .into_iter()
            .flatten()
            .filter(|c| c["type"] == "Ready");
        let why = if ready.any(|ready| ready["status"] == "Unknown") {
            "its kubelet has stopped reporting".to_owned()
        } else {
            let late = newest?.duration_since(*live.renewed.get(name)?);
            (late > LATE)
                .then(|| format!("its kubelet has not reported for {} s", late.as_secs()))?
        };
        Some((name.clone(), why))
    })
}

fn kubelets<'a>(snapshot: &'a Snapshot, live: &'a Live) -> impl Iterator<Item = Difference> + 'a {
    let gone = snapshot
        .nodes
        .keys()
        .filter(|name| !live.nodes.contains_key(*name));
    let gone = gone.map(|name| (name.clone(), "it is not known to the API server".to_owned()));
    let silent = gone.chain(silent_nodes(live));
    silent.map(|(name, why)| Difference::Kubelet { name, why })
}

fn namespaces(live: &Live) -> impl Iterator<Item = &LiveObject> {
    let objects = live.objects.iter();
    objects.filter(|o| o.is_kept && o.key.kind == "Namespace" && o.key.group.is_empty())
}

fn contents(live: &Live, key: &Key) -> usize {
    if key.kind != "Namespace" {
        return 0;
    }
    let within = live
        .objects
        .iter()
        .filter(|o| o.key.namespace == key.name && o.is_kept);
    // Every namespace has this account.
    within
        .filter(|o| !(o.key.kind == "ServiceAccount" && o.key.name == "default"))
        .count()
}

fn nodes<'a>(snapshot: &'a Snapshot, live: &'a Live) -> impl Iterator<Item = Difference> + 'a {
    live.nodes.iter().filter_map(|(name, node)| {
        let wanted = snapshot.nodes.get(name)?;
        let words = Marks::of(node).differs_from(wanted);
        (!words.is_empty()).then(|| Difference::Node {
            name: name.clone(),
            wanted: wanted.clone(),
            live: node.clone(),
            words,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn object(kind: &str, namespace: &str, name: &str) -> Value {
        let mut metadata = json!({"name": name, "uid": format!("uid of {name}")});
        if !namespace.is_empty() {
            metadata["namespace"] = json!(namespace);
        }
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {}})
    }

    fn live(objects: &[Value]) -> Live {
        let objects = objects
            .iter()
            .filter_map(|o| LiveObject::of(o.clone(), true));
        Live {
            objects: objects.collect(),
            ..Live::default()
        }
    }

    fn snapshot(objects: &[Value]) -> Snapshot {
        live(objects).snapshot()
    }

    fn told(differences: &[Difference]) -> Vec<String> {
        let tell = |difference: &Difference| {
            let key = difference.key();
            match difference {
                Difference::Missing { going: None, .. } => format!("missing {key}"),
                Difference::Missing { .. } => format!("going {key}"),
                Difference::Changed { fields, .. } => {
                    format!("changed {key}: {}", fields.join(", "))
                }
                Difference::Stranger { contents, .. } => format!("stranger {key} ({contents})"),
                Difference::Node { words, .. } => format!("node {key}: {}", words.join(", ")),
                Difference::InTheWay { why, .. } => format!("in the way {key}: {why}"),
                Difference::Kubelet { why, .. } => format!("kubelet {key}: {why}"),
            }
        };
        differences.iter().map(tell).collect()
    }

    #[test]
    fn everything_that_differs_is_found_and_nothing_else() {
        let was = [
            object("Namespace", "", "lab"),
            object("ConfigMap", "lab", "same"),
            object("ConfigMap", "lab", "changed"),
            object("ConfigMap", "lab", "lost"),
        ];
        let mut changed = object("ConfigMap", "lab", "changed");
        changed["data"]["added"] = json!("x");
        let mut made = object("Pod", "lab", "of-a-controller");
        made["metadata"]["ownerReferences"] = json!([{"uid": "1", "controller": true}]);
        let is = [
            object("Namespace", "", "lab"),
            object("Namespace", "", "mine"),
            object("ServiceAccount", "mine", "default"),
            object("ConfigMap", "mine", "in-it"),
            object("ConfigMap", "lab", "same"),
            object("ConfigMap", "lab", "stranger"),
            changed,
            made,
        ];
        assert_eq!(
            told(&between(&snapshot(&was), &live(&is))),
            [
                "stranger configmap/stranger in namespace lab (0)",
                "stranger namespace/mine (1)",
                "changed configmap/changed in namespace lab: data.added was added",
                "missing configmap/lost in namespace lab",
            ]
        );
        assert_eq!(between(&snapshot(&was), &live(&was)), []);
    }

    #[test]
    fn what_the_cluster_came_with_is_put_back_and_nothing_beside_it_is_removed() {
        let was = [
            object("ConfigMap", "kube-system", "coredns"),
            object("ServiceAccount", "kube-system", "coredns"),
            object("Namespace", "", "local-path-storage"),
        ];
        let mut changed = object("ConfigMap", "kube-system", "coredns");
        changed["data"]["Corefile"] = json!(".:53 {}");
        let is = [changed, object("ConfigMap", "kube-system", "mine")];
        assert_eq!(
            told(&between(&snapshot(&was), &live(&is))),
            [
                "missing namespace/local-path-storage",
                "changed configmap/coredns in namespace kube-system: data.Corefile was added",
                "missing serviceaccount/coredns in namespace kube-system",
            ]
        );
        let alone = left_alone(&snapshot(&was), &live(&is));
        let alone: Vec<String> = alone.iter().map(ToString::to_string).collect();
        assert_eq!(alone, ["configmap/mine in namespace kube-system"]);
        // A snapshot from before the baseline was part of it has no strangers there.
        let older = snapshot(&[object("Namespace", "", "lab")]);
        let is = [
            object("Namespace", "", "lab"),
            object("ConfigMap", "kube-system", "coredns"),
        ];
        assert_eq!(between(&older, &live(&is)), []);
        assert_eq!(left_alone(&older, &live(&is)), []);
    }

    #[test]
    fn the_address_of_the_clusters_dns_is_part_of_it_and_others_are_not() {
        let service = |namespace: &str, address: &str| {
            let mut service = object("Service", namespace, "dns");
            service["spec"] = json!({"clusterIP": address, "clusterIPs": [address]});
            service
        };
        let was = [
            service("kube-system", "10.96.0.10"),
            service("lab", "10.96.0.11"),
        ];
        let is = [
            service("kube-system", "10.96.0.20"),
            service("lab", "10.96.0.21"),
        ];
        let found = told(&between(&snapshot(&was), &live(&is)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("spec.clusterIP is 10.96.0.20"),
            "{found:?}"
        );
    }

    #[test]
    fn a_kubelet_that_is_silent_differs() {
        let node = |ready: &str| {
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"},
                "status": {"conditions": [{"type": "Ready", "status": ready}]}})
        };
        let live = |ready: &str, seconds: &[(&str, i64)]| {
            let renewed = seconds.iter();
            let at = |s: i64| Timestamp::from_second(s).unwrap();
            Live {
                nodes: ["a", "b"].map(|name| (name.to_owned(), node(ready))).into(),
                renewed: renewed
                    .map(|(name, s)| ((*name).to_owned(), at(*s)))
                    .collect(),
                ..Live::default()
            }
        };
        let well = live("True", &[("a", 100), ("b", 110)]);
        let snapshot = well.snapshot();
        assert_eq!(between(&snapshot, &well), []);
        assert_eq!(
            told(&between(
                &snapshot,
                &live("True", &[("a", 100), ("b", 140)])
            )),
            ["kubelet node/a: its kubelet has not reported for 40 s"]
        );
        assert_eq!(between(&snapshot, &live("Unknown", &[])).len(), 2);
        assert_eq!(
            told(&between(&snapshot, &Live::default())),
            [
                "kubelet node/a: it is not known to the API server",
                "kubelet node/b: it is not known to the API server",
            ]
        );
    }

    #[test]
    fn what_is_about_to_go_is_as_good_as_gone() {
        let was = [
            object("Namespace", "", "lab"),
            object("ConfigMap", "lab", "in-it"),
        ];
        let mut namespace = object("Namespace", "", "lab");
        namespace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let is = [
            namespace,
            object("ConfigMap", "lab", "in-it"),
            object("Pod", "lab", "mine"),
        ];
        assert_eq!(
            told(&between(&snapshot(&was), &live(&is))),
            [
                "going namespace/lab",
                "going configmap/in-it in namespace lab"
            ]
        );
    }

    #[test]
    fn a_known_releases_revisions_are_left_and_another_release_goes() {
        let revision = |release: &str, number: u32, status: &str| {
            let mut secret = object(
                "Secret",
                "lab",
                &format!("sh.helm.release.v1.{release}.v{number}"),
            );
            secret["type"] = json!("helm.sh/release.v1");
            secret["metadata"]["labels"] =
                json!({"name": release, "owner": "helm", "status": status});
            secret
        };
        let was = [
            revision("app", 1, "deployed"),
            revision("lost", 1, "deployed"),
        ];
        let is = [
            revision("app", 1, "superseded"),
            revision("app", 2, "deployed"),
            revision("mine", 1, "deployed"),
        ];
        assert_eq!(
            told(&between(&snapshot(&was), &live(&is))),
            ["stranger secret/sh.helm.release.v1.mine.v1 in namespace lab (0)"]
        );
    }

    #[test]
    fn what_guards_others_goes_first_and_comes_last() {
        let guard = |name: &str| {
            let mut guard = object("ValidatingWebhookConfiguration", "", name);
            guard["apiVersion"] = json!("admissionregistration.k8s.io/v1");
            guard
        };
        let was = [guard("lost"), object("ConfigMap", "lab", "lost")];
        let is = [object("ConfigMap", "lab", "a"), guard("mine")];
        assert_eq!(
            told(&between(&snapshot(&was), &live(&is))),
            [
                "stranger validatingwebhookconfiguration/mine (0)",
                "stranger configmap/a in namespace lab (0)",
                "missing configmap/lost in namespace lab",
                "missing validatingwebhookconfiguration/lost (0)".trim_end_matches(" (0)"),
            ]
        );
    }
}
