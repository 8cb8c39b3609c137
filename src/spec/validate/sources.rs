//! Validation of the sources of actions: charts, values, manifests elsewhere, images to build.

use super::{Known, is_label, nearest};
use crate::spec::{
    Image, LabTree,
    action::{Annotate, Apply},
    build::DOCKERFILE,
    helm::{Chart, Helm},
};

/// Validates an `apply` without its manifests.
pub(super) fn of_apply(apply: &Apply) -> Vec<String> {
    let mut faults = Vec::new();
    let sources = [
        apply.path.is_some(),
        apply.url.is_some(),
        apply.output.is_some(),
    ];
    if sources.iter().filter(|is_there| **is_there).count() != 1 {
        faults.push("`apply` needs a `path`, a `url` or an `output`, and only one".to_owned());
        return faults;
    }
    match (&apply.path, &apply.url) {
        (_, None) if apply.sha256.is_some() => {
            faults.push("`sha256` is of a `url`: nothing else has one".to_owned());
        }
        (None, Some(url)) => {
            faults.extend(not_fetched(url));
            match &apply.sha256 {
                None => faults.push("`url` needs a `sha256`, which says what is there".to_owned()),
                Some(hex) if !is_sha256(hex) => {
                    faults.push(format!("`sha256: {hex}` has to be 64 digits from 0 to f"));
                }
                Some(_) => {}
            }
        }
        _ => {}
    }
    faults
}

/// Validates an `annotate`.
pub(super) fn of_annotate(annotate: &Annotate) -> Vec<String> {
    let mut faults = Vec::new();
    let of = &annotate.of;
    let named = of.split_once('/');
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_plain);
    if !named.is_some_and(|(kind, name)| is_part(kind) && is_part(name)) {
        faults.push(format!("`of: {of}` is not an object; write service/NAME"));
    }
    if annotate.set.is_empty() && annotate.remove.is_empty() {
        faults.push("`annotate` has neither `set` nor `remove`".to_owned());
    }
    for key in annotate.set.keys().chain(&annotate.remove) {
        // To kubectl, a key that begins with a dash is an option, and one with an `=` sets a value.
        let is_key = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
        if !key.starts_with(|c: char| c.is_ascii_alphanumeric()) || !key.chars().all(is_key) {
            faults.push(format!("`{key}` is not the key of an annotation"));
        }
    }
    for key in annotate
        .remove
        .iter()
        .filter(|key| annotate.set.contains_key(*key))
    {
        faults.push(format!("`{key}` is both set and removed"));
    }
    faults
}

/// Prefixes of the image names that labctl's own labs use.
const PUBLISHED: [&str; 8] = [
    "docker.io/kindest/",
    "docker.io/labctl/",
    "docker.io/library/postgres:",
    "docker.io/library/traefik:",
    "docker.io/nginx/",
    "docker.io/prom/",
    "cr.l5d.io/",
    "ghcr.io/shopify/",
];

/// Validates the build of `image`, of a lab whose files are `tree`.
pub(super) fn of_image(image: &Image, tree: &LabTree, known: &Known) -> Vec<String> {
    let Some(build) = &image.build else {
        return Vec::new();
    };
    match (&build.sources, &build.context) {
        (Some(name), None) if known.image_sources.contains(name) => Vec::new(),
        (Some(name), None) => {
            let near = nearest(name, known.image_sources.iter());
            vec![format!("labctl brings no sources `{name}` along{near}")]
        }
        (None, Some(dir)) => {
            let mut faults: Vec<String> = leads_out(dir).into_iter().collect();
            // The image stays in the engine, where other labs would find it by that name.
            let name = image.name.full();
            if PUBLISHED.iter().any(|prefix| name.starts_with(prefix)) {
                faults.push(
                    "an image that a lab builds cannot have the name of a published one".to_owned(),
                );
            }
            let file = format!("{}/{DOCKERFILE}", dir.trim_end_matches('/'));
            if !tree.files.contains_key(&file) {
                let near = nearest(&file, tree.files.keys());
                faults.push(format!("there is no file `{file}`{near}"));
            }
            faults
        }
        _ => vec!["`build` needs either `sources` or a `context`".to_owned()],
    }
}

