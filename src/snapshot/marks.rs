//! Marks that people set on a node: cordoned or not, labels and taints.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The marks of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Marks {
    /// True if the node takes no new Pods.
    pub cordoned: bool,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The taints as `KEY=VALUE:EFFECT`, without those that the cluster itself sets and removes.
    pub taints: BTreeSet<String>,
}

/// The prefix of the taints that the node controller sets for conditions of a node.
const BY_CONDITION: &str = "node.kubernetes.io/";

impl Marks {
    /// Returns the marks of `node`.
    #[must_use]
    pub fn of(node: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        Self {
            cordoned: node.pointer("/spec/unschedulable") == Some(&Value::Bool(true)),
            labels: labels
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            taints: taints(node)
                .filter(|t| !is_by_condition(t))
                .map(shown)
                .collect(),
        }
    }

    /// Returns the differences of `self`, the current marks, from `wanted`, in words.
    #[must_use]
    pub fn differs_from(&self, wanted: &Self) -> Vec<String> {
        let mut words = Vec::new();
        match (self.cordoned, wanted.cordoned) {
            (true, false) => words.push("is cordoned, was not".to_owned()),
            (false, true) => words.push("is not cordoned, was".to_owned()),
            _ => {}
        }
        for (name, value) in &self.labels {
            match wanted.labels.get(name) {
                None => words.push(format!("label {name} was added")),
                Some(was) if was != value => {
                    words.push(format!("label {name} is {value}, was {was}"));
                }
                Some(_) => {}
            }
        }
        let lost = wanted
            .labels
            .keys()
            .filter(|n| !self.labels.contains_key(*n));
        words.extend(lost.map(|name| format!("label {name} was removed")));
        words.extend(
            self.taints
                .difference(&wanted.taints)
                .map(|t| format!("taint {t} was added")),
        );
        words.extend(
            wanted
                .taints
                .difference(&self.taints)
                .map(|t| format!("taint {t} was removed")),
        );
        words
    }

    /// Returns the JSON merge patch that gives `node`, as it is now, the marks `self`.
    #[must_use]
    pub fn patch(&self, node: &Value) -> Value {
        let now = Self::of(node);
        let added = now
            .labels
            .keys()
            .filter(|name| !self.labels.contains_key(*name));
        let mut labels: serde_json::Map<String, Value> =
            added.map(|name| (name.clone(), Value::Null)).collect();
        let wanted = self.labels.iter();
        labels.extend(wanted.map(|(name, value)| (name.clone(), json!(value))));
        let mut spec = json!({
            "unschedulable": if self.cordoned { json!(true) } else { Value::Null },
        });
        if now.taints != self.taints {
            // The patch replaces the list whole, so it has to include the taints that the cluster
            // set.
            let mut all: Vec<Value> = taints(node)
                .filter(|t| is_by_condition(t))
                .cloned()
                .collect();
            all.extend(self.taints.iter().map(|taint| parsed(taint)));
            spec["taints"] = if all.is_empty() {
                Value::Null
            } else {
                Value::Array(all)
            };
        }
        json!({"metadata": {"labels": labels}, "spec": spec})
    }
}

fn taints(node: &Value) -> impl Iterator<Item = &Value> {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    taints.into_iter().flatten()
}

fn is_by_condition(taint: &Value) -> bool {
    let key = taint.get("key").and_then(Value::as_str);
    key.is_some_and(|key| key.starts_with(BY_CONDITION))
}

fn shown(taint: &Value) -> String {
    let part = |name: &str| taint.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}={}:{}", part("key"), part("value"), part("effect"))
}

fn parsed(taint: &str) -> Value {
    let (rest, effect) = taint.rsplit_once(':').unwrap_or((taint, ""));
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    if value.is_empty() {
        json!({"key": key, "effect": effect})
    } else {
        json!({"key": key, "value": value, "effect": effect})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_student_set_goes_and_what_the_cluster_set_stays() {
        let was = Marks::of(&json!({
            "metadata": {"labels": {"disk": "ssd", "kept": "1"}},
            "spec": {"taints": [{"key": "role", "effect": "NoSchedule"}]},
        }));
        let node = json!({
            "metadata": {"labels": {"disk": "hdd", "kept": "1", "mine": "x"}},
            "spec": {"unschedulable": true, "taints": [
                {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
                {"key": "mine", "value": "y", "effect": "NoExecute"},
            ]},
        });
        assert_eq!(
            Marks::of(&node).differs_from(&was),
            [
                "is cordoned, was not",
                "label disk is hdd, was ssd",
                "label mine was added",
                "taint mine=y:NoExecute was added",
                "taint role=:NoSchedule was removed",
            ]
        );
        assert_eq!(
            was.patch(&node),
            json!({
                "metadata": {"labels": {"disk": "ssd", "kept": "1", "mine": null}},
                "spec": {"unschedulable": null, "taints": [
                    {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
                    {"key": "role", "effect": "NoSchedule"},
                ]},
            })
        );
        assert!(was.differs_from(&was).is_empty());
    }
}
