//! The settings, resolved once: from arguments, the environment of the process and the terminal.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment of the process is read"
)]

use std::{
    env,
    ffi::OsString,
    io::{IsTerminal, stderr, stdin, stdout},
    path::PathBuf,
};

use anyhow::Context as _;
use etcetera::BaseStrategy;

use super::{
    args::{Format, Global},
    error::CliError,
};
use crate::{
    assert::LoginPrograms,
    spec::{EnvironmentName, name::NameError},
    state::Store,
    tool::helm::SETTINGS,
};

/// The settings of the whole command.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The format of results.
    pub(crate) output: Format,
    /// The environment that the user named.
    pub(crate) environment: Option<EnvironmentName>,
    /// The state directory.
    pub(crate) store: Store,
    /// The permission of a kubeconfig to run a program for the login.
    pub(crate) login_programs: LoginPrograms,
    /// True if there is a user at a terminal who can answer.
    pub(crate) asks: bool,
    /// The number of `-v` options.
    pub(crate) verbosity: u8,
    /// True if standard error is a terminal that can be drawn on.
    pub(crate) draws: bool,
    /// The streams that are coloured.
    pub(crate) colour: Colour,
    /// The working directory.
    pub(crate) cwd: PathBuf,
    /// `PATH`
    pub(crate) path: OsString,
    /// The names of the variables with the user's settings for helm.
    pub(crate) helm: Vec<OsString>,
    /// The user's shell.
    pub(crate) shell: String,
    /// The event at which this labctl kills itself, for tests.
    #[cfg(feature = "failpoints")]
    pub(crate) failpoint: Option<crate::state::failpoint::Failpoint>,
}

/// The use of colour, by stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colour {
    /// True if standard output is coloured.
    pub(crate) stdout: bool,
    /// True if standard error is coloured.
    pub(crate) stderr: bool,
}

impl Settings {
    /// Resolves the settings of this process.
    pub(crate) fn resolve(global: &Global, colour: Colour) -> Result<Self, CliError> {
        let environment = global.environment.as_deref().map(str::parse).transpose();
        let environment: Option<EnvironmentName> =
            environment.map_err(|NameError { text, .. }| {
                let error = anyhow::anyhow!("`{}` cannot name an environment", text.escape_debug());
                let hint = "use lower-case letters, digits and `-`, at most 63 of them";
                CliError::usage(error).hint(hint)
            })?;
        let state_dir = match &global.state_dir {
            Some(dir) => std::path::absolute(dir)
                .with_context(|| format!("the state directory {} is no path", dir.display()))
                .map_err(CliError::usage)?,
            None => default_state_dir()?,
        };
        let cwd = env::current_dir()
            .context("the working directory cannot be read")
            .map_err(CliError::internal)?;
        Ok(Self {
            output: global.output,
            environment,
            store: Store::new(state_dir),
            login_programs: if global.allow_login_program {
                LoginPrograms::Allowed
            } else {
                LoginPrograms::Refused
            },
            asks: stdin().is_terminal() && stderr().is_terminal(),
            verbosity: global.verbose,
            draws: stderr().is_terminal() && !set("CI") && !plain_terminal(),
            colour,
            cwd,
            path: env::var_os("PATH").unwrap_or_default(),
            helm: env::vars_os()
                .map(|(name, _)| name)
                .filter(|name| name.to_string_lossy().starts_with(SETTINGS))
                .collect(),
            shell: env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned()),
            #[cfg(feature = "failpoints")]
            failpoint: failpoint()?,
        })
    }
}

impl Colour {
    /// Resolves the colour of this process's streams: terminals have it, unless `NO_COLOR` is set
    /// or `TERM` is `dumb`.
    pub(crate) fn resolve() -> Self {
        let plain = set("NO_COLOR") || env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            stdout: stdout().is_terminal() && !plain,
            stderr: stderr().is_terminal() && !plain,
        }
    }
}

#[cfg(feature = "failpoints")]
fn failpoint() -> Result<Option<crate::state::failpoint::Failpoint>, CliError> {
    let named = env::var("LABCTL_FAILPOINT").ok();
    let parsed = named.map(|text| text.parse().map_err(anyhow::Error::msg));
    parsed.transpose().map_err(CliError::usage)
}

/// Tests whether the variable `name` is set and not empty.
fn set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn plain_terminal() -> bool {
    env::var_os("TERM").is_none_or(|term| term == "dumb")
}

fn default_state_dir() -> Result<PathBuf, CliError> {
    let base = etcetera::choose_base_strategy()
        .context("the home directory cannot be found")
        .map_err(|e| CliError::usage(e).hint("name a directory with --state-dir"))?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Ok(state.join("labctl"))
}
