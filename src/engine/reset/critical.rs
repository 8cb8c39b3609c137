//! What the first signal waits for.

use tokio::sync::watch;

use crate::{
    engine::Emitter,
    event::EventKind,
    tool::{Stop, Stopper},
};

/// Says whether something is under way that is better not cut off.
#[derive(Debug)]
pub(super) struct Critical(watch::Sender<bool>);

/// It is under way as long as this is there.
#[derive(Debug)]
pub(super) struct Inside<'a>(&'a Critical);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.send_replace(false);
    }
}

impl Critical {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(super) fn enter(&self) -> Inside<'_> {
        self.0.send_replace(true);
        Inside(self)
    }

    /// Returns when a signal ends the run: at once, or after what is under way; at the second signal
    /// in any case.
    pub(super) async fn stopped(&self, mut stopper: Stopper, emitter: &Emitter) {
        let asked = stopper.beyond(Stop::Run).await;
        let mut inside = self.0.subscribe();
        if matches!(asked, Stop::Kill(_)) || !*inside.borrow_and_update() {
            return;
        }
        emitter.emit(EventKind::Notice {
            text: "data is being restored; the run ends as soon as that is done".to_owned(),
        });
        tokio::select! {
            _ = inside.wait_for(|inside| !inside) => {}
            _ = stopper.beyond(asked) => {}
        }
    }
}
