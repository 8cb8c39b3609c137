//! Replaying a journal, as far as it can be believed.

use std::fmt;

use super::line::{Chain, Line};
use crate::event::RunState;

/// The result of replaying a journal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replayed {
    /// The state that its events add up to.
    pub state: RunState,
    /// The size of the lines that can be believed, in bytes.
    pub sound: u64,
    /// The part after those lines.
    pub tail: Tail,
    pub(super) chain: Chain,
    /// True if the last line that can be believed lacks its newline.
    pub(super) is_open: bool,
}

/// The part of a journal after the lines that can be believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tail {
    /// Nothing.
    #[default]
    None,
    /// A piece of a line. Its write was interrupted, so its event was never reported as written.
    Torn {
        /// Its size in bytes.
        bytes: u64,
    },
    /// A line that is not as it was written, and all that follows it.
    Damaged {
        /// The number of that line, from 1.
        line: u64,
    },
    /// A line of a later labctl, which this one does not understand, and all that follows it.
    Later {
        /// The number of that line, from 1.
        line: u64,
        /// The version of the labctl that wrote the line, if a header says so.
        labctl: Option<String>,
    },
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("is whole"),
            Self::Torn { bytes } => {
                write!(
                    f,
                    "ends in a torn line ({bytes} bytes of an interrupted write)"
                )
            }
            Self::Damaged { line } => write!(f, "is damaged from line {line} on"),
            Self::Later { line, labctl } => {
                let by = labctl.as_deref().unwrap_or("a later version");
                write!(
                    f,
                    "was written by labctl {by} from line {line} on, in a way that this one ({}) \
                     does not know",
                    crate::state::LABCTL
                )
            }
        }
    }
}

/// Replays the journal in `bytes`.
pub(super) fn replay(bytes: &[u8]) -> Replayed {
    let mut replayed = Replayed::default();
    let mut rest = bytes;
    let mut number = 1;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        if !replayed.take(&rest[..end], number) {
            if replayed.tail == Tail::None {
                replayed.tail = Tail::Damaged { line: number };
            }
            return replayed;
        }
        replayed.sound += end as u64 + 1;
        rest = &rest[end + 1..];
        number += 1;
    }
    // A last line without its newline, or with another byte in the place of it, is complete.
    let shorter = rest.len().saturating_sub(1);
    for whole in [rest.len(), shorter] {
        if whole > 0 && replayed.take(&rest[..whole], number) {
            replayed.sound += whole as u64;
            replayed.is_open = true;
            if whole < rest.len() {
                replayed.tail = Tail::Torn { bytes: 1 };
            }
            return replayed;
        }
        if replayed.tail != Tail::None {
            return replayed;
        }
    }
    if !rest.is_empty() {
        replayed.tail = Tail::Torn {
            bytes: rest.len() as u64,
        };
    }
    replayed
}

impl Replayed {
    /// Applies a line. Returns true if the line can be believed and is understood.
    fn take(&mut self, line: &[u8], number: u64) -> bool {
        let mut chain = self.chain.clone();
        match chain.read(line) {
            Some(Line::Header) => {}
            Some(Line::Event(event)) => self.state.apply(&event),
            Some(Line::Later) => {
                let line = number;
                let labctl = chain.writer;
                self.tail = Tail::Later { line, labctl };
                return false;
            }
            None => return false,
        }
        self.chain = chain;
        true
    }
}
