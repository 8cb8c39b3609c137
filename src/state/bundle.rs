//! Bundles: images, charts, tools and other files in a directory, with an index that describes
//! them.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    digest::hex_of_file,
    spec::{ImageRef, ToolName},
};

/// The version of the index's format that this labctl understands.
const VERSION: u32 = 1;

/// A bundle on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Its directory, absolute.
    pub dir: PathBuf,
    /// Its index.
    pub index: Index,
}

/// `index.json`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    /// The version of its format.
    pub version: u32,
    /// The platform of its contents: `linux/amd64`.
    pub platform: String,
    /// Programs.
    #[serde(default)]
    pub tools: Vec<ToolEntry>,
    /// Image archives.
    #[serde(default)]
    pub images: Vec<ImageEntry>,
    /// Charts.
    #[serde(default)]
    pub charts: Vec<ChartEntry>,
    /// Other files.
    #[serde(default)]
    pub files: Vec<FileEntry>,
}

/// A chart in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChartEntry {
    /// Its reference: `oci://…` without a tag, or its repository's URL, `/` and its name.
    pub chart: String,
    /// Its version.
    pub version: String,
    /// The packaged chart, relative to the bundle's directory.
    pub path: PathBuf,
    /// The package's SHA-256, as `sha256:…`.
    pub digest: String,
}

/// A file in a bundle that replaces the one at a URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileEntry {
    /// The URL of the file that it replaces; empty if it replaces none.
    #[serde(default)]
    pub url: String,
    /// Its path, relative to the bundle's directory.
    pub path: PathBuf,
    /// Its SHA-256, as `sha256:…`. It may differ from that of the file at the URL, because this
    /// file may be made from other sources.
    pub digest: String,
    /// The sources that it was made from.
    #[serde(default)]
    pub source: Option<String>,
}

/// A program in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ToolEntry {
    /// Its name: `kind`.
    pub name: ToolName,
    /// Its path, relative to the bundle's directory.
    pub path: PathBuf,
    /// Its SHA-256, as `sha256:…`.
    pub digest: String,
}

/// The purpose of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// kind's node image, which is loaded into the container engine.
    Node,
    /// An image for pods, which is imported into the nodes.
    Workload,
}

/// An image archive in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageEntry {
    /// Its full name, with registry and tag.
    pub name: ImageRef,
    /// Its purpose.
    pub role: Role,
    /// The archive, relative to the bundle's directory.
    pub path: PathBuf,
    /// The archive's SHA-256, as `sha256:…`.
    pub digest: String,
    /// The image's id in the engine.
    #[serde(default)]
    pub id: Option<String>,
    /// The sources that the image was made from.
    #[serde(default)]
    pub source: Option<String>,
    /// True if it was built from packages, and replaces the public image of this name.
    #[serde(default)]
    pub packages: bool,
}

/// The error of a bundle that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the bundle {} cannot be used", dir.display())]
pub struct BundleError {
    dir: PathBuf,
    source: io::Error,
}

impl Bundle {
    /// Opens the bundle in `dir`.
    pub fn open(dir: &Path) -> Result<Self, BundleError> {
        let failed = |source| BundleError {
            dir: dir.to_owned(),
            source,
        };
        let dir = fs::canonicalize(dir).map_err(failed)?;
        let text = fs::read(dir.join("index.json")).map_err(failed)?;
        let index: Index = serde_json::from_slice(&text).map_err(|e| failed(e.into()))?;
        let refuse = |why: String| Err(failed(io::Error::other(why)));
        if index.version != VERSION {
            return refuse(format!(
                "its index has form {}, this labctl knows {VERSION}",
                index.version
            ));
        }
        let paths = index.images.iter().map(|i| &i.path);
        let paths = paths.chain(index.tools.iter().map(|t| &t.path));
        let paths = paths.chain(index.charts.iter().map(|c| &c.path));
        for path in paths.chain(index.files.iter().map(|f| &f.path)) {
            let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
            if !inside {
                return refuse(format!("`{}` leads out of it", path.display()));
            }
            if !dir.join(path).is_file() {
                return refuse(format!("`{}` is missing", path.display()));
            }
        }
        let mut names: Vec<&ToolName> = index.tools.iter().map(|tool| &tool.name).collect();
        names.sort();
        let twice = names.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(one),
            _ => None,
        });
        if let Some(twice) = twice {
            return refuse(format!("its index has two tools `{twice}`"));
        }
        Ok(Self { dir, index })
    }

    /// Returns the image that replaces `reference`. A digest in the reference pins the public
    /// image, and is not compared. The patch version of a node image is not compared either.
    #[must_use]
    pub fn image(&self, role: Role, reference: &ImageRef) -> Option<&ImageEntry> {
        let wanted = reference.full();
        let images = || self.index.images.iter().filter(|i| i.role == role);
        let exact = images().find(|image| image.name.full() == wanted);
        exact
            .or_else(|| images().find(|i| role == Role::Node && minor(&i.name) == minor(reference)))
    }

    /// Returns the chart that replaces `reference` in this version.
    #[must_use]
    pub fn chart(&self, reference: &str, version: &str) -> Option<&ChartEntry> {
        let mut charts = self.index.charts.iter();
        charts.find(|entry| entry.chart == reference && entry.version == version)
    }

    /// Returns the file that replaces the one at `url`.
    #[must_use]
    pub fn file(&self, url: &str) -> Option<&FileEntry> {
        self.index.files.iter().find(|entry| entry.url == url)
    }

    /// Returns the tool `name`.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&ToolEntry> {
        self.index.tools.iter().find(|tool| tool.name == name)
    }

    /// Returns the full path of the file at `inside`, after checking that it has `digest`.
    pub fn verified(&self, inside: &Path, digest: &str) -> Result<PathBuf, BundleError> {
        let path = self.dir.join(inside);
        self.compare(inside, &path, digest)?;
        Ok(path)
    }

    /// Checks that `copy`, the file at `inside` or a copy of it, has `digest`.
    pub fn compare(&self, inside: &Path, copy: &Path, digest: &str) -> Result<(), BundleError> {
        let failed = |source| BundleError {
            dir: self.dir.clone(),
            source,
        };
        let actual = format!("sha256:{}", hex_of_file(copy).map_err(failed)?);
        if actual == digest {
            return Ok(());
        }
        Err(failed(io::Error::other(format!(
            "`{}` has the digest {actual}, its index says {}",
            inside.display(),
            digest
        ))))
    }
}

/// Returns a node image's name up to the minor version of its Kubernetes.
fn minor(reference: &ImageRef) -> String {
    let name = reference.full();
    match name.rsplit_once('.') {
        Some((minor, _patch)) => minor.to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_version_of_a_node_image_is_not_compared() {
        assert_eq!(
            minor(&"kindest/node:v1.34.4".into()),
            minor(&"docker.io/kindest/node:v1.34.11".into())
        );
        assert_ne!(
            minor(&"kindest/node:v1.35.4".into()),
            minor(&"kindest/node:v1.34.4".into())
        );
    }
}
