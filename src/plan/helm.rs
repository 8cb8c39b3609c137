//! Helm releases: the source of the chart, the command that installs it, and the remedy for a
//! release that an interrupted Helm left behind.

use std::path::PathBuf;

use serde::Deserialize;

use super::Target;
use crate::{
    spec::{
        helm::{Chart, Helm},
        tree::below,
    },
    tool::{
        Invocation,
        helm::{self, ChartArgs, Release},
    },
};

/// A chart that is fetched first, so that its digest can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The command that fetches the chart.
    pub pull: Invocation,
    /// The path of the fetched chart.
    pub file: PathBuf,
    /// The expected digest.
    pub digest: String,
}

/// Returns the release of `helm`.
#[must_use]
pub fn release<'a>(helm: &'a Helm, target: &'a Target) -> Release<'a> {
    Release {
        cluster: &target.kubectl,
        name: &helm.release,
        namespace: helm.namespace.as_ref().unwrap_or(&target.kubectl.namespace),
    }
}

/// Returns the bundle's archive of the chart of `helm`.
#[must_use]
pub fn bundled<'a>(helm: &Helm, target: &'a Target) -> Option<&'a PathBuf> {
    let version = helm.version.clone().unwrap_or_default();
    target.charts.get(&(helm.chart.reference()?, version))
}

/// Returns the way to fetch the chart of `helm` before its use, if it has to be fetched. Helm
/// checks the digest of an OCI chart itself, but not that of a repository's chart.
#[must_use]
pub fn fetched(helm: &Helm, target: &Target) -> Option<Fetched> {
    let (Chart::Repository { repository, name }, Some(digest)) = (&helm.chart, &helm.digest) else {
        return None;
    };
    if bundled(helm, target).is_some() {
        return None;
    }
    let version = helm.version.as_deref().unwrap_or_default();
    let dir = target.dir.join("charts");
    Some(Fetched {
        pull: helm::pull(repository, name, version, &dir),
        file: below(&dir, format!("{name}-{version}.tgz")),
        digest: digest.clone(),
    })
}

/// Returns the commands that create the release of `helm`.
pub(super) fn commands(helm: &Helm, target: &Target) -> Vec<Invocation> {
    let fetched = fetched(helm, target);
    let file = |path: &PathBuf| ChartArgs {
        chart: path.to_string_lossy().into_owned(),
        repository: None,
        version: None,
    };
    let version = helm.version.clone();
    let chart = match (bundled(helm, target), &fetched, &helm.chart) {
        (Some(archive), ..) => file(archive),
        (None, Some(fetched), _) => file(&fetched.file),
        (None, None, Chart::Directory(path)) => file(&below(&target.lab_dir, path)),
        (None, None, Chart::Oci(reference)) => {
            let pin = helm.digest.as_ref().map(|digest| format!("@{digest}"));
            ChartArgs {
                chart: format!("{reference}{}", pin.unwrap_or_default()),
                repository: None,
                version,
            }
        }
        (None, None, Chart::Repository { repository, name }) => ChartArgs {
            chart: name.clone(),
            repository: Some(repository.clone()),
            version,
        },
    };
    let values = helm
        .values
        .as_ref()
        .map(|path| below(&target.lab_dir, path));
    // Validation has already refused a lab with invalid paths.
    let set = helm.nested_set().ok().filter(|_| !helm.set.is_empty());
    let upgrade = release(helm, target).upgrade(&chart, values.as_deref(), set.as_ref());
    fetched
        .map(|f| f.pull)
        .into_iter()
        .chain([upgrade])
        .collect()
}

/// Returns `upgrade` without the validation of the values against the chart's schema.
#[must_use]
pub fn without_schema(upgrade: &Invocation) -> Invocation {
    upgrade.clone().arg("--skip-schema-validation")
}

/// Returns the URL of a schema that could not be loaded, if this is why `helm upgrade` failed.
/// `tail` is its last lines. The chart's schema refers to that URL, and Helm renders nothing
/// without it.
#[must_use]
pub fn unloaded_schema(tail: &[String]) -> Option<&str> {
    // This is the message of Helm's JSON Schema library (`LoadURLError`).
    let named = tail
        .iter()
        .filter_map(|line| line.split_once("failing loading \""));
    let mut addresses = named.filter_map(|(_, rest)| Some(rest.split_once('"')?.0));
    // A missing file of the chart's own is the chart's fault.
    addresses.find(|address| address.starts_with("http://") || address.starts_with("https://"))
}

