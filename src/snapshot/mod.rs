//! Snapshots of a lab's objects at a verified step, and their differences from a cluster.
//!
//! Pure except for [`live`], which lists the objects of a cluster and changes them. A [`Snapshot`]
//! holds objects in their *clean* form: the fields that somebody asked for, without those that the
//! cluster writes ([`clean`]). [`difference::between`] compares a snapshot with a cluster; the
//! engine's `reset` restores the snapshot.

pub mod clean;
pub mod difference;
pub mod fields;
pub mod in_the_way;
pub mod key;
pub mod kinds;
pub mod live;
pub mod marks;
pub mod patch;
mod release;
pub mod secret;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use difference::Difference;
pub use key::Key;
pub use live::{Live, LiveError, LiveObject, Reach};
pub use marks::Marks;

/// The lab's objects at one time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Snapshot {
    /// The objects in their clean form.
    pub objects: Vec<Value>,
    /// The marks of each node.
    pub nodes: BTreeMap<String, Marks>,
    /// The fingerprints of the data, by the Pod that the lab declares data for.
    pub data: BTreeMap<String, String>,
    /// The digest of the commands that made the fingerprints. Other commands make other
    /// fingerprints.
    #[serde(default)]
    pub data_commands: String,
}

impl Snapshot {
    /// Returns the objects by their keys.
    #[must_use]
    pub fn by_key(&self) -> BTreeMap<Key, &Value> {
        let keyed = self.objects.iter().map(|object| (Key::of(object), object));
        keyed.collect()
    }
}
