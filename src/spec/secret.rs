//! The secrets in a lab and in a kubeconfig.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{LabTree, tree::LAB_FILE, yaml};

/// Values to hide, and names that are public even if they equal such a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Plain values. Values of params that are marked secret belong here, too.
    pub values: BTreeSet<String>,
    /// Names in the lab: of objects, containers, images, labels, steps.
    pub public: BTreeSet<String>,
}

/// Fields, in manifests and in `lab.yaml`, whose value is a name.
const NAMES: [&str; 9] = [
    "name",
    "namespace",
    "kind",
    "serviceName",
    "secretName",
    "id",
    "lab",
    "service",
    "level",
];
/// Fields whose values are all names.
const LABELS: [&str; 3] = ["labels", "matchLabels", "selector"];

impl Secrets {
    /// Collects the values of all Secrets in the manifests of `tree`, the secret values of its
    /// charts, and the public names.
    #[must_use]
    pub fn of_lab(tree: &LabTree) -> Self {
        let mut secrets = Self::default();
        let values = values_files(tree);
        let is_read = |name: &str| [".yaml", ".yml", ".json"].iter().any(|e| name.ends_with(e));
        for name in tree.files.keys().filter(|name| is_read(name)) {
            for document in yaml::documents(tree.text(name).unwrap_or_default()) {
                if name == LAB_FILE {
                    secrets.take_set(&document);
                } else {
                    secrets.take(&document);
                }
                if is_values(name, &values) {
                    secrets.take_guarded(&document);
                }
                secrets.name(&document);
            }
        }
        secrets
    }

    /// Adds the values of the Secrets in these manifests.
    pub fn add_manifests(&mut self, text: &str) {
        // Most fetched manifests are large and have no Secret: this skips parsing them.
        if names_a_secret(text) {
            for document in yaml::documents(text) {
                self.take(&document);
            }
        }
    }

    /// Adds the secret values that steps of `lab.yaml` set for releases.
    fn take_set(&mut self, lab: &Value) {
        let steps = lab.get("steps").and_then(Value::as_array);
        let sets = steps.into_iter().flatten();
        let sets = sets.filter_map(|step| step.pointer("/do/helm/set")?.as_object());
        for (path, value) in sets.flatten() {
            let name = path.rsplit('.').next().unwrap_or_default();
            if guards(name) {
                self.values.extend(scalar(Some(value)));
            }
            self.take_guarded(value);
        }
    }

    /// Adds the values of the fields in `value` whose names say that they are secret. A chart's
    /// values have no other mark of a secret.
    fn take_guarded(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if guards(name) {
                        self.values.extend(scalar(Some(value)));
                    }
                    self.take_guarded(value);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.take_guarded(value)),
            _ => {}
        }
    }

    /// Adds the private key in this PEM text, as a whole and line by line, as tools print it.
    pub fn add_key(&mut self, pem: &str) {
        self.values.insert(pem.trim().to_owned());
        let is_base64 = |line: &&str| !line.starts_with("-----");
        let lines = pem.lines().map(str::trim).filter(is_base64);
        self.values.extend(lines.map(ToOwned::to_owned));
    }

    /// Adds the credentials in this kubeconfig.
    pub fn add_kubeconfig(&mut self, text: &str) {
        for document in yaml::documents(text) {
            let users = document.get("users").and_then(Value::as_array);
            for user in users.into_iter().flatten().filter_map(|u| u.get("user")) {
                for field in ["token", "password"] {
                    self.values.extend(scalar(user.get(field)));
                }
                let key = scalar(user.get("client-key-data"));
                self.values.extend(key.iter().filter_map(|k| decoded(k)));
                self.values.extend(key);
                let provider = user.pointer("/auth-provider/config");
                let provider = provider.and_then(Value::as_object).into_iter().flatten();
                let guards = |name: &str| {
                    ["token", "secret", "password", "key"]
                        .iter()
                        .any(|w| name.contains(w))
                };
                let of_provider = provider.filter(|(name, _)| guards(name));
                self.values
                    .extend(of_provider.filter_map(|(_, value)| scalar(Some(value))));
                let env = user.pointer("/exec/env").and_then(Value::as_array);
                let of_program = env.into_iter().flatten().map(|pair| pair.get("value"));
                self.values.extend(of_program.filter_map(scalar));
            }
        }
    }

    /// Adds the values of each Secret in `value`, which may be a list of objects.
    fn take(&mut self, value: &Value) {
        if value.get("kind").and_then(Value::as_str) == Some("Secret") {
            let fields = |name| {
                value
                    .get(name)
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
            };
            self.values
                .extend(fields("stringData").filter_map(|(_, v)| scalar(Some(v))));
            for encoded in fields("data").filter_map(|(_, v)| scalar(Some(v))) {
                self.values.extend(decoded(&encoded));
                self.values.insert(encoded);
            }
        }
        let items = value.get("items").and_then(Value::as_array);
        items.into_iter().flatten().for_each(|item| self.take(item));
    }

    /// Adds the names in `value` to the public ones.
    fn name(&mut self, value: &Value) {
        match value {
            Value::Object(object) => {
                let is_secret = object.get("kind").and_then(Value::as_str) == Some("Secret");
                for (key, value) in object {
                    let fields = value.as_object();
                    if is_secret && (key == "data" || key == "stringData") {
                        // A value may be equal to the name of its key, and is not a secret then.
                        let keys = fields.into_iter().flatten().map(|(key, _)| key);
                        self.public.extend(keys.cloned());
                        continue;
                    }
                    let text = value.as_str().map(ToOwned::to_owned);
                    match (key.as_str(), text) {
                        (key, Some(text)) if NAMES.contains(&key) => drop(self.public.insert(text)),
                        ("image", Some(text)) => {
                            self.public
                                .extend(text.split(['/', ':', '@']).map(ToOwned::to_owned));
                        }
                        (key, None) if LABELS.contains(&key) => {
                            let values = fields.into_iter().flatten();
                            let values = values.filter_map(|(_, v)| scalar(Some(v)));
                            self.public.extend(values);
                        }
                        _ => {}
                    }
                    self.name(value);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.name(value)),
            _ => {}
        }
    }
}

