//! Keys of objects in a cluster.

use std::fmt;

use serde_json::Value;

/// The key of an object. It has no API version, as a cluster serves the same object under several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The API group, empty for the core one.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace, empty for a cluster-scoped object.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// Returns the key of `object`.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let text = |pointer: &str| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let version = text("/apiVersion");
        let group = version.split_once('/').map_or("", |(group, _)| group);
        Self {
            group: group.to_owned(),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }

    /// Formats the key for people who look into `namespace`, which is left out then:
    /// `statefulset/postgres`.
    #[must_use]
    pub fn seen_from(&self, namespace: &str) -> String {
        let Self { kind, name, .. } = self;
        let kind = kind.to_lowercase();
        if self.namespace.is_empty() || self.namespace == namespace {
            format!("{kind}/{name}")
        } else {
            format!("{kind}/{name} in namespace {}", self.namespace)
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seen_from(""))
    }
}
