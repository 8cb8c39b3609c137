//! Assertions about a Linkerd mesh.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Workload, WorkloadKind};

/// The option for an answer that can be read.
const JSON: &str = "--output=json";
/// How long the program waits for each of its checks. Its own default is five minutes, in which a
/// check that cannot hold says nothing; it is asked again instead.
const WAIT: &str = "--wait=5s";

/// `linkerd-check`: what the lab's tool `linkerd` checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkerdCheck {
    /// What is checked.
    pub of: Checked,
}

impl LinkerdCheck {
    /// The arguments of the tool `linkerd`, in the lab's namespace.
    #[must_use]
    pub fn arguments<'a>(&self, namespace: &'a str) -> Vec<&'a str> {
        let mut arguments = match self.of {
            Checked::Pre => vec!["check", "--pre"],
            Checked::ControlPlane => vec!["check"],
            Checked::DataPlane => vec!["check", "--proxy", "--namespace", namespace],
            Checked::Viz => vec!["viz", "check"],
        };
        arguments.extend([JSON, WAIT]);
        arguments
    }
}

/// What `linkerd check` is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// A cluster into which Linkerd is to be installed: `linkerd check --pre`.
    Pre,
    /// The control plane: `linkerd check`.
    ControlPlane,
    /// The proxies of the lab's namespace: `linkerd check --proxy`.
    DataPlane,
    /// The extension Viz: `linkerd viz check`.
    Viz,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pre => "pre",
            Self::ControlPlane => "control-plane",
            Self::DataPlane => "data-plane",
            Self::Viz => "viz",
        })
    }
}

/// `mesh-injected`: every pod of a workload has a proxy, and it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MeshInjected {
    /// The workload.
    pub of: Workload,
}

/// `mesh-mtls`: what goes from one workload to another is encrypted, and each proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MeshMtls {
    /// Who calls. It has to do so while this is looked at: Viz knows open connections only.
    pub from: Workload,
    /// Who is called.
    pub to: Workload,
    /// Asks the called for the header `l5d-client-id`, which its proxy sets, instead of Viz: the URL
    /// of the demo API's `/api/whoami`, as the caller's pods know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl MeshMtls {
    /// The arguments of the tool `linkerd` that ask Viz, in the lab's namespace.
    #[must_use]
    pub fn arguments<'a>(&self, namespace: &'a str) -> Vec<&'a str> {
        let kind = match self.from.kind {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "statefulset",
        };
        vec!["viz", "edges", kind, "--namespace", namespace, JSON]
    }
}
