//! Helm's record of its releases: a Secret for each revision. A snapshot does not hold the values
//! of Secrets, so a revision cannot be restored. A later revision only records the changes that a
//! student made with helm; the objects that they changed are restored anyway.

use std::collections::BTreeSet;

use serde_json::Value;

/// A release: its namespace and its name.
pub(super) type Release = (String, String);

/// Returns the release of `object`, if it is a revision of one.
pub(super) fn of(object: &Value) -> Option<Release> {
    let is_revision = object["kind"] == "Secret" && object["type"] == "helm.sh/release.v1";
    let metadata = object.get("metadata").filter(|_| is_revision)?;
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    Some((
        text(&metadata["namespace"])?,
        text(metadata.pointer("/labels/name")?)?,
    ))
}

/// Returns the releases that have revisions among `objects`.
pub(super) fn all<'a>(objects: impl IntoIterator<Item = &'a Value>) -> BTreeSet<Release> {
    objects.into_iter().filter_map(of).collect()
}
