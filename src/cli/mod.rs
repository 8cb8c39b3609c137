//! The command line: arguments, settings resolved once, exit codes, a file for each verb.
//!
//! Nothing else reads the environment variables or the working directory of the process, and
//! nothing else uses `anyhow`.

mod args;
mod demo;
mod error;
mod exit;
mod hold;
mod journal;
mod labs;
mod output;
mod preflight;
mod session;
mod settings;
mod signals;
mod standing;
mod tools;
mod trust;
mod values;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use error::CliError;
use settings::{Colour, Settings};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and the version are no errors; clap writes each where it belongs.
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::OK
            };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let colour = Colour::resolve();
    let settings = Settings::resolve(&args.global, colour);
    let result = settings.and_then(|settings| {
        let result = run(&args.command, &settings);
        // From here on nothing runs that may need the copies of programs.
        settings.store.sweep();
        result
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(error.broken_pipe().unwrap_or_else(|| {
            output::error(&error, colour.stderr);
            error.code
        })),
    }
}

fn run(command: &Command, settings: &Settings) -> Result<u8, CliError> {
    match command {
        Command::Up(args) => verbs::up::run(args, settings),
        Command::Next(args) => verbs::next::run(args, settings),
        Command::Verify(args) => verbs::verify::run(args, settings),
        Command::Status(args) => verbs::status::run(args, settings),
        Command::Heal(args) => verbs::heal::run(args, settings),
        Command::Reset(args) => verbs::reset::run(args, settings),
        Command::Down(args) => verbs::down::run(args, settings),
        Command::Stop(args) => verbs::stop::stop(args, settings),
        Command::Start(args) => verbs::stop::start(args, settings),
        Command::List => verbs::list::run(settings),
        Command::Show(args) => verbs::show::run(args, settings),
        Command::Plan(args) => verbs::plan::run(args, settings),
        Command::Validate(args) => verbs::validate::run(args, settings),
        Command::Env(args) => verbs::env::run(args, settings),
        Command::Shell(args) => verbs::shell::run(args, settings),
        Command::Logs(args) => verbs::logs::run(args, settings),
    }
}
