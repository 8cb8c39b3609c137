//! Where the tools are: in the bundle, then on `PATH`.

use std::path::PathBuf;

use super::settings::Settings;
use crate::{state::Bundle, tool::Toolbox};

/// The programs that labctl wraps.
const WRAPPED: [&str; 4] = ["docker", "helm", "kind", "kubectl"];

/// Finds the tools. One that is not found is missing in the box, and is named when it is needed.
pub(crate) fn find(settings: &Settings, bundle: Option<&Bundle>) -> Toolbox {
    let mut toolbox = Toolbox::default();
    for name in WRAPPED {
        let on_path = || which::which_in(name, Some(&settings.path), &settings.cwd).ok();
        if let Some(path) = bundled(bundle, name).or_else(on_path) {
            toolbox.programs.insert(name.to_owned(), path);
        }
    }
    toolbox
}

fn bundled(bundle: Option<&Bundle>, name: &str) -> Option<PathBuf> {
    let bundle = bundle?;
    let tool = bundle.index.tools.iter().find(|tool| tool.name == name)?;
    Some(bundle.dir.join(&tool.path))
}
