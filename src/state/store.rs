//! The state directory with all environments.

use std::{
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{Environment, Holder, Lock, Record, StateError, files, lock::Attempt};
use crate::{event::Untrusted, spec::EnvironmentName};

/// A state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    dir: PathBuf,
}

/// A list of the environments of a state directory.
#[derive(Debug, Default)]
pub struct Listing {
    /// The environments that can be used, by name.
    pub environments: Vec<Environment>,
    /// The environments that cannot be used, by name.
    pub unusable: Vec<Unusable>,
}

/// An environment whose record cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// The name of its directory.
    pub name: String,
    /// The reason.
    pub why: StateError,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, why } = self;
        write!(f, "the environment \"{name}\" cannot be used: {why}")?;
        let mut source = why.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl Store {
    /// Creates the store in `dir`, which need not exist yet.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the directory of the environment `name`, existing or not.
    #[must_use]
    pub fn path(&self, name: &EnvironmentName) -> PathBuf {
        self.dir.join("envs").join(name.as_str())
    }

    /// Refuses a state directory in which others may plant files. The user named the directory, so
    /// it may be reached through a link; nothing in it may be a link.
    fn check(&self) -> Result<(), StateError> {
        files::private(&self.dir)?;
        let envs = self.dir.join("envs");
        files::no_link(&envs)?;
        files::private(&envs)
    }

    /// Refuses an environment in which others may plant files, or with a link in its directory:
    /// kind and kubectl follow links where they write.
    fn check_environment(&self, name: &EnvironmentName) -> Result<(), StateError> {
        self.check()?;
        Self::check_dir(&self.path(name))
    }

    fn check_dir(dir: &Path) -> Result<(), StateError> {
        files::no_link(dir)?;
        files::private(dir)?;
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            files::no_link(&entry.path())?;
        }
        Ok(())
    }

    /// Returns all environments, by name. One that cannot be used hides no other.
    pub fn list(&self) -> Result<Listing, StateError> {
        self.check()?;
        let dir = self.dir.join("envs");
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Listing::default()),
            Err(source) => return Err(StateError::file("read", dir)(source)),
        };
        let mut listing = Listing::default();
        for entry in entries {
            let path = entry.map_err(StateError::file("read", &dir))?.path();
            // A file that a file manager left behind is no environment.
            if !path.is_dir() {
                continue;
            }
            Self::check_dir(&path)?;
            match Environment::open(&path) {
                Ok(environment) => listing.environments.extend(environment),
                Err(why @ StateError::Exposed { .. }) => return Err(why),
                Err(why) => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let name = Untrusted::new(&name).as_str().to_owned();
                    listing.unusable.push(Unusable { name, why });
                }
            }
        }
        listing.environments.sort_by(|a, b| a.name().cmp(b.name()));
        listing.unusable.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    /// Opens the environment `name`.
    pub fn get(&self, name: &EnvironmentName) -> Result<Environment, StateError> {
        self.check_environment(name)?;
        Environment::open(&self.path(name))?.ok_or_else(|| StateError::Absent {
            name: name.to_string(),
        })
    }

    /// Takes the environment `name` for `holder`, and creates its directory if it is missing.
    pub fn lock(&self, name: &EnvironmentName, holder: &Holder) -> Result<Attempt, StateError> {
        self.check_environment(name)?;
        let mut attempt = self.attempt(name)?;
        if let Attempt::Held(lock) = &mut attempt
            && let Err(error) = lock.sign(holder)
        {
            // Nothing may be left of an environment that could not be begun. The lock is held, so
            // nobody else is making it.
            if !self.is_begun(name) {
                let _ = self.discard(name);
            }
            return Err(error);
        }
        Ok(attempt)
    }

    fn attempt(&self, name: &EnvironmentName) -> Result<Attempt, StateError> {
        /// More than the number of `down`s that anybody runs in the same instant.
        const TRIES: usize = 8;
        let dir = self.path(name);
        let mut tries = 0;
        loop {
            tries += 1;
            let attempt =
                files::create_dir(&dir).and_then(|()| Lock::attempt(&self.lock_path(name)));
            match attempt {
                // A `down` that just ended removed the directory between the two calls.
                Err(StateError::File { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
                Err(error) => {
                    // The lock is not held: another labctl may be making the environment. Only
                    // empty directories go; whoever is about to use one makes it again.
                    let _ = fs::remove_dir(&dir);
                    let _ = fs::remove_dir(self.dir.join("envs"));
                    return Err(error);
                }
                attempt => return attempt,
            }
        }
    }

    /// Returns the path of the lock of the environment `name`.
    #[must_use]
    pub fn lock_path(&self, name: &EnvironmentName) -> PathBuf {
        self.path(name).join("lock")
    }

    /// Removes the directory of an environment that turned out not to exist. The caller holds its
    /// lock.
    pub fn discard_unbegun(&self, name: &EnvironmentName) {
        if !self.is_begun(name) {
            // A directory that cannot be removed looks empty to the next command.
            let _ = self.discard(name);
        }
    }

    fn is_begun(&self, name: &EnvironmentName) -> bool {
        self.path(name).join("environment.json").exists()
    }

    /// Creates the environment that `record` describes. The caller holds its lock. On an error
    /// nothing of the environment is left.
    pub fn create(&self, record: Record) -> Result<Environment, StateError> {
        let environment = Environment {
            dir: self.path(&record.name),
            record,
        };
        environment.save().inspect_err(|_| {
            let _ = self.discard(environment.name());
        })?;
        Ok(environment)
    }

    /// Removes the environment's directory. The caller holds its lock. The record goes first, so
    /// that the environment is gone at once for everybody else.
    pub fn remove(&self, name: &EnvironmentName) -> Result<(), StateError> {
        let dir = self.path(name);
        let record = dir.join("environment.json");
        files::remove(&record)?;
        self.discard(name).map_err(StateError::file("remove", dir))
    }

    fn discard(&self, name: &EnvironmentName) -> io::Result<()> {
        fs::remove_dir_all(self.path(name))?;
        // Succeeds only for the last environment: the directory has to be empty.
        let _ = fs::remove_dir(self.dir.join("envs"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_take_an_environment_leaves_alone_what_another_is_making() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        let me = Holder {
            pid: 1,
            started: 1,
            verb: "up".into(),
            since: jiff::Timestamp::UNIX_EPOCH,
        };
        // The environment is there and has no record yet; opening the lock fails.
        fs::create_dir_all(store.lock_path(&"a".into())).unwrap();
        fs::write(store.path(&"a".into()).join("half"), "made").unwrap();
        assert!(store.lock(&"a".into(), &me).is_err());
        assert!(store.path(&"a".into()).join("half").exists());
        // It leaves nothing of its own.
        fs::write(store.dir().join("envs/b"), "a file in the way").unwrap();
        assert!(store.lock(&"b".into(), &me).is_err());
        assert!(store.dir().join("envs/b").is_file());
    }
}
