//! What `demo/README.md` promises of the API, over a loopback connection.

#![allow(missing_docs, clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use std::time::{Duration, Instant};

use support::{Api, CONNECTIONS, NO_DRAIN, ask, closed_port};
use tokio::{io::AsyncReadExt, net::TcpListener};

async fn without_database() -> Api {
    Api::start(closed_port().await, NO_DRAIN).await
}

#[tokio::test]
async fn every_answer_names_the_pod() {
    let api = without_database().await;
    for (request, status) in [
        ("GET /healthz", 200),
        ("GET /api/whoami", 200),
        ("GET /api/entries", 503),
        ("GET /nowhere", 404),
        ("DELETE /api/entries", 405),
    ] {
        let answer = api.ask(request, "").await;
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.head.contains("\r\nx-pod: api-0"), "{answer:?}");
        assert_eq!(answer.json()["pod"], "api-0", "{request}");
    }
    assert!(
        api.ask("GET /metrics", "")
            .await
            .head
            .contains("x-pod: api-0")
    );
}

#[tokio::test]
async fn a_wrong_entry_is_refused_before_the_database_is_asked() {
    let api = without_database().await;
    for body in ["", "no json", r#"{"text": ""}"#, r#"{"words": "x"}"#] {
        let answer = api.ask("POST /api/entries", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["kind"], "bad-request");
        assert!(
            !answer.json()["error"]
                .as_str()
                .unwrap_or_default()
                .is_empty()
        );
    }
    let large = format!(r#"{{"text": "{}"}}"#, "x".repeat(9000));
    let answer = api.ask("POST /api/entries", &large).await;
    assert_eq!(
        (answer.status, &answer.json()["kind"]),
        (413, &"too-large".into())
    );
}

#[tokio::test]
async fn a_database_that_refuses_is_a_503_that_says_so() {
    let api = without_database().await;
    for (request, body) in [
        ("GET /api/entries", ""),
        ("POST /api/entries", r#"{"text": "hi"}"#),
    ] {
        let answer = api.ask(request, body).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["kind"], "database-connect");
        let error = answer.json()["error"].to_string();
        assert!(error.contains("refused"), "{error}");
    }
}

#[tokio::test]
async fn a_database_that_is_silent_is_a_503_within_the_time() {
    // The kernel accepts; nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::start(silent.local_addr().unwrap(), NO_DRAIN).await;
    let begun = Instant::now();
    let answer = api.ask("GET /api/entries", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["kind"], "database-timeout");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn each_request_opens_a_connection_of_its_own() {
    let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::start(database.local_addr().unwrap(), NO_DRAIN).await;
    let accepting = tokio::spawn(async move {
        let mut seen = 0;
        while seen < 3 {
            let (mut stream, _) = database.accept().await.unwrap();
            let mut greeting = [0; 8];
            stream.read_exact(&mut greeting).await.unwrap();
            // Protocol 3.0, and no request for TLS before it.
            assert_eq!(greeting[4..], [0, 3, 0, 0]);
            seen += 1;
        }
        seen
    });
    for _ in 0..3 {
        let answer = api.ask("GET /api/entries", "").await;
        assert_eq!(answer.json()["kind"], "database-connect", "{answer:?}");
    }
    assert_eq!(accepting.await.unwrap(), 3);
}

#[tokio::test]
async fn no_more_connections_are_open_at_a_time_than_it_may_have() {
    // It accepts, and answers nobody: every connection stays for the second that a request has.
    let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::start(database.local_addr().unwrap(), NO_DRAIN).await;
    let address = api.address;
    let asked =
        (0..3 * CONNECTIONS).map(|_| async move { ask(address, "GET /api/entries", "").await });
    let asked: Vec<_> = asked.map(tokio::spawn).collect();
    let mut open = Vec::new();
    // Until the first of them were given up.
    while let Ok(accepted) =
        tokio::time::timeout(Duration::from_millis(500), database.accept()).await
    {
        open.push(accepted.unwrap());
    }
    assert_eq!(open.len(), usize::from(CONNECTIONS));
    let mut waited = 0;
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!(answer.json()["kind"], "database-timeout", "{answer:?}");
        let error = answer.json()["error"].to_string();
        waited += u16::from(error.contains("none of the 4 connections to it was free for 1.0 s"));
    }
    assert_eq!(waited, 2 * CONNECTIONS);
}

#[tokio::test]
async fn health_does_not_ask_the_database() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::start(silent.local_addr().unwrap(), NO_DRAIN).await;
    assert_eq!(api.ask("GET /healthz", "").await.status, 200);
    let connected = tokio::time::timeout(Duration::from_millis(50), silent.accept()).await;
    assert!(connected.is_err(), "the database was connected to");
}

