//! Running programs. Nothing else in labctl starts a process.
//!
//! Each child has a process group of its own, so that it can be ended with all that it started:
//! TERM, a grace time, then KILL. Its lines are passed on as they come, its exit status is always
//! checked, and its last lines are kept for the error.

use std::{
    any::Any,
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Invocation, Stdin, helm,
    invocation::AtMost,
    output::{Kept, Passed, copy, read_lines},
    stop::{Stop, Stopper},
    survivor::started,
};
use crate::event::{Child, Failure, Stream, Untrusted};

pub use super::survivor::{end_survivor, start_of};

/// The time that a child has to end after it was asked to.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// The time for which output is still read after a child ended: a grandchild may keep the pipe
/// open.
const DRAIN: Duration = Duration::from_secs(1);
/// The time for which output into a file is still read: all of it is needed, and what the pipe
/// holds has still to be written.
const WRITE: Duration = Duration::from_secs(30);
/// The programs that labctl runs, with the variables and directories that they get.
#[derive(Debug, Clone, Default)]
pub struct Toolbox {
    /// The paths of the programs, by name.
    pub programs: BTreeMap<String, PathBuf>,
    /// The programs that exist and must not be run, with the reason.
    pub refused: BTreeMap<String, String>,
    /// Values that keep programs in place for as long as this toolbox may run them.
    pub held: Vec<Arc<dyn Any + Send + Sync>>,
    /// The directory for kubectl's cache, instead of one in the user's home.
    pub kubectl_cache: Option<PathBuf>,
    /// The directory of all files of helm, instead of ones in the user's home.
    pub helm_home: Option<PathBuf>,
    /// The user's variables that would lead helm to other files, to plugins, or to another cluster.
    pub not_for_helm: Vec<OsString>,
    /// True if there is a bundle: then nothing else is reached for.
    pub offline: bool,
}

/// The progress of a running child.
#[derive(Debug)]
pub enum Progress {
    /// The child runs.
    Started(Child),
    /// The child printed a line.
    Line(Stream, Untrusted),
    /// The child, which led this process group, ended.
    Exited(u32),
}

/// The result of a child that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Its standard output, cut at 1 MiB.
    pub stdout: String,
}

/// The result of a child whose exit code is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// Its standard output, cut at 1 MiB.
    pub stdout: String,
    /// The last lines it printed.
    pub tail: Vec<String>,
}

/// The process group of a running child. Dropping it kills the group, so that the child does not
/// outlive the future that waits for it.
struct Running(Option<Pid>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            signal(group, Signal::KILL);
        }
    }
}

/// The error of a command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The tool was not found.
    #[error("{program} is not installed, or not on PATH")]
    Missing {
        /// The tool.
        program: String,
    },
    /// The tool must not be run.
    #[error("{why}")]
    Refused {
        /// The reason.
        why: String,
    },
    /// The command could not be started.
    #[error("failed to start `{line}`")]
    Start {
        /// The command.
        line: String,
        /// The cause.
        source: io::Error,
    },
    /// The command ended with a status other than 0.
    #[error("`{line}` {status}")]
    Exit {
        /// The command.
        line: String,
        /// The end of the command: `exited with code 1`, `was ended by signal 9`.
        status: String,
        /// The last lines it printed.
        tail: Vec<String>,
    },
    /// The command printed more than it may.
    #[error("`{line}` printed more than the {} that {} allows", at_most.size, at_most.raised_by)]
    TooMuch {
        /// The command.
        line: String,
        /// The limit.
        at_most: AtMost,
    },
    /// The output of the command could not be kept.
    #[error("failed to keep what `{line}` printed in {}", path.display())]
    Write {
        /// The command.
        line: String,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The command was ended because the run was asked to stop.
    #[error("`{line}` was ended, because the run was asked to stop")]
    Stopped {
        /// The command.
        line: String,
    },
}

impl ToolError {
    /// Returns this error as the failure of a step.
    #[must_use]
    pub fn failure(&self, summary: impl Into<String>) -> Failure {
        let mut failure = Failure::by(summary, self);
        match self {
            Self::Exit { tail, .. } => failure.tail.clone_from(tail),
            Self::TooMuch { at_most, .. } => {
                let raised_by = at_most.raised_by;
                let hint = format!("if it is meant to be so much, raise {raised_by} in lab.yaml");
                failure.hint = Some(hint);
            }
            _ => {}
        }
        failure
    }
}

