//! How a cluster differs from a snapshot of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Key, Live, LiveObject, Marks, Snapshot, fields, kinds, release};

/// One thing in which a cluster differs from a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// An object of the snapshot is not there, or is about to go.
    Missing {
        /// Its clean form.
        wanted: Value,
        /// What still stands there under its name, being deleted.
        going: Option<LiveObject>,
    },
    /// An object is other than it was.
    Changed {
        /// Its clean form in the snapshot.
        wanted: Value,
        /// As it is.
        live: LiveObject,
        /// In which fields, in words.
        fields: Vec<String>,
    },
    /// An object was not there.
    Stranger {
        /// As it is.
        live: LiveObject,
        /// How many objects are in it, if it is a namespace.
        contents: usize,
    },
    /// A node is marked otherwise.
    Node {
        /// The node.
        name: String,
        /// The marks it had.
        wanted: Marks,
        /// The node as it is.
        live: Value,
        /// In what it differs, in words.
        words: Vec<String>,
    },
}

impl Difference {
    /// The object that differs; a node has no group.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Missing { wanted, .. } | Self::Changed { wanted, .. } => Key::of(wanted),
            Self::Stranger { live, .. } => live.key.clone(),
            Self::Node { live, .. } => Key::of(live),
        }
    }
}

/// In what `live` differs from `snapshot`: what is there too much, then the nodes, on which all else
/// runs, then the rest in the order in which it can be put back. The revisions of a Helm release that
/// the snapshot knows are left as they are; a release that it does not know is a stranger.
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
    let is_stranger = |key: &&Key| !wanted.contains_key(*key);
    let strange: BTreeSet<&str> = namespaces(live)
        .filter(|o| is_stranger(&&o.key))
        .map(LiveObject::name)
        .collect();
    let mut strangers: Vec<Difference> = there
        .iter()
        .filter(|(key, object)| is_stranger(key) && !is_known_release(&object.clean))
        // What is in a namespace that goes, goes with it.
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
    strangers
        .into_iter()
        .chain(nodes(snapshot, live))
        .chain(others)
        .collect()
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
    // Every namespace has this one.
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
