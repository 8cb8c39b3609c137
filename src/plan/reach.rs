//! The parts of a manifest that reach beyond its Pods: to their node, and so to the container
//! engine.

use serde_json::{Map, Value};

use crate::{spec::name::OF_THE_CLUSTER, tool::invocation::quote};

/// The reason why reaching a node matters; printed wherever a person decides what may run on one.
pub const NODES_ARE_PRIVILEGED: &str = "a kind node is a privileged container: a privileged pod, and \
    one that has its node's files, reaches as far as the container engine does";

/// An object with its access to its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The object: `DaemonSet agent`.
    pub object: String,
    /// Each access, once: `is privileged`.
    pub asks: Vec<String>,
}

/// Returns the objects of `document` that reach beyond their Pods. Searches every part of the
/// document: many kinds have Pod templates, and so do custom resources. A field that is not plainly
/// denied counts as requested, as some readers of YAML take `yes` for true.
#[must_use]
pub fn of(document: &Value, called: &str) -> Vec<Reach> {
    let mut found = Vec::new();
    walk(document, called, &mut found);
    found
}

/// Returns every image that `document` names, wherever it does.
#[must_use]
pub fn images(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    each(document, &mut |map| {
        // The image of a volume is below `reference`.
        let image = map.get("image");
        let image = image.and_then(|image| image.get("reference").or(Some(image)));
        if let Some(Value::String(image)) = image {
            found.push(image.clone());
        }
    });
    found.sort();
    found.dedup();
    found
}

/// The fields that reach beyond a Pod.
pub const FIELDS: [&str; 8] = [
    "privileged",
    "hostPath",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPort",
    "hostProcess",
    "capabilities",
];

/// Returns the name of the object `map`, as `Kind name`, with quotes where they are needed.
pub fn object(map: &Map<String, Value>) -> Option<String> {
    let kind = map.get("kind")?.as_str()?;
    let metadata = map.get("metadata").and_then(Value::as_object);
    let name = metadata.and_then(|m| m.get("name").or_else(|| m.get("generateName")));
    let name = name.and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (
        quote(kind),
        if name.is_empty() {
            "".into()
        } else {
            quote(name)
        },
    );
    Some(format!("{kind} {name}").trim_end().to_owned())
}

fn walk(value: &Value, called: &str, found: &mut Vec<Reach>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| walk(value, called, found)),
        Value::Object(map) => {
            let named = map.contains_key("metadata").then(|| object(map)).flatten();
            let called = named.as_deref().unwrap_or(called);
            let metadata = map.get("metadata").and_then(Value::as_object);
            let namespace = metadata.and_then(|m| m.get("namespace")?.as_str());
            if let Some(own) = namespace.filter(|name| OF_THE_CLUSTER.contains(name)) {
                add(
                    found,
                    called,
                    format!("is among the cluster's own, in {own}"),
                );
            }
            for (key, value) in map {
                if let Some(asks) = asked(key, value) {
                    add(found, called, asks);
                }
                // A schema describes such fields and does not have them.
                if key != "openAPIV3Schema" {
                    walk(value, called, found);
                }
            }
        }
        // A text may be a manifest that a program in the cluster reads.
        Value::String(text) if text.contains('\n') => {
            let named: Vec<&str> = FIELDS.into_iter().filter(|f| text.contains(f)).collect();
            if !named.is_empty() {
                let asks = format!("has a text that speaks of {}", named.join(", "));
                add(found, called, asks);
            }
        }
        _ => {}
    }
}

fn each<'a>(value: &'a Value, look: &mut dyn FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| each(value, look)),
        Value::Object(map) => {
            look(map);
            map.values().for_each(|value| each(value, look));
        }
        _ => {}
    }
}

fn add(found: &mut Vec<Reach>, object: &str, asks: String) {
    let known = found.iter_mut().find(|reach| reach.object == object);
    match known {
        Some(reach) if reach.asks.contains(&asks) => {}
        Some(reach) => reach.asks.push(asks),
        None => found.push(Reach {
            object: object.to_owned(),
            asks: vec![asks],
        }),
    }
}

