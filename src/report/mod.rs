//! Reporters, which show events to a person at a terminal, to a log, or to a program.
//!
//! Reporters know events and not where these come from. Text for people goes to standard error,
//! text for programs to standard output.

mod differing;
mod json;
mod line;
mod lines;
mod live;
mod markdown;
mod measured;
mod summary;
mod terminal;
mod text;
mod transcript;
mod verify;
mod waits;

#[cfg(test)]
mod harmless;
#[cfg(test)]
mod sample;

use std::{io, time::Duration};

use jiff::Timestamp;

use crate::event::Event;

pub use differing::{differences, differing_since};
pub use json::Json;
pub use line::Look;
pub use lines::Lines;
pub use measured::measurement;
pub use terminal::Terminal;
pub use text::{Progress, duration, failure, verdict};
pub use verify::{Standing, StepReport, verify_report};

/// A reporter of the events of a run. Shows them in order.
pub trait Reporter {
    /// Shows one event.
    ///
    /// # Errors
    /// If the output cannot be written: the reader went away, or the disk is full.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Ends the output in the form that stays. No event follows.
    ///
    /// # Errors
    /// If the output cannot be written, as with [`Self::event`].
    fn finish(&mut self) -> io::Result<()>;
}

/// The format chosen with `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// One event per line, as JSON.
    Json,
}

/// The reporter of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A transcript with a live area below it.
    Terminal {
        /// True to keep the output of commands in the transcript.
        output: bool,
    },
    /// A transcript alone, for logs.
    Lines {
        /// True to include the output of commands.
        output: bool,
    },
    /// One event per line, as JSON, on standard output.
    Json,
}

/// Chooses the reporter of a run.
///
/// `is_terminal` is about standard error, as text goes there; `verbosity` is the number of `-v`.
///
/// | format | terminal | CI | `-v` | shown by |
/// | --- | --- | --- | --- | --- |
/// | json | any | any | any | [`Kind::Json`], which has everything already |
/// | text | yes | no | 0 | [`Kind::Terminal`] |
/// | text | yes | no | ≥ 1 | [`Kind::Terminal`] with the output of commands |
/// | text | yes | yes | 0 | [`Kind::Lines`]: CI keeps a log, even where it lends a terminal |
/// | text | yes | yes | ≥ 1 | [`Kind::Lines`] with the output of commands |
/// | text | no | any | 0 | [`Kind::Lines`] |
/// | text | no | any | ≥ 1 | [`Kind::Lines`] with the output of commands |
#[must_use]
pub fn resolve(format: Format, is_terminal: bool, is_ci: bool, verbosity: u8) -> Kind {
    let output = verbosity >= 1;
    match (format, is_terminal && !is_ci) {
        (Format::Json, _) => Kind::Json,
        (Format::Text, true) => Kind::Terminal { output },
        (Format::Text, false) => Kind::Lines { output },
    }
}

impl Kind {
    /// Creates the reporter, which writes to this process's standard streams.
    #[must_use]
    pub fn open(self, look: Look) -> Box<dyn Reporter + Send> {
        match self {
            Self::Terminal { output } => Box::new(Terminal::new(look, output)),
            Self::Lines { output } => Box::new(Lines::new(io::stderr(), look, output)),
            Self::Json => Box::new(Json::new(io::stdout())),
        }
    }
}

/// Returns the time from `start` to `end`, or zero if this machine's clock was set back meanwhile.
fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_resolve_holds() {
        for (terminal, ci, verbosity, kind) in [
            (true, false, 0, Kind::Terminal { output: false }),
            (true, false, 1, Kind::Terminal { output: true }),
            (true, true, 0, Kind::Lines { output: false }),
            (true, true, 2, Kind::Lines { output: true }),
            (false, false, 0, Kind::Lines { output: false }),
            (false, false, 1, Kind::Lines { output: true }),
            (false, true, 0, Kind::Lines { output: false }),
            (false, true, 1, Kind::Lines { output: true }),
        ] {
            let resolved = resolve(Format::Text, terminal, ci, verbosity);
            assert_eq!(
                resolved, kind,
                "terminal {terminal}, CI {ci}, -v × {verbosity}"
            );
            assert_eq!(resolve(Format::Json, terminal, ci, verbosity), Kind::Json);
        }
    }
}