impl Toolbox {
    /// Returns true if there is a program of this name, even one that is refused.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.programs.contains_key(name) || self.refused.contains_key(name)
    }

    /// Runs `invocation` to its end, or ends it as `stopper` asks.
    pub async fn run(
        &self,
        invocation: &Invocation,
        stopper: &mut Stopper,
        report: impl FnMut(Progress),
    ) -> Result<Done, ToolError> {
        // On the heap: the future is large, and would be part of every future that waits for it.
        let (status, kept) = Box::pin(self.ended(invocation, stopper, report)).await?;
        let line = || invocation.to_string();
        if status.success() {
            return Ok(Done {
                stdout: kept.stdout,
            });
        }
        if stopper.now() != Stop::Run {
            return Err(ToolError::Stopped { line: line() });
        }
        Err(ToolError::Exit {
            line: line(),
            status: describe(status),
            tail: kept.tail.into(),
        })
    }

    /// Runs `invocation`, whose exit code is part of its answer, so that no code is an error.
    /// Dropping this future ends the child.
    pub async fn answer(&self, invocation: &Invocation) -> Result<Answer, ToolError> {
        let mut stopper = Stopper::never();
        let (status, kept) = Box::pin(self.ended(invocation, &mut stopper, |_| {})).await?;
        Ok(Answer {
            code: exit_code(status),
            stdout: kept.stdout,
            tail: kept.tail.into(),
        })
    }

    /// Runs `invocation`. Returns its exit status and its output.
    async fn ended(
        &self,
        invocation: &Invocation,
        stopper: &mut Stopper,
        mut report: impl FnMut(Progress),
    ) -> Result<(ExitStatus, Kept), ToolError> {
        let line = invocation.to_string();
        let program = self.find(&invocation.program)?;
        if stopper.now() != Stop::Run {
            return Err(ToolError::Stopped { line });
        }
        let start = |source| ToolError::Start {
            line: line.clone(),
            source,
        };
        let (lines, mut incoming) = mpsc::channel(256);
        let expression = self.expression(invocation, program);
        let (handle, group) = spawn(&expression, invocation, lines).map_err(start)?;
        let mut running = Running(Some(group));
        report(Progress::Started(Child {
            program: invocation.program.clone(),
            group: group.as_raw_nonzero().get().unsigned_abs(),
            started: started(group).unwrap_or(0),
        }));

        let mut waiter = {
            let handle = Arc::clone(&handle);
            tokio::task::spawn_blocking(move || handle.wait().map(|output| output.status))
        };
        let mut kept = Kept::default();
        let mut known = Stop::Run;
        let mut deadline: Option<Instant> = None;
        let status = loop {
            tokio::select! {
                Some(passed) = incoming.recv() => {
                    kept.take(passed, &mut report);
                    // Its output cannot be kept: do not wait for its end.
                    if matches!(kept.copied, Some(Err(_))) && deadline.is_none() {
                        signal(group, Signal::TERM);
                        deadline = Some(Instant::now() + GRACE);
                    }
                }
                status = &mut waiter => break status,
                asked = stopper.beyond(known) => {
                    known = asked;
                    if let Stop::Kill(_) = asked {
                        signal(group, Signal::KILL);
                    } else {
                        signal(group, Signal::TERM);
                        deadline = Some(Instant::now() + GRACE);
                    }
                }
                () = at(deadline) => {
                    signal(group, Signal::KILL);
                    deadline = None;
                }
            }
        };
        running.0 = None;
        if known != Stop::Run {
            // All that it started goes with it, even if it did not wait for them.
            signal(group, Signal::KILL);
        }
        let drain = match invocation.stdout {
            Some(_) => WRITE,
            None => DRAIN,
        };
        let until = Instant::now() + drain;
        while let Ok(Some(passed)) = tokio::time::timeout_at(until, incoming.recv()).await {
            kept.take(passed, &mut report);
            if kept.copied.is_some() {
                break;
            }
        }
        report(Progress::Exited(
            group.as_raw_nonzero().get().unsigned_abs(),
        ));
        let status = status
            .map_err(io::Error::other)
            .and_then(|status| status)
            .map_err(start)?;
        if let Some(path) = invocation.stdout.as_ref().filter(|_| known == Stop::Run) {
            kept.is_copied(&line, path)?;
        }
        Ok((status, kept))
    }

    /// Runs `invocation` with the terminal and in the process group of this process: for a shell
    /// that a student types into. Returns its exit code.
    pub fn interactive(&self, invocation: &Invocation) -> Result<i32, ToolError> {
        let line = invocation.to_string();
        let start = |source| ToolError::Start {
            line: line.clone(),
            source,
        };
        let program = self.find(&invocation.program)?;
        let output = self
            .expression(invocation, program)
            .unchecked()
            .run()
            .map_err(start)?;
        Ok(exit_code(output.status))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where programs are run"
    )]
    fn expression(&self, invocation: &Invocation, program: &Path) -> duct::Expression {
        let mut expression = duct::cmd(program, &invocation.args);
        if let Some(cache) = &self.kubectl_cache {
            expression = expression.env("KUBECACHEDIR", cache);
        }
        if invocation.program == "helm" {
            expression = self.surround_helm(expression);
        }
        for (name, value) in &invocation.env {
            expression = expression.env(name, value);
        }
        expression
    }

    /// Gives helm its own directories, and takes from it the user's settings and, with a bundle,
    /// every way out of this machine.
    fn surround_helm(&self, mut expression: duct::Expression) -> duct::Expression {
        // For a variable that is set and removed, duct obeys the first call.
        for (name, dir) in self
            .helm_home
            .iter()
            .flat_map(|home| helm::directories(home))
        {
            expression = expression.env(name, dir);
        }
        for name in &self.not_for_helm {
            expression = expression.env_remove(name);
        }
        for (name, proxy) in helm::NO_WAY_OUT.into_iter().filter(|_| self.offline) {
            expression = match proxy {
                Some(proxy) => expression.env(name, proxy),
                None => expression.env_remove(name),
            };
        }
        expression
    }

    /// Returns the path of `program`: a tool's name, or the absolute path of a program that an
    /// environment has.
    pub fn find<'a>(&'a self, program: &'a str) -> Result<&'a Path, ToolError> {
        let named = Path::new(program).is_absolute().then(|| Path::new(program));
        if let Some(why) = self.refused.get(program) {
            return Err(ToolError::Refused { why: why.clone() });
        }
        let found = self.programs.get(program).map(PathBuf::as_path);
        named.or(found).ok_or_else(|| ToolError::Missing {
            program: program.to_owned(),
        })
    }
}

