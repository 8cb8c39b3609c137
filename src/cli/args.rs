//! The arguments, as they are typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::exit;
use crate::spec::Within;

/// Brings Kubernetes workshop labs up, proves them, and resets them
#[derive(Debug, Parser)]
#[command(name = "labctl", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every verb.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// How results are printed; `json` prints one event a line for `up`, `next`, `heal` and `down`
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
    /// The environment; by default `lab-` and the lab's id
    #[arg(long = "env", global = true, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Where environments are kept; by default `labctl` in the user's state directory
    #[arg(long, global = true, env = "LABCTL_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Let the environment's kubeconfig run a program to log in (`exec`, `auth-provider`)
    #[arg(long, global = true)]
    pub(crate) allow_login_program: bool,
    /// Show more: what commands print, and what passed
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring a lab up: each step, in order, unless it was done and still holds
    Up(Up),
    /// Bring a lab one step further, with that step's text
    Next(Next),
    /// Check every expectation that lasts; changes nothing in the cluster
    Verify(Verify),
    /// Show the environments and how far each is
    Status(OfEnvironment),
    /// Take back the faults that are open, such as a drained node
    Heal(Changing),
    /// Put an environment back to what it was when a step was verified: undo what was changed since
    Reset(Reset),
    /// Pause an environment: stop its cluster's containers, and keep everything
    Stop(Changing),
    /// Bring an environment's cluster back, after `stop` or a restart of the container engine
    Start(Start),
    /// Remove an environment: its cluster, its network, its files
    Down(Changing),
    /// List the labs, and the environments of each
    List,
    /// Show a lab: its steps, and what they teach
    Show(OfLab),
    /// Show every command and manifest of a lab; runs nothing
    Plan(Plan),
    /// Check a lab's files
    Validate(Validate),
    /// Print the variables that point kubectl at an environment
    Env(OfEnvironment),
    /// Start a shell, or a command, in which kubectl is pointed at an environment
    Shell(Shell),
    /// Show what the last run did
    Logs(Logs),
}

/// Options of what can have values for a lab's parameters.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Set {
    /// Choose a value for a parameter of the lab; `labctl show` tells which there are
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (name, value) = pair.ok_or("NAME=VALUE is needed")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `labctl up`
#[derive(Debug, ClapArgs)]
pub(crate) struct Up {
    /// The lab: its id, the beginning of it, a directory, a .tar or .tar.gz, or a URL of one
    pub(crate) lab: String,
    /// Stop after this step
    #[arg(long, value_name = "STEP")]
    pub(crate) to: Option<String>,
    /// Run the lab without asking, wherever it comes from
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) set: Set,
    #[command(flatten)]
    pub(crate) bundled: Bundled,
    #[command(flatten)]
    pub(crate) scale: Scale,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `labctl next`
#[derive(Debug, ClapArgs)]
pub(crate) struct Next {
    /// The lab; may be left away if there is one environment only
    pub(crate) lab: Option<String>,
    /// Run the lab without asking, wherever it comes from
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) set: Set,
    #[command(flatten)]
    pub(crate) bundled: Bundled,
    #[command(flatten)]
    pub(crate) scale: Scale,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// Options of what has an environment for itself.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct Waiting {
    /// If another labctl uses the environment, wait until it is done, or this long at most (10m)
    #[arg(
        long,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = wait
    )]
    pub(crate) wait: Option<Wait>,
}

/// The longest wait for another labctl; without a limit if none is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait(pub(crate) Option<Within>);

fn wait(text: &str) -> Result<Wait, String> {
    if text.is_empty() {
        return Ok(Wait(None));
    }
    text.parse().map(|limit| Wait(Some(limit)))
}

/// Options of what can use a bundle.
#[derive(Debug, ClapArgs)]
pub(crate) struct Bundled {
    /// Take images and tools from this bundle, and reach for nothing else
    #[arg(long, env = "LABCTL_BUNDLE", value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
}

/// Options of what waits.
#[derive(Debug, ClapArgs)]
pub(crate) struct Scale {
    /// Multiply every deadline by this, on a slow machine
    #[arg(long, env = "LABCTL_TIMEOUT_SCALE", default_value_t = 1.0, value_name = "X", value_parser = scale)]
    pub(crate) timeout_scale: f64,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.1..=100.0).contains(&x) => Ok(x),
        _ => Err("a number from 0.1 to 100 is needed".to_owned()),
    }
}

/// `labctl verify`
#[derive(Debug, ClapArgs)]
pub(crate) struct Verify {
    /// The lab; may be left away if there is one environment only
    pub(crate) lab: Option<String>,
    /// Judge the lab up to this step only
    #[arg(long, value_name = "STEP")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// The arguments of verbs that change an environment, and need nothing else to be said.
#[derive(Debug, ClapArgs)]
pub(crate) struct Changing {
    /// The lab; may be left away if there is one environment only
    pub(crate) lab: Option<String>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `labctl reset`
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, ClapArgs)]
pub(crate) struct Reset {
    /// The lab; may be left away if there is one environment only
    #[arg(conflicts_with = "all")]
    pub(crate) lab: Option<String>,
    /// Go back to this step; by default to the last one that was seen to hold
    #[arg(long, value_name = "STEP")]
    pub(crate) to: Option<String>,
    /// Show what differs, and change nothing
    #[arg(long, conflicts_with_all = ["hard"])]
    pub(crate) dry_run: bool,
    /// Recreate the cluster and do the steps again
    #[arg(long)]
    pub(crate) hard: bool,
    /// Put the lab's data back even where it is unchanged
    #[arg(long, conflicts_with = "hard")]
    pub(crate) data: bool,
    /// Reset every environment
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) scale: Scale,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `labctl start`
#[derive(Debug, ClapArgs)]
pub(crate) struct Start {
    /// The lab; may be left away if there is one environment only
    pub(crate) lab: Option<String>,
    #[command(flatten)]
    pub(crate) scale: Scale,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// The arguments of verbs about an environment.
#[derive(Debug, ClapArgs)]
pub(crate) struct OfEnvironment {
    /// The lab; may be left away if there is one environment only
    pub(crate) lab: Option<String>,
}

/// The arguments of verbs about a lab.
#[derive(Debug, ClapArgs)]
pub(crate) struct OfLab {
    /// The lab: its id, the beginning of it, a directory, a .tar or .tar.gz, or a URL of one
    pub(crate) lab: String,
    #[command(flatten)]
    pub(crate) set: Set,
}

/// `labctl plan`
#[derive(Debug, ClapArgs)]
pub(crate) struct Plan {
    /// The lab: its id, the beginning of it, a directory, a .tar or .tar.gz, or a URL of one
    pub(crate) lab: String,
    #[command(flatten)]
    pub(crate) set: Set,
    #[command(flatten)]
    pub(crate) bundled: Bundled,
}

/// `labctl validate`
#[derive(Debug, ClapArgs)]
pub(crate) struct Validate {
    /// The lab's directory, its lab.yaml, a .tar or .tar.gz, or a URL of one
    pub(crate) path: PathBuf,
}

/// `labctl shell`
#[derive(Debug, ClapArgs)]
pub(crate) struct Shell {
    /// The lab; may be left away if there is one environment only
    pub(crate) lab: Option<String>,
    /// A command to run instead of a shell
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// `labctl logs`
#[derive(Debug, ClapArgs)]
pub(crate) struct Logs {
    /// The lab; may be left away if there is one environment only
    pub(crate) lab: Option<String>,
    /// Show every run that is kept, the oldest first
    #[arg(long)]
    pub(crate) all: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