/// Tests whether a field with this name holds a secret, rather than the name of one.
fn guards(name: &str) -> bool {
    const SECRET: [&str; 7] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "credential",
    ];
    const NOT: [&str; 7] = [
        "name",
        "ref",
        "type",
        "path",
        "file",
        "enabled",
        "namespace",
    ];
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    let is_about = NOT.iter().any(|end| plain.ends_with(end)) || plain.contains("existing");
    SECRET.iter().any(|word| plain.contains(word)) && !is_about
}

/// Returns the files of `tree` from which releases take values.
fn values_files(tree: &LabTree) -> BTreeSet<String> {
    let lab = yaml::documents(tree.text(LAB_FILE).unwrap_or_default());
    let steps = lab.iter().filter_map(|lab| lab.get("steps")?.as_array());
    let named = steps
        .flatten()
        .filter_map(|step| step.pointer("/do/helm/values"));
    named
        .filter_map(Value::as_str)
        .map(ToOwned::to_owned)
        .collect()
}

/// Tests whether the file `name` holds values of a chart: it is one of `named`, or the chart's own.
fn is_values(name: &str, named: &BTreeSet<String>) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    named.contains(name) || matches!(file, "values.yaml" | "values.yml")
}

/// Tests whether `text` contains `kind: Secret`, in whatever notation.
fn names_a_secret(text: &str) -> bool {
    text.match_indices("Secret").any(|(at, _)| {
        let key = text[..at].trim_end_matches([' ', '"', '\'']);
        let key = key.strip_suffix(':').unwrap_or_default();
        key.trim_end_matches([' ', '"', '\'']).ends_with("kind")
    })
}

fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Decodes `encoded` from base64, or returns `None` if the result is not text.
fn decoded(encoded: &str) -> Option<String> {
    let encoded: String = encoded.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_found_in_lists_too_and_names_are_public() {
        let text = "apiVersion: v1\nkind: List\nitems:\n\
                    - {kind: Secret, metadata: {name: app}, stringData: {user: postgres, pin: 12345678}}\n\
                    - {kind: Secret, data: {key: c2VjcmV0LXZhbHVl}}\n\
                    - {kind: ConfigMap, data: {x: visible}}\n---\n\
                    kind: Pod\nspec: {containers: [{image: 'docker.io/library/postgres:17'}]}\n";
        let files = [("a.yaml".to_owned(), text.as_bytes().to_vec())].into();
        let tree = LabTree {
            origin: String::new(),
            files,
        };
        let secrets = Secrets::of_lab(&tree);
        let values: Vec<&str> = secrets.values.iter().map(String::as_str).collect();
        assert_eq!(
            values,
            ["12345678", "c2VjcmV0LXZhbHVl", "postgres", "secret-value"]
        );
        assert!(secrets.public.contains("postgres") && secrets.public.contains("app"));
        assert!(!secrets.public.contains("visible"));
    }

    #[test]
    fn what_values_of_a_chart_guard_is_secret_and_names_of_secrets_are_not() {
        let lab = "steps: [{do: {helm: {values: v/nginx.yaml, set: {a.adminPassword: pw-set, \
                   b: {api-key: key-set}, tokenName: no}}}}]";
        let values =
            "auth: {password: pw-file, existingSecret: no, secretName: no, n: [{token: t-file}]}";
        let files = [
            ("lab.yaml", lab),
            ("v/nginx.yaml", values),
            (
                "chart/values.yaml",
                "db: {passphrase: pw-chart, password: 12345678}",
            ),
            (
                "manifests/a.yaml",
                "kind: ConfigMap\ndata: {password: no-chart}",
            ),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let tree = LabTree {
            origin: String::new(),
            files: files.into(),
        };
        let secrets = Secrets::of_lab(&tree);
        let values: Vec<&str> = secrets.values.iter().map(String::as_str).collect();
        assert_eq!(
            values,
            [
                "12345678", "key-set", "pw-chart", "pw-file", "pw-set", "t-file"
            ]
        );
    }

    #[test]
    fn manifests_from_elsewhere_have_secrets_too() {
        for text in [
            "apiVersion: v1\nkind: Secret\nstringData: {a: from-elsewhere}\n",
            "{\"kind\" : \"Secret\", \"stringData\": {\"a\": \"from-elsewhere\"}}",
            "kind: List\nitems: [{kind: 'Secret', stringData: {a: from-elsewhere}}]",
        ] {
            let mut secrets = Secrets::default();
            secrets.add_manifests(text);
            assert!(secrets.values.contains("from-elsewhere"), "{text}");
        }
    }

    #[test]
    fn credentials_of_a_kubeconfig_are_secret() {
        let mut secrets = Secrets::default();
        secrets.add_kubeconfig(
            "users: [{name: a, user: {token: tok-1, password: pw-1, client-key-data: a2V5LTE=}},\n\
             {name: b, user: {exec: {env: [{name: T, value: env-1}]}}},\n\
             {name: c, user: {auth-provider: {config: {id-token: id-1, name: no}}}}]\n",
        );
        let values: Vec<&str> = secrets.values.iter().map(String::as_str).collect();
        assert_eq!(
            values,
            ["a2V5LTE=", "env-1", "id-1", "key-1", "pw-1", "tok-1"]
        );
    }
}
