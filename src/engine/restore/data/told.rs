//! Descriptions of differences in data.

use std::collections::BTreeMap;

use crate::{
    engine::restore::data::{Fingerprint, Fingerprints},
    event::{Change, Differing, Untrusted},
};

/// Describes the difference of the data of `pod` from `wanted`, known or possible.
#[must_use]
pub fn differing(pod: &str, wanted: &BTreeMap<String, String>, now: &Fingerprints) -> Differing {
    let was = wanted.get(pod).map_or("", String::as_str);
    let words = match now.get(pod) {
        Some(Fingerprint::Known(now)) => parts(was, now),
        other => {
            let why = other.map_or("there is no such pod", Fingerprint::why);
            vec![format!(
                "cannot be asked for now ({why}); it is left alone if it turns out to be the same"
            )]
        }
    };
    Differing {
        object: format!("data of {pod}"),
        change: Change::Changed,
        details: words.iter().map(|words| Untrusted::new(words)).collect(),
    }
}

/// Returns the parts in which the fingerprints `was` and `now` differ. A line is `PART: VALUE`. For
/// fingerprints without such lines, the result is empty.
pub(super) fn parts(was: &str, now: &str) -> Vec<String> {
    let (was, now) = (lines(was), lines(now));
    let gone = was.keys().filter(|part| !now.contains_key(*part));
    let gone = gone.map(|part| format!("{part} is gone"));
    let other = now.iter().filter_map(|(part, value)| match was.get(part) {
        Some(known) if known == value => None,
        Some(_) if part.is_empty() => None,
        Some(_) => Some(format!("{part} is another")),
        None => Some(format!("{part} was not there")),
    });
    gone.chain(other).collect()
}

fn lines(fingerprint: &str) -> BTreeMap<&str, &str> {
    let lines = fingerprint.lines();
    lines
        .map(|line| line.rsplit_once(": ").unwrap_or(("", line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_that_differ_are_named() {
        let was = "roles: 1\ndatabase a: 1\ntable t: 2 7";
        let now = "roles: 2\ntable t: 2 7\ndatabase b: 1";
        assert_eq!(
            parts(was, now),
            [
                "database a is gone",
                "database b was not there",
                "roles is another"
            ]
        );
        assert_eq!(parts("5d41", "7d79"), [""; 0]);
    }
}
