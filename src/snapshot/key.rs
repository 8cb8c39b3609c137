//! What names an object in a cluster.

use std::fmt;

use serde_json::Value;

/// What names an object: its version is left out, for the same object is served under several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The API group, empty for the core one.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace, empty for an object of the whole cluster.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// The key of `object`.
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

    /// As people name it who look into `namespace` anyway: `statefulset/postgres`.
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