fn spawn(
    expression: &duct::Expression,
    invocation: &Invocation,
    lines: mpsc::Sender<Passed>,
) -> io::Result<(Arc<duct::Handle>, Pid)> {
    let (err_reader, err_writer) = os_pipe::pipe()?;
    let expression = match &invocation.stdin {
        Stdin::Null => expression.stdin_null(),
        Stdin::Text(text) => expression.stdin_bytes(text.as_bytes()),
        Stdin::File(path) => expression.stdin_path(path),
    };
    let (out_reader, out_writer) = os_pipe::pipe()?;
    let expression = expression.stdout_file(out_writer);
    match &invocation.stdout {
        Some(path) => copy(
            out_reader,
            File::create(path)?,
            invocation.at_most,
            lines.clone(),
        ),
        None => read_lines(out_reader, Stream::Stdout, lines.clone()),
    }
    read_lines(err_reader, Stream::Stderr, lines);
    let handle = expression
        .stderr_file(err_writer)
        .before_spawn(|command| {
            std::os::unix::process::CommandExt::process_group(command, 0);
            Ok(())
        })
        .unchecked()
        .start()?;
    let pid = handle.pids().first().copied();
    let group = pid
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the child has no process id"))?;
    Ok((Arc::new(handle), group))
}

fn signal(group: Pid, signal: Signal) {
    // The group may have ended in between; then there is nothing left to signal.
    let _ = kill_process_group(group, signal);
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended without a status".to_owned(),
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let by_signal = status.signal().map(|signal| 128 + signal);
    status.code().or(by_signal).unwrap_or(1)
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
