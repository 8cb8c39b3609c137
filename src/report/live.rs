//! The contents of the live area below a transcript: the current state of the run.

use std::{cmp::Reverse, time::Duration};

use jiff::Timestamp;

use super::{
    between,
    line::{BOLD, DIM, Line, Look, WAIT, indent},
    measured,
    summary::Run,
    text::{Clauses, verdict_lines},
};
use crate::event::{Event, EventKind, ImageState, Status, Verdict};

/// The maximum number of details. Nobody takes in more lines at a glance.
const MOST_DETAILS: usize = 12;

/// The live area: a head with label, clock and message, and details below it.
#[derive(Debug)]
pub(super) struct Live {
    look: Look,
    run: Option<Run>,
    since: Option<Timestamp>,
    /// The current activity: the step, or the run between steps.
    pub(super) label: Line,
    /// The deadline, while there is one.
    pub(super) within: Option<Duration>,
    /// The latest message about the activity.
    pub(super) message: Line,
    /// The lines below the head.
    pub(super) details: Vec<Line>,
    images: Images,
    applied: bool,
    stopping: bool,
}

#[derive(Debug, Default)]
struct Images {
    fetched: usize,
    imported: usize,
    last: String,
}

impl Live {
    pub(super) fn new(look: Look) -> Self {
        Self {
            look,
            run: None,
            since: None,
            label: Line::new(),
            within: None,
            message: Line::new(),
            details: Vec::new(),
            images: Images::default(),
            applied: false,
            stopping: false,
        }
    }

    /// Returns the time since the current activity began.
    pub(super) fn elapsed(&self, at: Timestamp) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| between(since, at))
    }

    /// Returns true if there is anything to show.
    pub(super) fn is_shown(&self) -> bool {
        self.run.is_some()
    }

    /// Updates the live area for one more event.
    pub(super) fn event(&mut self, event: &Event) {
        match &event.event {
            EventKind::RunStarted { .. } => {
                self.run = Run::of(&event.event);
                self.between_steps(event.at);
            }
            EventKind::StepStarted { step, .. } => {
                let position = self.run.as_ref().and_then(|run| run.position(step));
                let label = Line::new().add(DIM, &position.unwrap_or_default());
                self.begin(label.text(" ").add(BOLD, step), event.at);
            }
            EventKind::CommandStarted { .. } if self.within.is_none() => self.say(Line::new()),
            EventKind::Output { line, .. } if self.within.is_none() => {
                self.say(Line::new().add(DIM, line.as_str().trim()));
            }
            EventKind::Measuring {
                ended,
                succeeded,
                of,
                ..
            } => self.say(measured::progress(*ended, *succeeded, *of)),
            EventKind::Image { image, node, state } => {
                self.image(image, node.as_deref(), *state);
            }
            EventKind::Applied { .. } => {
                self.applied = true;
                self.since = Some(event.at);
                self.within = None;
                self.details.clear();
                self.say(Line::new().add(DIM, "done; looking at what it came to"));
            }
            EventKind::Waiting {
                within, verdicts, ..
            } => {
                // A step also waits before a fault, without a preceding action.
                if self.within.is_none() && !self.applied {
                    self.since = Some(event.at);
                }
                self.within = Some(*within);
                self.waiting(verdicts);
            }
            EventKind::StepFinished { .. } | EventKind::ClusterStarted { .. } => {
                self.between_steps(event.at);
            }
            EventKind::Cancelling { .. } => {
                self.say(Line::new().add(WAIT, "stopping"));
                self.stopping = true;
            }
            EventKind::RunFinished { .. } => self.run = None,
            _ => {}
        }
    }

    fn between_steps(&mut self, at: Timestamp) {
        let label = self
            .run
            .as_ref()
            .map(|run| format!("{} {}", run.verb, run.environment));
        self.begin(Line::new().add(BOLD, &label.unwrap_or_default()), at);
    }

    fn begin(&mut self, label: Line, at: Timestamp) {
        self.label = label;
        self.since = Some(at);
        self.within = None;
        self.applied = false;
        self.images = Images::default();
        self.details.clear();
        self.say(Line::new());
    }

    fn say(&mut self, message: Line) {
        // Keeps the message that the run stops: nothing is more important.
        if !self.stopping {
            self.message = message;
        }
    }

    fn image(&mut self, image: &str, node: Option<&str>, state: ImageState) {
        let images = &mut self.images;
        match state {
            ImageState::Fetched => images.fetched += 1,
            ImageState::Imported => images.imported += 1,
        }
        let name = image.rsplit('/').next().unwrap_or(image);
        images.last = node.map_or_else(|| name.to_owned(), |node| format!("{name} → {node}"));
        // Keeps the unmet clauses: during a wait they matter more.
        if self.within.is_none() {
            let count = |count: usize, what| match count {
                0 => String::new(),
                count => format!("{count} {what} · "),
            };
            let (fetched, imported) = (
                count(images.fetched, "fetched"),
                count(images.imported, "imported"),
            );
            let text = format!("images: {fetched}{imported}{}", images.last);
            self.details = vec![Line::new().add(DIM, &text).indented(2)];
        }
    }

    fn waiting(&mut self, verdicts: &[Verdict]) {
        let mut unmet: Vec<&Verdict> = verdicts
            .iter()
            .filter(|v| v.status != Status::Pass)
            .collect();
        unmet.sort_by_key(|verdict| Reverse(verdict.status));
        let held = verdicts.len() - unmet.len();
        self.say(Line::new().add(DIM, &format!("{held} of {} hold", verdicts.len())));
        let look = self.look.inside(2);
        let lines = unmet
            .into_iter()
            .flat_map(|v| verdict_lines(v, None, Clauses::Unmet, look));
        self.details = indent(lines.collect(), 2).collect();
        let cut = self.details.len().saturating_sub(MOST_DETAILS);
        if cut > 0 {
            // Leaves room for the line that says how many are cut.
            self.details.truncate(MOST_DETAILS - 1);
            let text = format!("  and {} lines more", cut + 1);
            self.details.push(Line::new().add(DIM, &text));
        }
    }
}
