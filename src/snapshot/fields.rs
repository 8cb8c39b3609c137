//! The fields in which two objects differ, in words.

use std::collections::BTreeSet;

use serde_json::Value;

/// The maximum number of characters that are shown of a value.
const SHOWN: usize = 40;
/// The number of equal characters that are shown before the difference of two long values.
const LEAD: usize = 10;

/// Returns the fields in which `live` differs from `wanted`, one line each: `spec.replicas is 1,
/// was 3`.
#[must_use]
pub fn differing(wanted: &Value, live: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    walk("", Some(wanted), Some(live), &mut lines);
    lines
}

fn walk(path: &str, wanted: Option<&Value>, live: Option<&Value>, lines: &mut Vec<String>) {
    match (wanted, live) {
        (Some(wanted), Some(live)) if wanted == live => {}
        (Some(Value::Object(wanted)), Some(Value::Object(live))) => {
            let keys: BTreeSet<&String> = wanted.keys().chain(live.keys()).collect();
            for key in keys {
                walk(&below(path, key), wanted.get(key), live.get(key), lines);
            }
        }
        (Some(Value::Array(wanted)), Some(Value::Array(live))) => {
            match (by_name(wanted), by_name(live)) {
                (Some(wanted), Some(live)) => {
                    let names: BTreeSet<&str> =
                        wanted.iter().chain(&live).map(|(n, _)| *n).collect();
                    for name in names {
                        let of = |list: &[(&str, &Value)]| -> Option<Value> {
                            let mut items = list.iter();
                            items
                                .find(|(n, _)| *n == name)
                                .map(|(_, item)| (*item).clone())
                        };
                        let path = format!("{path}[{name}]");
                        walk(&path, of(&wanted).as_ref(), of(&live).as_ref(), lines);
                    }
                }
                _ => lines.push(changed(
                    path,
                    &Value::from(live.clone()),
                    &Value::from(wanted.clone()),
                )),
            }
        }
        (Some(wanted), Some(live)) => lines.push(changed(path, live, wanted)),
        (Some(_), None) => lines.push(format!("{path} was removed")),
        (None, Some(_)) => lines.push(format!("{path} was added")),
        (None, None) => {}
    }
}

fn changed(path: &str, live: &Value, wanted: &Value) -> String {
    // This annotation is a whole object, and its fields differ in the object itself too.
    if path.ends_with("last-applied-configuration") {
        return "something else was applied".to_owned();
    }
    let (live, wanted) = (text(live), text(wanted));
    let from = first_shown(&live, &wanted);
    format!("{path} is {}, was {}", cut(&live, from), cut(&wanted, from))
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Returns the items of a list by their names, if each has one: containers, variables, ports,
/// volumes.
fn by_name(list: &[Value]) -> Option<Vec<(&str, &Value)>> {
    let named = list
        .iter()
        .map(|item| Some((item.get("name")?.as_str()?, item)));
    named.collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the index of the first character to show of two texts: 0, unless that would cut off the
/// difference.
fn first_shown(one: &str, other: &str) -> usize {
    let pairs = one.chars().zip(other.chars());
    let same = pairs.take_while(|(a, b)| a == b).count();
    if same < SHOWN - LEAD {
        return 0;
    }
    same - LEAD
}

/// Returns the part of `text` from the character `from` on, with an ellipsis where text is left
/// out.
fn cut(text: &str, from: usize) -> String {
    let before = if from > 0 { "…" } else { "" };
    let shown: String = text.chars().skip(from).take(SHOWN).collect();
    let after = if text.chars().count() > from + SHOWN {
        "…"
    } else {
        ""
    };
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_field_is_named_and_lists_of_named_things_are_compared_by_name() {
        let wanted = json!({"spec": {"replicas": 3, "containers": [
            {"name": "db", "env": [{"name": "A", "value": "1"}]},
        ], "args": [1, 2]}});
        let live = json!({"spec": {"replicas": 1, "containers": [
            {"name": "mine"},
            {"name": "db", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        ], "args": [1]}});
        assert_eq!(
            differing(&wanted, &live),
            [
                "spec.args is [1], was [1,2]",
                "spec.containers[db].env[B] was added",
                "spec.containers[mine] was added",
                "spec.replicas is 1, was 3",
            ]
        );
    }

    #[test]
    fn of_long_values_the_part_is_shown_in_which_they_differ() {
        let list = |last: &str| json!({"args": ["--entrypoint=http", "--log=info", "--ping", "--accesslog", last]});
        assert_eq!(
            differing(
                &list("--on"),
                &list("--off-and-on-again-and-then-off-once-more")
            ),
            ["args is …slog\",\"--off-and-on-again-and-then-off-o…, was …slog\",\"--on\"]"]
        );
        let long = "a".repeat(100);
        assert_eq!(
            differing(&json!({"a": long}), &json!({"a": "b"})),
            [format!("a is b, was {}…", "a".repeat(40))]
        );
    }
}
