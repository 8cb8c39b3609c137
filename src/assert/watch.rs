//! Watching a cluster: one watch for each kind of object, and probes asked again whenever something
//! changed.

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

/// A watch that says nothing for so long is begun anew, with a full list: silence can also be a
/// connection that broke without a word (a laptop that slept).
const RESYNC: Duration = Duration::from_mins(1);
/// How long a watch that failed is left alone, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long a probe rests in any case, and how long more if nothing changes.
const REST: Duration = Duration::from_millis(200);
const REST_UNCHANGED: Duration = Duration::from_millis(800);

/// A running watch. Everything it started ends when it is dropped.
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
        // What a task that ended in the middle of an insertion left is still a map of objects.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.observed());
        self.changed.send_modify(|n| *n += 1);
    }
}

impl Watch {
    /// Starts watching what `needs` names.
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

    /// What is seen now.
    #[must_use]
    pub fn observed(&mut self) -> Observed {
        self.changes.mark_unchanged();
        self.shared.observed().clone()
    }

    /// Asks `probes` again and again from now on, and no others.
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

    /// Whether every kind was listed, and every probe answered, once: before that a verdict says
    /// more about labctl than about the cluster.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let observed = self.shared.observed();
        self.scopes.iter().all(|s| observed.objects.contains_key(s))
            && self.probers.keys().all(|p| observed.probes.contains_key(p))
    }

    /// Returns once something changed since [`Watch::observed`] was last called.
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

/// Keeps the objects of `scope` as the cluster has them. Every error begins with a new list: what
/// was missed in between is not to be told otherwise.
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

/// What `error` means for what is known: nothing if the API server itself answered that a watch has
/// to begin anew (410, 429), no objects if it does not know the kind.
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
        // A watch that broke off is followed by a list, which tells.
        Error::WatchFailed(_) | Error::NoResourceVersion => None,
    }
}

/// Asks `probe` whenever an object changed, and from time to time.
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
