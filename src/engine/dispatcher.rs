//! The dispatcher: stamps what the executor says, journals it, and passes it on.
//!
//! It alone decides the order of events and what the environment's state is. If it can no longer
//! journal or report, it asks the executor to stop, as a signal would. What still happens then is
//! journalled although nobody is shown it any more, and shown although it is not journalled.

use std::{
    future::Future,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::{EngineError, Secrets, told::Told};
use crate::{
    assert::ClusterError,
    event::{Event, EventKind, RunOutcome, RunState},
    state::{Journal, StateError, environment::RunLog},
    tool::{Progress, Stop, Stopper},
};

/// Whoever is shown the events.
pub type Sink<'a> = &'a mut dyn FnMut(&Event) -> io::Result<()>;

struct Message {
    kind: EventKind,
    written: Option<oneshot::Sender<()>>,
}

/// How the executor says what happens.
#[derive(Clone)]
pub struct Emitter {
    messages: mpsc::UnboundedSender<Message>,
    state: Arc<Mutex<RunState>>,
}

impl Emitter {
    /// Says that something happened.
    pub fn emit(&self, kind: EventKind) {
        // A dispatcher that ended has asked the run to stop, and is told nothing more.
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

    /// Says that something happened, and returns once it is journalled: for intents, and for what
    /// may not be forgotten. Fails if it could not be.
    pub async fn commit(&self, kind: EventKind) -> Result<(), EngineError> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.messages.send(Message {
            kind,
            written: Some(sender),
        });
        receiver.await.map_err(|_| EngineError::Stopped)
    }

    /// What is known of the environment by now.
    #[must_use]
    pub fn state(&self) -> RunState {
        let state = self.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes on what a child reports; of what it prints, the beginning and the end.
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

/// Where events go.
pub struct Outputs<'a> {
    /// The journal; none for runs that must not write to it.
    pub journal: Option<Journal>,
    /// How the run began, until it is journalled.
    pub begun: Option<Event>,
    /// The file of all events of this run.
    pub log: Option<RunLog>,
    /// Whoever shows them; none once that failed.
    pub sink: Option<Sink<'a>>,
    /// What is taken out of them, wherever they go.
    pub secrets: Secrets,
}

/// Runs `executor` and dispatches what it says, starting from `state`. Returns what the executor
/// returned, or why its events could not be kept.
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
            // An executor that was dropped waits for nothing any more.
            let _ = written.send(());
        }
        // Each is tried, whatever became of the others.
        let recorded = journalled
            .and(outputs.log(&event))
            .and(outputs.show(&event));
        if let Err(error) = recorded {
            // The first reason is the one that counts.
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
    // A run that cannot go on has ended; nobody is to take it for one that was interrupted.
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

/// What a run comes to that ended with `error`, having been asked for `stop`.
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
    /// Journals an event, if a later command has to know it. One that could not be journalled does
    /// not stand in the way of the next one.
    ///
    /// That a run which only looks has begun is journalled before the first thing that it found, and
    /// not at all if it found nothing: `verify` in a loop leaves a journal as it is.
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
