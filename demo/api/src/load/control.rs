//! A small endpoint of a load that runs on, for reports, and the client of it: the image has no
//! other.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    routing::{get, post},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1::handshake, header};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::SharedTally;
use crate::chain;

/// How large a report may be, in bytes.
const LARGEST: usize = 1024 * 1024;

/// How long the endpoint may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves `GET /report`, `POST /restart` (which answers with the report until then) and
/// `GET /healthz`.
pub async fn control(listener: TcpListener, tally: SharedTally) -> io::Result<()> {
    let reported = tally.clone();
    let routes = Router::new()
        .route("/report", get(async move || Json(reported.report())))
        .route("/restart", post(async move || Json(tally.restart())))
        .route("/healthz", get(async || "ok"));
    axum::serve(listener, routes).await
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nothing answers there.
    #[error("no load answers at {address}: {why}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// Why.
        why: String,
    },
    /// Something else answers there.
    #[error("what answers at {address} is no load: {why}")]
    Stranger {
        /// Where.
        address: SocketAddr,
        /// What it answered.
        why: String,
    },
}

/// The report of the load whose endpoint is at `address`, as JSON; `restart` lets it begin anew.
pub async fn fetch(address: SocketAddr, restart: bool) -> Result<String, ControlError> {
    let unreachable = |why: String| ControlError::Unreachable { address, why };
    let stranger = |why: String| ControlError::Stranger { address, why };
    let talk = async {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|e| unreachable(e.to_string()))?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|e| unreachable(chain(&e)))?;
        let (method, path) = if restart {
            ("POST", "/restart")
        } else {
            ("GET", "/report")
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string())
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new());
        let request = request.map_err(|e| stranger(e.to_string()))?;
        let answer = async {
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|e| stranger(chain(&e)))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|e| stranger(e.to_string()))?.to_bytes();
            match String::from_utf8(body.into()) {
                Ok(text) if status == StatusCode::OK => Ok(text),
                _ => Err(stranger(format!("status {status}"))),
            }
        };
        // The connection is driven beside the answer; its error reaches the answer as well.
        let (answer, _) = tokio::join!(answer, connection);
        answer
    };
    timeout(PATIENCE, talk)
        .await
        .unwrap_or_else(|_| Err(unreachable("it took too long".to_owned())))
}
