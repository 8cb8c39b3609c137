//! In what an environment differs, a line or more for each object.

use super::line::{BAD, DIM, GOOD, Line, Look, WAIT, hang_items, render};
use crate::event::{Change, Differing, Untrusted};

/// The most fields that are named of one object.
const FIELDS: usize = 6;

/// The lines about one object: what is missing comes back (`+`), what is a stranger goes (`-`).
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

/// All of it as text; with nothing that differs, that.
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