/// A revision of a release, as `helm history` reports it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Revision {
    /// Its number.
    pub revision: u32,
    /// Its status, such as `deployed`.
    pub status: String,
}

/// A release with an operation that is under way or was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its status, such as `pending-install`.
    pub status: String,
    /// The last complete revision, if there is one to roll back to.
    pub whole: Option<u32>,
}

/// Parses the output of `helm history`, or returns `None` if it is something else.
#[must_use]
pub fn revisions(history: &str) -> Option<Vec<Revision>> {
    serde_json::from_str(history).ok()
}

/// Returns the unfinished operation of a release with these revisions, the oldest first.
#[must_use]
pub fn unfinished(revisions: &[Revision]) -> Option<Unfinished> {
    let status = revisions.last()?.status.clone();
    let goes_back = matches!(&*status, "pending-upgrade" | "pending-rollback");
    if !goes_back && !matches!(&*status, "pending-install" | "uninstalling") {
        return None;
    }
    let last = |wanted: &str| {
        let mut from_last = revisions.iter().rev();
        from_last.find(|r| r.status == wanted).map(|r| r.revision)
    };
    let whole = last("deployed").or_else(|| last("superseded"));
    Some(Unfinished {
        whole: whole.filter(|_| goes_back),
        status,
    })
}

impl Unfinished {
    /// Returns the command after which the release can be installed again.
    #[must_use]
    pub fn remedy(&self, release: Release<'_>) -> Invocation {
        match self.whole {
            Some(revision) => release.rollback(revision),
            None => release.uninstall(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statuses: &[&str]) -> Option<Unfinished> {
        let each = (1..).zip(statuses);
        let revision = |(revision, status): (u32, &&str)| Revision {
            revision,
            status: (*status).to_owned(),
        };
        unfinished(&each.map(revision).collect::<Vec<_>>())
    }

    #[test]
    fn an_upgrade_goes_back_to_what_was_whole_and_an_install_to_nothing() {
        let whole = |statuses: &[&str]| of(statuses).map(|u| u.whole);
        assert_eq!(whole(&[]), None);
        assert_eq!(whole(&["superseded", "deployed"]), None);
        assert_eq!(whole(&["failed"]), None);
        assert_eq!(whole(&["pending-install"]), Some(None));
        assert_eq!(whole(&["deployed", "uninstalling"]), Some(None));
        assert_eq!(
            whole(&["superseded", "deployed", "pending-upgrade"]),
            Some(Some(2))
        );
        assert_eq!(
            whole(&["superseded", "failed", "pending-rollback"]),
            Some(Some(1))
        );
        // A first install that failed leaves nothing to roll back to.
        assert_eq!(whole(&["failed", "pending-upgrade"]), Some(None));
    }

    #[test]
    fn a_schema_elsewhere_is_told_from_wrong_values_and_from_a_missing_file() {
        let tail = |line: &str| {
            let first = "Error: values don't meet the specifications of the schema(s) in the \
                         following chart(s):";
            [first, "app:", line].map(ToOwned::to_owned)
        };
        let elsewhere = tail(
            "failing loading \"https://example.org/_definitions.json\": Get \
             \"https://example.org/_definitions.json\": proxyconnect tcp: connection refused",
        );
        assert_eq!(
            unloaded_schema(&elsewhere),
            Some("https://example.org/_definitions.json")
        );
        for other in [
            "- at '/replicas': got string, want integer",
            "failing loading \"file:///_definitions.json\": no such file or directory",
        ] {
            assert_eq!(unloaded_schema(&tail(other)), None, "{other}");
        }
    }

    #[test]
    fn a_history_is_read_as_helm_prints_it() {
        let history = r#"[{"revision":1,"updated":"2026-11-21T15:00:00Z","status":"deployed",
            "chart":"app-0.1.0","app_version":"1","description":"Install complete"}]"#;
        let read = revisions(history).unwrap();
        assert_eq!((read[0].revision, read[0].status.as_str()), (1, "deployed"));
        assert_eq!(revisions("Error: release: not found"), None);
    }
}
