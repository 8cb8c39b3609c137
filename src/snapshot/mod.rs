//! What a lab's objects looked like when a step was verified, and how a cluster differs from that.
//!
//! Pure but for [`live`], which lists a cluster and changes it. A [`Snapshot`] holds objects in their
//! *clean* form: what somebody asked for, without what the cluster itself writes into them
//! ([`clean`]). [`difference::between`] compares; the engine's `reset` puts back.

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

/// The lab's objects at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Snapshot {
    /// The objects in their clean form.
    pub objects: Vec<Value>,
    /// What was set on each node.
    pub nodes: BTreeMap<String, Marks>,
    /// The fingerprint of the data of each pod that the lab declares data for.
    pub data: BTreeMap<String, String>,
    /// The digest of the commands that those fingerprints came from: others give others.
    #[serde(default)]
    pub data_commands: String,
}

impl Snapshot {
    /// The objects by what names them.
    #[must_use]
    pub fn by_key(&self) -> BTreeMap<Key, &Value> {
        let keyed = self.objects.iter().map(|object| (Key::of(object), object));
        keyed.collect()
    }
}
