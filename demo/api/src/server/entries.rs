//! `/api/entries`

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::{
    Shared,
    reply::{Refusal, answer},
};

/// How long an entry may be, in characters.
pub const LONGEST: usize = 280;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Addition {
    text: String,
}

/// Lists the newest entries.
pub(super) async fn list(State(shared): State<Shared>) -> Response {
    match shared.database.list().await {
        Ok(entries) => answer(StatusCode::OK, &shared.pod, "entries", entries),
        Err(refusal) => shared.refuse(refusal),
    }
}

/// Adds an entry.
pub(super) async fn add(
    State(shared): State<Shared>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let added = match body.map_err(|e| unread(&e)).and_then(|body| text_of(&body)) {
        Ok(text) => shared.database.add(&text, &shared.pod).await,
        Err(refusal) => Err(refusal),
    };
    match added {
        Ok(entry) => answer(StatusCode::CREATED, &shared.pod, "entry", entry),
        Err(refusal) => shared.refuse(refusal),
    }
}

fn unread(rejection: &BytesRejection) -> Refusal {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Refusal {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            kind: "too-large",
            message: "the body is too large".to_owned(),
        };
    }
    Refusal::bad_request(rejection.body_text())
}

/// The text of an entry, without the blanks around it.
fn text_of(body: &[u8]) -> Result<String, Refusal> {
    let addition: Addition = serde_json::from_slice(body)
        .map_err(|e| Refusal::bad_request(format!("the body is not {{\"text\": …}}: {e}")))?;
    let text = addition.text.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err(Refusal::bad_request("the text is empty"));
    }
    if length > LONGEST {
        let message = format!("the text has {length} characters, at most {LONGEST} are allowed");
        return Err(Refusal::bad_request(message));
    }
    if text.contains(char::is_control) {
        return Err(Refusal::bad_request("the text holds control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        text_of(body.as_bytes()).unwrap_err().message
    }

    #[test]
    fn a_text_is_trimmed_and_bounded_in_characters() {
        assert_eq!(text_of(br#"{"text": "  hi "}"#).unwrap(), "hi");
        let longest = "ä".repeat(LONGEST);
        assert_eq!(
            text_of(format!(r#"{{"text": "{longest}"}}"#).as_bytes()).unwrap(),
            longest
        );
        let longer = refused(&format!(r#"{{"text": "{longest}x"}}"#));
        assert!(longer.contains("281 characters"), "{longer}");
    }

    #[test]
    fn what_is_no_text_is_refused_with_a_reason() {
        assert!(refused("").contains("EOF"));
        assert!(refused(r#"{"text": " "}"#).contains("empty"));
        assert!(refused(r#"{"text": 1}"#).contains("invalid type"));
        assert!(refused(r#"{"text": "x", "id": 1}"#).contains("unknown field"));
        // Postgres cannot store it.
        assert!(refused(r#"{"text": "a\u0000b"}"#).contains("control"));
    }
}
