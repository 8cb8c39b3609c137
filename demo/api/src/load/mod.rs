//! Load: requests at a rate from concurrent workers, and what became of them.

mod client;
mod control;
mod series;
mod tally;
mod target;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use self::client::Connection;
pub use self::{
    control::{ControlError, control, fetch},
    series::Series,
    tally::{Report, Shared as SharedTally},
    target::{Target, TargetError},
};

/// What to send.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to.
    pub target: Target,
    /// Sends this with POST instead of asking with GET.
    pub body: Option<String>,
    /// Requests a second; more than 0.
    pub rate: f64,
    /// How many are under way at the same time at most.
    pub workers: usize,
    /// Ends after so many requests.
    pub requests: Option<u64>,
    /// Ends after this time.
    pub duration: Option<Duration>,
    /// Each worker keeps its connection. Otherwise each request has one of its own.
    pub keep_alive: bool,
    /// How long a request may take, its connection included.
    pub timeout: Duration,
}

/// When requests are due, and how many are left. One for all workers.
struct Pace {
    ticks: Interval,
    left: Option<u64>,
    end: Option<Instant>,
}

impl Pace {
    fn new(plan: &Plan) -> Self {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / plan.rate));
        // What could not be sent in time is not sent in a burst later.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ticks,
            left: plan.requests,
            end: plan.duration.map(|d| Instant::now() + d),
        }
    }

    /// Waits until the next request is due; false if there is none.
    async fn next(&mut self) -> bool {
        if self.left == Some(0) {
            return false;
        }
        match self.end {
            None => {
                self.ticks.tick().await;
            }
            Some(end) => tokio::select! {
                // If both are due it is over.
                biased;
                () = tokio::time::sleep_until(end) => return false,
                _ = self.ticks.tick() => {}
            },
        }
        self.left = self.left.map(|n| n - 1);
        true
    }
}

/// Sends until the plan is done or `stop` is; the tally can be looked at meanwhile.
pub async fn run(plan: Plan, tally: SharedTally, stop: impl Future<Output = ()>) {
    let pace = Arc::new(Mutex::new(Pace::new(&plan)));
    let plan = Arc::new(plan);
    let mut workers = JoinSet::new();
    for _ in 0..plan.workers.max(1) {
        workers.spawn(work(plan.clone(), pace.clone(), tally.clone()));
    }
    tokio::select! {
        () = stop => workers.shutdown().await,
        () = async { while workers.join_next().await.is_some() {} } => {}
    }
    tally.end();
}

async fn work(plan: Arc<Plan>, pace: Arc<Mutex<Pace>>, tally: SharedTally) {
    let mut connection = Connection::default();
    loop {
        // The lock is held while waiting: the workers take turns.
        if !pace.lock().await.next().await {
            return;
        }
        let begun = Instant::now();
        let outcome = connection.request(&plan).await;
        tally.add(begun.elapsed(), outcome);
    }
}
