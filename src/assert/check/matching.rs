//! The comparison of asserted fields with an object or an answer. Other fields do not matter.

use serde_json::{Number, Value};

use crate::assert::text::clean;

/// A field that does not match.
pub(super) struct Mismatch {
    /// The field's path, as kubectl's jsonpath writes it.
    pub(super) path: String,
    pub(super) expected: String,
    pub(super) actual: String,
}

/// Returns the fields of `expected` that are different or missing in `actual`.
pub(super) fn mismatches(expected: &Value, actual: &Value) -> Vec<Mismatch> {
    let mut wrong = Vec::new();
    compare(expected, Some(actual), &mut String::new(), &mut wrong);
    wrong
}

/// Compares `expected` with `actual`: maps key by key, everything else as a whole.
fn compare(expected: &Value, actual: Option<&Value>, path: &mut String, wrong: &mut Vec<Mismatch>) {
    if let (Value::Object(fields), Some(Value::Object(object))) = (expected, actual) {
        for (key, expected) in fields {
            let parent = path.len();
            push_key(path, key);
            compare(expected, object.get(key), path, wrong);
            path.truncate(parent);
        }
        return;
    }
    // An author who writes null means that the field is not set.
    if !same(expected, actual.unwrap_or(&Value::Null)) {
        wrong.push(Mismatch {
            path: path.clone(),
            expected: shown(Some(expected)),
            actual: shown(actual),
        });
    }
}

/// Appends `key` to `path`, as kubectl's jsonpath writes it.
fn push_key(path: &mut String, key: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.chars().all(plain) || key.is_empty() {
        path.extend(["['", &clean(key), "']"]);
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Returns true if the two values are equal.
fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let equal = |(key, value)| b.get(key).is_some_and(|other| same(value, other));
            a.len() == b.len() && a.iter().all(equal)
        }
        (a, b) => a == b,
    }
}

/// Returns true if the numbers are equal: YAML and JSON may write a number with or without a
/// fraction.
fn same_number(a: &Number, b: &Number) -> bool {
    a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
}

/// Formats a value for a clause.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "absent".to_owned(),
        Some(value) => clean(&value.to_string()),
    }
}
