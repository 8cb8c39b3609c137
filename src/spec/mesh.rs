//! Assertions about a Linkerd mesh.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Workload, WorkloadKind};

/// The option for JSON output.
const JSON: &str = "--output=json";
/// The time that `linkerd` waits for each of its checks. Its own default is five minutes, and a
/// check that cannot hold reports nothing until then. labctl runs the tool again instead.
const WAIT: &str = "--wait=5s";

/// The arguments of `linkerd-check`, which runs the checks of the lab's tool `linkerd`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkerdCheck {
    /// The part of the mesh to check.
    pub of: Checked,
}

impl LinkerdCheck {
    /// Returns the arguments of the tool `linkerd` for the lab's namespace.
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

/// A part of a mesh that `linkerd check` covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// A cluster before Linkerd is installed: `linkerd check --pre`.
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

/// The arguments of `mesh-injected`: every Pod of a workload has a proxy, and the proxy is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MeshInjected {
    /// The workload.
    pub of: Workload,
}

/// The arguments of `mesh-mtls`: traffic from one workload to another is encrypted, and each side
/// proves its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MeshMtls {
    /// The client. It must send requests during the check: Viz knows open connections only.
    pub from: Workload,
    /// The server.
    pub to: Workload,
    /// A URL to request instead of asking Viz: `/api/whoami` of the demo API, as the client's Pods
    /// address it. Its answer shows the header `l5d-client-id`, which the server's proxy sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl MeshMtls {
    /// Returns the arguments of the tool `linkerd` that ask Viz about the lab's namespace.
    #[must_use]
    pub fn arguments<'a>(&self, namespace: &'a str) -> Vec<&'a str> {
        let kind = match self.from.kind {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "statefulset",
        };
        vec!["viz", "edges", kind, "--namespace", namespace, JSON]
    }
}
