//! How events are shown: to a person at a terminal, to a log, to a program.
//!
//! Knows events and nothing of where they come from. What a person reads goes to standard error,
//! what a program reads to standard output.

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

/// Shows the events of a run, in their order.
pub trait Reporter {
    /// Shows one event.
    ///
    /// # Errors
    /// If it cannot be written: a reader that went away, a full disk.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Leaves the output as it should stay. No event follows.
    ///
    /// # Errors
    /// As [`Self::event`].
    fn finish(&mut self) -> io::Result<()>;
}

/// What was asked for with `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// An event a line, as JSON.
    Json,
}

/// Which reporter shows a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A transcript with a live area below it.
    Terminal {
        /// Whether what commands print stays in the transcript.
        output: bool,
    },
    /// A transcript alone, for logs.
    Lines {
        /// Whether what commands print is part of it.
        output: bool,
    },
    /// An event a line, as JSON, on standard output.
    Json,
}

/// Which reporter shows a run.
///
/// `is_terminal` is about standard error, as that is where text goes; `verbosity` is how often
/// `-v` was given.
///
/// | format | terminal | CI | `-v` | shown by |
/// | --- | --- | --- | --- | --- |
/// | json | any | any | any | [`Kind::Json`]: has everything already |
/// | text | yes | no | 0 | [`Kind::Terminal`] |
/// | text | yes | no | ≥ 1 | [`Kind::Terminal`] with what commands print |
/// | text | yes | yes | 0 | [`Kind::Lines`]: CI keeps a log, even where it lends a terminal |
/// | text | yes | yes | ≥ 1 | [`Kind::Lines`] with what commands print |
/// | text | no | any | 0 | [`Kind::Lines`] |
/// | text | no | any | ≥ 1 | [`Kind::Lines`] with what commands print |
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
    /// The reporter, writing to this process's standard streams.
    #[must_use]
    pub fn open(self, look: Look) -> Box<dyn Reporter + Send> {
        match self {
            Self::Terminal { output } => Box::new(Terminal::new(look, output)),
            Self::Lines { output } => Box::new(Lines::new(io::stderr(), look, output)),
            Self::Json => Box::new(Json::new(io::stdout())),
        }
    }
}

/// The time from `start` to `end`; none if the machine's clock was set back meanwhile.
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
