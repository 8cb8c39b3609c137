//! What a journal says, as far as it can be believed.

use std::fmt;

use super::line::{Chain, Line};
use crate::event::RunState;

/// What a journal said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replayed {
    /// What its events add up to.
    pub state: RunState,
    /// How many of its bytes are lines that can be believed.
    pub sound: u64,
    /// What follows them.
    pub tail: Tail,
    pub(super) chain: Chain,
    /// The last line that can be believed lacks its end.
    pub(super) is_open: bool,
}

/// What follows the lines of a journal that can be believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tail {
    /// Nothing.
    #[default]
    None,
    /// A piece of a line: its write was interrupted, so nobody was told that it is there.
    Torn {
        /// How many bytes it has.
        bytes: u64,
    },
    /// A line that is not as it was written, and all that follows it.
    Damaged {
        /// The number of that line, from 1.
        line: u64,
    },
    /// A line that this labctl does not know, as a later one wrote it, and all that follows it.
    Later {
        /// The number of that line, from 1.
        line: u64,
        /// The version of the labctl that wrote it, if it said so.
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

/// Adds up what `bytes` say.
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
    // A line without its end, or with another byte in the place of its end, says all the same.
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
    /// Takes a line in; returns whether it can be believed and is understood.
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
