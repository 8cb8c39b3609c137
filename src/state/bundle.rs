//! Bundles: images and tools in a directory, with an index that says what each is.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    digest::hex_of_file,
    spec::{ImageRef, ToolName},
};

/// The version of the index's form that is understood.
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
    /// The version of its form.
    pub version: u32,
    /// For which platform its contents are: `linux/amd64`.
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
    /// What names it: `oci://…` without a tag, or its repository's URL, `/` and its name.
    pub chart: String,
    /// Its version.
    pub version: String,
    /// The packaged chart, from the bundle's directory.
    pub path: PathBuf,
    /// The package's SHA-256, as `sha256:…`.
    pub digest: String,
}

/// A file in a bundle that stands for the one at a URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileEntry {
    /// Where the file is that it stands for; empty if it is not named by that.
    #[serde(default)]
    pub url: String,
    /// Where it is, from the bundle's directory.
    pub path: PathBuf,
    /// Its SHA-256, as `sha256:…`. It may be another than that of the file at the URL: what it was
    /// made from need not be that file.
    pub digest: String,
    /// What it was made from.
    #[serde(default)]
    pub source: Option<String>,
}

/// A program in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ToolEntry {
    /// `kind`
    pub name: ToolName,
    /// Where it is, from the bundle's directory.
    pub path: PathBuf,
    /// Its SHA-256, as `sha256:…`.
    pub digest: String,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is kind's node image, and is loaded into the container engine.
    Node,
    /// It runs in pods, and is imported into the nodes.
    Workload,
}

/// An image archive in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageEntry {
    /// Its full name, with registry and tag.
    pub name: ImageRef,
    /// What it is for.
    pub role: Role,
    /// The archive, from the bundle's directory.
    pub path: PathBuf,
    /// The archive's SHA-256, as `sha256:…`.
    pub digest: String,
    /// The image's id in the engine.
    #[serde(default)]
    pub id: Option<String>,
    /// What the image was made from.
    #[serde(default)]
    pub source: Option<String>,
    /// It was built from packages, and stands in for the public image of this name.
    #[serde(default)]
    pub packages: bool,
}

/// Why a bundle cannot be used.
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

    /// The image that stands for `reference`. A digest in the reference pins the public image, and
    /// is not compared; of a node image, the patch version is not either.
    #[must_use]
    pub fn image(&self, role: Role, reference: &ImageRef) -> Option<&ImageEntry> {
        let wanted = reference.full();
        let images = || self.index.images.iter().filter(|i| i.role == role);
        let exact = images().find(|image| image.name.full() == wanted);
        exact
            .or_else(|| images().find(|i| role == Role::Node && minor(&i.name) == minor(reference)))
    }

    /// The chart that stands for `reference` in this version.
    #[must_use]
    pub fn chart(&self, reference: &str, version: &str) -> Option<&ChartEntry> {
        let mut charts = self.index.charts.iter();
        charts.find(|entry| entry.chart == reference && entry.version == version)
    }

    /// The file that stands for the one at `url`.
    #[must_use]
    pub fn file(&self, url: &str) -> Option<&FileEntry> {
        self.index.files.iter().find(|entry| entry.url == url)
    }

    /// The tool `name`.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&ToolEntry> {
        self.index.tools.iter().find(|tool| tool.name == name)
    }

    /// Where the file at `path` is, once its digest was seen to be `digest`.
    pub fn verified(&self, inside: &Path, digest: &str) -> Result<PathBuf, BundleError> {
        let path = self.dir.join(inside);
        self.compare(inside, &path, digest)?;
        Ok(path)
    }

    /// Checks that `copy`, which the file at `inside` or a copy of it is, has `digest`.
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

/// A node image's name up to the minor version of its Kubernetes.
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
