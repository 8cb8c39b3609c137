//! The load generator, against the API and against servers that misbehave.

#![allow(missing_docs, clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use demo_api::load::{Plan, Report, SharedTally, control, fetch, run};
use support::{Api, NO_DRAIN, closed_port};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

fn plan(address: SocketAddr, path: &str, requests: u64) -> Plan {
    Plan {
        target: format!("http://{address}{path}").parse().unwrap(),
        body: None,
        rate: 500.0,
        workers: 4,
        requests: Some(requests),
        duration: None,
        keep_alive: false,
        timeout: Duration::from_secs(2),
    }
}

async fn load(plan: Plan) -> Report {
    let tally = SharedTally::new(&plan.target.url, plan.keep_alive).unwrap();
    run(plan, tally.clone(), std::future::pending()).await;
    tally.report()
}

/// Answers each request with `answer`; counts connections.
async fn server(answer: &'static str) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicU64::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                    if answer.is_empty() || stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, connections)
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nx-pod: a\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn exactly_so_many_requests_are_sent_and_counted() {
    let api = Api::start(closed_port().await, NO_DRAIN).await;
    let report = load(plan(api.address, "/healthz", 25)).await;
    assert_eq!(
        (report.requests, report.succeeded, report.failed),
        (25, 25, 0)
    );
    assert_eq!(report.codes["200"], 25);
    assert_eq!(report.pods["api-0"], 25);
    assert!(report.latency_ms.max >= report.latency_ms.p50 && report.latency_ms.p50 > 0.0);
    assert_eq!(report.longest_failure_run, 0);
    // Seen by the other side, too.
    let metrics = api.ask("GET /metrics", "").await.body;
    assert!(
        metrics.contains(r#"{method="GET",route="/healthz",status="200"} 25"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn an_entry_is_posted() {
    let api = Api::start(closed_port().await, NO_DRAIN).await;
    let mut plan = plan(api.address, "/api/entries", 3);
    plan.body = Some(r#"{"text": ""}"#.to_owned());
    assert_eq!(load(plan).await.codes["400"], 3);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let report = load(plan(closed_port().await, "/", 5)).await;
    assert_eq!(report.codes["refused"], 5);
    assert_eq!((report.failed, report.longest_failure_run), (5, 5));

    let (closing, _) = server("").await;
    assert_eq!(load(plan(closing, "/", 2)).await.codes["closed"], 2);

    let (half, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let mut slow = plan(half, "/", 2);
    slow.timeout = Duration::from_millis(100);
    assert_eq!(load(slow).await.codes["timeout"], 2);

    let (failing, _) = server("HTTP/1.1 503 No\r\nx-pod: b\r\ncontent-length: 0\r\n\r\n").await;
    let report = load(plan(failing, "/", 4)).await;
    assert_eq!(
        (report.codes["503"], report.succeeded, report.pods["b"]),
        (4, 0, 4)
    );
}

#[tokio::test]
async fn connections_are_new_unless_they_are_to_be_kept() {
    let (address, connections) = server(GOOD).await;
    let mut plan = plan(address, "/", 12);
    assert_eq!(load(plan.clone()).await.succeeded, 12);
    assert_eq!(connections.swap(0, Ordering::Relaxed), 12);
    plan.keep_alive = true;
    assert_eq!(load(plan).await.succeeded, 12);
    assert!(connections.load(Ordering::Relaxed) <= 4, "{connections:?}");
}

#[tokio::test]
async fn the_rate_is_kept_and_the_time_ends_it() {
    let (address, _) = server(GOOD).await;
    let mut plan = plan(address, "/", 0);
    plan.requests = None;
    plan.rate = 50.0;
    plan.duration = Some(Duration::from_millis(500));
    let report = load(plan).await;
    // 26 are due; a busy machine may manage fewer, none may manage more.
    assert!((10..=26).contains(&report.requests), "{report:?}");
    assert!(report.seconds >= 0.5 && report.rate <= 52.0, "{report:?}");
}

#[tokio::test]
async fn one_that_runs_on_is_read_and_restarted_from_beside() {
    let (address, _) = server(GOOD).await;
    let mut plan = plan(address, "/", 0);
    plan.requests = None;
    let tally = SharedTally::new(&plan.target.url, false).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(control(listener, tally.clone()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(run(plan, tally, async {
        let _ = stopped.await;
    }));

    let requests = async |restart| {
        let report = fetch(at, restart).await.unwrap();
        serde_json::from_str::<serde_json::Value>(&report).unwrap()["requests"].as_u64()
    };
    while requests(false).await < Some(10) {
        tokio::task::yield_now().await;
    }
    assert!(requests(true).await >= Some(10));
    assert!(requests(false).await < Some(10));
    drop(stop);
    running.await.unwrap();

    let nobody = fetch(closed_port().await, false)
        .await
        .unwrap_err()
        .to_string();
    assert!(nobody.starts_with("no load answers"), "{nobody}");
}
