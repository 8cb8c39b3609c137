//! The transcript: the lines that stay on the screen, or in the log.

use super::{
    differing,
    line::{BAD, BOLD, CODE, DIM, GOOD, Line, Look, PLAIN, WAIT, hang, hang_items, indent},
    markdown, measured,
    summary::Run,
    text::{Clauses, duration, failure_lines, verdict_lines},
    waits::Waits,
};
use crate::{
    event::{Event, EventKind, ImageState, Outcome, Rewound, Status, StepInfo, Verdict},
    spec::StepId,
};

/// The maximum width of a lesson's text. Longer lines are hard to read.
const WIDEST_TEXT: usize = 80;

/// The longest id that ids are aligned to.
const WIDEST_ID: usize = 24;

/// The optional parts of a transcript.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Detail {
    /// The output of commands.
    pub(super) output: bool,
    /// Each image.
    pub(super) images: bool,
    /// The clauses that a step waits for.
    pub(super) waits: bool,
}

/// A converter from events to lines.
#[derive(Debug)]
pub(super) struct Transcript {
    look: Look,
    detail: Detail,
    run: Option<Run>,
    waits: Waits,
    command: String,
    checked: Vec<Verdict>,
    told_why: bool,
    after_empty: bool,
}

impl Transcript {
    pub(super) fn new(look: Look, detail: Detail) -> Self {
        Self {
            look,
            detail,
            run: None,
            waits: Waits::default(),
            command: String::new(),
            checked: Vec::new(),
            told_why: false,
            after_empty: false,
        }
    }

    /// Returns the lines that `event` adds to the transcript.
    pub(super) fn event(&mut self, event: &Event) -> Vec<Line> {
        let mut lines = self.lines(event);
        // Blocks have an empty line before and after them; between two blocks one is enough.
        lines.retain(|line| {
            let is_empty = line.width() == 0;
            let is_second = is_empty && self.after_empty;
            self.after_empty = is_empty;
            !is_second
        });
        lines
    }

    fn lines(&mut self, event: &Event) -> Vec<Line> {
        match &event.event {
            EventKind::RunStarted { .. } => {
                self.run = Run::of(&event.event);
                self.run
                    .as_ref()
                    .map_or_else(Vec::new, |run| run.header(self.look))
            }
            EventKind::StepStarted { step, reason, .. } => self.step_started(step, reason),
            EventKind::CommandStarted { line } => self.command(line),
            EventKind::Output { line, .. } if self.detail.output => {
                vec![Line::new().add(DIM, "  │ ").add(DIM, line.as_str())]
            }
            EventKind::Image { image, node, state } if self.detail.images => {
                vec![Line::new().add(DIM, &image_text(image, node.as_deref(), *state))]
            }
            EventKind::Measuring {
                ended,
                succeeded,
                of,
                ..
            } if self.detail.waits && self.waits.is_time(event.at) => {
                let line = Line::new().text("  ");
                let how_far = measured::progress(*ended, *succeeded, *of);
                vec![line.and(how_far)]
            }
            EventKind::Measured { measurement, .. } => measured::lines(measurement, self.look),
            EventKind::Applied { .. } => {
                self.waits.begin(event.at);
                Vec::new()
            }
            EventKind::Waiting {
                within, verdicts, ..
            } if self.detail.waits => self.waiting(event, *within, verdicts),
            EventKind::Verified { verdicts, .. } => {
                self.checked.clone_from(verdicts);
                Vec::new()
            }
            EventKind::StepFinished {
                step,
                outcome,
                took,
            } => {
                if let Some(run) = &mut self.run {
                    run.step_finished(step, outcome);
                }
                self.step_finished(step, outcome, *took)
            }
            EventKind::Undone { step, rewound } => {
                if let (Some(run), Some(rewound)) = (&mut self.run, rewound) {
                    run.rewound(&rewound.steps);
                }
                let first = Line::new().add(GOOD, "↺ ").text(step).text("  ");
                hang(first, DIM, &taken_back(rewound.as_ref()), self.look)
            }
            EventKind::Differs { differing } => differing::lines(differing, self.look),
            EventKind::ClusterCreated { cluster } => {
                let nodes = cluster.containers.len();
                let text = format!("  cluster {} answers, {nodes} nodes", cluster.name);
                vec![Line::new().add(DIM, &text)]
            }
            EventKind::ClusterStopped => vec![Line::new().add(DIM, "  cluster stopped")],
            EventKind::ClusterStarted { nodes, took, .. } => {
                // The next wait is for something else.
                self.waits = Waits::default();
                let took = duration(*took);
                let text = format!("  cluster answers again, {nodes} nodes Ready after {took}");
                vec![Line::new().add(DIM, &text)]
            }
            EventKind::ClusterDeleted => vec![Line::new().add(DIM, "  cluster deleted")],
            EventKind::Notice { text } => {
                hang(Line::new().add(CODE, "note: "), PLAIN, text, self.look)
            }
            EventKind::Cancelling { reason } => {
                let first = Line::new().add(WAIT.bold(), &format!("{reason}: "));
                let text = "stopping; open faults are healed and running commands ended \
                    (Ctrl-C again ends them at once)";
                hang(first, WAIT, text, self.look)
            }
            EventKind::RunFinished { outcome, took } => {
                let run = self.run.as_ref();
                run.map_or_else(Vec::new, |run| run.summary(*outcome, *took, self.look))
            }
            EventKind::Rewound { rewound, .. } => {
                if let Some(run) = &mut self.run {
                    run.rewound(&rewound.steps);
                }
                Vec::new()
            }
            EventKind::PortsChosen { .. }
            | EventKind::PortRefused { .. }
            | EventKind::ClusterIntended { .. }
            | EventKind::JournalDamaged { .. }
            | EventKind::ClusterDeleting
            | EventKind::ChildStarted { .. }
            | EventKind::ChildExited { .. }
            | EventKind::Output { .. }
            | EventKind::Image { .. }
            | EventKind::Measuring { .. }
            | EventKind::Waiting { .. } => Vec::new(),
        }
    }

