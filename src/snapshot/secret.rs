//! Secrets in a snapshot: whether a value is the same is kept, the value is not.

use serde_json::{Map, Value, json};

use crate::digest;

/// Whether `object` is a Secret.
#[must_use]
pub fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret" && object["apiVersion"] == "v1"
}

/// Puts a digest in the place of each value of a Secret. It is salted with the Secret's own name,
/// so that equal values of two Secrets do not show as equal.
pub(super) fn conceal(object: &mut Map<String, Value>) {
    let name = |object: &Map<String, Value>, key: &str| {
        let of = object.get("metadata").and_then(|m| m.get(key));
        of.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let salt = format!("{}/{}", name(object, "namespace"), name(object, "name"));
    if let Some(Value::Object(data)) = object.get_mut("data") {
        for (key, value) in data {
            let text = value.as_str().unwrap_or_default();
            *value = json!(format!(
                "sha256:{}",
                digest::hex(format!("{salt}/{key}={text}").as_bytes())
            ));
        }
    }
}

/// The Secret among `manifests` that is the one in the snapshot whose clean form is `wanted`: what
/// it can be put back from.
#[must_use]
pub fn from_manifests<'a>(
    wanted: &Value,
    manifests: &'a [Value],
    namespace: &str,
) -> Option<&'a Value> {
    let of = |object: &Value, pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(ToOwned::to_owned)
    };
    manifests.iter().find(|manifest| {
        let in_namespace =
            of(manifest, "/metadata/namespace").unwrap_or_else(|| namespace.to_owned());
        is_secret(manifest)
            && of(manifest, "/metadata/name") == of(wanted, "/metadata/name")
            && Some(in_namespace) == of(wanted, "/metadata/namespace")
    })
}
