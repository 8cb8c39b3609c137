//! The guard over a fault: watches the assertions that have to hold throughout.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::watch::{self, Receiver, Sender},
    time::Instant,
};

use crate::{
    assert::{Cluster, throughout::Throughout, watch::Watch},
    engine::{
        act::load,
        run::{context::Context, error::EngineError},
        steps::settle::{Settled, Wait},
    },
    event::{Failure, Status, Verdict},
    spec::request::Load,
    tool::{Stop, Stopper},
};

/// The assertions and the traffic to watch while a fault is injected and its expectations are
/// waited for.
pub struct Guard<'a> {
    /// The assertions that have to hold throughout.
    pub wait: Wait<'a>,
    /// The longest tolerated interruption.
    pub tolerated: Duration,
    /// The watch in which the assertions were just seen to hold.
    pub watch: Watch,
    /// The traffic during the step, and the cluster to send it to.
    pub load: Option<(&'a Load, Cluster)>,
    /// The longest tolerated interruption of the traffic, if the lab limits it.
    pub load_tolerated: Option<Duration>,
}

impl Guard<'_> {
    /// Does `work`, which injects the fault and settles. Returns its result, and the verdicts on
    /// the time in between. If an interruption gets too long, ends the work through `end`, which
    /// the work has to obey.
    pub async fn during(
        mut self,
        context: &Context,
        work: impl Future<Output = Result<Settled, EngineError>>,
        end: Sender<Stop>,
        stopper: &mut Stopper,
    ) -> Result<(Settled, Vec<Verdict>), EngineError> {
        let (done, is_done) = watch::channel(None);
        let working = async {
            let settled = work.await;
            done.send_replace(Some(matches!(settled, Ok(Settled::Holds(..)))));
            settled
        };
        let (load, tolerated) = (self.load.take(), self.load_tolerated);
        let (until, mut own) = (is_done.clone(), stopper.clone());
        let loading = async {
            let (load, cluster) = load?;
            let tally = load::run(&cluster, load, until, &mut own).await;
            Some(tally.verdict(load, tolerated))
        };
        let watching = self.measure(context, is_done, &end, stopper);
        let (settled, seen, loaded) = futures::future::join3(working, watching, loading).await;
        if let Some(complaint) = seen.complaint() {
            let mut failure = Failure::new(complaint);
            failure.verdicts = seen.verdicts();
            failure.verdicts.retain(|v| v.status != Status::Pass);
            return Err(EngineError::Step(Box::new(failure)));
        }
        let settled = settled?;
        let failed = loaded.as_ref().filter(|v| v.status != Status::Pass);
        if let (Settled::Holds(..), Some(failed)) = (&settled, failed) {
            let mut failure = Failure::new(format!("{} is not as it has to be", failed.assertion));
            failure.verdicts.push(failed.clone());
            return Err(EngineError::Step(Box::new(failure)));
        }
        let mut verdicts = seen.verdicts();
        verdicts.extend(loaded);
        Ok((settled, verdicts))
    }

    /// Watches until the work is done. Waits for the end of an interruption that goes on by then.
    async fn measure(
        &mut self,
        context: &Context,
        mut is_done: Receiver<Option<bool>>,
        end: &Sender<Stop>,
        stopper: &mut Stopper,
    ) -> Throughout {
        let began = Instant::now();
        let assertions = self.wait.assertions;
        let mut seen = Throughout::new(assertions, self.tolerated, Timestamp::now());
        loop {
            let done = *is_done.borrow_and_update();
            let (verdicts, _) = self.wait.look(context, &mut self.watch);
            seen.see(began.elapsed(), &verdicts);
            if seen.is_exceeded() {
                end.send_replace(Stop::Term(0));
                return seen;
            }
            if done == Some(false) || (done == Some(true) && seen.holds_now()) {
                return seen;
            }
            let deadline = began + seen.deadline().unwrap_or_default();
            tokio::select! {
                () = self.watch.changed() => {}
                _ = is_done.changed(), if done.is_none() => {}
                _ = stopper.beyond(Stop::Run), if done.is_some() => return seen,
                () = tokio::time::sleep_until(deadline), if !seen.holds_now() => {}
            }
        }
    }
}
