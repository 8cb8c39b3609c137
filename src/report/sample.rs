//! Sample events for tests.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    event::{
        Change, Child, Clause, ClusterIdentity, Differing, Event, EventKind, Failure, ImageState,
        Outcome, Port, Rewound, RunOutcome, Status, StepInfo, Stream, Untrusted, Verb, Verdict,
    },
    spec::{
        ClaimFact, Fact, Facts, Measurement, PodFact,
        measurement::{Latencies, Mesh, OpenToxic, Series},
        toxic::PlacedToxic,
    },
};

/// Returns the time `seconds` after the start of the sample runs.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

/// Turns `kinds` into events, each at its second.
pub(super) fn events(kinds: impl IntoIterator<Item = (i64, EventKind)>) -> Vec<Event> {
    (1..)
        .zip(kinds)
        .map(|(seq, (second, event))| Event {
            seq,
            at: at(second),
            event,
        })
        .collect()
}

pub(super) fn run_started() -> EventKind {
    let step = |id: &str, title: &str, teach: Option<&str>| StepInfo {
        id: id.into(),
        title: title.to_owned(),
        teach: teach.map(str::to_owned),
        unchecked: false,
    };
    EventKind::RunStarted {
        verb: Verb::Up,
        environment: "lab-10-3".to_owned(),
        lab: "10.3".to_owned(),
        title: "StatefulSet for a database".to_owned(),
        steps: vec![
            step("cluster", "Create a kind cluster with three workers", None),
            step(
                "database",
                "Deploy PostgreSQL as a StatefulSet",
                Some(
                    "A StatefulSet gives each pod a *stable* name and a claim of its own. Watch the\n\
                     pods appear one after the other:\n\n```console\n$ kubectl get pods -w\n```\n",
                ),
            ),
            step("kill-pod", "Kill postgres-0", None),
        ],
    }
}

pub(super) fn measurement() -> Measurement {
    Measurement {
        url: "http://api:8080/api/entries".to_owned(),
        from: "deployment/client".to_owned(),
        keep_alive: false,
        requests: 200,
        succeeded: 189,
        codes: [("200".to_owned(), 189), ("503".to_owned(), 11)].into(),
        latency: Latencies {
            p50: 3100,
            p95: 9800,
            p99: 15_200,
            max: 21_400,
        },
        took: 10_000,
        series: Series {
            interval: 1,
            requests: vec![20, 20, 20, 0],
            succeeded: vec![20, 0, 19, 0],
        },
        toxics: Vec::new(),
        mesh: Mesh::Unmeshed,
    }
}

pub(super) fn measured(step: &str) -> EventKind {
    EventKind::Measured {
        step: step.into(),
        measurement: Box::new(measurement()),
    }
}

/// Returns the measurement of a load with an open toxic and an unknown state of the mesh.
fn unknown_mesh(step: &str) -> EventKind {
    let mut measurement = measurement();
    measurement.mesh = Mesh::Unknown("the proxy does not answer".to_owned());
    measurement.toxics = vec![OpenToxic {
        step: "cut".into(),
        at: PlacedToxic {
            service: "toxiproxy".to_owned(),
            port: 8474,
            proxy: "database".to_owned(),
            name: Some("cut".to_owned()),
        },
        listens: Some(5432),
        present: true,
    }];
    EventKind::Measured {
        step: step.into(),
        measurement: Box::new(measurement),
    }
}

pub(super) fn step_started(step: &str, reason: &str) -> EventKind {
    EventKind::StepStarted {
        step: step.into(),
        fingerprint: "f1".to_owned(),
        reason: reason.to_owned(),
        undo: None,
        held: false,
    }
}

pub(super) fn command(line: &str) -> EventKind {
    EventKind::CommandStarted {
        line: line.to_owned(),
    }
}

pub(super) fn output(line: &str) -> EventKind {
    EventKind::Output {
        stream: Stream::Stdout,
        line: Untrusted::new(line),
    }
}

pub(super) fn imported(node: &str) -> EventKind {
    EventKind::Image {
        image: "docker.io/library/postgres:17".to_owned(),
        node: Some(node.to_owned()),
        state: ImageState::Imported,
    }
}

pub(super) fn applied(step: &str) -> EventKind {
    EventKind::Applied { step: step.into() }
}

pub(super) fn waiting(step: &str, within: u64, verdicts: Vec<Verdict>) -> EventKind {
    EventKind::Waiting {
        step: step.into(),
        within: Duration::from_secs(within),
        verdicts,
    }
}

pub(super) fn verified(step: &str, verdicts: Vec<Verdict>) -> EventKind {
    EventKind::Verified {
        step: step.into(),
        fingerprint: "f1".to_owned(),
        facts: Facts::new(),
        verdicts,
    }
}

