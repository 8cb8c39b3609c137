//! Layout of the texts of labs, which are Markdown.
//!
//! Markdown reads well as it is. Only paragraphs and list items are wrapped anew, as their line
//! breaks mean nothing. Code, tables, headings and quotes stay unchanged.

use super::line::{BOLD, CODE, DIM, Line, PLAIN, wrap};

/// Formats `text` as lines of at most `width` columns.
pub(super) fn lines(text: &str, width: usize) -> Vec<Line> {
    let mut page = Page {
        width,
        ..Page::default()
    };
    let mut fence = None;
    for line in text.lines() {
        let line = line.trim_end();
        let opens = ["```", "~~~"]
            .into_iter()
            .find(|f| line.trim_start().starts_with(f));
        match (fence, opens) {
            (None, Some(_)) => {
                fence = opens;
                page.verbatim(DIM, line);
            }
            (Some(open), Some(close)) if open == close => {
                fence = None;
                page.verbatim(DIM, line);
            }
            (Some(_), _) => page.verbatim(CODE, line),
            (None, None) => page.prose(line),
        }
    }
    page.end_paragraph();
    while page.lines.last().is_some_and(|line| line.width() == 0) {
        page.lines.pop();
    }
    page.lines
}

#[derive(Default)]
struct Page {
    width: usize,
    lines: Vec<Line>,
    /// The sign of the list item that the paragraph belongs to, or nothing.
    sign: String,
    paragraph: String,
}

impl Page {
    fn prose(&mut self, line: &str) {
        if line.is_empty() {
            self.end_paragraph();
            if self.lines.last().is_some_and(|line| line.width() > 0) {
                self.lines.push(Line::new());
            }
        } else if line.starts_with('#') {
            self.verbatim(BOLD, line);
        } else if let Some(length) = list_sign(line) {
            self.end_paragraph();
            line[..length].clone_into(&mut self.sign);
            line[length..].clone_into(&mut self.paragraph);
        } else if line.starts_with(['|', '>'])
            || (line.starts_with("    ") && self.paragraph.is_empty())
        {
            self.verbatim(PLAIN, line);
        } else {
            self.paragraph.push(' ');
            self.paragraph.push_str(line);
        }
    }

    fn verbatim(&mut self, style: anstyle::Style, line: &str) {
        self.end_paragraph();
        let spaces = line.len() - line.trim_start().len();
        self.lines
            .push(Line::new().add(style, line.trim_start()).indented(spaces));
    }

    fn end_paragraph(&mut self) {
        let sign = std::mem::take(&mut self.sign);
        let column = sign.chars().count();
        let text = std::mem::take(&mut self.paragraph);
        let width = self.width.saturating_sub(column).max(20);
        let mut in_code = false;
        for (number, text) in wrap(&text, width, false).iter().enumerate() {
            let first = if number == 0 {
                sign.clone()
            } else {
                " ".repeat(column)
            };
            self.lines
                .push(spans(Line::new().text(&first), text, &mut in_code));
        }
    }
}

/// Returns the length of a list item's sign (`- `, `* ` or `1. `) with the spaces around it.
fn list_sign(line: &str) -> Option<usize> {
    let item = line.trim_start();
    let digits = item.chars().take_while(char::is_ascii_digit).count();
    let rest = match digits {
        0 => item.strip_prefix(['-', '*', '+']),
        _ => item[digits..].strip_prefix(['.', ')']),
    }?;
    let text = rest.strip_prefix(' ')?.trim_start();
    Some(line.len() - text.len())
}

/// Appends `text` to `line`, with code spans in their own style. `in_code` carries an open span
/// over to the next line.
fn spans(mut line: Line, text: &str, in_code: &mut bool) -> Line {
    for (number, part) in text.split('`').enumerate() {
        if number > 0 {
            line = line.add(CODE, "`");
            *in_code = !*in_code;
        }
        line = line.add(if *in_code { CODE } else { PLAIN }, part);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_anew_and_the_rest_stays() {
        let text = "A StatefulSet gives each pod\na *stable* name; look at `kubectl get pods -o wide`\nfor it.\n\n\n\
            ## Look\n1. First, the claims, which follow the pod wherever\n   it goes.\n2. Then\n\n\
            ```console\n$ kubectl get pvc   # as  it is\n\n  NAME\n```\n| a | b |\n";
        let lines = lines(text, 36);
        let text: Vec<String> = lines.iter().map(|l| l.render(false)).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        A StatefulSet gives each pod a
        *stable* name; look at
        `kubectl get pods -o wide` for it.

        ## Look
        1. First, the claims, which follow
           the pod wherever it goes.
        2. Then

        ```console
        $ kubectl get pvc   # as  it is

          NAME
        ```
        | a | b |
        ");
        assert_eq!(
            lines[2].render(true),
            "\u{1b}[36m`\u{1b}[0m\u{1b}[36mkubectl get pods -o wide\u{1b}[0m\u{1b}[36m`\u{1b}[0m for it."
        );
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(lines("", 80), []);
        assert_eq!(lines("\n\n", 80), []);
    }
}
