//! How an image is built that is on no registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where an image is built from, if neither the bundle nor the container engine has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// Sources that labctl brings along, by their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// A directory of the lab with a Dockerfile, instead of `sources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Values of the Dockerfile's arguments, such as the image that it builds on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

/// The file that says how.
pub const DOCKERFILE: &str = "Dockerfile";
