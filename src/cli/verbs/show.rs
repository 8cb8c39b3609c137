//! `labctl show`

use std::fmt::Write;

use crate::{
    cli::{
        args::{Format, OfLab},
        error::CliError,
        exit,
        labs::{self, Loaded},
        output,
        settings::Settings,
    },
    event::Redactor,
    spec::Secrets,
};

/// Shows a lab.
pub(crate) fn run(args: &OfLab, settings: &Settings) -> Result<u8, CliError> {
    let Loaded { lab, tree, .. } = labs::load(&args.lab, settings)?;
    let secrets = Secrets::of_lab(&tree);
    let redactor = Redactor::new(&secrets.values, &secrets.public);
    if settings.output == Format::Json {
        output::redacted_json(&lab, &redactor)?;
        return Ok(exit::OK);
    }
    let mut text = format!("{}  {}\n{}, {}\n", lab.lab, lab.title, lab.level, lab.time);
    if let Some(summary) = &lab.summary {
        let _ = writeln!(text, "\n{}", summary.trim());
    }
    for (index, step) in lab.steps.iter().enumerate() {
        let name = step.action.name();
        let _ = writeln!(
            text,
            "\n{}. {} — {} [{name}]",
            index + 1,
            step.id,
            step.title
        );
        if let Some(teach) = &step.teach {
            let _ = writeln!(text, "\n{}", indented(teach));
        }
        for assertion in step.assertions() {
            let _ = writeln!(text, "   expects {assertion}");
        }
        for assertion in step.throughout() {
            let _ = writeln!(text, "   holds throughout: {assertion}");
        }
    }
    output::answer(&redactor.text(&text))?;
    Ok(exit::OK)
}

fn indented(text: &str) -> String {
    let lines = text.trim_end().lines();
    let indent = |line: &str| {
        if line.is_empty() {
            "\n".to_owned()
        } else {
            format!("   {line}\n")
        }
    };
    lines.map(indent).collect()
}
