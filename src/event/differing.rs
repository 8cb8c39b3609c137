//! In what an environment differs from what it was.

use serde::{Deserialize, Serialize};

use super::Untrusted;

/// Something that is not as it was when a step was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Differing {
    /// What: an object, a node, the data of a pod.
    pub object: String,
    /// What became of it.
    pub change: Change,
    /// In which fields it differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Untrusted>,
}

/// What became of something since a step was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is gone, or about to go.
    Missing,
    /// It is there, and other than it was.
    Changed,
    /// It was not there.
    Stranger,
}