#[tokio::test]
async fn a_mesh_identity_is_shown() {
    let api = without_database().await;
    let caller = api.ask("GET /api/whoami", "").await.json()["caller"].clone();
    assert!(caller["l5d_client_id"].is_null());
    let id = "default.shop.serviceaccount.identity.linkerd.cluster.local";
    let request = format!("GET /api/whoami\nl5d-client-id: {id}");
    assert_eq!(
        api.ask(&request, "").await.json()["caller"]["l5d_client_id"],
        id
    );
}

#[tokio::test]
async fn metrics_count_by_method_route_and_status() {
    let api = without_database().await;
    for path in ["/a", "/b"] {
        api.ask(&format!("GET {path}"), "").await;
    }
    api.ask("BREW /healthz", "").await;
    api.ask("GET /api/entries", "").await;
    let answer = api.ask("GET /metrics", "").await;
    assert!(
        answer
            .head
            .contains("content-type: application/openmetrics-text")
    );
    for line in [
        r#"demo_http_requests_total{method="GET",route="none",status="404"} 2"#,
        r#"demo_http_requests_total{method="other",route="/healthz",status="405"} 1"#,
        r#"demo_http_requests_total{method="GET",route="/api/entries",status="503"} 1"#,
        r#"demo_database_failures_total{kind="database-connect"} 1"#,
        "# EOF",
    ] {
        assert!(
            answer.body.lines().any(|l| l == line),
            "{line} is not in\n{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_drain_serves_on_for_its_delay_and_finishes_what_began() {
    let drain = support::Drain {
        delay: Duration::from_millis(300),
        ..NO_DRAIN
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut api = Api::start(silent.local_addr().unwrap(), drain).await;
    let address = api.address;
    // Takes the second that the database has, so longer than the delay.
    let slow = tokio::spawn(async move { ask(address, "GET /api/entries", "").await });
    let _connected = silent.accept().await.unwrap();
    drop(api.stop.take());
    // Within the delay new connections are taken.
    assert_eq!(api.ask("GET /healthz", "").await.status, 200);
    assert_eq!(slow.await.unwrap().status, 503);
    assert!(api.end.await.unwrap().unwrap(), "something was cut off");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_limit() {
    let drain = support::Drain {
        delay: Duration::ZERO,
        limit: Duration::from_millis(50),
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut api = Api::start(silent.local_addr().unwrap(), drain).await;
    let address = api.address;
    let slow = tokio::spawn(async move {
        // It panics when it is cut off; nobody looks.
        ask(address, "GET /api/entries", "").await
    });
    let _connected = silent.accept().await.unwrap();
    drop(api.stop.take());
    assert!(!api.end.await.unwrap().unwrap());
    slow.abort();
}

#[tokio::test]
async fn it_is_asked_once_for_its_answer() {
    let api = without_database().await;
    let url = |path: &str| format!("http://{}{path}", api.address).parse().unwrap();
    let (status, body) = demo_api::get(&url("/api/whoami")).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status.as_u16(), &body["pod"]), (200, &"api-0".into()));
    assert_eq!(demo_api::get(&url("/nowhere")).await.unwrap().0, 404);
    let nobody = format!("http://{}/", closed_port().await).parse().unwrap();
    let why = demo_api::get(&nobody).await.unwrap_err();
    assert!(why.contains("refused"), "{why}");
}