/// Validates a `helm` of a lab whose files are `tree`.
pub(super) fn of_helm(helm: &Helm, tree: &LabTree) -> Vec<String> {
    let mut faults = Vec::new();
    // The limit is Helm's own, as it makes names of objects from the release's name.
    if !is_label(&helm.release) || helm.release.len() > 53 {
        let name = &helm.release;
        faults.push(format!(
            "`release: {name}` has to be lower-case letters, digits and `-`, at most 53 of them"
        ));
    }
    if let Some(namespace) = helm.namespace.as_ref().filter(|name| !is_label(name)) {
        faults.push(format!(
            "`namespace: {namespace}` is no name of a namespace"
        ));
    }
    faults.extend(of_chart(helm, tree));
    faults.extend(helm.nested_set().err());
    if let Some(path) = &helm.values {
        faults.extend(leads_out(path));
        if !tree.files.contains_key(path) {
            let near = nearest(path, tree.files.keys());
            faults.push(format!("there is no file `{path}`{near}"));
        }
    }
    let digest = helm.digest.as_deref();
    if let Some(digest) = digest
        && !digest.strip_prefix("sha256:").is_some_and(is_sha256)
    {
        faults.push(format!(
            "`digest: {digest}` has to be sha256: and 64 digits from 0 to f"
        ));
    }
    faults
}

fn of_chart(helm: &Helm, tree: &LabTree) -> Vec<String> {
    let mut faults = Vec::new();
    match &helm.chart {
        Chart::Directory(path) => {
            faults.extend(leads_out(path));
            let chart = format!("{}/Chart.yaml", path.trim_end_matches('/'));
            if !tree.files.contains_key(&chart) {
                let near = nearest(&chart, tree.files.keys());
                faults.push(format!(
                    "there is no chart `{path}`: no file `{chart}`{near}"
                ));
            }
            if helm.version.is_some() || helm.digest.is_some() {
                let why = "`version` and `digest` are of a chart from elsewhere";
                faults.push(format!("{why}: `{path}` is in the lab"));
            }
            return faults;
        }
        Chart::Oci(reference) => {
            let name = reference.rsplit('/').next().unwrap_or_default();
            if name.is_empty() || name.contains([':', '@']) {
                faults.push(format!(
                    "`chart: {reference}` has to be without tag and digest: write `version` and `digest`"
                ));
            }
        }
        Chart::Repository { repository, name } => {
            faults.extend(not_fetched(repository));
            // Helm takes a name that looks like a path or an option for one.
            if !name.replace(['_', '.'], "-").split('-').all(is_label) {
                let name = name.escape_debug();
                faults.push(format!("`name: {name}` is no name of a chart"));
            }
        }
    }
    match &helm.version {
        None => faults.push("a chart from elsewhere needs a `version`".to_owned()),
        Some(version) if !is_one_version(version) => {
            faults.push(format!(
                "`version: {version}` has to be one version, such as 1.2.3"
            ));
        }
        Some(_) => {}
    }
    faults
}

/// Tests whether `version` is a single version and not a range.
fn is_one_version(version: &str) -> bool {
    let core = version.strip_prefix('v').unwrap_or(version);
    let core = core.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-+.".contains(c);
    core.split('.').count() == 3 && core.split('.').all(is_number) && version.chars().all(is_plain)
}

pub(super) fn is_sha256(hex: &str) -> bool {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    hex.len() == 64 && hex.chars().all(is_digit)
}

/// Returns an error if labctl may not fetch `url`: it is neither HTTPS nor on this machine, or it
/// contains a user.
pub(super) fn not_fetched(url: &str) -> Option<String> {
    let local = ["127.0.0.1", "localhost", "[::1]"];
    let is_local = url.strip_prefix("http://").is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let host = authority
            .rsplit_once(':')
            .map_or(
                authority,
                |(host, port)| {
                    if port.contains(']') { authority } else { host }
                },
            );
        local.contains(&host)
    });
    let is_https = url
        .strip_prefix("https://")
        .is_some_and(|rest| !rest.is_empty());
    // A part before an `@` looks like a host but is the user.
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some(format!("`{url}` has a user in it: nobody logs in"));
    }
    (!is_https && !is_local).then(|| format!("`{url}` has to begin with https://"))
}

/// Returns an error if `path` leads out of the lab.
pub(super) fn leads_out(path: &str) -> Option<String> {
    let leads_out = path.starts_with('/') || path.split('/').any(|part| part == "..");
    leads_out.then(|| format!("`{path}` leads out of the lab"))
}
