//! Descriptions of differences before they are undone.

use crate::{
    event::{Change, Differing, Untrusted},
    snapshot::{Difference, kinds},
};

/// Describes `difference` for people who work in `namespace`.
pub fn told(difference: &Difference, namespace: &str) -> Differing {
    let holds_more = kinds::holds_more(&difference.key());
    let (change, details) = match difference {
        Difference::Missing { going: Some(_), .. } if holds_more => {
            let words =
                "it is being deleted: reset destroys what it still holds, and makes it anew";
            (Change::Missing, vec![words.to_owned()])
        }
        Difference::Missing { .. } => (Change::Missing, Vec::new()),
        Difference::Changed { fields, .. } => (Change::Changed, fields.clone()),
        Difference::Node { words, .. } => (Change::Changed, words.clone()),
        Difference::InTheWay { why, .. } | Difference::Kubelet { why, .. } => {
            (Change::Changed, vec![why.clone()])
        }
        Difference::Stranger { contents, .. } if holds_more => {
            let with = match contents {
                0 => "reset destroys it, and what it holds".to_owned(),
                1 => "reset destroys it with the object in it".to_owned(),
                n => format!("reset destroys it with the {n} objects in it"),
            };
            (Change::Stranger, vec![with])
        }
        Difference::Stranger { .. } => (Change::Stranger, Vec::new()),
    };
    Differing {
        object: difference.key().seen_from(namespace),
        change,
        details: details.iter().map(|line| Untrusted::new(line)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::snapshot::{Key, LiveObject};

    fn object(kind: &str, namespace: &str) -> LiveObject {
        LiveObject {
            key: Key {
                group: String::new(),
                kind: kind.to_owned(),
                namespace: namespace.to_owned(),
                name: "mine".to_owned(),
            },
            object: Value::Null,
            clean: Value::Null,
            is_kept: true,
        }
    }

    fn details(difference: &Difference) -> Vec<String> {
        let told = told(difference, "lab").details;
        told.iter().map(|line| line.as_str().to_owned()).collect()
    }

    #[test]
    fn what_is_destroyed_with_all_that_it_holds_is_told() {
        let stranger = |kind, contents| Difference::Stranger {
            live: object(kind, if kind == "Namespace" { "" } else { "lab" }),
            contents,
        };
        for (difference, expected) in [
            (
                stranger("PersistentVolumeClaim", 0),
                "reset destroys it, and what it holds",
            ),
            (
                stranger("Namespace", 1),
                "reset destroys it with the object in it",
            ),
            (
                stranger("Namespace", 3),
                "reset destroys it with the 3 objects in it",
            ),
            (
                Difference::Missing {
                    wanted: json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "mine"}}),
                    going: Some(object("PersistentVolumeClaim", "lab")),
                },
                "it is being deleted: reset destroys what it still holds, and makes it anew",
            ),
        ] {
            assert_eq!(details(&difference), [expected]);
        }
        assert_eq!(details(&stranger("ConfigMap", 0)), [""; 0]);
    }
}
