//! JSON merge patches between objects (RFC 7386).

use serde_json::{Map, Value};

/// Returns the JSON merge patch that turns `from` into `to`: values that differ or are new in `to`,
/// and null for keys that only `from` has. A list that differs is replaced whole.
#[must_use]
pub fn merge(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return to.clone();
    };
    let gone = from.keys().filter(|key| !to.contains_key(*key));
    let mut patch: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
    for (key, to) in to {
        match from.get(key) {
            Some(from) if from == to => {}
            Some(from) => drop(patch.insert(key.clone(), merge(from, to))),
            None => drop(patch.insert(key.clone(), to.clone())),
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_added_is_taken_away_and_what_was_changed_put_back() {
        let live = json!({"a": {"b": 1, "mine": 2}, "list": [1, 2, 3], "same": true});
        let wanted = json!({"a": {"b": 2}, "list": [1], "same": true, "lost": "x"});
        assert_eq!(
            merge(&live, &wanted),
            json!({"a": {"b": 2, "mine": null}, "list": [1], "lost": "x"})
        );
        assert_eq!(merge(&wanted, &wanted), json!({}));
    }
}
