//! The difference between an environment and a snapshot.

use serde::{Deserialize, Serialize};

use super::Untrusted;

/// Something that changed since a step was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Differing {
    /// The thing that changed: an object, a node, the data of a Pod.
    pub object: String,
    /// The kind of the change.
    pub change: Change,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Untrusted>,
}

/// The kind of a change since a step was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The object is gone or being deleted.
    Missing,
    /// The object exists and differs.
    Changed,
    /// The object exists and did not exist then.
    Stranger,
}
