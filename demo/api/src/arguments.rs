//! The command line, and the variables that stand for it.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Parser, Subcommand};
use demo_api::{load::Target, seconds};

#[derive(Debug, Parser)]
#[command(name = "demo", version, about = "The application that the labs deploy")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API (also without any command)
    Serve(Serve),
    /// Send requests at a rate; prints one JSON object when it ends
    Load(Load),
    /// Print the report of a `load --listen` that runs on
    Report(Report),
    /// Ask once, and print the answer
    Get(Get),
    /// Do nothing until it is stopped: a place from which `load` can be run
    Idle,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    /// Where to listen
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,
    /// The name that answers carry; by default the host's
    #[arg(long, env = "POD_NAME")]
    pub(crate) pod: Option<String>,
    /// The database's host
    #[arg(long, env = "PGHOST", default_value = "127.0.0.1")]
    pub(crate) database_host: String,
    /// The database's port
    #[arg(long, env = "PGPORT", default_value_t = 5432)]
    pub(crate) database_port: u16,
    /// The user to connect as
    #[arg(long, env = "PGUSER", default_value = "postgres")]
    pub(crate) database_user: String,
    /// Its password; as a variable only, as arguments are seen by everybody on the machine
    #[arg(long, env = "PGPASSWORD", hide = true, hide_env_values = true)]
    pub(crate) database_password: Option<String>,
    /// The database's name; by default the user's
    #[arg(long, env = "PGDATABASE")]
    pub(crate) database: Option<String>,
    /// How long a connection to the database may take to be made
    #[arg(long, env = "DATABASE_CONNECT_TIMEOUT", default_value = "2s", value_parser = seconds)]
    pub(crate) connect_timeout: Duration,
    /// How long the database may take for a request in all
    #[arg(long, env = "DATABASE_TIMEOUT", default_value = "5s", value_parser = seconds)]
    pub(crate) database_timeout: Duration,
    /// The most connections to the database that may be open at the same time
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) database_connections: u16,
    /// How long to go on accepting requests after SIGTERM
    #[arg(long, env = "DRAIN_DELAY", default_value = "0s", value_parser = seconds)]
    pub(crate) drain_delay: Duration,
    /// How long to wait then for requests that have begun
    #[arg(long, env = "DRAIN_LIMIT", default_value = "10s", value_parser = seconds)]
    pub(crate) drain_limit: Duration,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// Where to, such as <http://api:8080/api/entries>
    #[arg(long, env = "LOAD_URL")]
    pub(crate) url: Target,
    /// Requests a second
    #[arg(long, env = "LOAD_RATE", default_value = "20", value_parser = rate)]
    pub(crate) rate: f64,
    /// How many requests are under way at the same time at most
    #[arg(long, env = "LOAD_WORKERS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    /// End after so many requests; without this and --duration it runs until it is stopped
    #[arg(long)]
    pub(crate) requests: Option<u64>,
    /// End after this time
    #[arg(long, value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// POST this entry instead of asking with GET
    #[arg(long, env = "LOAD_TEXT")]
    pub(crate) text: Option<String>,
    /// Each worker keeps its connection; otherwise every request has one of its own
    #[arg(long, env = "LOAD_KEEP_ALIVE")]
    pub(crate) keep_alive: bool,
    /// How long a request may take
    #[arg(long, env = "LOAD_TIMEOUT", default_value = "5s", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Print a report in between, each time this has passed
    #[arg(long, value_parser = seconds)]
    pub(crate) report_every: Option<Duration>,
    /// Answer `demo report` here
    #[arg(long, env = "LOAD_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Report {
    /// Where the load listens
    #[arg(long, env = "LOAD_REPORT", default_value = "127.0.0.1:8081")]
    pub(crate) address: SocketAddr,
    /// Let it begin to count anew
    #[arg(long)]
    pub(crate) restart: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Get {
    /// Whom, such as <http://api:8080/api/whoami>
    pub(crate) url: Target,
}

/// As a timer has a resolution of a millisecond, more than 1000 a second could not be kept.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.01..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number from 0.01 to 1000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
