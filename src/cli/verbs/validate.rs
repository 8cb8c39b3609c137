//! `labctl validate`

use serde_json::json;

use crate::cli::{
    args::{Format, Validate},
    error::CliError,
    exit, labs, output,
    settings::Settings,
};

/// Checks a lab's files.
pub(crate) fn run(args: &Validate, settings: &Settings) -> Result<u8, CliError> {
    let loaded = labs::check(labs::read(&args.path, settings)?.0)?;
    let steps = loaded.written.steps.len();
    match settings.output {
        Format::Json => output::json(&json!({"lab": loaded.lab.lab, "steps": steps}))?,
        Format::Text => output::tell(&format!("lab {} is sound: {steps} steps\n", loaded.lab.lab)),
    }
    Ok(exit::OK)
}