/// Returns the access that the field `key` requests, if it requests one.
fn asked(key: &str, value: &Value) -> Option<String> {
    let is_denied = matches!(value, Value::Null | Value::Bool(false));
    if is_denied {
        return None;
    }
    let said = |value: &Value| match value {
        Value::String(text) => quote(text).into_owned(),
        value => quote(&value.to_string()).into_owned(),
    };
    Some(match key {
        "privileged" => "is privileged".to_owned(),
        "hostProcess" => "is a process of its node".to_owned(),
        "hostNetwork" => "shares the host's network".to_owned(),
        "hostPID" => "shares the host's processes".to_owned(),
        "hostIPC" => "shares the host's IPC".to_owned(),
        "hostPort" if *value == 0 => return None,
        "hostPort" => format!("takes the host's port {}", said(value)),
        "hostPath" => format!(
            "mounts the host's path {}",
            said(value.get("path").unwrap_or(value))
        ),
        // This is a PersistentVolume of a directory on its node.
        "local" => format!("mounts the host's path {}", said(value.get("path")?)),
        "capabilities" => {
            let added = value
                .get("add")?
                .as_array()
                .filter(|added| !added.is_empty())?;
            let added: Vec<String> = added.iter().map(said).collect();
            format!("has the capabilities {}", added.join(", "))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::yaml;

    fn told(text: &str) -> Vec<String> {
        let documents = yaml::documents(text);
        assert!(!documents.is_empty(), "{text}");
        let reaches = documents.iter().flat_map(|document| of(document, "a file"));
        reaches
            .map(|r| format!("{} {}", r.object, r.asks.join(", ")))
            .collect()
    }

    #[test]
    fn every_pod_template_is_looked_into_however_deep() {
        let pod = "hostNetwork: true, hostPID: true, hostIPC: true, containers: [{image: a, ports: \
                   [{hostPort: 80}], securityContext: {privileged: true, capabilities: {add: \
                   [SYS_ADMIN]}}}], volumes: [{hostPath: {path: /}}]";
        let all = "takes the host's port 80, has the capabilities SYS_ADMIN, is privileged, shares \
                   the host's IPC, shares the host's network, shares the host's processes, mounts \
                   the host's path /";
        let sorted = |told: Vec<String>| {
            let mut words: Vec<String> = told[0].split(", ").map(ToOwned::to_owned).collect();
            words[0] = words[0].split_once(" x ").unwrap().1.to_owned();
            words.sort();
            words.join(", ")
        };
        let mut all: Vec<&str> = all.split(", ").collect();
        all.sort_unstable();
        for (kind, body) in [
            ("Pod", format!("spec: {{{pod}}}")),
            (
                "Deployment",
                format!("spec: {{template: {{spec: {{{pod}}}}}}}"),
            ),
            (
                "CronJob",
                format!("spec: {{jobTemplate: {{spec: {{template: {{spec: {{{pod}}}}}}}}}}}"),
            ),
            ("PodTemplate", format!("template: {{spec: {{{pod}}}}}")),
            (
                "Anything",
                format!("spec: {{a: [{{b: {{c: {{{pod}}}}}}}]}}"),
            ),
        ] {
            let object = format!("{{apiVersion: v1, kind: {kind}, metadata: {{name: x}}, {body}}}");
            assert_eq!(sorted(told(&object)), all.join(", "), "{kind}");
            let list = format!("{{apiVersion: v1, kind: List, items: [{object}]}}");
            assert_eq!(told(&list), told(&object));
            let document = &yaml::documents(&list)[0];
            assert_eq!(images(document), ["a"]);
        }
    }

    #[test]
    fn what_is_the_clusters_own_and_what_a_text_holds_is_told() {
        let own = "{kind: DaemonSet, metadata: {name: kube-proxy, namespace: kube-system}}";
        assert_eq!(
            told(own),
            ["DaemonSet kube-proxy is among the cluster's own, in kube-system"]
        );
        let text =
            "{kind: ConfigMap, metadata: {name: a}, data: {pod: \"spec:\\n  hostPID: true\\n\"}}";
        assert_eq!(
            told(text),
            ["ConfigMap a has a text that speaks of hostPID"]
        );
        let volume =
            "{kind: Pod, spec: {volumes: [{image: {reference: b}}], containers: [{image: a}]}}";
        assert_eq!(images(&yaml::documents(volume)[0]), ["a", "b"]);
    }

    #[test]
    fn what_some_reader_takes_for_true_is_asked_for() {
        for value in ["yes", "on", "'true'", "True", "1", "[]"] {
            let text = format!("{{kind: Pod, metadata: {{name: a}}, spec: {{hostPID: {value}}}}}");
            assert_eq!(
                told(&text),
                ["Pod a shares the host's processes"],
                "{value}"
            );
        }
        for value in ["false", "null", "~", ""] {
            let text = format!("{{kind: Pod, metadata: {{name: a}}, spec: {{hostPID: {value}}}}}");
            assert_eq!(told(&text), [""; 0], "{value}");
        }
        let merged = "kind: Pod\nmetadata: {name: a}\nx: &x {hostIPC: true}\nspec: {<<: *x}\n";
        assert_eq!(told(merged), ["Pod a shares the host's IPC"]);
        let schema = "kind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {versions: [{schema: \
                      {openAPIV3Schema: {properties: {hostPID: {type: boolean}}}}}]}\n";
        assert_eq!(told(schema), [""; 0]);
    }
}
