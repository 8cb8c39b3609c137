//! The reporter for programs: one event per line, as JSON.

use std::io::{self, Write};

use super::Reporter;
use crate::event::Event;

/// A reporter that prints events as NDJSON.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    /// Creates a reporter that prints to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        // Writes each line at once and without buffering: a reader acts on a line as soon as it is
        // true, and half a line helps nobody.
        self.out.write_all(&line)?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_kind_of_event_is_a_line_that_reads_back_the_same() {
        let events = sample::one_of_each();
        let mut printed = Vec::new();
        let mut reporter = Json::new(&mut printed);
        for event in &events {
            reporter.event(event).unwrap();
        }
        reporter.finish().unwrap();
        let read: Vec<Event> = String::from_utf8(printed)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, events);
    }

    #[test]
    fn a_reader_that_went_away_is_an_error() {
        let mut full = [0_u8; 8];
        let mut reporter = Json::new(&mut full[..]);
        assert!(reporter.event(&sample::one_of_each()[0]).is_err());
    }
}
