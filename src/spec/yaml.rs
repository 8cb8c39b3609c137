//! Reading YAML. The only user of the YAML crate.

use super::{Lab, LabTree, tree::LAB_FILE};

/// A fault of a lab's files, with its place where that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// What is wrong, and where: a line, or several with the source shown.
    pub text: String,
}

impl Fault {
    /// A fault without a place.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

/// Reads `lab.yaml` of `tree`.
pub fn lab(tree: &LabTree) -> Result<Lab, Fault> {
    let Some(bytes) = tree.files.get(LAB_FILE) else {
        return Err(Fault::new(format!("{} has no {LAB_FILE}", tree.origin)));
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Fault::new(format!("{LAB_FILE} is not UTF-8: {e}")))?;
    serde_saphyr::from_str(text).map_err(|error| Fault::new(located(LAB_FILE, &error)))
}

/// Whether `text` is a stream of YAML documents, each of them a Kubernetes object as far as its
/// form goes.
pub fn manifest(path: &str, text: &str) -> Result<(), Fault> {
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(text).map_err(|error| Fault::new(located(path, &error)))?;
    for (index, document) in documents.iter().enumerate() {
        let lacks = |key: &str| !document.get(key).is_some_and(serde_json::Value::is_string);
        if !document.is_null() && (lacks("apiVersion") || lacks("kind")) {
            return Err(Fault::new(format!(
                "{path}: document {} has no apiVersion or no kind",
                index + 1
            )));
        }
    }
    Ok(())
}

fn located(path: &str, error: &serde_saphyr::Error) -> String {
    let rendered = error.render();
    match error.location() {
        Some(at) => format!("{path}:{}:{}: {rendered}", at.line(), at.column()),
        None => format!("{path}: {rendered}"),
    }
}

/// The `role` of each node in a kind configuration.
pub fn kind_roles(text: &str) -> Result<Vec<String>, String> {
    let config: serde_json::Value =
        serde_saphyr::from_str(text).map_err(|error| located("kind configuration", &error))?;
    let nodes = config.get("nodes").and_then(serde_json::Value::as_array);
    let role = |node: &serde_json::Value| {
        let role = node.get("role").and_then(serde_json::Value::as_str);
        role.unwrap_or("control-plane").to_owned()
    };
    Ok(nodes.into_iter().flatten().map(role).collect())
}
