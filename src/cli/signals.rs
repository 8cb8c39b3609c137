//! Signals: the first asks for an orderly end, the second ends children at once, the third ends
//! labctl.

use std::{io, sync::mpsc, thread};

use futures::future::join_all;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::{error::CliError, exit, session};
use crate::tool::{Stop, Stopper};

/// Starts listening. This happens on a thread of its own, so that the third signal ends even a
/// labctl that is stuck.
pub(crate) fn listen() -> Result<Stopper, CliError> {
    let (sender, receiver) = watch::channel(Stop::Run);
    let (ready, listening) = mpsc::channel();
    let runtime = session::runtime()?;
    thread::spawn(move || {
        runtime.block_on(async {
            let caught = caught();
            // From here on no signal ends this process by itself.
            let caught = match caught {
                Ok(caught) => ready.send(Ok(())).map(|()| caught),
                Err(error) => ready.send(Err(error)).map(|()| Vec::new()),
            };
            let each = caught.into_iter().flatten();
            join_all(each.map(|(number, signals)| forward(signals, number, &sender))).await;
        });
    });
    let started = listening.recv().map_err(CliError::internal)?;
    started.map_err(CliError::internal)?;
    Ok(Stopper::new(receiver))
}

/// Returns the signals that ask for an end, with their numbers.
fn caught() -> io::Result<Vec<(i32, Signal)>> {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let caught = kinds.map(|kind| Ok((kind.as_raw_value(), signal(kind)?)));
    caught.into_iter().collect()
}

async fn forward(mut signals: Signal, number: i32, sender: &watch::Sender<Stop>) {
    while signals.recv().await.is_some() {
        let known = *sender.borrow();
        match known {
            Stop::Run => drop(sender.send_replace(Stop::Term(number))),
            Stop::Term(_) => drop(sender.send_replace(Stop::Kill(number))),
            Stop::Kill(_) => leave(number),
        }
    }
}

/// Ends labctl at once, as the user asked three times. The journal has everything that was begun.
#[expect(
    clippy::exit,
    reason = "the user asked a third time; nothing may hold it up"
)]
fn leave(number: i32) -> ! {
    std::process::exit(exit::signalled(number).into())
}
