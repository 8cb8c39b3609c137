//! The fingerprint of a step: whether what was verified is what would be done now.

use crate::{
    digest,
    spec::{Action, LabTree, Step, helm::Chart},
};

/// The fingerprint of `step`: what it does, the bytes of the files it uses, and the cluster it is
/// done to. Texts for the reader and assertions are left out, so that mending them redoes nothing.
#[must_use]
pub fn fingerprint(step: &Step, tree: &LabTree, template: Option<&str>, cluster: &str) -> String {
    let mut parts: Vec<(String, String)> = vec![
        ("do".into(), serde_json::json!(step.action).to_string()),
        ("template".into(), template.unwrap_or_default().to_owned()),
    ];
    match &step.action {
        // It makes the cluster, or knows none: no cluster is part of what it is.
        Action::KindCluster(_) | Action::Tool(_) => {}
        Action::Apply(apply) => {
            parts.push(("cluster".into(), cluster.to_owned()));
            if let Some(path) = &apply.path {
                parts.extend(files(tree, path));
            }
        }
        Action::Helm(helm) => {
            parts.push(("cluster".into(), cluster.to_owned()));
            if let Chart::Directory(path) = &helm.chart {
                parts.extend(files(tree, path));
            }
            if let Some(path) = &helm.values {
                parts.extend(files(tree, path));
            }
        }
        _ => parts.push(("cluster".into(), cluster.to_owned())),
    }
    let mut hex = digest::hex(serde_json::json!(parts).to_string().as_bytes());
    hex.truncate(16);
    hex
}

/// The files of `tree` that `path` names, each with its digest.
fn files<'a>(tree: &'a LabTree, path: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let files = tree.under(path);
    files.map(|(name, bytes)| (name.to_owned(), digest::hex(bytes)))
}
