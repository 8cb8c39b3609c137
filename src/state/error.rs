//! What can go wrong with an environment's files.

use std::{io, path::PathBuf};

use super::Holder;

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
    /// Another labctl holds the environment.
    #[error("the environment \"{name}\" is in use by {holder}")]
    Locked {
        /// The environment.
        name: String,
        /// Who holds it.
        holder: Holder,
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
}
