//! `labctl env`

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    cli::{
        args::{Format, OfEnvironment},
        error::CliError,
        exit, output, session,
        settings::Settings,
        standing,
    },
    engine::cluster::kubeconfig,
    event::Port,
    spec::tool::WRAPPED,
    state::{Environment, Journal},
    tool::invocation::quote,
};

/// Prints the variables of an environment, for `eval "$(labctl env)"`.
pub(crate) fn run(args: &OfEnvironment, settings: &Settings) -> Result<u8, CliError> {
    let environment = session::found(settings, args.lab.as_deref())?;
    let kubeconfig = lent_kubeconfig(&environment)?;
    let dirs = tools_dirs(&environment, settings)?;
    let tools: Vec<&PathBuf> = dirs.before.iter().chain(&dirs.behind).collect();
    let ports = standing::ports(&Journal::read(&environment.journal())?.state);
    match settings.output {
        Format::Json => output::json(&json!({
            "environment": environment.name(),
            "kubeconfig": kubeconfig,
            "tools": tools,
            "ports": ports,
        }))?,
        Format::Text => {
            standing::tell_trouble(&environment, settings);
            let export = |path: &Path| quote(&path.to_string_lossy()).into_owned();
            let mut text = format!("export KUBECONFIG={}\n", export(&kubeconfig));
            if let Some(dir) = &dirs.before {
                let _ = writeln!(text, "export PATH={}:\"$PATH\"", export(dir));
            }
            if let Some(dir) = &dirs.behind {
                let _ = writeln!(text, "export PATH=\"$PATH\":{}", export(dir));
            }
            for port in &ports {
                let _ = writeln!(text, "export {}={}", variable(port), port.host);
            }
            output::exactly(&text)?;
        }
    }
    Ok(exit::OK)
}

/// Returns the name of the variable for the number of `port`: `LABCTL_PORT_HTTP`.
pub(crate) fn variable(port: &Port) -> String {
    let name = port.name.to_ascii_uppercase().replace('-', "_");
    format!("LABCTL_PORT_{name}")
}

/// Returns the kubeconfig that students of the environment work with. Fails if its cluster was
/// never created.
pub(crate) fn lent_kubeconfig(environment: &Environment) -> Result<PathBuf, CliError> {
    let lab = session::applied_lab_or_unknown(environment).lab;
    let lent = kubeconfig::lend(environment, &lab.namespace)?;
    lent.ok_or_else(|| no_cluster(environment))
}

/// Returns the error that the environment's cluster was never created.
pub(crate) fn no_cluster(environment: &Environment) -> CliError {
    let name = environment.name();
    let error = anyhow::anyhow!("the environment \"{name}\" has no cluster yet");
    let hint = format!("`labctl up {}` makes it", environment.call());
    CliError::new(exit::UNREACHABLE, error).hint(hint)
}

/// The directories of tools, by their place in `PATH`.
pub(crate) struct ToolsDirs {
    /// The copies of the bundle's programs, before the user's own: the user chose that bundle.
    pub(crate) before: Option<PathBuf>,
    /// The tools that the lab brought, behind the user's own: programs of the same names that the
    /// user has are still found first.
    pub(crate) behind: Option<PathBuf>,
}

/// Returns the directories of tools beside the user's own `PATH`.
pub(crate) fn tools_dirs(
    environment: &Environment,
    settings: &Settings,
) -> Result<ToolsDirs, CliError> {
    let bundle = session::bundle_of(environment);
    let copies = bundle.map(|bundle| settings.store.programs(&bundle, WRAPPED));
    Ok(ToolsDirs {
        before: copies.transpose()?.flatten().map(|programs| programs.dir),
        behind: Some(environment.tools()).filter(|dir| dir.is_dir()),
    })
}
