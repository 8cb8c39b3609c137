//! One request, for its answer.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1::handshake, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{chain, load::Target};

/// The most that is read of an answer, in bytes.
const LARGEST: usize = 64 << 10;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `target` answers, and with which status; an error in words if it does not.
pub async fn get(target: &Target) -> Result<(StatusCode, Bytes), String> {
    let ask = async {
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await;
        let stream = stream.map_err(|e| e.to_string())?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|e| chain(&e))?;
        let request = Request::builder()
            .uri(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::USER_AGENT, "demo-get")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        let answer = async {
            let answer = sender.send_request(request).await.map_err(|e| chain(&e))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|e| e.to_string())?.to_bytes();
            Ok((status, body))
        };
        // The connection is driven beside the answer; its error reaches the answer as well.
        tokio::join!(answer, connection).0
    };
    let answer = timeout(PATIENCE, ask).await;
    answer
        .unwrap_or_else(|_| Err("it took too long".to_owned()))
        .map_err(|why| format!("no answer of {}: {why}", target.url))
}
