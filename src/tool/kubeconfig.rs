//! Kubeconfigs: reading the access to a cluster from one, and writing it into one.

use serde_json::{Map, Value, json};

use crate::spec::yaml;

/// A context of a kubeconfig with its cluster and its user: the address of an API server, and the
/// credentials for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    context: String,
    cluster: Value,
    user: Value,
}

impl Access {
    /// Reads the access of the context `context` from the kubeconfig `text`. `None` if there is no
    /// such context, or if its cluster or user is missing.
    #[must_use]
    pub fn of(text: &str, context: &str) -> Option<Self> {
        access(&document(text)?, context)
    }

    /// Returns the URL of the API server.
    #[must_use]
    pub fn server(&self) -> &str {
        self.cluster["server"].as_str().unwrap_or_default()
    }

    /// Replaces the URL of the API server.
    #[must_use]
    pub fn at(mut self, server: &str) -> Self {
        self.cluster["server"] = json!(server);
        self
    }

    /// Returns a kubeconfig with this access alone, for `namespace`.
    #[must_use]
    pub fn alone(&self, namespace: &str) -> String {
        self.written(Map::new(), namespace)
    }

    /// Returns the kubeconfig `text` with this access in it; `None` if `text` has it already and is
    /// usable. A student may have edited `text`: its current context stays, unless that leads
    /// nowhere, and so does the namespace of this access's context.
    #[must_use]
    pub fn within(&self, text: &str, namespace: &str) -> Option<String> {
        let Some(known) = document(text) else {
            return Some(self.alone(namespace));
        };
        let current = known["current-context"].as_str().unwrap_or_default();
        let is_usable = access(&known, current).is_some();
        if is_usable && access(&known, &self.context).as_ref() == Some(self) {
            return None;
        }
        let own = named(&known, "contexts", &self.context);
        let chosen = own.and_then(|own| own["context"]["namespace"].as_str());
        let namespace = chosen.unwrap_or(namespace).to_owned();
        let known = known.as_object().cloned().unwrap_or_default();
        Some(self.written(known, &namespace))
    }

    /// Returns the kubeconfig `known` with this access added, or replaced.
    fn written(&self, mut known: Map<String, Value>, namespace: &str) -> String {
        let name = &self.context;
        let context = json!({"cluster": name, "user": name, "namespace": namespace});
        for (list, kind, value) in [
            ("clusters", "cluster", &self.cluster),
            ("users", "user", &self.user),
            ("contexts", "context", &context),
        ] {
            let others = known.get(list).and_then(Value::as_array);
            let others = others.into_iter().flatten();
            let others = others.filter(|entry| entry["name"] != name.as_str());
            let own = json!({"name": name, kind: value});
            let all = others.cloned().chain([own]).collect();
            known.insert(list.to_owned(), Value::Array(all));
        }
        known.insert("apiVersion".to_owned(), json!("v1"));
        known.insert("kind".to_owned(), json!("Config"));
        let mut known = Value::Object(known);
        let current = known["current-context"].as_str().unwrap_or_default();
        if access(&known, current).is_none() {
            known["current-context"] = json!(name);
        }
        // Programs that read kubeconfigs read YAML, and JSON is YAML.
        format!("{known:#}\n")
    }
}

/// Returns the name of the current context of the kubeconfig `text`.
#[must_use]
pub fn current_context(text: &str) -> Option<String> {
    let current = document(text)?["current-context"].as_str()?.to_owned();
    Some(current)
}

fn document(text: &str) -> Option<Value> {
    let first = yaml::documents(text).into_iter().next();
    first.filter(Value::is_object)
}

fn access(kubeconfig: &Value, name: &str) -> Option<Access> {
    let context = &named(kubeconfig, "contexts", name)?["context"];
    let found = |list: &str, kind: &str| {
        let entry = named(kubeconfig, list, context[kind].as_str()?)?;
        entry.get(kind).filter(|value| value.is_object()).cloned()
    };
    Some(Access {
        context: name.to_owned(),
        cluster: found("clusters", "cluster")?,
        user: found("users", "user")?,
    })
}

/// Returns the entry of this name in a list of a kubeconfig. The first of several counts; kubectl
/// refuses such a kubeconfig.
fn named<'a>(kubeconfig: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    let mut entries = kubeconfig.get(list)?.as_array()?.iter();
    entries.find(|entry| entry["name"] == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kubeconfig after `kind create cluster --name mine` and other commands in a student's
    /// shell.
    const BUSY: &str = "\
apiVersion: v1
kind: Config
current-context: kind-mine
contexts:
- {name: kind-lab, context: {cluster: kind-lab, user: kind-lab, namespace: theirs}}
- {name: kind-mine, context: {cluster: kind-mine, user: kind-mine}}
clusters:
- {name: kind-lab, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: Y2E=}}
- {name: kind-mine, cluster: {server: 'https://127.0.0.1:2'}}
users:
- {name: kind-lab, user: {token: t}}
- {name: kind-mine, user: {token: m}}
";

    #[test]
    fn of_a_busy_kubeconfig_only_the_named_context_is_taken() {
        let access = Access::of(BUSY, "kind-lab").unwrap();
        assert_eq!(access.server(), "https://127.0.0.1:1");
        let alone = access.alone("lab");
        assert!(!alone.contains("mine"), "{alone}");
        assert_eq!(current_context(&alone).as_deref(), Some("kind-lab"));
        assert_eq!(Access::of(&alone, "kind-lab"), Some(access));
        let namespace = &document(&alone).unwrap()["contexts"][0]["context"]["namespace"];
        assert_eq!(namespace, "lab");
        for nowhere in ["", "garbled: [", "a", "[]", "contexts: [{name: kind-lab}]"] {
            assert_eq!(Access::of(nowhere, "kind-lab"), None, "{nowhere}");
        }
    }

    #[test]
    fn what_a_student_chose_stays_unless_it_leads_nowhere() {
        let access = Access::of(BUSY, "kind-lab").unwrap();
        assert_eq!(access.within(BUSY, "lab"), None);
        assert_eq!(access.within("", "lab"), Some(access.alone("lab")));
        // The cluster was created anew, or has another port.
        let moved = access.clone().at("https://127.0.0.1:3");
        let text = moved.within(BUSY, "lab").unwrap();
        assert_eq!(Access::of(&text, "kind-lab"), Some(moved));
        assert_eq!(current_context(&text).as_deref(), Some("kind-mine"));
        assert!(text.contains("theirs") && text.contains("kind-mine"));
        // The student's own cluster is gone, and with it the context that was current.
        let gone = BUSY.replace("name: kind-mine, cluster", "name: other, cluster");
        let text = access.within(&gone, "lab").unwrap();
        assert_eq!(current_context(&text).as_deref(), Some("kind-lab"));
        assert!(text.contains("theirs"), "{text}");
        let deleted = BUSY.replace("name: kind-lab, context", "name: was, context");
        let text = access.within(&deleted, "lab").unwrap();
        assert_eq!(Access::of(&text, "kind-lab"), Some(access));
    }
}
