//! `labctl show`

use std::fmt::Write;

use crate::{
    cli::{
        args::{Format, OfLab},
        error::CliError,
        exit,
        labs::{self, Loaded},
        output, session,
        settings::Settings,
        values,
    },
    event::Redactor,
    spec::Secrets,
};

/// Shows a lab.
pub(crate) fn run(args: &OfLab, settings: &Settings) -> Result<u8, CliError> {
    let loaded = labs::load(&args.lab, settings)?;
    let (_, existing) = session::of_lab(settings, &loaded.lab.lab)?;
    let loaded = values::shown_with(loaded, &args.set, existing.as_ref())?;
    let Loaded {
        lab, tree, chosen, ..
    } = loaded;
    let secrets = Secrets::of_lab(&tree);
    let redactor = Redactor::new(&secrets.values, &secrets.public);
    if settings.output == Format::Json {
        let mut answer = serde_json::to_value(&lab).map_err(CliError::internal)?;
        if !chosen.is_empty() {
            answer["set"] = serde_json::json!(chosen);
        }
        output::redacted_json(&answer, &redactor)?;
        return Ok(exit::OK);
    }
    let mut text = format!("{}  {}\n{}, {}\n", lab.lab, lab.title, lab.level, lab.time);
    if let Some(summary) = &lab.summary {
        let _ = writeln!(text, "\n{}", summary.trim());
    }
    for (name, param) in &lab.params {
        let (value, choices) = (&chosen[name], param.choices.join(", "));
        let _ = writeln!(text, "\n--set {name}={value}: {}", param.about.trim());
        let _ = writeln!(text, "  one of {choices}; {} by default", param.default);
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
