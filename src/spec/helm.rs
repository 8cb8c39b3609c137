//! The action `helm`: a release of a chart.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::params::text_or;

/// `helm`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Helm {
    /// The release's name.
    pub release: String,
    /// The chart.
    pub chart: Chart,
    /// The chart's version, one and no range; for a chart that is not in the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The SHA-256 of what that version has to be, as `sha256:…`: of an OCI chart the manifest's, of
    /// a repository's chart the archive's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The namespace, made if it is not there; the lab's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A file of the lab with values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// More values, by their path: `controller.kind: deployment`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, serde_json::Value>,
}

/// Where a chart is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chart {
    /// In an OCI registry: `oci://…`, without a tag.
    Oci(String),
    /// A directory of the lab.
    Directory(String),
    /// In a chart repository.
    Repository {
        /// The repository's URL.
        repository: String,
        /// The chart's name in it.
        name: String,
    },
}

impl Chart {
    /// What names the chart in a bundle; nothing names one that is in the lab.
    #[must_use]
    pub fn reference(&self) -> Option<String> {
        match self {
            Self::Oci(reference) => Some(reference.clone()),
            Self::Directory(_) => None,
            Self::Repository { repository, name } => {
                Some(format!("{}/{name}", repository.trim_end_matches('/')))
            }
        }
    }
}

/// A chart of a repository, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct InRepository {
    repository: String,
    name: String,
}

/// A chart, as it is written.
enum Written {
    Short(String),
    Long(InRepository),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        InRepository::deserialize(deserializer).map(Self::Long)
    }
}

impl<'de> Deserialize<'de> for Chart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "oci://…, a directory of the lab, or `repository` and `name`";
        Ok(
            match text_or(deserializer, expected, |text| Ok(Written::Short(text)))? {
                Written::Short(text) if text.starts_with("oci://") => Self::Oci(text),
                Written::Short(text) => Self::Directory(text),
                Written::Long(InRepository { repository, name }) => {
                    Self::Repository { repository, name }
                }
            },
        )
    }
}

impl Serialize for Chart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Oci(text) | Self::Directory(text) => text.serialize(serializer),
            Self::Repository { repository, name } => InRepository {
                repository: repository.clone(),
                name: name.clone(),
            }
            .serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_written_as_it_is_read() {
        for text in [
            r#""oci://ghcr.io/nginx/charts/nginx-ingress""#,
            r#""charts/app""#,
            r#"{"repository":"https://example.org/charts/","name":"app"}"#,
        ] {
            let chart: Chart = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&chart).unwrap(), text);
        }
        let chart: Chart =
            serde_json::from_str(r#"{"repository":"https://example.org/c/","name":"app"}"#)
                .unwrap();
        assert_eq!(
            chart.reference().as_deref(),
            Some("https://example.org/c/app")
        );
        assert!(serde_json::from_str::<Chart>(r#"{"repo":"x"}"#).is_err());
    }
}
