//! A server on a port of its own, and a client that sees everything of an answer.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test file uses a part

use std::{net::SocketAddr, time::Duration};

pub use demo_api::server::Drain;
use demo_api::server::{Database, Shared, serve};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

pub const NO_DRAIN: Drain = Drain {
    delay: Duration::ZERO,
    limit: Duration::from_secs(10),
};

/// The number of connections to the database that an API has.
pub const CONNECTIONS: u16 = 4;

/// A running API. Dropping `stop` is SIGTERM to it.
pub struct Api {
    pub address: SocketAddr,
    pub stop: Option<oneshot::Sender<()>>,
    pub end: JoinHandle<std::io::Result<bool>>,
}

impl Api {
    pub async fn start(database: SocketAddr, drain: Drain) -> Self {
        let mut config = tokio_postgres::Config::new();
        config.host(database.ip().to_string()).port(database.port());
        config.user("nobody");
        let second = Duration::from_secs(1);
        let shared = Shared::new(Database::new(config, second, second, CONNECTIONS), "api-0");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let end = tokio::spawn(serve(listener, shared, until, drain));
        Self {
            address,
            stop: Some(stop),
            end,
        }
    }

    pub async fn ask(&self, request: &str, body: &str) -> Answer {
        ask(self.address, request, body).await
    }
}

/// An address at which nothing listens.
pub async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// `request` is the method, the path, and further headers in lines of their own.
pub async fn ask(address: SocketAddr, request: &str, body: &str) -> Answer {
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let headers = headers.replace('\n', "\r\n");
    let end = if headers.is_empty() { "" } else { "\r\n" };
    let text = format!(
        "{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n{headers}{end}\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}
