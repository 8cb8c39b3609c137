//! Short texts for clauses. Text from a cluster is made harmless here.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::event::Untrusted;

/// The maximum length of a text, in characters: a clause is read at a glance.
const LONGEST: usize = 300;

/// Makes untrusted `text` harmless and puts it on one line.
pub(super) fn clean(text: &str) -> String {
    one_line(text, " ")
}

/// Makes untrusted `text` harmless and quotes it, with visible line breaks: an answer is compared
/// to the letter.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text, "\\n"))
}

fn one_line(text: &str, line_break: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| Untrusted::new(line).as_str().to_owned())
        .collect();
    shortened(&lines.join(line_break), LONGEST)
}

/// Returns the first lines of a command's output that are not blank, at most three.
pub(super) fn first_lines(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .take(3)
        .map(clean)
        .collect()
}

/// Shortens a uid so that it can be compared by eye.
pub(super) fn uid(uid: &str) -> String {
    shortened(&clean(uid), 8)
}

/// Shortens a volume's name if it was provisioned: `pvc-` and a uid. Other names can differ in
/// their last character only.
pub(super) fn volume(name: &str) -> String {
    let name = clean(name);
    if name.starts_with("pvc-") {
        shortened(&name, 12)
    } else {
        name
    }
}

fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the age of `since`, in steps so coarse that a text does not change every second; `None`
/// below the first step.
pub(super) fn age(since: Option<&Time>, now: Timestamp) -> Option<String> {
    let seconds = now.duration_since(since?.0).as_secs();
    match seconds {
        ..10 => None,
        10..60 => Some(format!("{} s", seconds / 10 * 10)),
        60..3600 => Some(format!("{} min", seconds / 60)),
        _ => Some(format!("{} h", seconds / 3600)),
    }
}

/// Returns the innermost cause of `error`: `connection refused` says more than the layers around
/// it.
#[must_use]
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_elsewhere_is_one_harmless_line() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a b");
        assert_eq!(quoted("a\nb "), r#""a\nb ""#);
        assert_eq!(
            first_lines("\none\ntwo\n\nthree\nfour"),
            ["one", "two", "three"]
        );
        assert!(clean(&"ä".repeat(400)).ends_with('…'));
    }

    #[test]
    fn names_that_could_differ_at_the_end_stay_whole() {
        assert_eq!(uid("1f3a5b7c-0000"), "1f3a5b7c…");
        assert_eq!(volume("pvc-9a1b2c3d-4e5f"), "pvc-9a1b2c3d…");
        assert_eq!(volume("data-of-postgres-0"), "data-of-postgres-0");
    }

    #[test]
    fn an_age_changes_every_ten_seconds_at_most() {
        let at = |seconds: i64| Time(Timestamp::from_second(1_000_000 - seconds).unwrap());
        let age = |seconds| super::age(Some(&at(seconds)), at(0).0);
        assert_eq!(age(38).as_deref(), Some("30 s"));
        assert_eq!(age(185).as_deref(), Some("3 min"));
        assert_eq!(age(7300).as_deref(), Some("2 h"));
        // The clocks of two machines differ: a time in the future has no age.
        assert_eq!((age(3), age(-60)), (None, None));
    }
}
