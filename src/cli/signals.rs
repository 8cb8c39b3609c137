//! Signals: the first asks for an orderly end, the second ends children at once, the third ends
//! labctl.

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::{error::CliError, exit};
use crate::tool::{Stop, Stopper};

/// Starts listening. Has to be called on a runtime.
pub(crate) fn listen() -> Result<Stopper, CliError> {
    let (sender, receiver) = watch::channel(Stop::Run);
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let signals = signal(kind).map_err(CliError::internal)?;
        tokio::spawn(forward(signals, kind.as_raw_value(), sender.clone()));
    }
    Ok(Stopper::new(receiver))
}

async fn forward(mut signals: Signal, number: i32, sender: watch::Sender<Stop>) {
    while signals.recv().await.is_some() {
        let known = *sender.borrow();
        match known {
            Stop::Run => drop(sender.send_replace(Stop::Term(number))),
            Stop::Term(_) => drop(sender.send_replace(Stop::Kill(number))),
            Stop::Kill(_) => leave(number),
        }
    }
}

/// Ends labctl without any more ado, as asked three times. The journal says what was begun.
#[expect(
    clippy::exit,
    reason = "the user asked a third time; nothing may hold it up"
)]
fn leave(number: i32) -> ! {
    std::process::exit(exit::signalled(number).into())
}