    fn step_started(&mut self, step: &StepId, reason: &str) -> Vec<Line> {
        self.waits = Waits::default();
        self.command.clear();
        self.checked.clear();
        let run = self.run.as_ref();
        let info = run.and_then(|run| run.steps.iter().find(|s| s.id == *step));
        let position = run.and_then(|run| run.position(step)).unwrap_or_default();
        let first = Line::new()
            .add(CODE.bold(), "▸ ")
            .add(DIM, &position)
            .text(" ")
            .add(BOLD, step)
            .text("  ");
        let title = info.map_or("", |info| info.title.as_str());
        let mut lines = vec![Line::new()];
        lines.extend(hang(first, BOLD, title, self.look));
        // In a first run all steps have the same reason: they were not done yet. In a run that
        // skipped steps, the reader wants to know why it skips no more of them.
        let goes_on = run.is_some_and(|run| run.skipped > 0) && !self.told_why;
        if goes_on || self.detail.output {
            self.told_why = true;
            lines.extend(hang(
                Line::new().add(DIM, "  because "),
                DIM,
                reason,
                self.look,
            ));
        }
        if let Some(StepInfo {
            teach: Some(teach), ..
        }) = info
        {
            let width = self.look.width.min(WIDEST_TEXT).saturating_sub(2);
            lines.extend(indent(markdown::lines(teach, width), 2));
            lines.push(Line::new());
        }
        lines
    }

    fn command(&mut self, line: &str) -> Vec<Line> {
        // A command that is repeated is shown once, as its line is the same.
        if self.command == line {
            return Vec::new();
        }
        line.clone_into(&mut self.command);
        vec![Line::new().add(DIM, "  $ ").add(DIM, line)]
    }

    fn waiting(
        &mut self,
        event: &Event,
        within: std::time::Duration,
        all: &[Verdict],
    ) -> Vec<Line> {
        let progress = self.waits.progress(event.at, within);
        if !self.waits.is_due(event.at, all) {
            return Vec::new();
        }
        let unmet = all.iter().filter(|v| v.status != Status::Pass);
        let look = self.look.inside(2);
        let lines = unmet.flat_map(|v| verdict_lines(v, Some(progress), Clauses::Unmet, look));
        indent(lines.collect(), 2).collect()
    }

    fn step_finished(
        &mut self,
        step: &StepId,
        outcome: &Outcome,
        took: std::time::Duration,
    ) -> Vec<Line> {
        let ids = self.run.iter().flat_map(|run| &run.steps);
        let widths = ids.map(|step| step.id.chars().count());
        let column = 4 + widths.max().unwrap_or(0).min(WIDEST_ID);
        let is_unchecked = self.run.as_ref().is_some_and(|run| run.is_unchecked(step));
        let (style, sign) = match outcome {
            Outcome::Changed if is_unchecked => (DIM, "·"),
            Outcome::Changed => (GOOD, "✓"),
            Outcome::Skipped { .. } => (DIM, "·"),
            Outcome::Failed(_) => (BAD, "✗"),
            Outcome::Cancelled => (WAIT, "○"),
        };
        let first = Line::new()
            .add(style, sign)
            .text(" ")
            .text(step)
            .column(column);
        let took = duration(took);
        let checked = std::mem::take(&mut self.checked);
        match outcome {
            Outcome::Changed if is_unchecked => {
                let text = "done; not checked, as it expects nothing";
                hang(first.text(&took).text("  "), DIM, text, self.look)
            }
            Outcome::Changed => {
                let names: Vec<&str> = checked.iter().map(|v| v.assertion.as_str()).collect();
                let first = first.text(&took).text("  ");
                let mut lines = hang_items(first, DIM, &names, self.look);
                if self.detail.output {
                    let look = self.look.inside(2);
                    let all = checked.iter();
                    let clauses = all.flat_map(|v| verdict_lines(v, None, Clauses::All, look));
                    lines.extend(indent(clauses.collect(), 2));
                }
                lines
            }
            Outcome::Skipped { reason } => {
                hang(first, DIM, &format!("skipped: {reason}"), self.look)
            }
            Outcome::Failed(failure) => {
                let mut lines = vec![first.add(BAD, &format!("failed after {took}")), Line::new()];
                lines.extend(failure_lines(failure, self.look));
                lines.push(Line::new());
                lines
            }
            Outcome::Cancelled => vec![first.add(WAIT, &format!("cancelled after {took}"))],
        }
    }
}

fn taken_back(rewound: Option<&Rewound>) -> String {
    let early = rewound.map(|rewound| {
        let steps = rewound.steps.join(", ");
        format!(" before its time; to be done again: {steps}")
    });
    format!("fault taken back{}", early.unwrap_or_default())
}

fn image_text(image: &str, node: Option<&str>, state: ImageState) -> String {
    let state = match state {
        ImageState::Fetched => "fetched",
        ImageState::Imported => "imported",
    };
    let node = node.map(|node| format!(" into {node}")).unwrap_or_default();
    format!("  image {image} {state}{node}")
}
