//! Requests to a run, and with it its children, to end.

use futures::future::select_all;
use tokio::sync::watch;

/// A request to a run, in the order of urgency. It is only ever raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// Go on.
    #[default]
    Run,
    /// Start nothing more, heal faults, and let children end by this signal.
    Term(i32),
    /// End children at once.
    Kill(i32),
}

impl Stop {
    /// Returns the signal that the request came from.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Run => None,
            Self::Term(signal) | Self::Kill(signal) => Some(signal),
        }
    }
}

/// The error of work that was not done to its end, because a stop was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run was asked to stop")]
pub struct Stopped;

/// The receiver of a run's requests to stop.
#[derive(Debug, Clone)]
pub struct Stopper(Vec<watch::Receiver<Stop>>);

impl Stopper {
    /// Creates a stopper that follows `receiver`.
    #[must_use]
    pub fn new(receiver: watch::Receiver<Stop>) -> Self {
        Self(vec![receiver])
    }

    /// Creates a stopper that never asks for anything: for work that has to be completed.
    #[must_use]
    pub fn never() -> Self {
        Self(Vec::new())
    }

    /// Creates a stopper that asks for what `self` does, and for what its own sender sends.
    #[must_use]
    pub fn fork(&self) -> (watch::Sender<Stop>, Self) {
        let (sender, receiver) = watch::channel(Stop::Run);
        let mut followed = self.0.clone();
        followed.push(receiver);
        (sender, Self(followed))
    }

    /// Returns the most urgent request.
    #[must_use]
    pub fn now(&self) -> Stop {
        let asked = self.0.iter().map(|receiver| *receiver.borrow());
        asked.max().unwrap_or_default()
    }

    /// Returns the output of `work`; fails if a stop is asked for before it ends, which drops `work`.
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut stopper = self.clone();
        tokio::select! {
            biased;
            output = work => Ok(output),
            _ = stopper.beyond(Stop::Run) => Err(Stopped),
        }
    }

    /// Waits for a request beyond `known` and returns it. Never returns if nobody can ask any more.
    pub async fn beyond(&mut self, known: Stop) -> Stop {
        let asked = self.0.iter_mut().map(|receiver| {
            Box::pin(async move {
                let asked = receiver.wait_for(|stop| *stop > known).await;
                match asked.map(|stop| *stop) {
                    Ok(stop) => stop,
                    Err(_) => std::future::pending().await,
                }
            })
        });
        let asked: Vec<_> = asked.collect();
        if asked.is_empty() {
            return std::future::pending().await;
        }
        select_all(asked).await.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fork_is_stopped_by_itself_and_by_what_it_came_from() {
        let (sender, receiver) = watch::channel(Stop::Run);
        let mut outer = Stopper::new(receiver);
        let (own, mut inner) = outer.fork();
        own.send_replace(Stop::Term(0));
        assert_eq!(inner.beyond(Stop::Run).await, Stop::Term(0));
        assert_eq!(outer.now(), Stop::Run);
        sender.send_replace(Stop::Kill(2));
        assert_eq!(inner.beyond(Stop::Term(0)).await, Stop::Kill(2));
        assert_eq!(outer.beyond(Stop::Run).await, Stop::Kill(2));
    }
}
