//! `labctl shell`

use std::{env, fs, path::Path};

use super::env::{ToolsDirs, lent_kubeconfig, tools_dirs, variable};
use crate::{
    cli::{
        args::Shell, error::CliError, exit, output, session, settings::Settings, standing, tools,
    },
    state::{Environment, Journal},
    tool::{Invocation, kubeconfig},
};

/// Starts a shell, or a command, in an environment.
pub(crate) fn run(args: &Shell, settings: &Settings) -> Result<u8, CliError> {
    let environment = session::found(settings, args.lab.as_deref())?;
    let kubeconfig = lent_kubeconfig(&environment)?;
    let bundle = session::bundle_of(&environment);
    let mut toolbox = tools::find(settings, bundle.as_ref());
    let ToolsDirs { before, behind } = tools_dirs(&environment, settings)?;
    let dirs = before.into_iter().chain(env::split_paths(&settings.path));
    let dirs = dirs.chain(behind);
    let path = env::join_paths(dirs).map_err(CliError::internal)?;
    let (program, rest) = match args.command.split_first() {
        Some((program, rest)) => (program.as_str(), rest),
        None => (settings.shell.as_str(), &[][..]),
    };
    let found = which::which_in(program, Some(&path), &settings.cwd).map_err(|_| {
        let error = anyhow::anyhow!("{program} is not installed, or not on PATH");
        CliError::new(exit::TOOL, error)
    })?;
    toolbox.programs.insert(program.to_owned(), found);
    toolbox.kubectl_cache = Some(environment.kubectl_cache());
    if args.command.is_empty() && settings.draws {
        output::tell(&greeting(&environment, &kubeconfig));
    }
    standing::tell_trouble(&environment, settings);
    let mut shell = Invocation::new(program, rest)
        .env("KUBECONFIG", kubeconfig.to_string_lossy())
        .env("PATH", path.to_string_lossy())
        .env("LABCTL_ENVIRONMENT", environment.name().as_str());
    let state = Journal::read(&environment.journal())?.state;
    for port in standing::ports(&state) {
        shell = shell.env(&variable(&port), port.host.to_string());
    }
    let code = toolbox
        .interactive(&shell)
        .map_err(|error| CliError::new(exit::TOOL, error))?;
    Ok(u8::try_from(code).unwrap_or(exit::FAILED))
}

/// Returns the greeting, which says which cluster kubectl talks to.
fn greeting(environment: &Environment, lent: &Path) -> String {
    let (name, context) = (environment.name(), environment.context());
    let text = fs::read_to_string(lent).unwrap_or_default();
    match kubeconfig::current_context(&text) {
        Some(chosen) if chosen != context => format!(
            "kubectl talks to the context {chosen}, which was chosen here before; `kubectl config \
             use-context {context}` goes back to the environment \"{name}\"; `exit` leaves it\n"
        ),
        _ => format!("kubectl now talks to the environment \"{name}\" only; `exit` leaves it\n"),
    }
}
