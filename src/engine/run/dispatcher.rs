//! The dispatcher: stamps the events of the executor, journals them, and passes them on.
//!
//! Only the dispatcher decides the order of events and the state of the environment. If it can no
//! longer journal or report, it asks the executor to stop, as a signal would. Later events are
//! still journalled if only the sink failed, and still shown if only the journal failed.

use std::{
    future::Future,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    assert::ClusterError,
    engine::run::{error::EngineError, secrets::Secrets, told::Told},
    event::{Event, EventKind, RunOutcome, RunState},
    state::{Journal, StateError, environment::RunLog},
    tool::{Progress, Stop, Stopper},
};

/// The receiver that shows events.
pub type Sink<'a> = &'a mut dyn FnMut(&Event) -> io::Result<()>;

struct Message {
    kind: EventKind,
    written: Option<oneshot::Sender<()>>,
}

/// The executor's handle to emit events and to read the state.
#[derive(Clone)]
pub struct Emitter {
    messages: mpsc::UnboundedSender<Message>,
    state: Arc<Mutex<RunState>>,
}

impl Emitter {
    /// Emits an event.
    pub fn emit(&self, kind: EventKind) {
        // A dispatcher that ended has asked the run to stop; it needs no more events.
        let _ = self.messages.send(Message {
            kind,
            written: None,
        });
    }

    /// Emits a notice.
    pub fn notice(&self, text: impl Into<String>) {
        let text = text.into();
        self.emit(EventKind::Notice { text });
    }

    /// Emits an event, and returns once it is journalled: for intents, and for facts that must not
    /// be lost. Fails if the event could not be journalled.
    pub async fn commit(&self, kind: EventKind) -> Result<(), EngineError> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.messages.send(Message {
            kind,
            written: Some(sender),
        });
        receiver.await.map_err(|_| EngineError::Stopped)
    }

    /// Returns the current state of the environment.
    #[must_use]
    pub fn state(&self) -> RunState {
        let state = self.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a function that emits the progress of one child. Of its output, it emits the
    /// beginning and the end.
    pub fn child(&self) -> impl FnMut(Progress) + use<> {
        let emitter = self.clone();
        let mut told = Told::default();
        move |progress| match progress {
            Progress::Started(child) => emitter.emit(EventKind::ChildStarted { child }),
            Progress::Line(stream, line) => {
                if let Some(line) = told.take(stream, line) {
                    emitter.emit(EventKind::Output { stream, line });
                }
            }
            Progress::Exited(group) => {
                for (stream, line) in told.rest() {
                    emitter.emit(EventKind::Output { stream, line });
                }
                emitter.emit(EventKind::ChildExited { group });
            }
        }
    }
}

/// The receivers of events.
pub struct Outputs<'a> {
    /// The journal; `None` for runs that must not write to it.
    pub journal: Option<Journal>,
    /// The event that began the run, until it is journalled.
    pub begun: Option<Event>,
    /// The file with all events of this run.
    pub log: Option<RunLog>,
    /// The sink that shows events; `None` once it failed.
    pub sink: Option<Sink<'a>>,
    /// The secrets, which are removed from every event.
    pub secrets: Secrets,
}

