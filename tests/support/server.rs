//! A small HTTP server on this machine: an API server that knows what a test tells it, or a place
//! to fetch from.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

/// A server; it ends with the test's process.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
}

impl Server {
    /// A server that answers a request for a path with status, headers and body.
    pub(crate) fn new(answer: impl Fn(&str) -> (String, Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let lines = BufReader::new(&stream).lines();
                let request: Vec<String> = lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let path = request.first().and_then(|line| line.split(' ').nth(1));
                let (head, body) = answer(path.unwrap_or_default());
                let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        Self { address }
    }

    /// An API server of a cluster whose objects are `list` for each path; it never says that
    /// anything changed.
    pub(crate) fn of_cluster(
        list: impl Fn(&str) -> Option<serde_json::Value> + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |path| {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let body = if path == "/api/v1/namespaces/kube-system" {
                let metadata = serde_json::json!({
                    "name": "kube-system", "uid": "uid-of-kube-system",
                });
                serde_json::json!({
                    "apiVersion": "v1", "kind": "Namespace", "metadata": metadata,
                })
                .to_string()
            } else if query.contains("watch=") {
                String::new()
            } else {
                let items = list(path).unwrap_or(serde_json::json!([]));
                serde_json::json!({
                    "apiVersion": "v1", "kind": "List",
                    "metadata": {"resourceVersion": "1"}, "items": items,
                })
                .to_string()
            };
            let head = format!(
                "200 OK\r\ncontent-type: application/json\r\ncontent-length: {}",
                body.len()
            );
            (head, body.into_bytes())
        })
    }

    /// Its URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
