//! One run of labctl: while it is under way, and what it left.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use labctl::event::{Differing, Event, EventKind, Outcome, RunOutcome, Verdict};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, de::DeserializeOwned};

/// No run takes longer; one that does is ended, and fails.
const LONGEST: Duration = Duration::from_mins(10);

/// A run under way.
pub(crate) struct Running {
    line: String,
    child: Child,
    began: Instant,
    lines: Receiver<String>,
    stdout: Vec<String>,
    stderr: JoinHandle<String>,
    peak: JoinHandle<u64>,
}

/// A run that ended.
pub(crate) struct Run {
    line: String,
    status: ExitStatus,
    stdout: Vec<String>,
    stderr: String,
    /// How long it took.
    pub(crate) took: Duration,
    /// The most memory it had, in KiB.
    pub(crate) peak: u64,
}

/// What `labctl verify --output json` prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Verified {
    pub(crate) outcome: RunOutcome,
    pub(crate) steps: Vec<VerifiedStep>,
    pub(crate) differences: Vec<Differing>,
}

/// One step of it.
#[derive(Debug, Deserialize)]
pub(crate) struct VerifiedStep {
    pub(crate) id: String,
    pub(crate) state: serde_json::Value,
    pub(crate) verdicts: Vec<Verdict>,
}

impl Running {
    pub(crate) fn new(line: String, mut child: Child) -> Self {
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let line = line.expect("labctl prints UTF-8");
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).expect("a pipe can be read");
            String::from_utf8(bytes).expect("labctl prints UTF-8")
        });
        let pid = child.id();
        Self {
            line,
            child,
            began: Instant::now(),
            lines,
            stdout: Vec::new(),
            stderr,
            peak: thread::spawn(move || watch_memory(pid)),
        }
    }

    /// Reads events until one satisfies `is_it`.
    pub(crate) fn until(&mut self, what: &str, is_it: impl Fn(&EventKind) -> bool) {
        loop {
            match self.lines.recv_timeout(self.left()) {
                Ok(line) => {
                    let event: Event = serde_json::from_str(&line)
                        .unwrap_or_else(|e| panic!("no event: {e}\n{line}"));
                    self.stdout.push(line);
                    if is_it(&event.event) {
                        return;
                    }
                }
                Err(error) => panic!("{} did not come to {what}: {error}", self.line),
            }
        }
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_some()
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended a moment ago.
        let _ = kill_process(pid.expect("a process id"), signal);
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Run {
        let mut too_long = false;
        loop {
            match self.lines.recv_timeout(self.left()) {
                Ok(line) => self.stdout.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    too_long = true;
                    self.signal(Signal::KILL);
                    break;
                }
            }
        }
        let status = self.child.wait().expect("a child can be waited for");
        let run = Run {
            line: self.line,
            status,
            took: self.began.elapsed(),
            stdout: self.stdout,
            stderr: self.stderr.join().expect("stderr was read"),
            peak: self.peak.join().unwrap_or(0),
        };
        assert!(
            !too_long,
            "it took longer than {LONGEST:?}\n{}",
            run.transcript()
        );
        run
    }

    fn left(&self) -> Duration {
        LONGEST.saturating_sub(self.began.elapsed())
    }
}

impl Run {
    /// The exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "exit code of\n{}",
            self.transcript()
        );
        self
    }

    /// The exit code, if it was not ended by a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// It was ended by SIGINT: as labctl reports it, or before labctl could.
    #[track_caller]
    pub(crate) fn was_interrupted(self) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let at_once = self.status.signal() == Some(Signal::INT.as_raw());
        assert!(
            at_once || self.status.code() == Some(130),
            "{}",
            self.transcript()
        );
        self
    }

    /// `text` is printed, wherever lines are broken.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let all = flat(&format!("{}\n{}", self.stdout.join("\n"), self.stderr));
        assert!(
            all.contains(&flat(text)),
            "`{text}` is not in\n{}",
            self.transcript()
        );
        self
    }

    /// What is printed for programs.
    pub(crate) fn answered(&self) -> String {
        self.stdout.join("\n")
    }

    /// Nothing is printed for people.
    #[track_caller]
    pub(crate) fn says_nothing(self) -> Self {
        assert!(self.stderr.is_empty(), "stderr of\n{}", self.transcript());
        self
    }

    /// Each line of standard output, as an event.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<EventKind> {
        let event = |line: &String| match serde_json::from_str::<Event>(line) {
            Ok(event) => event.event,
            Err(error) => panic!("no event: {error}\n{line}\n{}", self.transcript()),
        };
        self.stdout.iter().map(event).collect()
    }

    /// How each step ended, in the order in which they did.
    #[track_caller]
    pub(crate) fn outcomes(&self) -> Vec<(String, Outcome)> {
        let finished = |event| match event {
            EventKind::StepFinished { step, outcome, .. } => Some((step.to_string(), outcome)),
            _ => None,
        };
        self.events().into_iter().filter_map(finished).collect()
    }

    /// Standard output, as one document.
    #[track_caller]
    pub(crate) fn answer<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout.join("\n"))
            .unwrap_or_else(|e| panic!("no answer: {e}\n{}", self.transcript()))
    }

    /// Standard output.
    pub(crate) fn text(&self) -> String {
        self.stdout.join("\n")
    }

    /// What was run and what it printed; of many lines the last.
    pub(crate) fn transcript(&self) -> String {
        const LINES: usize = 60;
        let cut = |line: &str| line.chars().take(400).collect::<String>();
        let from = self.stdout.len().saturating_sub(LINES);
        let stdout: Vec<String> = self.stdout[from..].iter().map(|l| cut(l)).collect();
        format!(
            "$ {}\n{} after {:.1?}\n--- stdout, from line {from}\n{}\n--- stderr\n{}---",
            self.line,
            self.status,
            self.took,
            stdout.join("\n"),
            self.stderr,
        )
    }
}

impl Verified {
    #[track_caller]
    pub(crate) fn step(&self, id: &str) -> &VerifiedStep {
        let step = self.steps.iter().find(|step| step.id == id);
        step.unwrap_or_else(|| panic!("no step {id} in {self:?}"))
    }

    /// A clause about what contains `what`, in step `id`, expects `expected` and found `actual`.
    #[track_caller]
    pub(crate) fn names(&self, id: &str, what: &str, expected: &str, actual: &str) {
        let clauses: Vec<_> = self
            .step(id)
            .verdicts
            .iter()
            .flat_map(|v| &v.clauses)
            .collect();
        let found = clauses.iter().any(|clause| {
            clause.what.contains(what)
                && clause.expected.contains(expected)
                && clause.actual.contains(actual)
        });
        assert!(
            found,
            "no clause about {what}, expecting {expected}, finding {actual}: {clauses:#?}"
        );
    }
}

/// The most memory that the process had, in KiB, looked at until it is gone.
fn watch_memory(pid: u32) -> u64 {
    let mut peak = 0;
    while let Some(now) = peak_memory(pid) {
        peak = now;
        thread::sleep(Duration::from_millis(20));
    }
    peak
}

fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
