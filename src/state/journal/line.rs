//! The lines of a journal, and the chain of their checksums.

use serde::{Deserialize, Serialize};

use crate::{digest, event::Event, state::LABCTL};

/// The version of the journal's format. In version 1 there was no header, and a line's checksum was
/// over that line alone.
pub(super) const FORM: u32 = 2;
/// The prefix of a header. No event begins with it.
const HEADER: &[u8] = b"{\"journal\":";
/// The number of digits of a checksum.
const DIGITS: usize = 16;

/// The writer of the lines that follow, and their format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// The version of the format.
    journal: u32,
    /// The version of the labctl that writes.
    labctl: String,
}

/// A line whose checksum is right.
#[derive(Debug)]
pub(super) enum Line {
    /// A header: from here on the labctl that it names writes.
    Header,
    /// An event.
    Event(Box<Event>),
    /// A line that this labctl does not understand.
    Later,
}

/// The state that the next line's checksum depends on. From the first header on, each checksum
/// covers the checksum of the line before as well, so that a line that is lost, doubled or in
/// another place is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Chain {
    /// The checksum of the line before; empty before the first.
    last: String,
    /// The version of the labctl that wrote the last header; none before the first.
    pub(super) writer: Option<String>,
}

impl Chain {
    /// Reads the next line, which is given without its newline; `None` if its checksum is wrong.
    pub(super) fn read(&mut self, line: &[u8]) -> Option<Line> {
        let (sum, json) = line.split_at_checked(DIGITS)?;
        let json = json.strip_prefix(b" ")?;
        let is_header = json.starts_with(HEADER);
        let expected = self.checksum(json, is_header || self.writer.is_some());
        if expected.as_bytes() != sum {
            return None;
        }
        self.last = expected;
        if !is_header {
            let event = serde_json::from_slice(json);
            return Some(event.map_or(Line::Later, |event| Line::Event(Box::new(event))));
        }
        let Ok(header) = serde_json::from_slice::<Header>(json) else {
            return Some(Line::Later);
        };
        self.writer = Some(header.labctl);
        Some(if header.journal > FORM {
            Line::Later
        } else {
            Line::Header
        })
    }

    /// Returns true if the last header is this labctl's.
    pub(super) fn is_headed(&self) -> bool {
        self.writer.as_deref() == Some(LABCTL)
    }

    /// Returns the line of a header that names this labctl as the writer.
    pub(super) fn header(&mut self) -> serde_json::Result<String> {
        let header = Header {
            journal: FORM,
            labctl: LABCTL.to_owned(),
        };
        self.writer = Some(header.labctl.clone());
        Ok(self.line(&serde_json::to_string(&header)?))
    }

    /// Returns the line of `event`. A header has to come before it.
    pub(super) fn event(&mut self, event: &Event) -> serde_json::Result<String> {
        Ok(self.line(&serde_json::to_string(event)?))
    }

    /// Returns the checksum of the line before.
    #[cfg(test)]
    pub(super) fn last(&self) -> &str {
        &self.last
    }

    fn line(&mut self, json: &str) -> String {
        self.last = self.checksum(json.as_bytes(), true);
        format!("{} {json}\n", self.last)
    }

    fn checksum(&self, json: &[u8], is_chained: bool) -> String {
        let before = if is_chained { self.last.as_str() } else { "" };
        let mut hex = digest::hex(&[before.as_bytes(), json].concat());
        hex.truncate(DIGITS);
        hex
    }
}
