//! What a command answered.

use std::{os::unix::process::ExitStatusExt, path::Path, process::ExitStatus};

use labctl::event::Event;
use regex::Regex;

/// What a command printed, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The exit code; minus the signal's number if a signal ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// Both with the exit code, without what differs from run to run.
    pub(crate) whole: String,
}

impl Answer {
    /// The answer of a command that ran with its files below `dir`.
    pub(crate) fn new(status: ExitStatus, stdout: String, stderr: String, dir: &Path) -> Self {
        let code = status.code();
        let code = code.unwrap_or_else(|| -status.signal().unwrap_or_default());
        let mut whole = format!("exit {code}\n");
        for (name, text) in [("stdout", &stdout), ("stderr", &stderr)] {
            if !text.is_empty() {
                whole.push_str(&format!("--- {name}\n{text}"));
            }
        }
        Self {
            code,
            whole: normal(&whole, dir),
            stdout,
            stderr,
        }
    }

    /// The same, if the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "another exit code:\n{}", self.whole);
        self
    }

    /// The same, if standard error has `text` in it.
    #[track_caller]
    pub(crate) fn tells(self, text: &str) -> Self {
        // Where lines are broken depends on the length of paths.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words(&self.stderr).contains(&words(text)),
            "no `{text}` in:\n{}",
            self.whole
        );
        self
    }

    /// The same, if standard output has `text` in it.
    #[track_caller]
    pub(crate) fn answers(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text),
            "no `{text}` in:\n{}",
            self.whole
        );
        self
    }

    /// The same, if nothing was written to standard output: it is kept for programs.
    #[track_caller]
    pub(crate) fn answers_nothing(self) -> Self {
        assert_eq!(self.stdout, "", "unexpected output:\n{}", self.whole);
        self
    }

    /// The same, if nothing was written to standard error.
    #[track_caller]
    pub(crate) fn tells_nothing(self) -> Self {
        assert_eq!(self.stderr, "", "unexpected messages:\n{}", self.whole);
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Standard output as events, a line each.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Event> {
        let read = |line| serde_json::from_str(line).expect(line);
        self.stdout.lines().map(read).collect()
    }
}

/// `text` without what differs from run to run.
pub(crate) fn normal(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.display().to_string(), "<TMP>");
    let mut text = text.replace(env!("CARGO_PKG_VERSION"), "<VERSION>");
    for (pattern, name) in [
        (r"process [0-9]+", "process <PID>"),
        (r"environment=[0-9a-f]{32}", "environment=<ID>"),
        (r"(labctl-[a-z0-9-]+)-[0-9a-f]{12}\b", "$1-<ID>"),
        (r"fc00(:[0-9a-f]{4}){3}::/64", "<SUBNET>"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "<TIME>"),
        (r"[0-9]{2}:[0-9]{2}:[0-9]{2} UTC", "<CLOCK>"),
        (r"[0-9]+\.[0-9] s", "<N> s"),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, name).into_owned();
    }
    text
}
