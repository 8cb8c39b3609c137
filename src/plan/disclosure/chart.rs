//! The part of a disclosure that is known of a chart before Helm renders its templates.

use super::{StepUse, manifests};
use crate::{
    event::untrusted::visible,
    plan::reach::{self, FIELDS},
    spec::{
        LabTree,
        helm::{Chart, Helm},
        yaml,
    },
};

/// The annotation that makes an object a hook of Helm.
const HOOK: &str = "helm.sh/hook";

/// Adds the known part of the release.
pub(super) fn add(used: &mut StepUse, helm: &Helm, tree: &LabTree) {
    match &helm.chart {
        Chart::Directory(dir) => of_directory(used, dir, tree),
        Chart::Oci(_) | Chart::Repository { .. } => {
            let chart = helm.chart.reference().unwrap_or_default();
            let (chart, version) = (visible(&chart), helm.version.as_deref().unwrap_or_default());
            let digest = helm.digest.as_deref().unwrap_or("whatever is there");
            let (version, digest) = (visible(version), visible(digest));
            used.fetches
                .push(format!("the chart {chart} {version}, {digest}"));
            used.unseen.push(format!(
                "what the chart {chart} makes, its hooks too, is seen once it is fetched"
            ));
        }
    }
    if let Some(path) = &helm.values {
        used.files.push(path.clone());
        for values in yaml::documents(tree.text(path).unwrap_or_default()) {
            used.reaches
                .extend(reach::of(&values, &format!("a value in {}", visible(path))));
        }
    }
    // Validation refuses conflicting paths in `set` before anybody is asked.
    let set = helm.nested_set().unwrap_or_default();
    used.reaches.extend(reach::of(&set, "a value under `set`"));
}

/// Adds a chart in the lab. Its templates are not YAML yet, so this searches their text.
fn of_directory(used: &mut StepUse, dir: &str, tree: &LabTree) {
    let dir = dir.trim_end_matches('/');
    for (name, bytes) in tree.under(dir) {
        used.files.push(name.to_owned());
        let text = String::from_utf8_lossy(bytes);
        let inside = name[dir.len()..].trim_start_matches('/');
        let shown = visible(name);
        if inside.starts_with("crds/") {
            manifests(used, name, &text);
        }
        if [".tgz", ".tar", ".gz"]
            .iter()
            .any(|end| inside.ends_with(end))
        {
            used.unseen
                .push(format!("{shown} is packed, and not looked into"));
        }
        let lines = text.lines().filter(|line| line.contains(HOOK));
        used.hooks
            .extend(lines.map(|line| format!("{shown}: {}", visible(line.trim()))));
        let named: Vec<&str> = FIELDS
            .into_iter()
            .filter(|field| text.contains(field))
            .collect();
        if !named.is_empty() && !inside.starts_with("crds/") {
            used.reaches.push(reach::Reach {
                object: format!("the chart's {}", visible(inside)),
                asks: vec![format!("speaks of {}", named.join(", "))],
            });
        }
    }
    used.unseen.push(format!(
        "what the templates of the chart {} make is seen once helm has filled them in",
        visible(dir)
    ));
}
