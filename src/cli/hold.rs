//! Holding an environment: one changing command at a time, and what a labctl that was killed left
//! running in it is ended first.

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

/// How long the kernel may take to let go of a lock whose holders are gone, and a process that was
/// killed to be gone.
const RELEASE: Duration = Duration::from_secs(15);

/// Who wants to hold which environment.
pub(crate) struct Hold<'a> {
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// The environment.
    pub(crate) name: &'a EnvironmentName,
    /// For what: `up`.
    pub(crate) verb: &'a str,
    /// Whether another labctl is waited for.
    pub(crate) wait: Option<Wait>,
    /// Whether it has to exist; it may have been removed meanwhile.
    pub(crate) exists: bool,
}

impl Hold<'_> {
    /// Does `work` while nobody else has the environment, with a runtime, and listening for
    /// signals. Returns the exit code.
    pub(crate) fn alone(
        &self,
        work: impl AsyncFnOnce(Stopper) -> Result<u8, CliError>,
    ) -> Result<u8, CliError> {
        session::runtime()?.block_on(async { self.held(signals::listen()?, work).await })
    }

    /// Does `work` while nobody else has the environment, unless a signal comes first. Returns the
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

    /// Takes the environment; `None` if a signal came first. What is to be known meanwhile is
    /// passed to `say`.
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
            // From here on a thread waits in the kernel, and is woken when the lock is let go.
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

    /// `lock`, unless the environment was removed before it was taken.
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

/// Who has a lock that is not free.
enum Found {
    /// The process that took it.
    AtWork(HeldBy, Child),
    /// Processes that inherited it from one that is gone.
    LeftBehind(HeldBy, Vec<Child>),
    /// Nobody that can be seen: whoever had it is about to be gone, or is somebody else's.
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
            // It has taken it just now, and not yet said what for.
            _ => HeldBy::Processes(named([&process])),
        };
        return Found::AtWork(by, process);
    }
    let heirs: Vec<Child> = heirs.into_iter().filter_map(survivor::found).collect();
    if !heirs.is_empty() {
        return Found::LeftBehind(HeldBy::Processes(named(&heirs)), heirs);
    }
    // Where the kernel does not tell, the file's word is all there is.
    Found::Nobody(signed.map_or(HeldBy::Unseen, HeldBy::Labctl))
}

fn named<'a>(processes: impl IntoIterator<Item = &'a Child>) -> Vec<(String, u32)> {
    let named = processes.into_iter();
    named.map(|p| (p.program.clone(), p.group)).collect()
}

/// Ends what a labctl that was killed left running.
async fn end(left: &[Child], say: &mut dyn FnMut(&str)) {
    let ended = join_all(left.iter().map(process::end_survivor)).await;
    for (child, _) in left.iter().zip(ended).filter(|(_, ended)| *ended) {
        say(&format!(
            "ended `{}` (process {}), which an interrupted `labctl` had left running",
            child.program, child.group
        ));
    }
}

/// Returns once the lock at `path` was let go. The thread is left behind if nobody waits any more:
/// nothing but the kernel can wake it, and it touches nothing.
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
