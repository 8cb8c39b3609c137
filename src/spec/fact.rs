//! Facts: what a step records once its expectations hold, for later comparison.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Measurement;

/// All facts of an environment, by the name `record` gave them; a measurement by the id of its step.
pub type Facts = BTreeMap<String, Fact>;

/// One recorded fact: a pod, a claim, or both, as they were at that moment; or what a load came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fact {
    /// The pod as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodFact>,
    /// The claim, and the volume bound to it, as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimFact>,
    /// What the requests of a step came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Measurement>,
}

/// The identity of one pod at the moment of recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PodFact {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`: a new pod of the same name has another one.
    pub uid: String,
    /// `spec.nodeName`
    pub node: String,
}

/// The identity of one claim and its volume at the moment of recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClaimFact {
    /// `metadata.name` of the `PersistentVolumeClaim`
    pub name: String,
    /// `metadata.uid` of the claim
    pub uid: String,
    /// `spec.volumeName`: the `PersistentVolume` bound to the claim
    pub volume: String,
    /// `metadata.uid` of that volume
    pub volume_uid: String,
}
