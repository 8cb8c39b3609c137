//! The errors of an environment's files.

use std::{fmt, io, path::PathBuf};

use super::{Holder, bundle::BundleError};

/// The holder of an environment, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldBy {
    /// A labctl at work.
    Labctl(Holder),
    /// Processes of which only programs and ids are known: one that has just taken the environment,
    /// or ones that a killed labctl left running and that do not end.
    Processes(Vec<(String, u32)>),
    /// A process that cannot be seen from here: another user's, or one in another container.
    Unseen,
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labctl(holder) => holder.fmt(f),
            Self::Processes(processes) => {
                for (i, (program, pid)) in processes.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}`{program}` (process {pid})")?;
                }
                Ok(())
            }
            Self::Unseen => f.write_str("a process that cannot be seen from here"),
        }
    }
}

/// The error of reading or writing the state of an environment.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file operation failed.
    #[error("failed to {what} {}", path.display())]
    File {
        /// The verb: `write`, `create`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file has invalid content.
    #[error("{} cannot be read: {why}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The fault.
        why: String,
    },
    /// A file has content of a later labctl that this one does not understand.
    #[error(
        "{} was written by {}: {what} is more than this one ({}) knows",
        path.display(),
        labctl.as_ref().map_or_else(|| "a later labctl".to_owned(), |v| format!("labctl {v}")),
        super::LABCTL
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// The part of the file.
        what: String,
        /// The version of the labctl that wrote the file, if the file names it.
        labctl: Option<String>,
    },
    /// The files are refused as a lab.
    #[error("{origin} is refused as a lab")]
    Hostile {
        /// Their source.
        origin: String,
        /// All their faults.
        #[source]
        faults: Faults,
    },
    /// The state directory, or something in it, is not the user's alone.
    #[error("{} is not safe to use: {why}", path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A bundle cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Another process holds the environment.
    #[error("the environment \"{name}\" is in use by {by}")]
    Locked {
        /// The environment.
        name: String,
        /// Its holder.
        by: HeldBy,
    },
    /// There is no such environment.
    #[error("there is no environment \"{name}\"")]
    Absent {
        /// The environment.
        name: String,
    },
}

/// A list of faults, shown one a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(pub Vec<String>);

impl StateError {
    /// Returns the error of the file operation `what` on `path`, for `map_err`.
    pub fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    /// Returns true if this user may not write there, or if nobody may.
    #[must_use]
    pub fn is_of_permission(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let Self::File { source, .. } = self else {
            return false;
        };
        matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
    }
}