/// Runs `executor` and dispatches its events, starting from `state`. Returns the executor's result,
/// or the reason why its events could not be kept.
pub async fn run<T, F>(
    state: RunState,
    mut outputs: Outputs<'_>,
    signals: Stopper,
    executor: impl FnOnce(Emitter, Stopper) -> F,
) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let (messages, mut incoming) = mpsc::unbounded_channel();
    let (stop, stopper) = watch::channel(Stop::Run);
    let mut seq = state.seq;
    let state = Arc::new(Mutex::new(state));
    let emitter = Emitter {
        messages: messages.clone(),
        state: Arc::clone(&state),
    };
    let mut failed = None;
    let mut record = |message: Message, failed: &mut Option<EngineError>| {
        seq += 1;
        let event = Event {
            seq,
            at: Timestamp::now(),
            event: message.kind,
        };
        let mut known = state.lock().unwrap_or_else(PoisonError::into_inner);
        known.apply(&event);
        drop(known);
        let event = outputs.secrets.redactor().event(&event);
        let journalled = outputs.journal(&event);
        if let (true, Some(written)) = (journalled.is_ok(), message.written) {
            // An executor that was dropped no longer waits for this.
            let _ = written.send(());
        }
        // Try each output, even if another one failed.
        let recorded = journalled
            .and(outputs.log(&event))
            .and(outputs.show(&event));
        if let Err(error) = recorded {
            // Keep the first error.
            failed.get_or_insert(error);
            stop.send_if_modified(|asked| {
                let more = *asked == Stop::Run;
                *asked = (*asked).max(Stop::Term(0));
                more
            });
        }
    };

    let mut known = Stop::Run;
    let mut signals = signals;
    let executor = executor(emitter, Stopper::new(stopper));
    let mut executor = std::pin::pin!(executor);
    let result = loop {
        tokio::select! {
            biased;
            Some(message) = incoming.recv() => record(message, &mut failed),
            asked = signals.beyond(known) => {
                known = asked;
                stop.send_replace(asked);
                let reason = match asked {
                    Stop::Kill(signal) => format!("signal {signal} again"),
                    other => format!("signal {}", other.signal().unwrap_or_default()),
                };
                let kind = EventKind::Cancelling { reason };
                record(Message { kind, written: None }, &mut failed);
            }
            result = &mut executor => break result,
        }
    };
    while let Ok(message) = incoming.try_recv() {
        record(message, &mut failed);
    }
    let unfinished = match &state
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .last_run
    {
        Some((_, began, None)) => Some(*began),
        _ => None,
    };
    // A run that ends with an error has ended: a later command must not take it for an interrupted
    // one.
    if let (Err(error), Some(began)) = (&result, unfinished) {
        let kind = EventKind::RunFinished {
            outcome: outcome(error, known),
            took: Duration::try_from(Timestamp::now().duration_since(began)).unwrap_or_default(),
        };
        let written = None;
        record(Message { kind, written }, &mut failed);
    }
    let result = match failed {
        Some(error) => Err(error),
        None => result,
    };
    result.map_err(|error| error.redacted(outputs.secrets.redactor()))
}

/// Maps an error to the run's outcome, given the `stop` that was asked for.
fn outcome(error: &EngineError, stop: Stop) -> RunOutcome {
    match (error, stop.signal()) {
        (EngineError::Stopped, Some(signal)) => RunOutcome::Cancelled { signal },
        (
            EngineError::Nodes { .. }
            | EngineError::Cluster {
                source: ClusterError::Unreachable { .. },
                ..
            },
            _,
        ) => RunOutcome::Unreachable,
        _ => RunOutcome::Failed,
    }
}

impl Outputs<'_> {
    /// Journals an event, if a later command needs it. A failure does not keep later events from
    /// the journal.
    ///
    /// A read-only run journals its beginning only before the first event with a finding, and not
    /// at all without a finding: `verify` in a loop leaves the journal as it is.
    fn journal(&mut self, event: &Event) -> Result<(), EngineError> {
        let Some(journal) = self.journal.as_mut().filter(|_| event.event.is_durable()) else {
            return Ok(());
        };
        let event = Event {
            event: event.event.clone().without_texts(),
            ..*event
        };
        match &event.event {
            EventKind::RunStarted { verb, .. } if !verb.changes() => {
                self.begun = Some(event);
                return Ok(());
            }
            EventKind::RunFinished { .. } if self.begun.take().is_some() => return Ok(()),
            _ => {}
        }
        if let Some(begun) = self.begun.take() {
            journal.append(&begun)?;
        }
        Ok(journal.append(&event)?)
    }

    /// Writes an event to the run's file, until that fails once: what follows half a line cannot be
    /// read.
    fn log(&mut self, event: &Event) -> Result<(), EngineError> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(event).map_err(|e| EngineError::Report(e.into()))?;
        line.push(b'\n');
        let written = log.file.write_all(&line);
        let written = written.map_err(StateError::file("write", &log.path));
        if written.is_err() {
            self.log = None;
        }
        Ok(written?)
    }

    /// Shows an event, until that fails once.
    fn show(&mut self, event: &Event) -> Result<(), EngineError> {
        let Some(sink) = &mut self.sink else {
            return Ok(());
        };
        let shown = sink(event).map_err(EngineError::Report);
        if shown.is_err() {
            self.sink = None;
        }
        shown
    }
}
