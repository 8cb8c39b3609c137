//! `labctl list`

use comfy_table::{Table, presets::NOTHING};
use serde_json::json;

use crate::cli::{
    args::Format,
    error::CliError,
    exit,
    labs::{self, Loaded},
    output,
    settings::Settings,
};

/// Lists the built-in labs.
pub(crate) fn run(settings: &Settings) -> Result<u8, CliError> {
    let ids = labs::built_in();
    let labs: Result<Vec<Loaded>, CliError> =
        ids.iter().map(|id| labs::load(id, settings)).collect();
    let labs = labs?;
    match settings.output {
        Format::Json => {
            let labs: Vec<_> = labs.iter().map(summary).collect();
            output::json(&labs)?;
        }
        Format::Text => {
            let mut table = Table::new();
            table
                .load_style(NOTHING)
                .set_header(["LAB", "TITLE", "LEVEL", "TIME", "STEPS"]);
            for Loaded { lab, .. } in &labs {
                table.add_row([
                    lab.lab.clone(),
                    lab.title.clone(),
                    lab.level.to_string(),
                    lab.time.to_string(),
                    lab.steps.len().to_string(),
                ]);
            }
            output::answer(&format!("{}\n", table.trim_fmt()))?;
        }
    }
    Ok(exit::OK)
}

fn summary(loaded: &Loaded) -> serde_json::Value {
    let lab = &loaded.lab;
    json!({
        "lab": lab.lab,
        "title": lab.title,
        "summary": lab.summary,
        "level": lab.level,
        "time": lab.time,
        "steps": lab.steps.iter().map(|s| &s.id).collect::<Vec<_>>(),
    })
}
