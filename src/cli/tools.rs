//! Finding the tools: in the bundle, whose programs are run as copies, then on `PATH`.

use std::{path::Path, sync::Arc};

use super::settings::Settings;
use crate::{
    event::Failure,
    spec::{Action, Lab, ToolName, tool::WRAPPED},
    state::Bundle,
    tool::Toolbox,
};

/// Finds the tools that labctl wraps. The result lacks those that are not found; they are named
/// when they are needed.
pub(crate) fn find(settings: &Settings, bundle: Option<&Bundle>) -> Toolbox {
    let mut toolbox = Toolbox {
        not_for_helm: settings.helm.clone(),
        offline: bundle.is_some(),
        ..Toolbox::default()
    };
    add(&mut toolbox, WRAPPED, settings, bundle);
    toolbox
}

/// Adds the tools that `lab` brings along, if they exist already. `kept`, the directory of an
/// environment's tools, is the last place that is searched.
pub(crate) fn add_of(
    lab: &Lab,
    toolbox: &mut Toolbox,
    settings: &Settings,
    bundle: Option<&Bundle>,
    kept: Option<&Path>,
) {
    let names = lab.steps.iter().filter_map(|step| match &step.action {
        Action::Tool(tool) => Some(&tool.name),
        _ => None,
    });
    for name in names.clone() {
        let kept = kept
            .map(|dir| dir.join(name.as_str()))
            .filter(|path| path.is_file());
        toolbox
            .programs
            .extend(kept.map(|path| (name.to_string(), path)));
    }
    add(toolbox, names.map(ToolName::as_str), settings, bundle);
}

fn add<'a>(
    toolbox: &mut Toolbox,
    names: impl IntoIterator<Item = &'a str> + Clone,
    settings: &Settings,
    bundle: Option<&Bundle>,
) {
    let copies = bundle.map(|bundle| settings.store.programs(bundle, names.clone()));
    for name in names {
        let bundled = bundle.is_some_and(|bundle| bundle.tool(name).is_some());
        let found = match &copies {
            Some(Err(error)) if bundled => {
                let why = Failure::of(error).in_one_line();
                toolbox.refused.insert(name.to_owned(), why);
                continue;
            }
            Some(Ok(Some(programs))) if bundled => Some(programs.dir.join(name)),
            _ => which::which_in(name, Some(&settings.path), &settings.cwd).ok(),
        };
        if let Some(path) = found {
            toolbox.programs.insert(name.to_owned(), path);
        }
    }
    if let Some(Ok(Some(programs))) = copies {
        toolbox.held.push(Arc::new(programs));
    }
}
