//! A stand-in for an API server: it answers for a cluster's identity and lists, and no more.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};

/// A server that answers as long as the test runs.
#[derive(Debug)]
pub(crate) struct Api {
    port: u16,
}

impl Api {
    /// A cluster with this uid of `kube-system`, these pods and these disruption budgets.
    pub(crate) fn of(uid: &str, pods: Value, budgets: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "kube-system", "uid": uid},
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, |path| match path {
                    "/api/v1/namespaces/kube-system" => Some(namespace.clone()),
                    "/api/v1/pods" => Some(list("v1", "PodList", &pods)),
                    "/apis/policy/v1/poddisruptionbudgets" => {
                        Some(list("policy/v1", "PodDisruptionBudgetList", &budgets))
                    }
                    _ => None,
                });
            }
        });
        Self { port }
    }

    /// A kubeconfig that leads to it.
    pub(crate) fn kubeconfig(&self) -> String {
        super::UNREACHABLE_KUBECONFIG.replace("127.0.0.1:1", &format!("127.0.0.1:{}", self.port))
    }
}

fn list(version: &str, kind: &str, items: &Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {}, "items": items})
}

/// Answers one request, and closes the connection.
fn answer(mut stream: TcpStream, of: impl Fn(&str) -> Option<Value>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(request)) = lines.next() else {
        return;
    };
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|l| !l.is_empty()))
    {}
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let (status, body) = match of(path) {
        Some(body) => ("200 OK", body),
        None => (
            "404 Not Found",
            json!({"kind": "Status", "status": "Failure", "code": 404}),
        ),
    };
    let body = body.to_string();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
}
