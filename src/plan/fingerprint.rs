//! The fingerprint of a step, which tells whether the verified step is the one that would be done
//! now.

use crate::{
    digest,
    spec::{Action, LabTree, Step, helm::Chart},
};

/// Returns the fingerprint of `step`: of its action, the files that it uses, and the cluster that
/// it acts on. It leaves out texts for the reader and assertions, so that correcting them redoes
/// nothing.
#[must_use]
pub fn fingerprint(step: &Step, tree: &LabTree, template: Option<&str>, cluster: &str) -> String {
    let mut parts: Vec<(String, String)> = vec![
        ("do".into(), serde_json::json!(step.action).to_string()),
        ("template".into(), template.unwrap_or_default().to_owned()),
    ];
    match &step.action {
        // These create the cluster or need none, so no cluster is part of their fingerprint.
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

/// Returns the files of `tree` at `path`, each with its digest.
fn files<'a>(tree: &'a LabTree, path: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let files = tree.under(path);
    files.map(|(name, bytes)| (name.to_owned(), digest::hex(bytes)))
}
