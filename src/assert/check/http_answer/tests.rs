//! Tests of `http`: it passes, and every case in which it must not.

use super::*;
use crate::assert::fixture::{
    World, said,
    shop::{API, given},
};

fn assertion(yaml: &str) -> String {
    format!("http: {yaml}")
}

/// Returns the clauses that do not pass for requests with these answers.
fn faults(yaml: &str, answers: Vec<Answer>) -> Vec<Clause> {
    World::shop()
        .answered(yaml, answers)
        .faults(&assertion(yaml))
}

#[test]
fn an_answer_as_expected_passes_whatever_else_is_in_it() {
    let body = r#"{"entries": 2, "pod": "api-0"}"#;
    World::shop()
        .answered(API, vec![given(200, body)])
        .passes(&assertion(API));
    let more = "{port: http, path: /, status: 503, headers: {Server: traefik}, body-contains: no}";
    World::shop()
        .answered(more, vec![given(503, "there is no server")])
        .passes(&assertion(more));
}

#[test]
fn everything_that_differs_is_told_with_what_the_server_says() {
    let clauses = faults(
        API,
        vec![given(503, r#"{"error": "password authentication failed"}"#)],
    );
    let texts: Vec<String> = clauses.iter().map(said).collect();
    assert_eq!(
        texts,
        [
            "Pending: status of GET shop.localhost/api/entries: expected 200, is 503",
            "Pending: entries of the JSON of GET shop.localhost/api/entries: expected 2, is absent",
        ]
    );
    assert_eq!(
        clauses[0].evidence,
        [
            "server: traefik",
            r#"body: {"error": "password authentication failed"}"#
        ]
    );
    assert!(!clauses[0].because.is_empty() && clauses[1].because.is_empty());

    let yaml = "{port: http, path: /, headers: {X-Pod: a, Server: nginx}, body-contains: hello}";
    let texts: Vec<String> = faults(yaml, vec![given(200, "bye")])
        .iter()
        .map(said)
        .collect();
    assert_eq!(
        texts,
        [
            "Pending: header Server of GET /: expected \"nginx\", is \"traefik\"",
            "Pending: header X-Pod of GET /: expected \"a\", is absent",
            "Pending: body of GET /: expected contains \"hello\", is \"bye\"",
        ]
    );
    let html = faults(API, vec![given(200, "<html>")]);
    assert!(
        said(&html[0]).contains("is no JSON: \"<html>\""),
        "{html:?}"
    );
}

#[test]
fn no_answer_is_told_by_how_it_failed() {
    for (how, actual) in [
        (NoAnswer::Refused, "connection refused"),
        (NoAnswer::Closed, "connection closed without an answer"),
        (NoAnswer::Late, "no answer in time"),
    ] {
        let clauses = faults(API, vec![Answer::None(how, "os error".to_owned())]);
        assert_eq!(
            said(&clauses[0]),
            format!("Pending: answer to GET shop.localhost/api/entries: expected 200, is {actual}")
        );
        assert_eq!(clauses[0].evidence, ["os error"]);
        let nobody = clauses[0]
            .because
            .iter()
            .any(|w| w.contains("127.0.0.1:8080"));
        assert_eq!(nobody, how == NoAnswer::Refused);
    }
}

#[test]
fn successes_in_a_row_are_all_looked_at() {
    let yaml = "{port: http, path: /, times: 3}";
    let answers = |statuses: &[u16]| statuses.iter().map(|s| given(*s, "")).collect::<Vec<_>>();
    World::shop()
        .answered(yaml, answers(&[200, 200, 200]))
        .passes(&assertion(yaml));
    let clauses = faults(yaml, answers(&[200, 503, 200]));
    assert!(
        said(&clauses[0]).ends_with("is 503, answer 2 of 3"),
        "{clauses:?}"
    );
    assert_eq!(faults(yaml, answers(&[200, 200])).len(), 1);
    assert_eq!(faults(yaml, Vec::new()).len(), 1);
}

#[test]
fn what_was_not_asked_or_cannot_be_never_passes() {
    let clause = World::shop().fault(&assertion(API));
    assert_eq!(clause.actual, "not asked yet");
    let message = "the environment was made without a port `http`".to_owned();
    let unmapped = ProbeResult::Refused { message };
    let world = World::shop().answer(probe(&crate::assert::fixture::http(API)), unmapped);
    assert_eq!(world.fault(&assertion(API)).status, Status::Unknown);
}
