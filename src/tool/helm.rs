//! Command lines of helm. Each names its kubeconfig, context and namespace; [`super::Toolbox`]
//! gives helm directories of its own.

use std::path::{Path, PathBuf};

use super::{Invocation, Stdin, kubectl::Kubectl};

/// The prefix of the variables that helm reads as settings.
pub const SETTINGS: &str = "HELM_";

/// The variables with which helm reaches this machine and nothing else; `None` removes a variable.
/// Helm, its loader of schemas included, goes through the proxy that they name for every address
/// beyond loopback (`http.ProxyFromEnvironment` of Go), and nobody listens on port 0. The API
/// server of a kind cluster is on loopback.
pub const NO_WAY_OUT: [(&str, Option<&str>); 6] = [
    ("HTTP_PROXY", Some(NOBODY)),
    ("http_proxy", Some(NOBODY)),
    ("HTTPS_PROXY", Some(NOBODY)),
    ("https_proxy", Some(NOBODY)),
    ("NO_PROXY", None),
    ("no_proxy", None),
];
const NOBODY: &str = "http://127.0.0.1:0";

/// Returns the variables that put all directories of helm below `home`, where there is no plugin,
/// repository or login of the user's.
#[must_use]
pub fn directories(home: &Path) -> [(&'static str, PathBuf); 4] {
    [
        ("HELM_CONFIG_HOME", home.join("config")),
        ("HELM_CACHE_HOME", home.join("cache")),
        ("HELM_DATA_HOME", home.join("data")),
        ("HELM_PLUGINS", home.join("plugins")),
    ]
}

/// `helm version`
#[must_use]
pub fn version() -> Invocation {
    Invocation::new("helm", ["version", "--short"])
}

/// `helm pull` of a chart from a repository into the directory `to`.
#[must_use]
pub fn pull(repository: &str, name: &str, version: &str, to: &Path) -> Invocation {
    Invocation::new("helm", ["pull", name, "--repo", repository])
        .arg("--version")
        .arg(version)
        .arg("--destination")
        .arg(to.to_string_lossy())
}

/// The arguments that name a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartArgs {
    /// The chart: a file, a directory, an OCI reference, or a name in a repository.
    pub chart: String,
    /// The repository.
    pub repository: Option<String>,
    /// The version, unless the chart is a file or a directory.
    pub version: Option<String>,
}

/// A release in a namespace of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// The cluster.
    pub cluster: &'a Kubectl,
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

impl Release<'_> {
    /// `helm upgrade --install`. It waits only for hooks: the assertions wait for the rest. Fields
    /// that somebody changed by other means get the chart's values again.
    #[must_use]
    pub fn upgrade(
        &self,
        chart: &ChartArgs,
        values: Option<&Path>,
        set: Option<&serde_json::Value>,
    ) -> Invocation {
        let mut upgrade = Invocation::new("helm", ["upgrade", "--install", self.name]);
        upgrade = upgrade.arg(chart.chart.as_str());
        for (option, value) in [("--repo", &chart.repository), ("--version", &chart.version)] {
            if let Some(value) = value {
                upgrade = upgrade.arg(option).arg(value.as_str());
            }
        }
        if let Some(values) = values {
            upgrade = upgrade.arg("--values").arg(values.to_string_lossy());
        }
        // Not as an argument: every user of this machine can read those.
        if let Some(set) = set {
            let set = Stdin::Text(set.to_string());
            upgrade = upgrade.arg("--values").arg("-").stdin(set);
        }
        let upgrade = upgrade.arg("--server-side=true").arg("--force-conflicts");
        self.at(upgrade.arg("--create-namespace"))
    }

    /// `helm history`: the 20 newest revisions, the oldest first.
    #[must_use]
    pub fn history(&self) -> Invocation {
        let history = ["history", self.name, "--max", "20", "--output", "json"];
        self.at(Invocation::new("helm", history))
    }

    /// `helm uninstall` of a half-installed release, without hooks, which expect a whole release.
    #[must_use]
    pub fn uninstall(&self) -> Invocation {
        let uninstall = ["uninstall", self.name, "--ignore-not-found", "--no-hooks"];
        self.at(Invocation::new("helm", uninstall).arg("--wait"))
    }

    /// `helm rollback` of a half-finished upgrade.
    #[must_use]
    pub fn rollback(&self, revision: u32) -> Invocation {
        let rollback = Invocation::new("helm", ["rollback", self.name]);
        let rollback = rollback.arg(revision.to_string()).arg("--no-hooks");
        self.at(rollback.arg("--server-side=true").arg("--force-conflicts"))
    }

    fn at(&self, command: Invocation) -> Invocation {
        command
            .arg("--namespace")
            .arg(self.namespace)
            .arg("--kubeconfig")
            .arg(self.cluster.kubeconfig.to_string_lossy())
            .arg("--kube-context")
            .arg(self.cluster.context.as_str())
    }
}
