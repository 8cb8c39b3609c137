//! Lines before they become text: pieces with their styles.
//!
//! All text enters a line through [`Line::add`], which makes it harmless: titles, texts and command
//! lines come from labs, and a lab may come from anywhere.

use anstyle::{AnsiColor, Style};

use crate::event::{Status, Untrusted};

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const WAIT: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const ODD: Style = AnsiColor::Magenta.on_default();
pub(super) const CODE: Style = AnsiColor::Cyan.on_default();

/// The minimum width of wrapped text. Narrower text is unreadable, so it may exceed the terminal
/// instead.
const NARROWEST: usize = 24;

/// The layout of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The number of columns.
    pub width: usize,
    /// True to write styles.
    pub colour: bool,
}

impl Look {
    /// Returns the layout of text that is indented by `indent` columns.
    pub(super) fn inside(self, indent: usize) -> Self {
        let width = self.width.saturating_sub(indent);
        Self { width, ..self }
    }
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Line {
    pieces: Vec<(Style, String)>,
}

impl Line {
    /// Creates an empty line.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Appends `text`.
    pub(super) fn add(mut self, style: Style, text: &str) -> Self {
        let text = Untrusted::new(&text.replace('\n', " "));
        self.pieces.push((style, text.as_str().to_owned()));
        self
    }

    /// Appends plain `text`.
    pub(super) fn text(self, text: &str) -> Self {
        self.add(PLAIN, text)
    }

    /// Appends all pieces of `other`.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// Appends spaces up to `column`, but at least one.
    pub(super) fn column(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width()).max(1);
        self.text(&" ".repeat(missing))
    }

    /// Indents the line by `by` columns, unless it is empty.
    pub(super) fn indented(mut self, by: usize) -> Self {
        if !self.pieces.is_empty() {
            self.pieces.insert(0, (PLAIN, " ".repeat(by)));
        }
        self
    }

    /// Returns the width in columns.
    pub(super) fn width(&self) -> usize {
        self.pieces
            .iter()
            .map(|(_, text)| text.chars().count())
            .sum()
    }

    /// Returns the line as text, without a line break.
    pub(super) fn render(&self, colour: bool) -> String {
        let mut rendered = String::new();
        for (style, text) in &self.pieces {
            let style = if colour { *style } else { PLAIN };
            rendered.push_str(&style.render().to_string());
            rendered.push_str(text);
            rendered.push_str(&style.render_reset().to_string());
        }
        rendered.truncate(rendered.trim_end().len());
        rendered
    }
}

/// Returns the sign for `status` and its style.
pub(super) fn mark(status: Status) -> (Style, &'static str) {
    match status {
        Status::Pass => (GOOD, "✓"),
        Status::Pending => (WAIT, "○"),
        Status::Unknown => (ODD, "?"),
        Status::Failed => (BAD, "✗"),
    }
}

/// Formats `lines` as text, each with a line break.
pub(super) fn render(lines: &[Line], look: Look) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.render(look.colour));
        text.push('\n');
    }
    text
}

/// Indents `lines` by `by` columns.
pub(super) fn indent(lines: Vec<Line>, by: usize) -> impl Iterator<Item = Line> {
    lines.into_iter().map(move |line| line.indented(by))
}

/// Puts `text` after `first`, with further lines aligned below its beginning.
///
/// Text in parentheses or backticks stays on one line if it fits into one: remedies are written
/// that way, and a reader copies a command whole.
pub(super) fn hang(first: Line, style: Style, text: &str, look: Look) -> Vec<Line> {
    let width = look.width.saturating_sub(first.width()).max(NARROWEST);
    below(first, style, wrap(text, width, true))
}

