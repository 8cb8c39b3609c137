//! Holding an environment: only one command at a time may change it. Processes that a killed labctl
//! left running in it are ended first.

use std::time::Duration;

use futures::future::{join_all, select_all};
use jiff::Timestamp;
use tokio::{sync::oneshot, time::Instant};

use super::{args::Wait, error::CliError, exit, output, session, settings::Settings, signals};
use crate::{
    event::Child,
    spec::EnvironmentName,
    state::{
        Holder, Lock, StateError,
        error::HeldBy,
        holders::{self, Holders},
        lock::{self, Attempt},
    },
    tool::{Stop, Stopper, process, survivor},
};

/// The time for the kernel to release a lock whose holders are gone, and for a killed process to
/// end.
const RELEASE: Duration = Duration::from_secs(15);

/// A request to hold an environment.
pub(crate) struct Hold<'a> {
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// The environment.
    pub(crate) name: &'a EnvironmentName,
    /// The verb that needs it: `up`.
    pub(crate) verb: &'a str,
    /// The wait for another labctl, if the user wants one.
    pub(crate) wait: Option<Wait>,
    /// True if the environment has to exist; it may have been removed meanwhile.
    pub(crate) exists: bool,
}

impl Hold<'_> {
    /// Runs `work` while nobody else has the environment. Starts a runtime and listens for signals.
    /// Returns the exit code.
    pub(crate) fn alone(
        &self,
        work: impl AsyncFnOnce(Stopper) -> Result<u8, CliError>,
    ) -> Result<u8, CliError> {
        session::runtime()?.block_on(async { self.held(signals::listen()?, work).await })
    }

    /// Runs `work` while nobody else has the environment, unless a signal comes first. Returns the
    /// exit code.
    pub(crate) async fn held(
        &self,
        stopper: Stopper,
        work: impl AsyncFnOnce(Stopper) -> Result<u8, CliError>,
    ) -> Result<u8, CliError> {
        let mut say = |text: &str| output::note(self.settings, text);
        match self.take(&stopper, &mut say).await? {
            Some(_lock) => work(stopper).await,
            None => Ok(exit::signalled(stopper.now().signal().unwrap_or_default())),
        }
    }

    /// Takes the environment; `None` if a signal came first. Passes messages for the user to `say`.
    pub(crate) async fn take(
        &self,
        stopper: &Stopper,
        say: &mut dyn FnMut(&str),
    ) -> Result<Option<Lock>, CliError> {
        let mut stopper = stopper.clone();
        tokio::select! {
            lock = self.get(say) => lock.map(Some),
            _ = stopper.beyond(Stop::Run) => Ok(None),
        }
    }

    async fn get(&self, say: &mut dyn FnMut(&str)) -> Result<Lock, CliError> {
        let store = &self.settings.store;
        let me = self.me();
        let path = store.lock_path(self.name);
        let patience = self.wait.and_then(|wait| wait.0);
        let until = patience.map(|limit| Instant::now() + limit.0);
        let gone = Instant::now() + RELEASE;
        let mut told = None;
        loop {
            if let Attempt::Held(lock) = store.lock(self.name, &me)? {
                return self.checked(lock);
            }
            // From here on a thread waits in the kernel, and is woken when the lock is released.
            let released = released(path.clone());
            let (by, waited_for, limit) = match look(&path) {
                Found::AtWork(by, process) => {
                    if self.wait.is_none() {
                        return Err(self.locked(by));
                    }
                    if told.as_ref() != Some(&by) {
                        let name = self.name;
                        say(&format!(
                            "waiting for {by}, which uses the environment \"{name}\""
                        ));
                        told = Some(by.clone());
                    }
                    (by, vec![process], until)
                }
                Found::LeftBehind(by, left) => {
                    end(&left, say).await;
                    (by, left, Some(gone))
                }
                Found::Nobody(by) => (by, Vec::new(), Some(gone)),
            };
            tokio::select! {
                result = released => result.map_err(StateError::file("lock", &path))?,
                () = any_exit(&waited_for) => {}
                () = at(limit) => return Err(self.locked(by)),
            }
        }
    }

    fn me(&self) -> Holder {
        let pid = std::process::id();
        Holder {
            pid,
            started: process::start_of(pid).unwrap_or(0),
            verb: self.verb.to_owned(),
            since: Timestamp::now(),
        }
    }

    /// Returns `lock`, unless the environment was removed before the lock was taken.
    fn checked(&self, lock: Lock) -> Result<Lock, CliError> {
        let store = &self.settings.store;
        if self.exists
            && let Err(error) = store.get(self.name)
        {
            store.discard_unbegun(self.name);
            return Err(error.into());
        }
        Ok(lock)
    }

    fn locked(&self, by: HeldBy) -> CliError {
        let name = self.name.to_string();
        StateError::Locked { name, by }.into()
    }
}

/// The holder of a lock that is not free.
enum Found {
    /// The process that took the lock.
    AtWork(HeldBy, Child),
    /// Processes that inherited the lock from one that is gone.
    LeftBehind(HeldBy, Vec<Child>),
    /// A process that cannot be seen: it is about to end, or belongs to somebody else.
    Nobody(HeldBy),
}

fn look(path: &std::path::Path) -> Found {
    let Holders { taker, heirs } = holders::of(path);
    let signed = lock::signed(path);
    if let Some(process) = taker.and_then(survivor::found) {
        let by = match signed {
            Some(holder) if (holder.pid, holder.started) == (process.group, process.started) => {
                HeldBy::Labctl(holder)
            }
            // The process has just taken the lock, and not signed it yet.
            _ => HeldBy::Processes(named([&process])),
        };
        return Found::AtWork(by, process);
    }
    let heirs: Vec<Child> = heirs.into_iter().filter_map(survivor::found).collect();
    if !heirs.is_empty() {
        return Found::LeftBehind(HeldBy::Processes(named(&heirs)), heirs);
    }
    // If the kernel does not tell, only the lock's file is left.
    Found::Nobody(signed.map_or(HeldBy::Unseen, HeldBy::Labctl))
}

fn named<'a>(processes: impl IntoIterator<Item = &'a Child>) -> Vec<(String, u32)> {
    let named = processes.into_iter();
    named.map(|p| (p.program.clone(), p.group)).collect()
}

/// Ends the processes that a killed labctl left running.
async fn end(left: &[Child], say: &mut dyn FnMut(&str)) {
    let ended = join_all(left.iter().map(process::end_survivor)).await;
    for (child, _) in left.iter().zip(ended).filter(|(_, ended)| *ended) {
        say(&format!(
            "ended `{}` (process {}), which an interrupted `labctl` had left running",
            child.program, child.group
        ));
    }
}

/// Waits until the lock at `path` is released. If this future is dropped, the thread stays: only
/// the kernel can wake it, and it touches nothing.
async fn released(path: std::path::PathBuf) -> std::io::Result<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || sender.send(Lock::released(&path)));
    receiver.await.unwrap_or(Ok(()))
}

async fn any_exit(processes: &[Child]) {
    if processes.is_empty() {
        return std::future::pending().await;
    }
    let exits = processes.iter().map(|p| Box::pin(survivor::exit_of(p)));
    select_all(exits).await;
}

async fn at(limit: Option<Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}
