//! Differences between an environment and a snapshot, as text.

use super::line::{BAD, DIM, GOOD, Line, Look, PLAIN, WAIT, hang, hang_items, render};
use crate::event::{Change, Differing, Untrusted};

/// The maximum number of fields that are listed for an object.
const FIELDS: usize = 6;
/// The maximum number of fields that are named for an object in a sentence.
const WORDS: usize = 2;
/// The maximum number of objects that are named in a sentence.
const THINGS: usize = 8;

/// Formats the difference of one object. A missing object comes back (`+`), a stranger goes (`-`).
pub(super) fn lines(differing: &Differing, look: Look) -> Vec<Line> {
    let (style, mark, what) = match differing.change {
        Change::Missing => (GOOD, "+", "is missing"),
        Change::Changed => (WAIT, "~", ""),
        Change::Stranger => (BAD, "-", "was not there"),
    };
    let mut items: Vec<&str> = differing.details.iter().map(Untrusted::as_str).collect();
    let more = items.len().saturating_sub(FIELDS);
    let more_text = format!("and {more} more");
    items.truncate(FIELDS);
    if more > 0 {
        items.push(&more_text);
    }
    if !what.is_empty() {
        items.insert(0, what);
    }
    let first = Line::new()
        .add(style, &format!("  {mark} "))
        .text(&differing.object)
        .text("  ");
    hang_items(first, DIM, &items, look)
}

/// Formats the differences from the time at which `step` was verified as a paragraph. Empty if
/// there are none. `call` names the environment in the suggested `labctl reset`.
#[must_use]
pub fn differing_since(step: &str, all: &[Differing], call: &str, look: Look) -> String {
    let (verb, them) = match all.len() {
        0 => return String::new(),
        1 => ("thing differs", "it"),
        _ => ("things differ", "them"),
    };
    let mut named: Vec<String> = all.iter().take(THINGS).map(in_words).collect();
    if all.len() > THINGS {
        let more = all.len() - THINGS;
        named.push(format!("and {more} more (`labctl reset {call} --dry-run`)"));
    }
    let count = format!("{} {verb}", all.len());
    let text = format!(
        "from when it was verified at step {step}: {}; `labctl reset {call}` puts {them} back",
        named.join(", ")
    );
    let first = Line::new().add(WAIT.bold(), &count).text(" ");
    let mut lines = vec![Line::new()];
    lines.extend(hang(first, PLAIN, &text, look));
    render(&lines, look)
}

/// Describes one difference within a sentence: `secret/postgres is gone`.
fn in_words(differing: &Differing) -> String {
    let object = &differing.object;
    // Drops the part about the earlier state: the whole sentence is about that.
    let plain = |words: &Untrusted| {
        let words = words.as_str();
        let plain = words.strip_suffix(", was not");
        let plain = plain.or_else(|| words.strip_suffix(", was"));
        plain.unwrap_or(words).to_owned()
    };
    let mut details: Vec<String> = differing.details.iter().map(plain).collect();
    if details.len() > WORDS {
        let more = details.len() - WORDS;
        details.truncate(WORDS);
        details.push(format!("and {more} more"));
    }
    let details = details.join("; ");
    match differing.change {
        Change::Missing => format!("{object} is gone"),
        Change::Stranger => format!("{object} was not there"),
        Change::Changed if object.starts_with("node/") => format!("{object} {details}"),
        Change::Changed if details.is_empty() => format!("{object} is another one"),
        Change::Changed => format!("{object} is changed ({details})"),
    }
}

/// Formats all differences as text, or says that there are none.
#[must_use]
pub fn differences(all: &[Differing], look: Look) -> String {
    if all.is_empty() {
        return render(&[Line::new().add(GOOD, "nothing differs")], look);
    }
    let lines: Vec<Line> = all
        .iter()
        .flat_map(|differing| lines(differing, look))
        .collect();
    render(&lines, look)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        width: 80,
        colour: false,
    };

    fn thing(object: &str, change: Change, details: &[&str]) -> Differing {
        Differing {
            object: object.to_owned(),
            change,
            details: details.iter().map(|line| Untrusted::new(line)).collect(),
        }
    }

    #[test]
    fn what_differs_is_a_sentence_that_ends_with_what_puts_it_back() {
        let gone = thing("secret/postgres", Change::Missing, &[]);
        let cordoned = thing("node/w", Change::Changed, &["is cordoned, was not"]);
        let fields = ["spec.selector was removed", "b is 1, was 2", "c was added"];
        let changed = thing("service/postgres", Change::Changed, &fields);
        let stranger = thing("pod/mine", Change::Stranger, &[]);
        assert_eq!(differing_since("uncordon", &[], "10.3", LOOK), "");
        insta::assert_snapshot!(
            differing_since("uncordon", &[gone.clone(), cordoned, changed, stranger], "10.3", LOOK),
            @r"

        4 things differ from when it was verified at step uncordon: secret/postgres is
                        gone, node/w is cordoned, service/postgres is changed
                        (spec.selector was removed; b is 1, was 2; and 1 more), pod/mine
                        was not there; `labctl reset 10.3` puts them back
        "
        );
        let one = differing_since("a", &[gone], "10.3", LOOK);
        let text = "\n1 thing differs from when it was verified at step a: secret/postgres is gone; \
            `labctl reset 10.3`";
        let flat = one.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.starts_with(text.trim()), "{one}");
        let many = vec![thing("configmap/x", Change::Missing, &[]); 11];
        let told = differing_since("a", &many, "10.3", LOOK);
        assert!(told.contains("and 3 more"), "{told}");
    }
}
