//! Tools of a lab: programs that are pinned by version and digest, and their output.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

mod reserved;

use super::{
    ToolName,
    action::Pinned,
    name::{NameError, is_a_name},
    size::Size,
};

pub(super) use reserved::reserved;

/// The programs that labctl wraps. A lab cannot replace them.
pub const WRAPPED: [&str; 4] = ["docker", "helm", "kind", "kubectl"];

/// The arguments of `tool`: a program to put into the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tool {
    /// The name by which later steps and the student's shell call it.
    pub name: ToolName,
    /// The version that the program prints.
    pub version: String,
    /// The arguments with which the program prints its version.
    pub version_arguments: Vec<VersionWord>,
    /// Downloads by platform, such as `linux/amd64`. Without one for this machine, the program has
    /// to be in the bundle or on the user's `PATH`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from: BTreeMap<String, Download>,
}

/// An argument with which a program prints its version and does nothing else. labctl runs the
/// program with it before anybody can know what the program does with other arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionWord(String);

is_a_name!(VersionWord);

impl VersionWord {
    /// All allowed words.
    const ALL: [&'static str; 8] = [
        "version",
        "--version",
        "-version",
        "-v",
        "-V",
        "--client",
        "--short",
        "-short",
    ];

    fn fault(text: &str) -> Option<&'static str> {
        (!Self::ALL.contains(&text)).then_some(
            "does more than ask for a version: `version-arguments` are of version, --version, \
             -version, -v, -V, --client, --short and -short",
        )
    }
}

/// A program at a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Download {
    /// The URL of the program itself, not of an archive.
    pub url: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Download {
    /// Returns the program as a file that is identified by its digest.
    #[must_use]
    pub fn pinned(&self) -> Pinned<'_> {
        Pinned {
            url: &self.url,
            sha256: &self.sha256,
        }
    }
}

impl Tool {
    /// Returns the platform for which this labctl was built, as a key of `from`.
    #[must_use]
    pub fn platform() -> String {
        let system = if cfg!(target_os = "macos") {
            "darwin"
        } else {
            "linux"
        };
        let processor = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        format!("{system}/{processor}")
    }

    /// Returns the arguments with which the program prints its version, as texts.
    #[must_use]
    pub fn version_arguments(&self) -> Vec<String> {
        self.version_arguments
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Tests whether `answer` contains the tool's version as a whole word: `edge-26.8.3` is not
    /// part of `edge-26.8.30`.
    #[must_use]
    pub fn is_version(&self, answer: &str) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-+._".contains(c);
        let mut words = answer.split(|c| !is_part(c));
        words.any(|word| word == self.version || word.strip_prefix('v') == Some(&self.version))
    }
}

/// The output of a tool of the lab, to be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Output {
    /// The tool, which an earlier step puts into the environment.
    pub of: ToolName,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Options that take the path of a certificate file, which an earlier step made:
    /// `identity-issuer-key-file: issuer-key`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, CertificateFile>,
    /// The maximum output; 64Mi if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Size>,
}

impl Output {
    /// Returns the maximum output.
    #[must_use]
    pub fn at_most(&self) -> Size {
        self.at_most.unwrap_or(Size::mib(64))
    }
}

/// The arguments of `certificates`: a trust anchor, and an issuer that it signs, for a mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificates {
    /// The certificate that every member of the mesh trusts.
    pub trust_anchor: Certificate,
    /// The certificate that signs those of the workloads.
    pub issuer: Certificate,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// Its common name and DNS name.
    pub name: String,
    /// Its validity in days.
    pub days: u32,
}

/// A file that `certificates` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFile {
    /// The trust anchor's certificate.
    TrustAnchor,
    /// The trust anchor's private key, which can sign another issuer.
    TrustAnchorKey,
    /// The issuer's certificate.
    Issuer,
    /// The issuer's private key.
    IssuerKey,
}

impl CertificateFile {
    /// All files.
    pub const ALL: [Self; 4] = [
        Self::TrustAnchor,
        Self::TrustAnchorKey,
        Self::Issuer,
        Self::IssuerKey,
    ];

    fn file_name(self) -> &'static str {
        match self {
            Self::TrustAnchor => "trust-anchor.crt",
            Self::TrustAnchorKey => "trust-anchor.key",
            Self::Issuer => "issuer.crt",
            Self::IssuerKey => "issuer.key",
        }
    }

    /// Returns the file's path in the environment with this directory.
    #[must_use]
    pub fn path_in(self, environment: &Path) -> PathBuf {
        environment.join("certificates").join(self.file_name())
    }

    /// Tests whether the file is a private key, which labctl must not show.
    #[must_use]
    pub fn is_key(self) -> bool {
        matches!(self, Self::TrustAnchorKey | Self::IssuerKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_word_of_the_answer() {
        let tool = Tool {
            name: "linkerd".into(),
            version: "edge-26.8.3".to_owned(),
            version_arguments: Vec::new(),
            from: BTreeMap::new(),
        };
        assert!(tool.is_version("edge-26.8.3\n"));
        assert!(tool.is_version("Client version: edge-26.8.3"));
        assert!(!tool.is_version("edge-26.8.30"));
        assert!(!tool.is_version("dev-edge-26.8.3"));
        assert!(!tool.is_version(""));
    }
}