pub(super) fn finished(step: &str, outcome: Outcome, millis: u64) -> EventKind {
    EventKind::StepFinished {
        step: step.into(),
        outcome,
        took: Duration::from_millis(millis),
    }
}

pub(super) fn run_finished(outcome: RunOutcome, millis: u64) -> EventKind {
    EventKind::RunFinished {
        outcome,
        took: Duration::from_millis(millis),
    }
}

/// Returns the verdict of a rollout with `ready` of its three Pods.
pub(super) fn rollout(ready: u32) -> Verdict {
    let clause = |what: &str, status, actual: &str| Clause::new(status, what, "3", actual);
    let status = if ready == 3 {
        Status::Pass
    } else {
        Status::Pending
    };
    Verdict::of(
        "rollout-complete statefulset/postgres",
        vec![
            clause("replicas exist", Status::Pass, "3"),
            clause("replicas are ready", status, &ready.to_string()),
        ],
    )
}

/// Returns the failed verdict of the design document: a Pod cannot come back because its node is
/// cordoned.
pub(super) fn cordoned() -> Verdict {
    let clause = |status, what: &str, expected: &str, actual: &str| {
        Clause::new(status, what, expected, actual)
    };
    Verdict::of(
        "pvc-reattached postgres-0",
        vec![
            clause(
                Status::Pass,
                "claim data-postgres-0 is the same",
                "uid 1f3c",
                "uid 1f3c · volume pvc-9a41",
            ),
            clause(
                Status::Failed,
                "pod is Ready",
                "Ready",
                "Pending for 38 s: no node fits",
            )
            .because(vec![
                "volume pvc-9a41 is bound to node lab-10-3-worker2, which is cordoned \
                     (kubectl uncordon lab-10-3-worker2)"
                    .to_owned(),
            ])
            .evidence(vec!["FailedScheduling: 0/4 nodes are available".to_owned()]),
        ],
    )
}

/// Returns a failure with causes, a hint and output, but without verdicts.
pub(super) fn failure() -> Failure {
    Failure {
        summary: "failed to create cluster \"lab-10-3\"".to_owned(),
        causes: vec![
            "kind create cluster ended with exit status 1".to_owned(),
            "port 127.0.0.1:80 is taken".to_owned(),
        ],
        hint: Some("free the port, or choose another with --set http-port=8080".to_owned()),
        tail: vec![
            "Creating cluster \"lab-10-3\" ...".to_owned(),
            "ERROR: failed to create cluster".to_owned(),
        ],
        verdicts: Vec::new(),
    }
}

/// Returns the beginning of a run that skips the cluster and has waited for the database for 12 s.
pub(super) fn waiting_run() -> Vec<(i64, EventKind)> {
    let skipped = Outcome::Skipped {
        reason: "verified at 10:32, unchanged and it still holds".to_owned(),
    };
    vec![
        (0, run_started()),
        (0, finished("cluster", skipped, 400)),
        (
            1,
            step_started("database", "it was interrupted, or failed, the last time"),
        ),
        (1, command("kubectl apply -f manifests/postgres.yaml")),
        (2, output("statefulset.apps/postgres created")),
        (2, imported("lab-10-3-worker")),
        (2, applied("database")),
        (3, waiting("database", 180, vec![rollout(0), pvc_bound()])),
        (4, waiting("database", 180, vec![rollout(1), pvc_bound()])),
        (14, waiting("database", 180, vec![rollout(2), rollout(3)])),
    ]
}

fn pvc_bound() -> Verdict {
    let claim = |name: &str| {
        Clause::new(
            Status::Pending,
            format!("claim {name} is bound"),
            "Bound",
            "Pending",
        )
    };
    Verdict::of(
        "pvc-bound statefulset/postgres",
        vec![claim("data-postgres-0")],
    )
}

