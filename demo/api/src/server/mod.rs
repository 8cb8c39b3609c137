//! The API.

pub mod database;
mod entries;
mod metrics;
mod reply;
mod serve;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

pub use self::{
    database::Database,
    entries::LONGEST,
    serve::{Drain, serve},
};
use self::{
    metrics::{CONTENT_TYPE, Metrics},
    reply::{Refusal, answer},
};

/// How large a request's body may be, in bytes.
const LARGEST_BODY: usize = 8 * 1024;

/// What all requests share.
#[derive(Debug, Clone)]
pub struct Shared {
    database: Arc<Database>,
    pod: Arc<str>,
    pod_header: HeaderValue,
    metrics: Metrics,
    draining: Arc<AtomicBool>,
}

impl Shared {
    /// `pod` names the answering pod in each answer; characters that a header cannot hold are left out.
    #[must_use]
    pub fn new(database: Database, pod: &str) -> Self {
        let pod: String = pod.chars().filter(char::is_ascii_graphic).collect();
        Self {
            database: Arc::new(database),
            // ASCII without control characters is what a header's value may be.
            pod_header: HeaderValue::from_str(&pod).unwrap_or(HeaderValue::from_static("?")),
            pod: pod.into(),
            metrics: Metrics::default(),
            draining: Arc::default(),
        }
    }

    /// From now on clients are asked to close their connections.
    fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
            self.metrics.failed(refusal.kind);
        }
        refusal.answer(&self.pod)
    }
}

/// All routes.
pub fn router(shared: Shared) -> Router {
    let routes = Router::new()
        .route("/api/entries", get(entries::list).post(entries::add))
        .route("/api/whoami", get(whoami))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY));
    routes
        .layer(from_fn_with_state(shared.clone(), mark))
        .with_state(shared)
}

/// Counts every answer, and says in it which pod gave it.
async fn mark(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    shared
        .metrics
        .answered(&method, route, response.status().as_u16());
    let headers = response.headers_mut();
    headers.insert("x-pod", shared.pod_header.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if shared.draining.load(Ordering::Relaxed) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The process lives. The database is not asked: it is not this pod's health, and pods that are
/// restarted or withdrawn because of it make an outage larger.
async fn health(State(shared): State<Shared>) -> Response {
    answer(StatusCode::OK, &shared.pod, "status", "ok")
}

/// Who asks, by the word of a service mesh, whose proxy beside this pod sets the header; what a
/// request says without one is worth nothing.
async fn whoami(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let value = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let caller = json!({
        "l5d_client_id": value("l5d-client-id"),
        "forwarded_for": value("x-forwarded-for"),
    });
    answer(StatusCode::OK, &shared.pod, "caller", caller)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    match shared.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn no_such_path(State(shared): State<Shared>) -> Response {
    shared.refuse(Refusal {
        status: StatusCode::NOT_FOUND,
        kind: "not-found",
        message: "there is nothing under this path".to_owned(),
    })
}

async fn no_such_method(State(shared): State<Shared>) -> Response {
    shared.refuse(Refusal {
        status: StatusCode::METHOD_NOT_ALLOWED,
        kind: "method-not-allowed",
        message: "this path has no such method".to_owned(),
    })
}
