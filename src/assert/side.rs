//! On which side of a request that failed it failed: this machine, the way into the cluster, the
//! application, or its database.

use std::fmt;

use serde_json::Value;

use super::{
    observed::{Answer, NoAnswer},
    text::{clean, first_lines},
};

/// The header by which the demo application marks each of its answers (demo/README.md).
const MARK: &str = "x-pod";
/// How the kinds of its answers begin that the database is the reason of.
const DATABASE: &str = "database-";

/// Who failed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The machine that sent it.
    Machine,
    /// What is between this machine's port and the application: the container engine, the node's port,
    /// the controller.
    WayIn,
    /// The application.
    Application,
    /// The database, by the word of the application.
    Database,
    /// It cannot be told.
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

/// The side on which a request that came to `answer` failed, if it did.
#[must_use]
pub fn side(answer: &Answer) -> Side {
    match answer {
        // The port of this machine is the container engine's to open.
        Answer::None(NoAnswer::Local | NoAnswer::Refused, _) => Side::Machine,
        Answer::None(NoAnswer::Closed, _) => Side::WayIn,
        // Whoever had it kept it: the controller, the application, or what it waits for.
        Answer::None(NoAnswer::Late, _) => Side::Untold,
        Answer::Given { .. } if !is_applications(answer) => Side::WayIn,
        Answer::Given { body, .. } => match kind(body) {
            Some(kind) if kind.starts_with(DATABASE) => Side::Database,
            _ => Side::Application,
        },
    }
}

/// Whether the application itself gave `answer`, rather than something on the way to it.
#[must_use]
pub fn is_applications(answer: &Answer) -> bool {
    matches!(answer, Answer::Given { headers, .. } if headers.contains_key(MARK))
}

/// What was said in `answer`, or instead of one.
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

/// The `kind` of an error of the demo application.
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
            // A proxy's word is not the application's, whatever it says.
            (given(503, false, full), Side::WayIn),
        ] {
            assert_eq!(side(&answer), expected, "{answer:?}");
        }
        assert_eq!(said(&given(503, true, full)), format!("503 {full}"));
        assert_eq!(said(&given(504, false, "")), "504, without a word");
    }
}
