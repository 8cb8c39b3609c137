//! What every answer has: the pod that gave it, and for errors a kind and a sentence.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

/// Why a request was not done. The kind is for programs, the message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// One word of a short list (`demo/README.md` has it).
    pub kind: &'static str,
    /// What is wrong, and why.
    pub message: String,
}

impl Refusal {
    /// A request that is wrong as it is.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "bad-request",
            message: message.into(),
        }
    }

    /// The answer, which names the pod.
    #[must_use]
    pub fn answer(self, pod: &str) -> Response {
        let body = json!({"pod": pod, "kind": self.kind, "error": self.message});
        (self.status, Json(body)).into_response()
    }
}

/// A good answer: the pod, and `content` under `name`.
pub(super) fn answer(
    status: StatusCode,
    pod: &str,
    name: &str,
    content: impl Serialize,
) -> Response {
    (status, Json(json!({"pod": pod, name: content}))).into_response()
}