/// Puts `text` after `first`, with further lines aligned below its beginning. Keeps the line breaks
/// of `text`, and lines that fit stay unchanged: `text` may be a list, or source code with a mark
/// below it.
pub(super) fn hang_lines(first: Line, style: Style, text: &str, look: Look) -> Vec<Line> {
    let width = look.width.saturating_sub(first.width()).max(NARROWEST);
    let texts = text.lines().flat_map(|line| {
        if line.chars().count() <= width {
            vec![line.to_owned()]
        } else {
            wrap(line, width, true)
        }
    });
    below(first, style, texts.collect())
}

/// Puts `items` after `first`, separated by dots. Wraps within an item only if it does not fit into
/// a line.
pub(super) fn hang_items(first: Line, style: Style, items: &[&str], look: Look) -> Vec<Line> {
    let column = first.width();
    let last = items.len().saturating_sub(1);
    let groups = items.iter().enumerate().map(|(number, item)| {
        let mut words: Vec<&str> = item.split_whitespace().collect();
        if number < last {
            words.push("·");
        }
        words
    });
    let width = look.width.saturating_sub(column).max(NARROWEST);
    below(first, style, fill(groups, width))
}

/// Puts `texts` after `first`, one below the other.
fn below(first: Line, style: Style, texts: Vec<String>) -> Vec<Line> {
    let column = " ".repeat(first.width());
    let mut rest = texts.into_iter();
    let mut lines = vec![first.add(style, &rest.next().unwrap_or_default())];
    lines.extend(rest.map(|text| Line::new().text(&column).add(style, &text)));
    lines
}

/// Wraps `text` into lines of at most `width` columns; only a longer word exceeds the width. Text
/// in backticks and, with `parentheses`, in parentheses stays together.
pub(super) fn wrap(text: &str, width: usize, parentheses: bool) -> Vec<String> {
    fill(groups(text, parentheses).into_iter(), width)
}

/// Fills lines of at most `width` columns with `groups` of words. Splits only a group that does not
/// fit into a line.
fn fill<'a>(groups: impl Iterator<Item = Vec<&'a str>>, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for group in groups {
        let whole = group.join(" ");
        let fits = whole.chars().count() <= width;
        for part in if fits { vec![whole.as_str()] } else { group } {
            let taken = line.chars().count();
            if taken > 0 && taken + 1 + part.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(part);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Splits `text` into groups of words that should stay on one line.
fn groups(text: &str, parentheses: bool) -> Vec<Vec<&str>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let (mut depth, mut in_code) = (0_usize, false);
    for word in text.split_whitespace() {
        for c in word.chars() {
            match c {
                '`' => in_code = !in_code,
                '(' if parentheses => depth += 1,
                ')' if parentheses => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        group.push(word);
        if depth == 0 && !in_code {
            groups.push(std::mem::take(&mut group));
        }
    }
    // An unclosed parenthesis or backtick is no pair, so its words form no group.
    groups.extend(group.into_iter().map(|word| vec![word]));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stays_on_one_line_if_it_fits_into_one() {
        let text = "volume pvc-9a is bound to node worker2 (kubectl uncordon worker2)";
        assert_eq!(
            wrap(text, 50, true),
            [
                "volume pvc-9a is bound to node worker2",
                "(kubectl uncordon worker2)"
            ]
        );
        assert_eq!(
            wrap("run (kubectl uncordon a)", 12, true),
            ["run (kubectl", "uncordon a)"]
        );
        assert_eq!(
            wrap("see `kubectl get pods` now", 18, false),
            ["see", "`kubectl get pods`", "now"]
        );
        assert_eq!(wrap("an (open end", 8, true), ["an (open", "end"]);
        assert_eq!(wrap("", 8, true), Vec::<String>::new());
    }

    #[test]
    fn what_a_lab_says_cannot_steer_the_terminal() {
        let line = Line::new().add(BAD, "\u{1b}]0;owned\u{7}title\nnext \u{202e}txt");
        assert_eq!(line.render(false), "title next txt");
        assert_eq!(line.render(true), "\u{1b}[31mtitle next txt\u{1b}[0m");
    }
}
