//! The side on which a request failed: this machine, the way into the cluster, the application, or
//! its database.

use std::fmt;

use serde_json::Value;

use super::{
    observed::{Answer, NoAnswer},
    text::{clean, first_lines},
};

/// The header by which the demo application marks each of its answers (demo/README.md).
const MARK: &str = "x-pod";
/// The prefix of the application's error kinds that blame the database.
const DATABASE: &str = "database-";

/// The side that failed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The machine that sent the request.
    Machine,
    /// Everything between this machine's port and the application: the container engine, the node's
    /// port, the controller.
    WayIn,
    /// The application.
    Application,
    /// The database, according to the application.
    Database,
    /// Unknown.
    Untold,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Machine => "this machine",
            Self::WayIn => "the way in",
            Self::Application => "the API",
            Self::Database => "the database",
            Self::Untold => "nobody who could be told",
        })
    }
}

/// Returns the side that failed the request, given that `answer` is a failure.
#[must_use]
pub fn side(answer: &Answer) -> Side {
    match answer {
        // The container engine opens the port of this machine.
        Answer::None(NoAnswer::Local | NoAnswer::Refused, _) => Side::Machine,
        Answer::None(NoAnswer::Closed, _) => Side::WayIn,
        // The controller, the application or something it waits for can have kept the request.
        Answer::None(NoAnswer::Late, _) => Side::Untold,
        Answer::Given { .. } if !is_applications(answer) => Side::WayIn,
        Answer::Given { body, .. } => match kind(body) {
            Some(kind) if kind.starts_with(DATABASE) => Side::Database,
            _ => Side::Application,
        },
    }
}

/// Returns true if the application itself gave `answer`, not something on the way to it.
#[must_use]
pub fn is_applications(answer: &Answer) -> bool {
    matches!(answer, Answer::Given { headers, .. } if headers.contains_key(MARK))
}

/// Returns the first line of `answer` with its status, or the error instead of an answer.
#[must_use]
pub fn said(answer: &Answer) -> String {
    match answer {
        Answer::None(_, message) => clean(message),
        Answer::Given { status, body, .. } => match first_lines(body).into_iter().next() {
            Some(line) => format!("{status} {line}"),
            None => format!("{status}, without a word"),
        },
    }
}

/// Returns the `kind` of an error of the demo application.
fn kind(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body["kind"].as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(status: u16, mark: bool, body: &str) -> Answer {
        let header = ("x-pod".to_owned(), "api-0".to_owned());
        Answer::Given {
            status,
            headers: mark.then_some(header).into_iter().collect(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn each_side_is_told_by_what_it_leaves() {
        let none = |how| Answer::None(how, "os error".to_owned());
        let full = r#"{"pod":"api-0","kind":"database-connect","error":"sorry, too many clients"}"#;
        let page = "<html>\n<center><h1>502 Bad Gateway</h1></center>";
        for (answer, expected) in [
            (none(NoAnswer::Local), Side::Machine),
            (none(NoAnswer::Refused), Side::Machine),
            (none(NoAnswer::Closed), Side::WayIn),
            (none(NoAnswer::Late), Side::Untold),
            (given(502, false, page), Side::WayIn),
            (given(503, false, "no available server"), Side::WayIn),
            (
                given(404, true, r#"{"kind":"not-found"}"#),
                Side::Application,
            ),
            (given(200, true, "half"), Side::Application),
            (given(503, true, full), Side::Database),
            // An answer without the mark is a proxy's, even if its body looks like the
            // application's.
            (given(503, false, full), Side::WayIn),
        ] {
            assert_eq!(side(&answer), expected, "{answer:?}");
        }
        assert_eq!(said(&given(503, true, full)), format!("503 {full}"));
        assert_eq!(said(&given(504, false, "")), "504, without a word");
    }
}
