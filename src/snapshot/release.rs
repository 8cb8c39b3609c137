//! Helm's own record of its releases: a Secret for each revision. Its values are kept nowhere else,
//! so that one cannot be put back; and one that came since says what a student did, by helm, to
//! objects that are put back all the same.

use std::collections::BTreeSet;

use serde_json::Value;

/// A release: its namespace and its name.
pub(super) type Release = (String, String);

/// The release that `object` is a revision of, if it is one.
pub(super) fn of(object: &Value) -> Option<Release> {
    let is_revision = object["kind"] == "Secret" && object["type"] == "helm.sh/release.v1";
    let metadata = object.get("metadata").filter(|_| is_revision)?;
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    Some((
        text(&metadata["namespace"])?,
        text(metadata.pointer("/labels/name")?)?,
    ))
}

/// The releases that have revisions among `objects`.
pub(super) fn all<'a>(objects: impl IntoIterator<Item = &'a Value>) -> BTreeSet<Release> {
    objects.into_iter().filter_map(of).collect()
}
