//! The build of an image that is on no registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The source of an image that neither the bundle nor the container engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// The name of sources that labctl ships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// A directory of the lab with a Dockerfile, instead of `sources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Values of the Dockerfile's arguments, such as its base image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

/// The file that describes a build.
pub const DOCKERFILE: &str = "Dockerfile";
