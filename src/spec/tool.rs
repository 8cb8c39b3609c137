//! Tools that a lab brings along: a program by its version and digest, and what it prints.

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

/// The programs that labctl wraps: a lab does not replace them.
pub const WRAPPED: [&str; 4] = ["docker", "helm", "kind", "kubectl"];

/// `tool`: a program, put into the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tool {
    /// Its name, which later steps and the student's shell call it by.
    pub name: ToolName,
    /// Its version, as its answer to `version-arguments` has it.
    pub version: String,
    /// The arguments with which it prints its version.
    pub version_arguments: Vec<VersionWord>,
    /// Where it is fetched from, by platform: `linux/amd64`. Without the machine's own, it has to be
    /// in the bundle or on the user's `PATH`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from: BTreeMap<String, Download>,
}

/// An argument with which a program tells its version and does nothing else. It is run before anybody
/// could know what the program makes of other ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionWord(String);

is_a_name!(VersionWord);

impl VersionWord {
    /// All of them.
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
    /// Where it is: the program itself, and no archive.
    pub url: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Download {
    /// The file as one that is named by its digest.
    #[must_use]
    pub fn pinned(&self) -> Pinned<'_> {
        Pinned {
            url: &self.url,
            sha256: &self.sha256,
        }
    }
}

impl Tool {
    /// The platform that this labctl was built for, as `from` names it.
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

    /// The arguments with which it prints its version, as texts.
    #[must_use]
    pub fn version_arguments(&self) -> Vec<String> {
        self.version_arguments
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Whether `answer` names the tool's version, as a word of its own: `edge-26.8.3` is not part of
    /// `edge-26.8.30`.
    #[must_use]
    pub fn is_version(&self, answer: &str) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-+._".contains(c);
        let mut words = answer.split(|c| !is_part(c));
        words.any(|word| word == self.version || word.strip_prefix('v') == Some(&self.version))
    }
}

/// What a tool of the lab prints, to be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Output {
    /// The tool, which an earlier step brought.
    pub of: ToolName,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Options that take the path of a certificate's file, which an earlier step made:
    /// `identity-issuer-key-file: issuer-key`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, CertificateFile>,
    /// The most that it may print; by default 64Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Size>,
}

impl Output {
    /// The most that it may print.
    #[must_use]
    pub fn at_most(&self) -> Size {
        self.at_most.unwrap_or(Size::mib(64))
    }
}

/// `certificates`: a trust anchor, and an issuer that it has signed, for a mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificates {
    /// What everybody in the mesh trusts.
    pub trust_anchor: Certificate,
    /// What signs the certificates of the workloads.
    pub issuer: Certificate,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// Its common name, and the DNS name it is for.
    pub name: String,
    /// For how many days it is valid.
    pub days: u32,
}

/// A file that `certificates` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFile {
    /// The trust anchor's certificate.
    TrustAnchor,
    /// The trust anchor's key, with which another issuer can be signed.
    TrustAnchorKey,
    /// The issuer's certificate.
    Issuer,
    /// The issuer's key.
    IssuerKey,
}

impl CertificateFile {
    /// All of them.
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

    /// Where it is in the environment of this directory.
    #[must_use]
    pub fn path_in(self, environment: &Path) -> PathBuf {
        environment.join("certificates").join(self.file_name())
    }

    /// Whether it must not be shown.
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
