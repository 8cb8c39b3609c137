//! One request, on a connection of its own or on one that is kept.

use std::io::{Error, ErrorKind};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinHandle,
    time::timeout,
};

use super::{Plan, tally::Outcome};

/// The connection of a worker.
#[derive(Debug, Default)]
pub(super) struct Connection {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    pub(super) async fn request(&mut self, plan: &Plan) -> Outcome {
        let outcome = timeout(plan.timeout, self.send(plan)).await;
        let outcome = outcome.unwrap_or(Outcome::Error("timeout"));
        // After an error nobody knows what the connection is in the middle of.
        if !plan.keep_alive || matches!(outcome, Outcome::Error(_)) {
            self.open = None;
        }
        outcome
    }

    async fn send(&mut self, plan: &Plan) -> Outcome {
        let open = match self.ready(plan).await {
            Ok(open) => open,
            Err(kind) => return Outcome::Error(kind),
        };
        let Ok(request) = request(plan) else {
            return Outcome::Error("request");
        };
        let answer = match open.sender.send_request(request).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Error(kind_of(&error)),
        };
        let status = answer.status().as_u16();
        let pod = answer.headers().get("x-pod");
        let pod = pod.and_then(|v| v.to_str().ok()).map(str::to_owned);
        let mut body = answer.into_body();
        // An answer counts once all of it is there; a frame at a time, so that none is kept.
        while let Some(frame) = body.frame().await {
            if let Err(error) = frame {
                return Outcome::Error(kind_of(&error));
            }
        }
        Outcome::Answer { status, pod }
    }

    /// The kept connection if it is still good, or a new one.
    async fn ready(&mut self, plan: &Plan) -> Result<&mut Open, &'static str> {
        let kept = match self.open.take() {
            Some(mut open) => open.sender.ready().await.is_ok().then_some(open),
            None => None,
        };
        let open = match kept {
            Some(open) => open,
            None => connect(plan).await?,
        };
        Ok(self.open.insert(open))
    }
}

async fn connect(plan: &Plan) -> Result<Open, &'static str> {
    let target = &plan.target;
    // Looked up each time: a name may mean another address by now.
    let addresses = lookup_host((target.host.as_str(), target.port)).await;
    let addresses: Vec<_> = addresses.map_err(|_| "dns")?.collect();
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.map_err(|e| io_kind(&e))?;
    // Without it a small request may wait for an acknowledgement; the connection works all the same.
    let _ = stream.set_nodelay(true);
    let shaken = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|e| kind_of(&e))?;
    let driver = tokio::spawn(async move {
        // Its error reaches the request as well.
        let _ = connection.await;
    });
    Ok(Open { sender, driver })
}

fn request(plan: &Plan) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::builder()
        .uri(&plan.target.path)
        .header(header::HOST, &plan.target.authority)
        .header(header::USER_AGENT, "demo-load");
    if !plan.keep_alive {
        request = request.header(header::CONNECTION, "close");
    }
    match &plan.body {
        None => request.body(Full::default()),
        Some(body) => request
            .method("POST")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.clone())),
    }
}

/// What a failed request is counted as.
fn kind_of(error: &hyper::Error) -> &'static str {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<Error>() {
            return io_kind(error);
        }
        next = cause.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "closed";
    }
    "protocol"
}

fn io_kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "reset"
        }
        ErrorKind::TimedOut => "timeout",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
        ErrorKind::UnexpectedEof => "closed",
        _ => "io",
    }
}
