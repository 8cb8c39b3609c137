//! The reporter for a person at a terminal: a transcript with a live area below it.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{
    Look, Reporter,
    line::{BAD, CODE, DIM, Line, PLAIN, WAIT, render},
    live::Live,
    text::Progress,
    transcript::{Detail, Transcript},
};
use crate::event::Event;

/// The spinner: calm, and one column wide everywhere. The last frame is for finished work.
const SPINNER: [&str; 11] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "];

/// The interval at which the spinner and the clock move.
const TICK: Duration = Duration::from_millis(120);

/// A reporter that shows a transcript and below it the current state of the run.
#[derive(Debug)]
pub struct Terminal {
    look: Look,
    transcript: Transcript,
    live: Live,
    screen: MultiProgress,
    tick: Option<Duration>,
    clock: Arc<Mutex<Clock>>,
    head: Option<ProgressBar>,
    details: Vec<ProgressBar>,
}

/// The data of the clock in the live area, which moves without events.
#[derive(Debug)]
struct Clock {
    start: Instant,
    within: Option<Duration>,
    colour: bool,
}

impl Terminal {
    /// Creates a reporter on standard error, which has to be a terminal; otherwise nothing is
    /// shown. With `output`, the output of commands stays in the transcript.
    #[must_use]
    pub fn new(look: Look, output: bool) -> Self {
        Self::on(ProgressDrawTarget::stderr(), Some(TICK), look, output)
    }

    /// Creates a reporter on `target`. Without a `tick` nothing moves on its own.
    pub(super) fn on(
        target: ProgressDrawTarget,
        tick: Option<Duration>,
        look: Look,
        output: bool,
    ) -> Self {
        let detail = Detail {
            output,
            images: output,
            waits: false,
        };
        let clock = Clock {
            start: Instant::now(),
            within: None,
            colour: look.colour,
        };
        Self {
            look,
            transcript: Transcript::new(look, detail),
            live: Live::new(look),
            screen: MultiProgress::with_draw_target(target),
            tick,
            clock: Arc::new(Mutex::new(clock)),
            head: None,
            details: Vec::new(),
        }
    }

    /// Draws the contents of `self.live`.
    fn draw(&mut self, event: &Event) {
        if !self.live.is_shown() {
            self.clear();
            return;
        }
        let now = Instant::now();
        let elapsed = self.live.elapsed(event.at);
        if let Ok(mut clock) = self.clock.lock() {
            clock.start = now.checked_sub(elapsed).unwrap_or(now);
            clock.within = self.live.within;
        }
        let wanted = self.live.details.len();
        for surplus in self.details.drain(wanted.min(self.details.len())..) {
            self.screen.remove(&surplus);
        }
        if self.head.is_none() {
            self.head = Some(self.new_head());
        }
        for (number, line) in self.live.details.iter().enumerate() {
            if number == self.details.len() {
                let bar = ProgressBar::new_spinner().with_style(style("{wide_msg}"));
                self.details.push(self.screen.add(bar));
            }
            self.details[number].set_message(line.render(self.look.colour));
        }
        if let Some(head) = &self.head {
            head.set_prefix(self.live.label.render(self.look.colour));
            head.set_message(self.live.message.render(self.look.colour));
            head.tick();
        }
    }

    fn new_head(&self) -> ProgressBar {
        let paint = |sign: &&str| Line::new().add(CODE, sign).render(self.look.colour);
        let signs: Vec<String> = SPINNER.iter().map(paint).collect();
        let signs: Vec<&str> = signs.iter().map(String::as_str).collect();
        let clock = Arc::clone(&self.clock);
        let write = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let clock = clock.lock().unwrap_or_else(PoisonError::into_inner);
            // A failure to write the clock only leaves the clock out.
            let _ = out.write_str(&clock.render());
        };
        let style = style("{spinner} {prefix}  {clock}  {wide_msg}")
            .tick_strings(&signs)
            .with_key("clock", write);
        let head = self
            .screen
            .insert(0, ProgressBar::new_spinner().with_style(style));
        if let Some(tick) = self.tick {
            head.enable_steady_tick(tick);
        }
        head
    }

    fn clear(&mut self) {
        for bar in self.head.take().iter().chain(&self.details) {
            bar.finish_and_clear();
            self.screen.remove(bar);
        }
        self.details.clear();
    }
}

