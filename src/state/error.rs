//! What can go wrong with an environment's files.

use std::{fmt, io, path::PathBuf};

use super::{Holder, bundle::BundleError};

/// Who holds an environment, as far as that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldBy {
    /// A labctl, at work.
    Labctl(Holder),
    /// Processes of which no more is known: their programs and ids. One that has just taken the
    /// environment, or ones that a labctl that was killed left running and that do not end.
    Processes(Vec<(String, u32)>),
    /// Somebody who is not to be seen from here: another user, or another container.
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

/// Why the state of an environment could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file operation failed.
    #[error("failed to {what} {}", path.display())]
    File {
        /// The verb: `write`, `create`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file says something that cannot be.
    #[error("{} cannot be read: {why}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file says something that a later labctl wrote and this one does not know.
    #[error(
        "{} was written by {}: {what} is more than this one ({}) knows",
        path.display(),
        labctl.as_ref().map_or_else(|| "a later labctl".to_owned(), |v| format!("labctl {v}")),
        super::LABCTL
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// What of it.
        what: String,
        /// The version of the labctl that wrote it, if it said so.
        labctl: Option<String>,
    },
    /// A lab's files that are not taken in.
    #[error("{origin} is refused as a lab")]
    Hostile {
        /// Where they are, or came from.
        origin: String,
        /// Everything that is wrong with them.
        #[source]
        faults: Faults,
    },
    /// The state directory, or something in it, is not the user's alone.
    #[error("{} is not safe to use: {why}", path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A bundle is not what it says.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Somebody else holds the environment.
    #[error("the environment \"{name}\" is in use by {by}")]
    Locked {
        /// The environment.
        name: String,
        /// Who holds it.
        by: HeldBy,
    },
    /// There is no such environment.
    #[error("there is no environment \"{name}\"")]
    Absent {
        /// The environment.
        name: String,
    },
}

/// All faults of something, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(pub Vec<String>);

impl StateError {
    /// An error of the file operation `what` on `path`, to be used with `map_err`.
    pub fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    /// Whether this user may not write there, or nobody may.
    #[must_use]
    pub fn is_of_permission(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let Self::File { source, .. } = self else {
            return false;
        };
        matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
    }
}
