//! Text that others wrote: Pods, tools, students.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize};

/// A line of text from a Pod or a tool, made harmless on construction. It has no control characters
/// (terminal escapes such as CSI and OSC begin with one), no characters that change the direction
/// of text, and no invisible characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Makes `text` harmless. Tabs become spaces; escape sequences and deceptive characters are
    /// dropped.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut clean = String::with_capacity(text.len());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\t' => clean.push(' '),
                '\u{1b}' => skip_escape(&mut chars),
                '\u{9b}' => skip_control_sequence(&mut chars),
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
                c if deceives(c) => {}
                c => clean.push(c),
            }
        }
        Self(clean)
    }

    /// Makes each line of `text` harmless and keeps the line breaks.
    #[must_use]
    pub fn lines(text: &str) -> String {
        let lines: Vec<String> = text.split('\n').map(|line| Self::new(line).0).collect();
        lines.join("\n")
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns `text` as one line, with the deceptive characters (see [`deceives`]) written as escapes.
/// For text that a person has to judge: dropping such a character would hide it.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(deceives) {
        return Cow::Borrowed(text);
    }
    let written = |c: char| match c {
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        c if c.is_ascii() => format!("\\x{:02x}", u32::from(c)),
        c if u32::from(c) <= 0xffff => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    let chars = text.chars().map(|c| {
        if deceives(c) {
            written(c)
        } else {
            c.to_string()
        }
    });
    Cow::Owned(chars.collect())
}

/// Quotes `text` as a `$'…'` word of a shell, with the deceptive characters written as escapes.
#[must_use]
pub fn dollar_quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('\'', r"\'");
    format!("$'{}'", visible(&escaped))
}

/// Returns true if `c` makes a terminal show something other than the text. Such a character is a
/// control character (C0, DEL, C1), reorders text (Unicode bidi controls), is a separator that some
/// terminals take for a line break, or is invisible: of zero width, a filler, a tag, or a variation
/// selector. The selectors between text and emoji (U+FE0E, U+FE0F) do not count.
#[must_use]
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Skips the rest of an escape after ESC: a control sequence, a string up to its terminator, or one
/// character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => skip_control_sequence(chars),
        // OSC, DCS, SOS, PM and APC run to BEL or ST.
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        _ => {}
    }
}

/// Skips a string up to and including its terminator.
fn skip_string(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = chars.next() {
        if c == '\u{07}' || c == '\u{9c}' {
            break;
        }
        if c == '\u{1b}' {
            chars.next();
            break;
        }
    }
}

/// Skips parameters up to and including the final character of a control sequence (ECMA-48 5.4).
fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(&c) = chars.peek() {
        if !('\u{20}'..='\u{7e}').contains(&c) {
            break;
        }
        chars.next();
        if ('\u{40}'..='\u{7e}').contains(&c) {
            break;
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for Untrusted {
    // Cleans on reading too: an older labctl may have written the text, or somebody may have edited
    // it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_direction_changes_are_gone_and_the_text_stays() {
        for (hostile, harmless) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]8;;http://x\u{1b}\\b", "ab"),
            ("\u{9b}2Jgone", "gone"),
            ("over\rwritten\u{8}", "overwritten"),
            ("user\u{202e}txt.exe", "usertxt.exe"),
            ("grüße → ✓", "grüße → ✓"),
            ("a\tb", "a b"),
            (
                "a\u{1b}]52;c;Y2F0\u{7}b\u{9d}0;t\u{9c}c\u{1b}Pq\u{1b}\\d",
                "abcd",
            ),
            ("pass\u{200b}word\u{feff}\u{e0041}", "password"),
            ("a\u{2067}b\u{2069}c\u{7f}", "abc"),
            ("⚠\u{fe0f} family", "⚠\u{fe0f} family"),
        ] {
            assert_eq!(Untrusted::new(hostile).as_str(), harmless, "{hostile:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("a b → ✓"), "a b → ✓");
        assert_eq!(
            visible("a\n\u{1b}[2J\u{202e}b\u{e0041}\t\u{85}"),
            r"a\n\x1b[2J\u202eb\U000e0041\t\u0085"
        );
        assert_eq!(dollar_quoted("it's\n\\n"), r"$'it\'s\n\\n'");
    }

    proptest::proptest! {
        #[test]
        fn what_is_visible_is_one_line(text in ".*\n.*") {
            proptest::prop_assert!(visible(&text).chars().all(|c| !deceives(c)));
        }

        #[test]
        fn nothing_that_a_terminal_obeys_gets_through(text in ".*") {
            let clean = Untrusted::new(&text);
            proptest::prop_assert!(clean.as_str().chars().all(|c| !deceives(c)));
        }
    }
}
