//! The traffic of a step: requests that are sent while it acts.

use std::time::Duration;

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    assert::{Cluster, load::Tally},
    spec::request::Load,
    tool::{Stop, Stopper},
};

/// Sends the requests of `load` until `is_done` says that the step failed, or that it holds and
/// enough requests were sent. Then waits for the outstanding answers.
pub async fn run(
    cluster: &Cluster,
    load: &Load,
    mut is_done: Receiver<Option<bool>>,
    stopper: &mut Stopper,
) -> Tally {
    let began = Instant::now();
    let request = load.http.request();
    let ask = || async {
        let sent = began.elapsed();
        let answer = cluster.request(&load.http.port, &request).await;
        (sent, began.elapsed(), answer)
    };
    let mut tally = Tally::default();
    let mut under_way = FuturesUnordered::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / load.rate.max(1));
    // After a pause of the whole machine, do not send all missed requests at once.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = 0;
    loop {
        match *is_done.borrow_and_update() {
            Some(true) if sent >= load.at_least => break,
            Some(false) => break,
            _ => {}
        }
        tokio::select! {
            _ = ticks.tick() => {
                under_way.push(ask());
                sent += 1;
            }
            Some((sent, ended, Some(answer))) = under_way.next(), if !under_way.is_empty() => {
                tally.add(load, sent, ended, &answer);
            }
            changed = is_done.changed() => if changed.is_err() { break },
            _ = stopper.beyond(Stop::Run) => break,
        }
    }
    while let Some((sent, ended, answer)) = under_way.next().await {
        if let Some(answer) = answer {
            tally.add(load, sent, ended, &answer);
        }
    }
    tally
}
