//! The observation of a cluster: one watch for each kind of object, and probes that are repeated
//! after every change.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use kube::runtime::watcher;
use tokio::{
    sync::watch::{self, Receiver, Sender},
    task::AbortHandle,
};

use super::{
    Needs, Observed, Probe, Scope,
    cluster::{Cluster, entry},
    observed::{Objects, Seen},
    served::unserved,
    text::innermost,
};

/// The time without an event after which a watch is started again, with a full list. Silence can
/// also mean a connection that broke unnoticed (a laptop that slept).
const RESYNC: Duration = Duration::from_mins(1);
/// The pause after a failed watch: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// The pause between two runs of a probe: the part that is always kept, and the part that a change
/// cuts short.
const REST: Duration = Duration::from_millis(200);
const REST_UNCHANGED: Duration = Duration::from_millis(800);

/// A running watch. Dropping it ends all its tasks.
pub struct Watch {
    cluster: Cluster,
    shared: Arc<Shared>,
    changes: Receiver<u64>,
    watchers: Vec<AbortHandle>,
    probers: BTreeMap<Probe, AbortHandle>,
    scopes: BTreeSet<Scope>,
}

struct Shared {
    observed: Mutex<Observed>,
    changed: Sender<u64>,
}

impl Shared {
    fn observed(&self) -> MutexGuard<'_, Observed> {
        // A task that panicked in the middle of an insertion still leaves a valid map of objects.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.observed());
        self.changed.send_modify(|n| *n += 1);
    }
}

impl Watch {
    /// Starts to watch the scopes of `needs`.
    #[must_use]
    pub fn start(cluster: &Cluster, needs: &Needs) -> Self {
        let (changed, seen) = watch::channel(0);
        let shared = Arc::new(Shared {
            observed: Mutex::new(Observed::default()),
            changed,
        });
        let watchers = needs.scopes.iter().map(|scope| {
            let task = follow(cluster.clone(), scope.clone(), Arc::clone(&shared));
            tokio::spawn(task).abort_handle()
        });
        Self {
            watchers: watchers.collect(),
            cluster: cluster.clone(),
            shared,
            changes: seen,
            probers: BTreeMap::new(),
            scopes: needs.scopes.clone(),
        }
    }

    /// Returns the present observation.
    #[must_use]
    pub fn observed(&mut self) -> Observed {
        self.changes.mark_unchanged();
        self.shared.observed().clone()
    }

    /// Repeats `probes` from now on, and stops all others.
    pub fn probe(&mut self, probes: &BTreeSet<Probe>) {
        self.probers.retain(|probe, task| {
            let wanted = probes.contains(probe);
            if !wanted {
                task.abort();
                self.shared.observed().probes.remove(probe);
            }
            wanted
        });
        for probe in probes {
            if !self.probers.contains_key(probe) {
                let task = keep_asking(
                    self.cluster.clone(),
                    probe.clone(),
                    Arc::clone(&self.shared),
                );
                let handle = tokio::spawn(task).abort_handle();
                self.probers.insert(probe.clone(), handle);
            }
        }
    }

    /// Returns true if every kind was listed once and every probe answered once. A verdict before
    /// that says more about labctl than about the cluster.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let observed = self.shared.observed();
        self.scopes.iter().all(|s| observed.objects.contains_key(s))
            && self.probers.keys().all(|p| observed.probes.contains_key(p))
    }

    /// Waits for a change since the last call of [`Watch::observed`].
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in self.watchers.iter().chain(self.probers.values()) {
            task.abort();
        }
    }
}

/// Keeps the objects of `scope` up to date. After every error it starts with a new list, which
/// alone shows the changes missed in between.
async fn follow(cluster: Cluster, scope: Scope, shared: Arc<Shared>) {
    let mut backoff = BACKOFF.0;
    loop {
        let api = match cluster.place(&scope).await {
            Ok(api) => api,
            Err(seen) => {
                shared.update(|o| drop(o.objects.insert(scope.clone(), seen)));
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
                continue;
            }
        };
        let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
        let mut listed = Objects::new();
        while let Ok(event) = tokio::time::timeout(RESYNC, events.next()).await {
            let Some(event) = event else { break };
            match event {
                Ok(event) => {
                    backoff = BACKOFF.0;
                    take(event, &mut listed, &scope, &shared);
                }
                Err(error) => {
                    let seen = unreachable(&error, &scope);
                    if let Some(seen) = seen {
                        shared.update(|o| drop(o.objects.insert(scope.clone(), seen)));
                    }
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF.1);
                    break;
                }
            }
        }
    }
}

fn take(
    event: watcher::Event<kube::api::DynamicObject>,
    listed: &mut Objects,
    scope: &Scope,
    shared: &Shared,
) {
    use watcher::Event;
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => listed.extend(entry(scope, &object)),
        Event::InitDone => {
            let seen = Seen::Objects(std::mem::take(listed));
            shared.update(|o| drop(o.objects.insert(scope.clone(), seen)));
        }
        Event::Apply(object) => shared.update(|o| {
            if let Some(Seen::Objects(objects)) = o.objects.get_mut(scope) {
                objects.extend(entry(scope, &object));
            }
        }),
        Event::Delete(object) => shared.update(|o| {
            if let (Some(Seen::Objects(objects)), Some((name, _))) =
                (o.objects.get_mut(scope), entry(scope, &object))
            {
                objects.remove(&name);
            }
        }),
    }
}

/// Returns the observation that `error` leads to: none if the API server answered that a watch has
/// to start again (410, 429), an unserved kind if the API server does not know the kind.
fn unreachable(error: &watcher::Error, scope: &Scope) -> Option<Seen> {
    use watcher::Error;
    match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchError(status) => match status.code {
            404 => Some(unserved(scope)),
            410 | 429 => None,
            _ => Some(Seen::Unreachable(status.message.clone())),
        },
        Error::InitialListFailed(error) | Error::WatchStartFailed(error) => {
            Some(Seen::Unreachable(innermost(error)))
        }
        // A list follows a broken watch, and shows if the cluster can be reached.
        Error::WatchFailed(_) | Error::NoResourceVersion => None,
    }
}

/// Repeats `probe` after every change of an object, and from time to time.
async fn keep_asking(cluster: Cluster, probe: Probe, shared: Arc<Shared>) {
    let mut changes = shared.changed.subscribe();
    loop {
        changes.mark_unchanged();
        let result = cluster.ask(&probe).await;
        if shared.observed().probes.get(&probe) != Some(&result) {
            shared.update(|o| drop(o.probes.insert(probe.clone(), result)));
        }
        tokio::time::sleep(REST).await;
        let _ = tokio::time::timeout(REST_UNCHANGED, changes.changed()).await;
    }
}
