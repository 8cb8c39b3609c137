//! The assertion `http`.

use super::{
    Context,
    matching::{self, shown},
    unknown,
};
use crate::{
    assert::{
        Probe, ProbeResult,
        cause::routing,
        observed::{Answer, NoAnswer},
        text::{clean, first_lines, quoted},
    },
    event::{Clause, Port, Status},
    spec::request::Http,
};

/// Returns the probe that sends the requests.
pub(in crate::assert) fn probe(a: &Http) -> Probe {
    Probe::Http {
        port: a.port.clone(),
        request: a.request(),
        times: a.times,
    }
}

pub(super) fn check(a: &Http, context: &Context<'_>) -> Vec<Clause> {
    let what = format!("{} {a}", a.method.as_str());
    let expected = expected(a);
    match context.observed.probe(&probe(a)) {
        Some(ProbeResult::Http { port, answers }) => of_answers(a, port, answers, context),
        Some(ProbeResult::Refused { message }) => vec![unknown(what, expected, message)],
        Some(ProbeResult::Unreachable(why)) => vec![unknown(what, expected, why)],
        _ => vec![Clause::new(
            Status::Pending,
            what,
            expected,
            "not asked yet",
        )],
    }
}

fn expected(a: &Http) -> String {
    match a.times {
        1 => a.status.to_string(),
        times => format!("{}, {times} times in a row", a.status),
    }
}

fn of_answers(a: &Http, port: &Port, answers: &[Answer], context: &Context<'_>) -> Vec<Clause> {
    let wrong = answers.iter().enumerate();
    let wrong = wrong.map(|(index, answer)| (index, answer, faults(a, answer)));
    let first = { wrong }.find(|(.., faults)| !faults.is_empty());
    let Some((index, answer, mut faults)) = first else {
        let what = format!("{} {a} at {}", a.method.as_str(), port.address());
        let asked = u32::try_from(answers.len()).is_ok_and(|asked| asked >= a.times);
        let actual = if asked {
            "the same"
        } else {
            "not asked as often yet"
        };
        return vec![Clause::when(
            asked,
            Status::Pending,
            what,
            expected(a),
            actual,
        )];
    };
    let evidence = match answer {
        Answer::Given { headers, body, .. } => {
            let server = headers
                .get("server")
                .map(|server| format!("server: {}", clean(server)));
            let said = first_lines(body).into_iter().next();
            let said = said.map(|line| format!("body: {line}"));
            server.into_iter().chain(said).collect()
        }
        Answer::None(_, message) => vec![clean(message)],
    };
    if let Some(first) = faults.first_mut() {
        if a.times > 1 {
            first.actual = format!("{}, answer {} of {}", first.actual, index + 1, a.times);
        }
        let (observed, namespace) = (context.observed, context.namespace);
        first.because = routing::why(&a.request(), port.node, answer, observed, namespace);
        if let Answer::None(NoAnswer::Refused, _) = answer {
            let address = port.address();
            first.because.push(format!(
                "nothing listens at {address}: the container of the control plane does not run, or \
                 does not have this port"
            ));
        }
        first.evidence = evidence;
    }
    faults
}

/// Returns true if `answer` is as `a` expects.
#[must_use]
pub(in crate::assert) fn fits(a: &Http, answer: &Answer) -> bool {
    faults(a, answer).is_empty()
}

/// Makes a clause for every part of the answer that is not as `a` expects.
fn faults(a: &Http, answer: &Answer) -> Vec<Clause> {
    let asked = format!("{} {a}", a.method.as_str());
    let pending = |what: String, expected: String, actual: String| {
        Clause::new(Status::Pending, what, expected, actual)
    };
    let (status, headers, body) = match answer {
        Answer::Given {
            status,
            headers,
            body,
        } => (*status, headers, body),
        Answer::None(how, _) => {
            let actual = match how {
                NoAnswer::Refused => "connection refused",
                NoAnswer::Closed => "connection closed without an answer",
                NoAnswer::Late => "no answer in time",
                NoAnswer::Local => "not asked, as this machine could not",
            };
            let what = format!("answer to {asked}");
            return vec![pending(what, a.status.to_string(), actual.to_owned())];
        }
    };
    let mut faults = Vec::new();
    if status != a.status {
        let what = format!("status of {asked}");
        faults.push(pending(what, a.status.to_string(), status.to_string()));
    }
    for (name, expected) in &a.headers {
        let actual = headers.get(&name.to_ascii_lowercase());
        if actual != Some(expected) {
            let actual = actual.map_or_else(|| "absent".to_owned(), |value| quoted(value));
            faults.push(pending(
                format!("header {name} of {asked}"),
                quoted(expected),
                actual,
            ));
        }
    }
    if let Some(part) = a
        .body_contains
        .as_ref()
        .filter(|part| !body.contains(*part))
    {
        let said = first_lines(body).into_iter().next().unwrap_or_default();
        let expected = format!("contains {}", quoted(part));
        faults.push(pending(format!("body of {asked}"), expected, quoted(&said)));
    }
    if let Some(json) = &a.json {
        faults.extend(of_json(json, body, &asked));
    }
    faults
}

/// Makes a clause for every field of `json` that differs in `body`, the answer to the request
/// `asked`.
fn of_json(json: &serde_json::Value, body: &str, asked: &str) -> Vec<Clause> {
    let pending = |what: String, expected: String, actual: String| {
        Clause::new(Status::Pending, what, expected, actual)
    };
    let Ok(actual) = serde_json::from_str(body) else {
        let said = first_lines(body).into_iter().next().unwrap_or_default();
        let actual = format!("no JSON: {}", quoted(&said));
        return vec![pending(
            format!("JSON of {asked}"),
            shown(Some(json)),
            actual,
        )];
    };
    let mismatches = matching::mismatches(json, &actual).into_iter();
    let clause = |mismatch: matching::Mismatch| {
        let what = match mismatch.path.as_str() {
            "" => format!("JSON of {asked}"),
            path => format!("{path} of the JSON of {asked}"),
        };
        pending(what, mismatch.expected, mismatch.actual)
    };
    mismatches.map(clause).collect()
}

#[cfg(test)]
mod tests;
