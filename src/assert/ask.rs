//! HTTP requests from this machine. Each request has a connection of its own: a connection that is
//! kept leads to the same pod for as long as the connection lives.

use std::{
    collections::BTreeMap,
    error::Error,
    io,
    time::{Duration, Instant},
};

use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{
    observed::{Answer, NoAnswer},
    text::innermost,
};
use crate::spec::request;

/// The time limits for a connection and for the whole of a request.
const CONNECT: Duration = Duration::from_secs(1);
const WHOLE: Duration = Duration::from_secs(3);
/// The longest delay after which a machine that keeps up notices the end of a wait.
const BUSY: Duration = Duration::from_millis(500);
/// The size of a body, in bytes, above which reading stops.
const LARGEST: usize = 64 << 10;

/// Sends `request` to the port `host` of this machine and returns the answer.
pub(super) async fn ask(host: u16, request: &request::Request) -> Answer {
    let began = Instant::now();
    let asked = tokio::time::timeout(WHOLE, settled(host, request)).await;
    asked.unwrap_or_else(|_| late(began.elapsed()))
}

/// Returns the answer for a request without an answer within [`WHOLE`], noticed after `took`. A
/// machine that notices the end of the wait too late is itself the cause.
fn late(took: Duration) -> Answer {
    let message = format!("no answer within {} s", WHOLE.as_secs());
    if took < WHOLE + BUSY {
        return Answer::None(NoAnswer::Late, message);
    }
    let took = took.as_secs_f64();
    let message = format!("{message}, noticed after {took:.1} s: this machine is too busy");
    Answer::None(NoAnswer::Local, message)
}

async fn settled(host: u16, request: &request::Request) -> Answer {
    match answer(host, request).await {
        Ok(answer) => answer,
        Err(error) => {
            let mut source: Option<&(dyn Error + 'static)> = Some(&*error);
            let (mut refused, mut connected) = (false, true);
            while let Some(error) = source {
                let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
                refused |= kind == Some(io::ErrorKind::ConnectionRefused);
                let of_client = error.downcast_ref::<ClientError>();
                connected &= !of_client.is_some_and(ClientError::is_connect);
                source = error.source();
            }
            // On loopback, only this machine can make a connection fail.
            let how = match (refused, connected) {
                (true, _) => NoAnswer::Refused,
                (false, false) => NoAnswer::Local,
                (false, true) => NoAnswer::Closed,
            };
            Answer::None(how, innermost(&*error))
        }
    }
}

async fn answer(
    host: u16,
    asked: &request::Request,
) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .retry_canceled_requests(false)
        .build::<_, Empty<&[u8]>>(connector);
    let mut request = Request::builder()
        .method(asked.method.as_str())
        .uri(format!("http://127.0.0.1:{host}{}", asked.path))
        .header(
            header::USER_AGENT,
            concat!("labctl/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close");
    if let Some(name) = &asked.host {
        request = request.header(header::HOST, name);
    }
    let answer = client.request(request.body(Empty::new())?).await?;
    let status = answer.status().as_u16();
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<String, String> = answer
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let (mut body, mut bytes) = (answer.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            bytes.extend_from_slice(data);
        }
        if bytes.len() > LARGEST {
            break;
        }
    }
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer::Given {
        status,
        headers,
        body,
    })
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Sends a request to a port that replies `said` to the first client, and returns the answer
    /// and the text of the request.
    async fn asked(said: &'static str) -> (Answer, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        let http = crate::assert::fixture::http("{port: http, host: shop.localhost, path: /a?b=c}");
        futures::future::join(ask(port, &http.request()), server).await
    }

    #[tokio::test]
    async fn an_answer_is_read_with_its_status_headers_and_body() {
        let (answer, request) =
            asked("HTTP/1.1 503 No\r\nServer: nginx\r\nContent-Length: 2\r\n\r\nno").await;
        let headers = [("server", "nginx"), ("content-length", "2")];
        let expected = Answer::Given {
            status: 503,
            headers: headers.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            body: "no".to_owned(),
        };
        assert_eq!(answer, expected);
        assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
        let lines = request.to_ascii_lowercase();
        assert_eq!(lines.matches("host:").count(), 1, "{request}");
        assert!(lines.contains("host: shop.localhost\r\n"), "{request}");
        assert!(lines.contains("connection: close\r\n"), "{request}");
    }

    #[test]
    fn what_a_busy_machine_notices_late_is_not_the_servers_fault() {
        let on_time = late(WHOLE + BUSY / 2);
        assert!(
            matches!(on_time, Answer::None(NoAnswer::Late, _)),
            "{on_time:?}"
        );
        let Answer::None(NoAnswer::Local, why) = late(WHOLE + 2 * BUSY) else {
            panic!("it is this machine's");
        };
        assert_eq!(
            why,
            "no answer within 3 s, noticed after 4.0 s: this machine is too busy"
        );
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_or_refused_is_told_apart() {
        for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"] {
            let (answer, _) = asked(said).await;
            assert!(
                matches!(answer, Answer::None(NoAnswer::Closed, _)),
                "{answer:?}"
            );
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let http = crate::assert::fixture::http("{port: http}");
        let answer = ask(port, &http.request()).await;
        assert!(
            matches!(answer, Answer::None(NoAnswer::Refused, _)),
            "{answer:?}"
        );
    }
}
