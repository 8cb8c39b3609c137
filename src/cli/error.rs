//! The error of a command that cannot go on: its causes, its hints and its exit code.

use crate::{
    assert::ClusterError, engine::run::error::EngineError, event::Failure, state::StateError,
    tool::ToolError,
};

use super::exit;

/// An error as the user sees it.
#[derive(Debug)]
pub(crate) struct CliError {
    /// The exit code.
    pub(crate) code: u8,
    /// The error, with its causes.
    pub(crate) error: anyhow::Error,
    /// The hints for the user.
    pub(crate) hints: Vec<String>,
    /// The last lines of a failed command's output.
    pub(crate) tail: Vec<String>,
}

impl CliError {
    /// Creates an error with this exit code.
    pub(crate) fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self {
            code,
            error: error.into(),
            hints: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Creates the error of a wrong command line.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::new(exit::USAGE, error)
    }

    /// Creates the error of a labctl that cannot go on.
    pub(crate) fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::new(exit::INTERNAL, error)
    }

    /// Adds a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns true if the environment's own files are the reason.
    pub(crate) fn is_of_files(&self) -> bool {
        self.error.downcast_ref::<StateError>().is_some()
    }

    /// Returns true if a run could not go on, after it had reported its progress.
    pub(crate) fn is_of_run(&self) -> bool {
        self.error.downcast_ref::<EngineError>().is_some()
    }

    /// Returns the exit code if nobody reads the output any more: that is no failure of an answer,
    /// but it ends a run.
    pub(crate) fn broken_pipe(&self) -> Option<u8> {
        let is_broken_pipe = self.error.chain().any(|cause| {
            let io = cause.downcast_ref::<std::io::Error>();
            io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
        });
        let code = if self.is_of_run() {
            exit::BROKEN_PIPE
        } else {
            exit::OK
        };
        is_broken_pipe.then_some(code)
    }

    /// Returns this error as the failure that reports show.
    pub(crate) fn failure(&self) -> Failure {
        let mut causes: Vec<String> = self.error.chain().map(ToString::to_string).collect();
        // `transparent` errors have the same text as the errors that they contain.
        causes.dedup();
        let summary = causes.remove(0);
        Failure {
            summary,
            causes,
            hint: (!self.hints.is_empty()).then(|| self.hints.join("\n")),
            tail: self.tail.clone(),
            verdicts: Vec::new(),
        }
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        let later;
        let (code, hint) = match &error {
            StateError::Locked { .. } => (
                exit::LOCKED,
                Some("wait until it has ended, or let `--wait` do so"),
            ),
            StateError::Absent { .. } => (
                exit::USAGE,
                Some("`labctl status` lists the environments; `labctl up LAB` makes one"),
            ),
            StateError::File { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull => (
                    exit::INTERNAL,
                    Some("free some space, or name another directory with --state-dir"),
                ),
                std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::ReadOnlyFilesystem
                | std::io::ErrorKind::NotADirectory => (
                    exit::INTERNAL,
                    Some("name a directory that you may write with --state-dir"),
                ),
                _ => (exit::INTERNAL, None),
            },
            StateError::Hostile { .. } => (exit::INVALID_LAB, None),
            StateError::Exposed { .. } => (
                exit::UNSAFE,
                Some("see who put it there, or name a directory of your own with --state-dir"),
            ),
            StateError::Bundle(_) => (exit::TOOL, Some("make the bundle anew")),
            StateError::Corrupt { .. } => (exit::INTERNAL, None),
            StateError::Later { labctl, .. } => {
                let version = labctl.as_deref();
                later = version.map_or_else(
                    || "install the labctl that wrote it, or a later one".to_owned(),
                    |version| format!("install labctl {version} or a later one"),
                );
                (exit::UNSAFE, Some(later.as_str()))
            }
        };
        let hint = hint.map(ToOwned::to_owned);
        let cli = Self::new(code, error);
        match hint {
            Some(hint) => cli.hint(hint),
            None => cli,
        }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::State(error) => error.into(),
            EngineError::Cluster {
                ref source,
                ref call,
                ..
            } => {
                let refused = matches!(source, ClusterError::Plugin { .. });
                let code = if refused {
                    exit::UNSAFE
                } else {
                    exit::UNREACHABLE
                };
                let anew = format!("`labctl down {call} && labctl up {call}` makes it anew");
                let hint = if refused {
                    "if you know why it does, allow it with --allow-login-program".to_owned()
                } else if matches!(source, ClusterError::Unreachable { .. }) {
                    format!("`labctl status` shows how it stands; {anew}")
                } else {
                    anew
                };
                Self::new(code, error).hint(hint)
            }
            EngineError::Nodes {
                source, ref call, ..
            } => {
                let hint = source.remedy(call);
                Self::new(exit::UNREACHABLE, error).hint(hint)
            }
            EngineError::Tool { ref source, .. } => {
                let (code, tail) = match source {
                    ToolError::Missing { .. } | ToolError::Refused { .. } => {
                        (exit::TOOL, Vec::new())
                    }
                    ToolError::Exit { tail, .. } => (exit::FAILED, tail.clone()),
                    _ => (exit::FAILED, Vec::new()),
                };
                let mut cli = Self::new(code, error);
                cli.tail = tail;
                cli
            }
            EngineError::Unsafe { .. } => Self::new(exit::UNSAFE, error)
                .hint("use another name with --env, or remove it with the tool that made it"),
            EngineError::Unfinished { ref call, .. } => {
                let hint = format!(
                    "`labctl reset {call}` goes on with it; `labctl reset --hard {call}` recreates the \
                     cluster"
                );
                Self::new(exit::UNSAFE, error).hint(hint)
            }
            EngineError::Live(ref source) => {
                let code = source.code.map_or(exit::UNREACHABLE, |_| exit::FAILED);
                Self::new(code, error)
            }
            EngineError::Step(failure) => {
                let texts = [vec![failure.summary], failure.causes].concat();
                let mut texts = texts.into_iter().rev();
                let innermost = anyhow::Error::msg(texts.next().unwrap_or_default());
                let chain = texts.fold(innermost, anyhow::Error::context);
                let mut cli = Self::new(exit::FAILED, chain);
                cli.hints.extend(failure.hint);
                cli.tail = failure.tail;
                cli
            }
            EngineError::Stopped => Self::new(exit::FAILED, error),
            EngineError::Report(_) => Self::internal(error),
        }
    }
}