/// Returns an event of each kind, with all optional fields.
#[allow(clippy::too_many_lines, reason = "a list")]
pub(super) fn one_of_each() -> Vec<Event> {
    let text = str::to_owned;
    let pod = PodFact {
        name: text("postgres-0"),
        uid: text("a1"),
        node: text("worker"),
    };
    let claim = ClaimFact {
        name: text("data-postgres-0"),
        uid: text("1f3c"),
        volume: text("pvc-9a41"),
        volume_uid: text("c2"),
    };
    let facts = Facts::from([(
        text("before"),
        Fact {
            pod: Some(pod),
            claim: Some(claim),
            load: None,
        },
    )]);
    let cluster = ClusterIdentity {
        name: text("lab-10-3"),
        uid: text("u1"),
        server: Some(text("https://127.0.0.1:40123")),
        containers: vec![text("c1"), text("c2")],
    };
    let failed = Outcome::Failed(Failure {
        verdicts: vec![cordoned()],
        ..failure()
    });
    let kinds = vec![
        run_started(),
        step_started("cluster", "it was not done yet"),
        EventKind::PortsChosen {
            ports: vec![Port {
                name: text("http"),
                wanted: 80,
                host: 8080,
                node: 80,
            }],
        },
        EventKind::PortRefused { host: 80 },
        EventKind::JournalDamaged { line: 7 },
        EventKind::ClusterIntended {
            name: text("lab-10-3"),
        },
        EventKind::ClusterCreated { cluster },
        EventKind::ClusterStopped,
        EventKind::ClusterStarted {
            nodes: 2,
            took: Duration::from_millis(20_900),
            server: Some(text("https://127.0.0.1:40124")),
        },
        EventKind::ClusterDeleting,
        EventKind::ClusterDeleted,
        command("kind create cluster"),
        EventKind::ChildStarted {
            child: Child {
                program: text("kind"),
                group: 7,
                started: 9,
            },
        },
        EventKind::ChildExited { group: 7 },
        output("grüße → ✓"),
        EventKind::Output {
            stream: Stream::Stderr,
            line: Untrusted::new("warning"),
        },
        imported("worker"),
        EventKind::Image {
            image: text("postgres:17"),
            node: None,
            state: ImageState::Fetched,
        },
        EventKind::Measuring {
            step: "cluster".into(),
            ended: 20,
            succeeded: 19,
            of: 200,
        },
        measured("cluster"),
        unknown_mesh("cluster"),
        applied("cluster"),
        waiting("cluster", 180, vec![rollout(1)]),
        EventKind::Verified {
            step: "cluster".into(),
            fingerprint: text("f1"),
            facts,
            verdicts: vec![cordoned(), Verdict::of("http /", Vec::new())],
        },
        EventKind::Rewound {
            to: Some("cluster".into()),
            rewound: Rewound {
                cursor: None,
                steps: vec!["cluster".into()],
            },
        },
        EventKind::Differs {
            differing: Differing {
                object: text("service/postgres"),
                change: Change::Changed,
                details: vec![Untrusted::new("spec.replicas is 1, was 3")],
            },
        },
        EventKind::Undone {
            step: "cluster".into(),
            rewound: Some(Rewound {
                cursor: None,
                steps: vec!["cluster".into()],
            }),
        },
        finished("cluster", Outcome::Changed, 16_249),
        finished(
            "cluster",
            Outcome::Skipped {
                reason: text("it holds"),
            },
            0,
        ),
        finished("cluster", failed, 1),
        finished("cluster", Outcome::Cancelled, 1),
        EventKind::Notice {
            text: text("a second cluster runs"),
        },
        EventKind::Cancelling {
            reason: text("SIGINT"),
        },
        run_finished(RunOutcome::Passed, 1),
        run_finished(RunOutcome::Failed, 1),
        run_finished(RunOutcome::Unreachable, 1),
        run_finished(RunOutcome::Cancelled { signal: 15 }, 1),
    ];
    let all = events((0..).zip(kinds));
    all.iter().for_each(covered);
    all
}

/// Fails to compile if a new kind of event is missing here, so that somebody adds it to
/// [`one_of_each`] too.
fn covered(event: &Event) {
    match event.event {
        EventKind::RunStarted { .. }
        | EventKind::StepStarted { .. }
        | EventKind::PortsChosen { .. }
        | EventKind::PortRefused { .. }
        | EventKind::JournalDamaged { .. }
        | EventKind::ClusterIntended { .. }
        | EventKind::ClusterCreated { .. }
        | EventKind::ClusterStopped
        | EventKind::ClusterStarted { .. }
        | EventKind::ClusterDeleting
        | EventKind::ClusterDeleted
        | EventKind::CommandStarted { .. }
        | EventKind::ChildStarted { .. }
        | EventKind::ChildExited { .. }
        | EventKind::Output { .. }
        | EventKind::Image { .. }
        | EventKind::Measuring { .. }
        | EventKind::Measured { .. }
        | EventKind::Applied { .. }
        | EventKind::Waiting { .. }
        | EventKind::Verified { .. }
        | EventKind::Undone { .. }
        | EventKind::Rewound { .. }
        | EventKind::Differs { .. }
        | EventKind::StepFinished { .. }
        | EventKind::Notice { .. }
        | EventKind::Cancelling { .. }
        | EventKind::RunFinished { .. } => {}
    }
}
