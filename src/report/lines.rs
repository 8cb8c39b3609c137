//! The reporter for logs: a transcript without moving parts.

use std::io::{self, Write};

use super::{
    Look, Reporter,
    line::render,
    transcript::{Detail, Transcript},
};
use crate::event::Event;

/// A reporter that prints a transcript.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    look: Look,
    transcript: Transcript,
}

impl<W: Write> Lines<W> {
    /// Creates a reporter that prints to `out`. With `output`, it includes the output of commands.
    pub fn new(out: W, look: Look, output: bool) -> Self {
        let detail = Detail {
            output,
            images: true,
            waits: true,
        };
        Self {
            out,
            look,
            transcript: Transcript::new(look, detail),
        }
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let text = render(&self.transcript.event(event), self.look);
        if text.is_empty() {
            return Ok(());
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{EventKind, Failure, Outcome, RunOutcome},
        report::sample::{self, *},
    };

    fn shown(kinds: Vec<(i64, EventKind)>, output: bool) -> String {
        let mut log = Vec::new();
        let mut lines = Lines::new(
            &mut log,
            Look {
                width: 80,
                colour: false,
            },
            output,
        );
        for event in sample::events(kinds) {
            lines.event(&event).unwrap();
        }
        lines.finish().unwrap();
        String::from_utf8(log).unwrap()
    }

    #[test]
    fn a_run_that_goes_on_waits_and_passes() {
        let mut run = waiting_run();
        run.extend([
            (17, verified("database", vec![rollout(3)])),
            (17, finished("database", Outcome::Changed, 16_249)),
            (17, step_started("kill-pod", "it was not done yet")),
            (17, command("kubectl delete pod postgres-0")),
            (72, verified("kill-pod", Vec::new())),
            (72, finished("kill-pod", Outcome::Changed, 55_000)),
            (72, run_finished(RunOutcome::Passed, 72_100)),
        ]);
        insta::assert_snapshot!(shown(run, false), @r"
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
          image docker.io/library/postgres:17 imported into lab-10-3-worker
          ○ rollout-complete statefulset/postgres                           1 s of 180 s
            ○ replicas are ready  expected 3, is 0
          ○ pvc-bound statefulset/postgres                                  1 s of 180 s
            ○ claim data-postgres-0 is bound  expected Bound, is Pending
          ○ rollout-complete statefulset/postgres                          12 s of 180 s
            ○ replicas are ready  expected 3, is 2
        ✓ database  16.2 s  rollout-complete statefulset/postgres

        ▸ 3/3 kill-pod  Kill postgres-0
          $ kubectl delete pod postgres-0
        ✓ kill-pod  55.0 s

        10.3 is up: 3 steps, 1 of them held already, 1 m 12 s
        ");
    }

    #[test]
    fn a_verbose_run_has_what_commands_print_and_all_clauses() {
        let mut run = waiting_run();
        run.extend([
            (17, verified("database", vec![rollout(3)])),
            (17, finished("database", Outcome::Changed, 16_249)),
        ]);
        let shown = shown(run, true);
        assert!(
            shown.contains("  │ statefulset.apps/postgres created\n"),
            "{shown}"
        );
        assert!(shown.contains("    ✓ replicas are ready  3\n"), "{shown}");
    }

    #[test]
    fn a_run_that_fails() {
        let failed = Failure {
            verdicts: vec![rollout(3), cordoned()],
            ..Failure::new("kill-pod did not come to hold within 120 s")
                .hint("labctl verify shows it again")
        };
        let run = vec![
            (0, run_started()),
            (0, step_started("cluster", "it was not done yet")),
            (40, finished("cluster", Outcome::Changed, 40_000)),
            (41, step_started("kill-pod", "it was not done yet")),
            (41, applied("kill-pod")),
            (82, waiting("kill-pod", 120, vec![rollout(3), cordoned()])),
            (161, finished("kill-pod", Outcome::Failed(failed), 120_000)),
            (
                162,
                EventKind::Undone {
                    step: "kill-pod".into(),
                    rewound: None,
                },
            ),
            (162, run_finished(RunOutcome::Failed, 162_000)),
        ];
        insta::assert_snapshot!(shown(run, false), @r"
        lab 10.3 StatefulSet for a database → environment lab-10-3

        ▸ 1/3 cluster  Create a kind cluster with three workers
        ✓ cluster   40.0 s

        ▸ 3/3 kill-pod  Kill postgres-0
          ✗ pvc-reattached postgres-0                                      41 s of 120 s
            ✗ pod is Ready  expected Ready, is Pending for 38 s: no node fits
              because volume pvc-9a41 is bound to node lab-10-3-worker2, which is
                      cordoned (kubectl uncordon lab-10-3-worker2)
              seen: FailedScheduling: 0/4 nodes are available
        ✗ kill-pod  failed after 2 m 0 s

        error: kill-pod did not come to hold within 120 s
          ✗ pvc-reattached postgres-0
            ✓ claim data-postgres-0 is the same  uid 1f3c · volume pvc-9a41
            ✗ pod is Ready                       expected Ready, is Pending for 38 s: no
                                                 node fits
              because volume pvc-9a41 is bound to node lab-10-3-worker2, which is
                      cordoned (kubectl uncordon lab-10-3-worker2)
              seen: FailedScheduling: 0/4 nodes are available

        hint: labctl verify shows it again

        ↺ kill-pod  fault taken back

        10.3 is not up after 2 m 42 s: pvc-reattached postgres-0 does not hold in step
        kill-pod (1 of 3 steps hold)
        next: `labctl up 10.3` goes on at database
        ");
    }

    #[test]
    fn a_run_that_is_interrupted() {
        let run = vec![
            (0, run_started()),
            (
                0,
                EventKind::Notice {
                    text: "a second cluster, lab-10-1, runs on this machine".to_owned(),
                },
            ),
            (0, step_started("cluster", "it was not done yet")),
            (0, command("kind create cluster --name lab-10-3")),
            (
                4,
                EventKind::Cancelling {
                    reason: "SIGINT".to_owned(),
                },
            ),
            (5, finished("cluster", Outcome::Cancelled, 5_000)),
            (5, run_finished(RunOutcome::Cancelled { signal: 2 }, 5_100)),
        ];
        insta::assert_snapshot!(shown(run, false), @r"
        lab 10.3 StatefulSet for a database → environment lab-10-3
        note: a second cluster, lab-10-1, runs on this machine

        ▸ 1/3 cluster  Create a kind cluster with three workers
          $ kind create cluster --name lab-10-3
        SIGINT: stopping; open faults are healed and running commands ended
                (Ctrl-C again ends them at once)
        ○ cluster   cancelled after 5.0 s

        10.3 is not up after 5.1 s: interrupted by SIGINT (0 of 3 steps hold)
        next: `labctl up 10.3` goes on at cluster
        ");
    }

    #[test]
    fn colour_is_written_only_if_asked_for() {
        let mut log = Vec::new();
        let mut lines = Lines::new(
            &mut log,
            Look {
                width: 80,
                colour: true,
            },
            false,
        );
        for event in one_of_each() {
            lines.event(&event).unwrap();
        }
        assert!(log.contains(&0x1b));
        let kinds = (0..).zip(one_of_each().into_iter().map(|event| event.event));
        assert!(!shown(kinds.collect(), true).contains('\u{1b}'));
    }
}
