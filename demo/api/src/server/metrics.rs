//! What `/metrics` counts.

use std::{fmt, sync::Arc};

use axum::http::Method;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The form of what [`Metrics::text`] returns.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    kind: &'static str,
}

/// The counters of one server.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Request, Counter>,
    failures: Family<Failure, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let failures = Family::default();
        registry.register(
            "demo_http_requests",
            "Requests that were answered",
            requests.clone(),
        );
        registry.register(
            "demo_database_failures",
            "Requests that the database failed, by kind",
            failures.clone(),
        );
        Self {
            registry: Arc::new(registry),
            requests,
            failures,
        }
    }
}

impl Metrics {
    /// Counts an answer. `route` is the pattern that matched: paths would be without end.
    pub(super) fn answered(&self, method: &Method, route: Option<&str>, status: u16) {
        let labels = Request {
            method: known(method),
            route: route.unwrap_or("none").to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Counts a failure of the database.
    pub(super) fn failed(&self, kind: &'static str) {
        self.failures.get_or_create(&Failure { kind }).inc();
    }

    /// The counters, for Prometheus.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A client may invent methods; the label must not grow with them.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
