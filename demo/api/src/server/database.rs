//! The database, by a new connection for each request: a fault on the way to it hits each request
//! by itself, and no pool hides it. How many there are at the same time is bounded: a database that is
//! slow for a moment is not asked for more connections than it has, which would fail all of them.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::http::StatusCode;
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_postgres::{Client, Config, Error, NoTls, Row, config::SslMode, error::SqlState};

use super::reply::Refusal;
use crate::chain;

/// How many entries a list holds at most; the newest.
pub const LISTED: i64 = 100;

/// For `pg_advisory_xact_lock`: who creates the table holds it.
const CREATION_LOCK: i64 = 0x006c_6162_6374_6c00;

/// How long a connection may take to say goodbye once the answer is known.
const GOODBYE: Duration = Duration::from_millis(500);

const CREATE: &str = "CREATE TABLE IF NOT EXISTS entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL,
    pod text NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp())";
const COLUMNS: &str = "id, text, pod, \
    to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";

/// Where the database is, and how long it may take.
#[derive(Debug, Clone)]
pub struct Database {
    config: Config,
    timeout: Duration,
    /// A permit for each connection that may be open.
    turns: Arc<Semaphore>,
    connections: usize,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Rises with time.
    pub id: i64,
    /// What somebody wrote.
    pub text: String,
    /// The pod that wrote it into the database.
    pub pod: String,
    /// When, as RFC 3339.
    pub created: String,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            text: row.get(1),
            pod: row.get(2),
            created: row.get(3),
        }
    }
}

/// One thing to do on a connection.
enum Task<'a> {
    List,
    Add { text: &'a str, pod: &'a str },
}

impl Database {
    /// `config` without time limits; `connect` bounds the connection, `total` all of a request, the
    /// wait for one of so many `connections` at the same time included.
    #[must_use]
    pub fn new(mut config: Config, connect: Duration, total: Duration, connections: u16) -> Self {
        let connections = usize::from(connections);
        config.connect_timeout(connect).ssl_mode(SslMode::Disable);
        Self {
            config,
            timeout: total,
            turns: Arc::new(Semaphore::new(connections)),
            connections,
        }
    }

    /// The newest entries, the newest first.
    pub async fn list(&self) -> Result<Vec<Entry>, Refusal> {
        self.run(Task::List).await
    }

    /// Adds an entry.
    pub async fn add(&self, text: &str, pod: &str) -> Result<Entry, Refusal> {
        let added = self.run(Task::Add { text, pod }).await?;
        let none = || unavailable("database-query", "the database returned no row".to_owned());
        added.into_iter().next().ok_or_else(none)
    }

    async fn run(&self, task: Task<'_>) -> Result<Vec<Entry>, Refusal> {
        let began = Instant::now();
        let mut waited = None;
        let done = timeout(self.timeout, async {
            // It is never closed: a turn comes.
            let _turn = self.turns.acquire().await;
            waited = Some(began.elapsed());
            self.on_a_connection(task).await
        });
        let Ok(done) = done.await else {
            let limit = self.timeout.as_secs_f64();
            let waited = waited.unwrap_or(self.timeout);
            let mut message = format!("the database did not answer within {limit} s");
            if waited > self.timeout / 2 {
                let (all, waited) = (self.connections, waited.as_secs_f64());
                message = format!(
                    "{message}: none of the {all} connections to it was free for {waited:.1} s"
                );
            }
            return Err(unavailable("database-timeout", message));
        };
        done
    }

    async fn on_a_connection(&self, task: Task<'_>) -> Result<Vec<Entry>, Refusal> {
        let (client, connection) = self.config.connect(NoTls).await.map_err(|e| {
            let message = format!("the database cannot be reached: {}", chain(&e));
            unavailable("database-connect", message)
        })?;
        let failed = |error: &Error| {
            let message = format!("the database failed: {}", chain(error));
            unavailable("database-query", message)
        };
        let mut connection = pin!(connection);
        let rows = tokio::select! {
            // First the connection: if it breaks, it knows why, and the query only that it did.
            biased;
            end = &mut connection => match end {
                Err(error) => return Err(failed(&error)),
                Ok(()) => return Err(unavailable(
                    "database-query", "the database closed the connection".to_owned())),
            },
            rows = task.run(&client) => rows.map_err(|e| failed(&e))?,
        };
        drop(client);
        // The answer is known: how the goodbye goes changes nothing about it.
        let _ = timeout(GOODBYE, connection).await;
        Ok(rows.into_iter().map(Entry::from).collect())
    }
}

impl Task<'_> {
    /// Runs the statement. Where the table is missing, it is made first: a new database needs no
    /// preparation, and one that was replaced meanwhile does not either.
    async fn run(&self, client: &Client) -> Result<Vec<Row>, Error> {
        match self.statement(client).await {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                create_table(client).await?;
                self.statement(client).await
            }
            done => done,
        }
    }

    async fn statement(&self, client: &Client) -> Result<Vec<Row>, Error> {
        match self {
            Self::List => {
                let sql = format!("SELECT {COLUMNS} FROM entries ORDER BY id DESC LIMIT {LISTED}");
                client.query(&sql, &[]).await
            }
            Self::Add { text, pod } => {
                let sql =
                    format!("INSERT INTO entries (text, pod) VALUES ($1, $2) RETURNING {COLUMNS}");
                client.query(&sql, &[text, pod]).await
            }
        }
    }
}

/// `CREATE TABLE IF NOT EXISTS` fails for one of two that do it at the same time; so they take turns.
async fn create_table(client: &Client) -> Result<(), Error> {
    let sql = format!("BEGIN; SELECT pg_advisory_xact_lock({CREATION_LOCK}); {CREATE}; COMMIT");
    client.batch_execute(&sql).await
}

fn unavailable(kind: &'static str, message: String) -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind,
        message,
    }
}
