//! The action `helm`: a release of a chart.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::params::text_or;

/// The arguments of `helm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Helm {
    /// The release's name.
    pub release: String,
    /// The chart.
    pub chart: Chart,
    /// The chart's exact version, not a range; only for a chart that is not in the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The SHA-256 that this version must have, as `sha256:…`. It is the manifest's digest for an
    /// OCI chart, and the archive's for a chart of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The namespace, created if it does not exist; the lab's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The path of a values file in the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// More values, by their path: `controller.kind: deployment`. A backslash precedes a dot that
    /// is part of a name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, serde_json::Value>,
}

impl Helm {
    /// Returns `set` nested, as in a values file. Fails on a path that leads through a list or
    /// through the value of another path.
    pub fn nested_set(&self) -> Result<Value, String> {
        let mut values = Value::Object(Map::new());
        for (path, value) in &self.set {
            let wrong = |why: &str| format!("`set` has the path `{path}`, which {why}");
            if path.contains(['[', ']']) {
                return Err(wrong("leads into a list; write the whole list as a value"));
            }
            let mut at = &mut values;
            for name in names(path) {
                if name.is_empty() {
                    return Err(wrong("has an empty name in it"));
                }
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                let Value::Object(fields) = at else {
                    return Err(wrong("leads through the value of another one"));
                };
                at = fields.entry(name).or_insert(Value::Null);
            }
            if !at.is_null() {
                return Err(wrong("is that of other ones, too"));
            }
            at.clone_from(value);
        }
        Ok(values)
    }
}

/// Splits `path` at its dots.
fn names(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        let last = names.len() - 1;
        match c {
            '.' => names.push(String::new()),
            '\\' => names[last].extend(chars.next()),
            c => names[last].push(c),
        }
    }
    names
}

/// The source of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chart {
    /// A chart in an OCI registry: `oci://…`, without a tag.
    Oci(String),
    /// A chart in a directory of the lab.
    Directory(String),
    /// A chart in a chart repository.
    Repository {
        /// The repository's URL.
        repository: String,
        /// The chart's name in it.
        name: String,
    },
}

impl Chart {
    /// Returns the name of the chart in a bundle, or `None` for a chart in the lab.
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

/// A chart of a repository, as written in `lab.yaml`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct InRepository {
    repository: String,
    name: String,
}

/// A chart, as written in `lab.yaml`.
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
