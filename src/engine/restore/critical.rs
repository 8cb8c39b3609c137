//! Sections of a reset that the first signal does not interrupt.

use tokio::sync::watch;

use crate::{
    engine::run::dispatcher::Emitter,
    event::EventKind,
    tool::{Stop, Stopper},
};

/// A flag that is set during work that must not be cut off.
#[derive(Debug)]
pub(super) struct Critical(watch::Sender<bool>);

/// A guard that keeps the flag set until it is dropped.
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

    /// Returns when a signal ends the run: at once, or after the critical work if there is any. A
    /// second signal always ends it.
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
