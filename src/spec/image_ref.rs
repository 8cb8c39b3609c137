//! Image references, as registries and container engines understand them.

use serde::{Deserialize, Serialize};

use super::name::{NameError, is_a_name};

/// The maximum number of characters. A file named after an image has the whole reference and an
/// extension in its name.
const LONGEST: usize = 240;

/// An image reference: `docker.io/library/postgres:17`, `app:1`, `app:1@sha256:…`. The grammar is
/// that of github.com/distribution/reference, except that digests are SHA-256 only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef(String);

is_a_name!(ImageRef);

/// The parts of a reference.
struct Parts<'a> {
    registry: Option<&'a str>,
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            // A colon before a slash belongs to a registry's port.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        let is_registry = |part: &str| part.contains(['.', ':']) || part == "localhost";
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (Some(first), rest),
            _ => (None, name),
        };
        Self {
            registry,
            repository,
            tag,
            digest,
        }
    }
}

impl ImageRef {
    fn fault(text: &str) -> Option<&'static str> {
        let parts = Parts::of(text);
        let is_sound = text.len() <= LONGEST
            && parts.registry.is_none_or(is_registry)
            && parts.repository.split('/').all(is_component)
            && parts.tag.is_none_or(is_tag)
            && parts.digest.is_none_or(is_digest);
        (!is_sound).then_some("is no image: write it as docker.io/library/postgres:17")
    }

    /// Returns the full name without the digest: `postgres:17` is `docker.io/library/postgres:17`.
    #[must_use]
    pub fn full(&self) -> String {
        let Parts {
            registry,
            repository,
            tag,
            ..
        } = Parts::of(&self.0);
        let registry = registry.unwrap_or("docker.io");
        let is_official = registry == "docker.io" && !repository.contains('/');
        let library = if is_official { "library/" } else { "" };
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("{registry}/{library}{repository}{tag}")
    }

    /// Returns a file name that no other image has: references contain neither `+` nor `=`.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.0.replace('/', "+").replace(':', "=")
    }
}

/// Tests whether `text` is a host name, with or without a port.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty()
            && label.chars().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_port = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Tests whether `text` is a path component: lower-case letters and digits, in words separated by
/// `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = text.split(is_word).filter(|between| !between.is_empty());
    let is_separator =
        |between: &str| matches!(between, "." | "_" | "__") || between.chars().all(|c| c == '-');
    text.starts_with(is_word) && text.ends_with(is_word) && separators.into_iter().all(is_separator)
}

fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(is_word)
        && text.chars().all(|c| is_word(c) || c == '.' || c == '-')
}

fn is_digest(text: &str) -> bool {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.chars().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_registries_read_them() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, full) in [
            ("postgres", "docker.io/library/postgres"),
            ("postgres:17", "docker.io/library/postgres:17"),
            ("linkerd/proxy:v1", "docker.io/linkerd/proxy:v1"),
            ("localhost:5000/x:1", "localhost:5000/x:1"),
            (
                "cr.l5d.io/a/b__c/d---e:Edge_1.2",
                "cr.l5d.io/a/b__c/d---e:Edge_1.2",
            ),
            (
                &format!("kindest/node:v1@{digest}"),
                "docker.io/kindest/node:v1",
            ),
            (&format!("test:5000/repo@{digest}"), "test:5000/repo"),
            ("test.com:5000", "docker.io/library/test.com:5000"),
        ] {
            assert_eq!(ImageRef::from(text).full(), full, "{text}");
        }
        let long = "x".repeat(LONGEST + 1);
        let short = format!("a@sha256:{}", "0".repeat(32));
        for text in [
            "",
            ".",
            "..",
            "../..",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "-a",
            "--quiet",
            "a b",
            "a\n",
            "A",
            "a:",
            "a:.x",
            "a@",
            "a:1:2",
            "a._b",
            "a___b",
            ":1",
            "x_y.com:80/a",
            "a:80x/b",
            "a;b",
            "a+b",
            "a=b",
            &long,
            &short,
        ] {
            assert!(text.parse::<ImageRef>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn two_images_never_share_a_file() {
        let names = ["a/b:1", "a-b:1", "a/b-1", "a-b-1", "a.b:1", "a/b/1"];
        let files = names.map(|name| ImageRef::from(name).file_name());
        let different: std::collections::BTreeSet<_> = files.iter().collect();
        assert_eq!(different.len(), names.len(), "{files:?}");
        assert!(files.iter().all(|name| !name.contains('/')));
    }
}
