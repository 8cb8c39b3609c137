//! Output: answers go to standard output, everything else for people to standard error.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::{args::Format, error::CliError, settings::Settings};
use crate::{
    event::{Event, EventKind, Redactor, Untrusted},
    report::{self, Json, Kind, Look, Reporter},
};

/// The maximum width of lines in columns, and their width if the terminal reports none.
const WIDTH: usize = 100;

/// Returns the look of text for people on standard error.
pub(crate) fn look(settings: &Settings) -> Look {
    Look {
        width: width(),
        colour: settings.colour.stderr,
    }
}

/// Returns the look of text for people on standard output.
pub(crate) fn answer_look(settings: &Settings) -> Look {
    Look {
        width: width(),
        colour: settings.colour.stdout,
    }
}

fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    match size {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col).min(WIDTH),
        _ => WIDTH,
    }
}

/// Opens the reporter that shows a run.
pub(crate) fn reporter(settings: &Settings) -> Box<dyn Reporter + Send> {
    kind(settings).open(look(settings))
}

fn kind(settings: &Settings) -> Kind {
    let format = match settings.output {
        Format::Text => report::Format::Text,
        Format::Json => report::Format::Json,
    };
    report::resolve(format, settings.draws, false, settings.verbosity)
}

/// Writes an answer as text, without anything that a terminal would obey.
pub(crate) fn answer(text: &str) -> Result<(), CliError> {
    exactly(&Untrusted::lines(text))
}

/// Writes an answer unchanged, for a shell that reads it.
pub(crate) fn exactly(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(CliError::internal)
}

/// Writes an answer as one JSON document, whose texts are as harmless as those for people.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    redacted_json(value, &Redactor::default())
}

/// Writes an answer as one JSON document, without secrets.
pub(crate) fn redacted_json(value: &impl Serialize, redactor: &Redactor) -> Result<(), CliError> {
    let mut value = serde_json::to_value(value).map_err(CliError::internal)?;
    redactor.json(&mut value);
    let mut text = serde_json::to_string_pretty(&value).map_err(CliError::internal)?;
    text.push('\n');
    answer(&text)
}

/// Writes text for people.
pub(crate) fn tell(text: &str) {
    // An error is ignored: nobody can be told that standard error is gone.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes something that the user has to know before a run begins. Programs get it as an event with
/// the number 0, because it is no part of the run.
pub(crate) fn note(settings: &Settings, text: &str) {
    match settings.output {
        Format::Text => tell(&format!("{text}\n")),
        Format::Json => {
            let event = Event {
                seq: 0,
                at: Timestamp::now(),
                event: EventKind::Notice {
                    text: text.to_owned(),
                },
            };
            // If nobody reads the event, the run finds that out.
            let _ = Json::new(io::stdout()).event(&event);
        }
    }
}

/// Writes the reason why the command cannot go on.
pub(crate) fn error(error: &CliError, colour: bool) {
    let look = Look {
        width: width(),
        colour,
    };
    // A blank line separates it from the output of the run.
    let gap = if error.is_of_run() { "\n" } else { "" };
    tell(&format!("{gap}{}", report::failure(&error.failure(), look)));
}
