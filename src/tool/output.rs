//! The output of a child: read on threads, passed on as lines, or copied into a file.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use tokio::sync::mpsc;

use super::{
    invocation::AtMost,
    process::{Progress, ToolError},
};
use crate::event::{Stream, Untrusted};

/// The number of last lines that an error shows.
const TAIL: usize = 12;
/// The maximum number of bytes of standard output that are kept.
const CAPTURE: usize = 1 << 20;
/// The maximum number of bytes of a line that is read at once.
const LINE: u64 = 8 << 10;

/// The messages of a thread that reads a child's output.
pub(super) enum Passed {
    /// A line, or a piece of a long one.
    Line(Line),
    /// The end of copying into the file, with its result.
    Copied(Result<(), NotCopied>),
}

/// A line, or a piece of a long one.
pub(super) struct Line {
    stream: Stream,
    text: String,
    /// True if the line ends here.
    ends: bool,
    /// True if the line was cut here because it is long.
    is_cut: bool,
}

/// The reason why the output of a child is not in its file.
pub(super) enum NotCopied {
    TooMuch(AtMost),
    Failed(io::Error),
}

/// Reads lines on a thread of its own, until the pipe is closed or the receiver is gone.
pub(super) fn read_lines(
    pipe: impl Read + Send + 'static,
    stream: Stream,
    lines: mpsc::Sender<Passed>,
) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match (&mut reader).take(LINE).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let ends = bytes.ends_with(b"\n");
            let text = String::from_utf8_lossy(&bytes);
            let line = Line {
                stream,
                text: text.trim_end_matches(['\n', '\r']).to_owned(),
                ends,
                is_cut: !ends && bytes.len() as u64 == LINE,
            };
            if lines.blocking_send(Passed::Line(line)).is_err() {
                break;
            }
        }
    });
}

/// Copies what comes through `pipe` into `file` on a thread of its own, and passes on the result.
pub(super) fn copy(
    pipe: impl Read + Send + 'static,
    mut file: File,
    at_most: Option<AtMost>,
    done: mpsc::Sender<Passed>,
) {
    std::thread::spawn(move || {
        let limit = at_most.map_or(u64::MAX, |at_most| at_most.size.0);
        // One byte more than the limit tells that there is more.
        let copied = io::copy(&mut pipe.take(limit.saturating_add(1)), &mut file);
        let copied = match (copied, at_most) {
            (Ok(bytes), Some(at_most)) if bytes > limit => Err(NotCopied::TooMuch(at_most)),
            (Ok(_), _) => Ok(()),
            (Err(error), _) => Err(NotCopied::Failed(error)),
        };
        // A receiver that is gone needs no result.
        let _ = done.blocking_send(Passed::Copied(copied));
    });
}

/// The kept part of a child's output.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) stdout: String,
    /// True if the last line of `stdout` goes on.
    goes_on: bool,
    pub(super) tail: VecDeque<String>,
    /// By stream: true if its last line has not ended.
    is_within: [bool; 2],
    /// The result of copying into a file, once it is known.
    pub(super) copied: Option<Result<(), NotCopied>>,
}

impl Kept {
    /// Checks that the whole output of the command `line` is in the file at `path`.
    pub(super) fn is_copied(&mut self, line: &str, path: &Path) -> Result<(), ToolError> {
        let late = || io::Error::other("its output was still open after it had ended");
        let (line, path) = (line.to_owned(), path.to_owned());
        match self.copied.take() {
            Some(Ok(())) => Ok(()),
            Some(Err(NotCopied::TooMuch(at_most))) => Err(ToolError::TooMuch { line, at_most }),
            Some(Err(NotCopied::Failed(source))) => Err(ToolError::Write { line, path, source }),
            None => Err(ToolError::Write {
                line,
                path,
                source: late(),
            }),
        }
    }

    /// Keeps what a thread passed on, and reports lines.
    pub(super) fn take(&mut self, passed: Passed, report: &mut impl FnMut(Progress)) {
        let line = match passed {
            Passed::Line(line) => line,
            Passed::Copied(copied) => {
                self.copied = Some(copied);
                return;
            }
        };
        let Line { stream, text, .. } = &line;
        if *stream == Stream::Stdout && self.stdout.len() + text.len() < CAPTURE {
            if !self.stdout.is_empty() && !self.goes_on {
                self.stdout.push('\n');
            }
            self.stdout.push_str(text);
            self.goes_on = !line.ends;
        }
        // Only the first piece of a long line is reported: a secret at the cut would otherwise
        // appear in two halves, and the redaction recognises neither.
        let is_more = std::mem::replace(&mut self.is_within[line.stream as usize], !line.ends);
        if is_more {
            return;
        }
        // Progress bars redraw one line; only its last state says something.
        let last = text.rsplit('\r').next().unwrap_or_default();
        let last = if line.is_cut {
            // A character that was cut in the middle became U+FFFD.
            format!("{}…", last.trim_end_matches(char::REPLACEMENT_CHARACTER))
        } else {
            last.to_owned()
        };
        let last = Untrusted::new(&last);
        if last.as_str().trim().is_empty() {
            return;
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(last.as_str().to_owned());
        report(Progress::Line(line.stream, last));
    }
}
