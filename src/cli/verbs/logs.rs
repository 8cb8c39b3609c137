//! `labctl logs`

use std::io::{BufRead, BufReader};

use crate::{
    cli::{
        args::{Format, Logs},
        error::CliError,
        exit, output, session,
        settings::Settings,
        standing,
    },
    engine::run::secrets::Secrets,
    event::Event,
    report::{Json, Lines, Reporter},
    state::StateError,
};

/// Shows the events of the last run, or of all runs, in the way the run showed them.
pub(crate) fn run(args: &Logs, settings: &Settings) -> Result<u8, CliError> {
    let environment = session::found(settings, args.lab.as_deref())?;
    if settings.output == Format::Text {
        standing::tell_trouble(&environment, settings);
    }
    let runs = environment.runs()?;
    let skipped = if args.all {
        0
    } else {
        runs.len().saturating_sub(1)
    };
    if runs.is_empty() && settings.output == Format::Text {
        let name = environment.name();
        output::tell(&format!("no run in the environment \"{name}\" is kept\n"));
    }
    let tree = environment.lab().unwrap_or_default();
    let mut secrets = Secrets::new(&tree, &environment);
    let look = output::answer_look(settings);
    for path in runs.iter().skip(skipped) {
        let out = std::io::stdout();
        let mut reporter: Box<dyn Reporter> = match settings.output {
            Format::Json => Box::new(Json::new(out)),
            Format::Text => Box::new(Lines::new(out, look, settings.verbosity > 0)),
        };
        let file = std::fs::File::open(path).map_err(StateError::file("read", path))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(StateError::file("read", path))?;
            // A run that was killed may have left half a line.
            if let Ok(event) = serde_json::from_str::<Event>(&line) {
                let event = secrets.redactor().event(&event);
                reporter.event(&event).map_err(CliError::internal)?;
            }
        }
        reporter.finish().map_err(CliError::internal)?;
    }
    Ok(exit::OK)
}
