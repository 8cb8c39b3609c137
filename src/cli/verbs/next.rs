//! `labctl next`

use super::up::{Bringing, bring};
use crate::{
    cli::{args::Next, error::CliError, labs, session, settings::Settings, trust, values},
    engine::steps::up::Goal,
};

/// Brings a lab one step further.
pub(crate) fn run(args: &Next, settings: &Settings) -> Result<u8, CliError> {
    let (loaded, name, existing) = if let Some(lab) = &args.lab {
        let loaded = labs::load(lab, settings)?;
        let (name, existing) = session::of_lab(settings, &loaded.lab.lab)?;
        if let Some(existing) = &existing {
            trust::same_origin(lab, &loaded, existing)?;
        }
        (loaded, name, existing)
    } else {
        let environment = session::find(settings, None)?;
        let loaded = session::applied_lab(&environment)?;
        (loaded, environment.name().to_owned(), Some(environment))
    };
    let loaded = values::settle(loaded, &args.set, existing.as_ref())?;
    let run = Bringing {
        verb: "next",
        goal: Goal::Next,
        name,
        existing,
        bundled: &args.bundled,
        scale: &args.scale,
        wait: args.waiting.wait,
        called: args.lab.as_deref().unwrap_or_default(),
        asks: !args.trust,
    };
    bring(run, loaded, settings)
}
