//! Seeing, while a fault acts, that what has to hold throughout does.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::watch::{self, Receiver, Sender},
    time::Instant,
};

use super::{
    Context, EngineError,
    settle::{Settled, Wait},
};
use crate::{
    assert::{throughout::Throughout, watch::Watch},
    event::{Failure, Status, Verdict},
    tool::{Stop, Stopper},
};

/// What is watched while a fault is injected and its expectations are waited for.
pub struct Guard<'a> {
    /// What has to hold throughout.
    pub wait: Wait<'a>,
    /// From which length on an interruption is too long.
    pub tolerated: Duration,
    /// Where it was seen to hold just now.
    pub watch: Watch,
}

impl Guard<'_> {
    /// Does `work`, which injects the fault and settles, and returns what was measured meanwhile.
    /// If an interruption gets too long, the work is ended through `end`, which it has to follow.
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
        let watching = self.measure(context, is_done, &end, stopper);
        let (settled, seen) = futures::future::join(working, watching).await;
        if let Some(complaint) = seen.complaint() {
            let mut failure = Failure::new(complaint);
            failure.verdicts = seen.verdicts();
            failure.verdicts.retain(|v| v.status != Status::Pass);
            return Err(EngineError::Step(Box::new(failure)));
        }
        Ok((settled?, seen.verdicts()))
    }

    /// Watches until the work is done. An interruption that goes on by then is seen to its end.
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
