//! Facts: values that a step records once its expectations hold, for later comparison.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Measurement;

/// All facts of an environment, by their name under `record`; a measurement by the id of its step.
pub type Facts = BTreeMap<String, Fact>;

/// A recorded fact: a Pod, a claim or both, as they were when they were recorded, or the
/// measurement of a `load`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fact {
    /// The Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodFact>,
    /// The claim and the volume bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimFact>,
    /// The measurement of the step's requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Measurement>,
}

/// The identity of a Pod at the moment of recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PodFact {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`: a new Pod with the same name has another one.
    pub uid: String,
    /// `spec.nodeName`
    pub node: String,
}

/// The identity of a claim and its volume at the moment of recording.
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