impl Clock {
    /// Formats the elapsed time and, if there is one, the deadline.
    fn render(&self) -> String {
        let elapsed = self.start.elapsed();
        let Some(within) = self.within else {
            return Line::new()
                .add(DIM, &format!("{} s", elapsed.as_secs()))
                .render(self.colour);
        };
        // Draws attention to the clock as the deadline comes near.
        let style = match (elapsed >= within, elapsed >= within * 3 / 4) {
            (true, _) => BAD,
            (_, true) => WAIT,
            _ => PLAIN,
        };
        let progress = Progress { elapsed, within }.to_string();
        Line::new().add(style, &progress).render(self.colour)
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the literals above, and tests draw them, so the fallback is never used.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Reporter for Terminal {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let lines = self.transcript.event(event);
        if !lines.is_empty() {
            self.screen.println(render(&lines, self.look))?;
        }
        self.live.event(event);
        self.draw(event);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.clear();
        self.screen.clear()
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::{
        event::{EventKind, Outcome, RunOutcome},
        report::sample::{self, *},
    };

    /// Returns a terminal on which nothing moves by itself, and its screen.
    fn terminal(colour: bool, output: bool) -> (Terminal, InMemoryTerm) {
        let screen = InMemoryTerm::new(40, 80);
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let look = Look { width: 80, colour };
        (Terminal::on(target, None, look, output), screen)
    }

    fn show(terminal: &mut Terminal, kinds: Vec<(i64, EventKind)>) {
        for event in sample::events(kinds) {
            terminal.event(&event).unwrap();
        }
    }

    /// Returns the contents of the screen with the spinner fixed at its first frame.
    fn still(screen: &InMemoryTerm) -> String {
        screen
            .contents()
            .replace(|c| SPINNER[..10].concat().contains(c), "⠋")
    }

    #[test]
    fn a_command_that_runs_shows_its_last_line_and_the_images() {
        let (mut terminal, screen) = terminal(false, false);
        show(
            &mut terminal,
            vec![
                (0, run_started()),
                (0, step_started("cluster", "it was not done yet")),
                (0, command("kind create cluster --name lab-10-3")),
                (3, output("Creating cluster \"lab-10-3\" ...")),
                (9, imported("lab-10-3-worker")),
                (9, imported("lab-10-3-worker2")),
                (12, output(" ✓ Preparing nodes")),
            ],
        );
        insta::assert_snapshot!(still(&screen), @r"
        lab 10.3 StatefulSet for a database → environment lab-10-3

        ▸ 1/3 cluster  Create a kind cluster with three workers
          $ kind create cluster --name lab-10-3
        ⠋ 1/3 cluster  12 s  ✓ Preparing nodes
          images: 2 imported · postgres:17 → lab-10-3-worker2
        ");
    }

    #[test]
    fn a_wait_shows_the_object_the_cause_and_the_deadline() {
        let (mut terminal, screen) = terminal(false, false);
        let mut run = waiting_run();
        run.extend([
            (17, finished("database", Outcome::Changed, 16_249)),
            (17, step_started("kill-pod", "it was not done yet")),
            (18, applied("kill-pod")),
            (
                59,
                waiting("kill-pod", 120, vec![rollout(3), rollout(2), cordoned()]),
            ),
        ]);
        show(&mut terminal, run);
        insta::assert_snapshot!(still(&screen), @r"
        lab 10.3 StatefulSet for a database → environment lab-10-3
        · cluster   skipped: verified at 10:32, unchanged and it still holds

        ▸ 2/3 database  Deploy PostgreSQL as a StatefulSet
          because it was interrupted, or failed, the last time
          A StatefulSet gives each pod a *stable* name and a claim of its own. Watch the
          pods appear one after the other:

          ```console
          $ kubectl get pods -w
          ```

          $ kubectl apply -f manifests/postgres.yaml
        ✓ database  16.2 s

        ▸ 3/3 kill-pod  Kill postgres-0
        ⠋ 3/3 kill-pod  41 s of 120 s  1 of 3 hold
          ✗ pvc-reattached postgres-0
            ✗ pod is Ready  expected Ready, is Pending for 38 s: no node fits
              because volume pvc-9a41 is bound to node lab-10-3-worker2, which is
                      cordoned (kubectl uncordon lab-10-3-worker2)
              seen: FailedScheduling: 0/4 nodes are available
          ○ rollout-complete statefulset/postgres
            ○ replicas are ready  expected 3, is 2
        ");
    }

    #[test]
    fn nothing_of_the_live_area_stays() {
        for (outcome, last) in [
            (
                RunOutcome::Passed,
                "10.3 is up to cluster: 1 of 3 steps, 1 of them held already, 14.0 s",
            ),
            (
                RunOutcome::Cancelled { signal: 2 },
                "next: `labctl up 10.3` goes on at database",
            ),
        ] {
            let (mut terminal, screen) = terminal(false, false);
            show(&mut terminal, waiting_run());
            show(&mut terminal, vec![(14, run_finished(outcome, 14_000))]);
            terminal.finish().unwrap();
            let shown = screen.contents();
            assert!(shown.ends_with(last), "{shown}");
            assert!(!shown.contains("of 180 s"), "{shown}");
        }
        // A run that breaks off has no last event.
        let (mut terminal, screen) = terminal(false, false);
        show(&mut terminal, waiting_run());
        terminal.finish().unwrap();
        assert!(!screen.contents().contains("of 180 s"));
    }

    #[test]
    fn stopping_is_the_last_word_of_the_live_area() {
        let (mut terminal, screen) = terminal(false, false);
        let mut run = waiting_run();
        run.extend([
            (
                15,
                EventKind::Cancelling {
                    reason: "SIGINT".to_owned(),
                },
            ),
            (16, output("late")),
        ]);
        show(&mut terminal, run);
        assert!(
            screen.contents().contains("14 s of 180 s  stopping"),
            "{}",
            screen.contents()
        );
    }

    #[test]
    fn long_lists_are_cut_where_they_are_no_longer_seen_at_a_glance() {
        let (mut terminal, screen) = terminal(false, false);
        let many = (0..20).map(|_| rollout(1)).collect();
        show(
            &mut terminal,
            vec![(0, run_started()), (0, waiting("database", 60, many))],
        );
        let shown = screen.contents();
        assert!(shown.ends_with("  and 29 lines more"), "{shown}");
    }

    #[test]
    fn colour_is_written_only_if_asked_for() {
        for colour in [false, true] {
            let (mut terminal, screen) = terminal(colour, true);
            show(&mut terminal, waiting_run());
            assert_eq!(
                screen
                    .contents_formatted()
                    .windows(3)
                    .any(|w| w == b"\x1b[3"),
                colour
            );
        }
    }

    #[test]
    fn a_clock_warns_before_the_deadline() {
        let within = Some(Duration::from_secs(100));
        for (elapsed, start) in [
            (10, "10 s of"),
            (80, "\u{1b}[33m80 s"),
            (101, "\u{1b}[31m101 s"),
        ] {
            let start_at = Instant::now()
                .checked_sub(Duration::from_secs(elapsed))
                .unwrap();
            let clock = Clock {
                start: start_at,
                within,
                colour: true,
            };
            assert!(clock.render().starts_with(start), "{}", clock.render());
        }
    }
}
