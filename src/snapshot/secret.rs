//! Secrets in a snapshot, which keeps digests of their values, to compare them, and not the values.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};

use crate::digest;

/// Returns true if `object` is a Secret.
#[must_use]
pub fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret" && object["apiVersion"] == "v1"
}

/// Replaces each value of a Secret by its digest.
pub(super) fn conceal(object: &mut Map<String, Value>) {
    let salt = salt(object.get("metadata"));
    if let Some(Value::Object(data)) = object.get_mut("data") {
        for (key, value) in data {
            *value = json!(concealed(&salt, key, value.as_str().unwrap_or_default()));
        }
    }
}

/// Returns the digest of a base64 value. The Secret's own name is the salt, so that equal values of
/// two Secrets do not show as equal.
fn concealed(salt: &str, key: &str, encoded: &str) -> String {
    let digest = digest::hex(format!("{salt}/{key}={encoded}").as_bytes());
    format!("sha256:{digest}")
}

fn salt(metadata: Option<&Value>) -> String {
    let name = |key: &str| {
        let named = metadata.and_then(|metadata| metadata.get(key));
        named.and_then(Value::as_str).unwrap_or_default()
    };
    format!("{}/{}", name("namespace"), name("name"))
}

/// Returns the values, in base64, of the Secret whose clean form in a snapshot is `wanted`.
/// Searches the values that `manifests` give a Secret of that name for those with the digests in
/// `wanted`. A manifest without a namespace belongs to `namespace`. `None` if a value is not found.
#[must_use]
pub fn values(wanted: &Value, manifests: &[Value], namespace: &str) -> Option<Map<String, Value>> {
    let salt = salt(wanted.get("metadata"));
    let name = |object: &Value| object["metadata"]["name"].as_str().map(ToOwned::to_owned);
    let is_it = |manifest: &&Value| {
        let within = manifest["metadata"]["namespace"].as_str();
        is_secret(manifest)
            && name(manifest) == name(wanted)
            && Some(within.unwrap_or(namespace)) == wanted["metadata"]["namespace"].as_str()
    };
    let same: Vec<&Value> = manifests.iter().filter(is_it).collect();
    let value = |key: &str, digest: &str| {
        let mut encoded = same.iter().filter_map(|manifest| encoded(manifest, key));
        encoded.find(|encoded| concealed(&salt, key, encoded) == digest)
    };
    let wanted = wanted["data"].as_object();
    let found = wanted.into_iter().flatten().map(|(key, digest)| {
        let value = value(key, digest.as_str().unwrap_or_default())?;
        Some((key.clone(), json!(value)))
    });
    found.collect()
}

/// Returns the value of a key in a Secret's manifest, in the base64 that the API server stores.
fn encoded(manifest: &Value, key: &str) -> Option<String> {
    if let Some(text) = manifest["stringData"][key].as_str() {
        return Some(BASE64.encode(text));
    }
    let written = manifest["data"][key].as_str()?;
    let bytes = BASE64.decode(written.split_whitespace().collect::<String>());
    Some(BASE64.encode(bytes.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_the_manifest_that_had_them() {
        let metadata = json!({"name": "app", "namespace": "lab"});
        let mut live = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"p": "Mg=="},
        });
        let manifest = |value: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"},
                "stringData": {"p": value}})
        };
        let manifests = [manifest("1"), manifest("2"), manifest("3")];
        if let Value::Object(object) = &mut live {
            conceal(object);
        }
        let found = values(&live, &manifests, "lab").unwrap();
        assert_eq!(Value::Object(found), json!({"p": "Mg=="}));
        // Somebody had changed the value before the step was verified, so no manifest has it.
        assert_eq!(values(&live, &manifests[..1], "lab"), None);
        assert_eq!(values(&live, &manifests, "other"), None);
    }
}
