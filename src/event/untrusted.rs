//! Text that somebody else wrote: pods, tools, students.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A line of text from a pod or a tool, made harmless on the way in: without control characters
/// (terminal escapes such as CSI and OSC begin with one) and without characters that change the
/// direction of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Takes `text` in.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut clean = String::with_capacity(text.len());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\t' => clean.push(' '),
                '\u{1b}' => skip_escape(&mut chars),
                '\u{9b}' => skip_control_sequence(&mut chars),
                c if c.is_control() || is_bidi(c) => {}
                c => clean.push(c),
            }
        }
        Self(clean)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that reorder what a terminal shows (Unicode bidi controls), and the separators that
/// some terminals take for a new line.
fn is_bidi(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Skips what follows an ESC: a control sequence, a string up to its terminator, or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => skip_control_sequence(chars),
        // OSC, DCS, SOS, PM and APC run to BEL or ST.
        Some(']' | 'P' | 'X' | '^' | '_') => {
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
        _ => {}
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
    // What was written by an older labctl, or edited, passes the same door.
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
        ] {
            assert_eq!(Untrusted::new(hostile).as_str(), harmless, "{hostile:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_gets_through(text in ".*") {
            let clean = Untrusted::new(&text);
            proptest::prop_assert!(clean.as_str().chars().all(|c| !c.is_control() && !is_bidi(c)));
        }
    }
}
