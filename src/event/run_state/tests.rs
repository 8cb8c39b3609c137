//! Tests of the fold.

use super::*;
use crate::{
    event::Keeper,
    spec::{Fact, action::Node},
};

fn replay(kinds: impl IntoIterator<Item = EventKind>) -> RunState {
    let event = |(seq, event)| Event {
        seq,
        at: Timestamp::UNIX_EPOCH,
        event,
    };
    RunState::replay(&(1..).zip(kinds).map(event).collect::<Vec<_>>())
}

fn verified(step: &str, fingerprint: &str, facts: &[&str]) -> EventKind {
    let fact = |name: &&str| ((*name).to_owned(), Fact::default());
    EventKind::Verified {
        step: step.into(),
        fingerprint: fingerprint.into(),
        facts: facts.iter().map(fact).collect(),
        verdicts: Vec::new(),
    }
}

fn started(verb: Verb) -> EventKind {
    EventKind::RunStarted {
        verb,
        environment: "e".into(),
        lab: "l".into(),
        title: "L".into(),
        steps: Vec::new(),
    }
}

fn ended(outcome: RunOutcome) -> EventKind {
    EventKind::RunFinished {
        outcome,
        took: std::time::Duration::ZERO,
    }
}

fn begun(step: &str, undo: Option<Undo>) -> EventKind {
    EventKind::StepStarted {
        step: step.into(),
        fingerprint: "f".into(),
        reason: "r".into(),
        undo,
        held: false,
    }
}

fn injected(step: &str) -> EventKind {
    let node_of = "drained".into();
    begun(step, Some(Undo::Uncordon(Node::NodeOf(node_of))))
}

fn undone(step: &str, rewound: Option<Rewound>) -> EventKind {
    EventKind::Undone {
        step: step.into(),
        rewound,
    }
}

/// Returns the step and the keeper of each open fault, the last injected first.
fn keepers(state: &RunState) -> Vec<(&str, Keeper)> {
    let faults = state.faults.last_first();
    faults.map(|f| (f.step.as_str(), f.keeper)).collect()
}

#[test]
fn mending_an_earlier_step_leaves_the_cursor_where_it_was() {
    let state = replay([
        verified("database", "1", &[]),
        verified("kill-pod", "2", &[]),
        verified("database", "3", &[]),
    ]);
    assert_eq!(state.cursor.as_deref(), Some("kill-pod"));
    let known = state.steps["database"].verified.clone();
    assert_eq!(known.map(|(_, fingerprint)| fingerprint), Some("3".into()));
}

#[test]
fn an_action_is_at_work_from_its_intent_until_it_is_seen_to_be_done() {
    let acting = |kinds: &[EventKind]| replay(kinds.to_vec()).steps["a"].acting;
    let applied = EventKind::Applied { step: "a".into() };
    assert!(acting(&[begun("a", None)]));
    // A run that ended does not say how far the action got.
    assert!(acting(&[begun("a", None), ended(RunOutcome::Failed)]));
    assert!(!acting(&[begun("a", None), applied.clone()]));
    assert!(!acting(&[begun("a", None), verified("a", "f", &[])]));
    assert!(acting(&[begun("a", None), applied, begun("a", None)]));
}

#[test]
fn a_fault_is_open_from_its_intent_until_it_is_taken_back() {
    let state = replay([injected("a"), begun("b", Some(Undo::None)), injected("c")]);
    let run = Keeper::Run;
    assert_eq!(keepers(&state), [("c", run), ("a", run)]);
    let state = replay([injected("a"), injected("c"), undone("c", None)]);
    assert_eq!(keepers(&state), [("a", run)]);
    assert!(state.steps["c"].healed);
    // A fault that is injected again becomes the last one.
    let state = replay([injected("a"), injected("c"), injected("a")]);
    assert_eq!(keepers(&state), [("a", run), ("c", run)]);
    let state = replay([injected("a"), EventKind::ClusterDeleted]);
    assert!(state.faults.is_empty());
}

#[test]
fn runs_that_end_well_hand_an_open_fault_on() {
    let mut events = vec![
        started(Verb::Next),
        injected("a"),
        ended(RunOutcome::Passed),
    ];
    assert_eq!(keepers(&replay(events.clone())), [("a", Keeper::Step)]);
    events.push(started(Verb::Next));
    assert_eq!(keepers(&replay(events.clone())), [("a", Keeper::Run)]);
    events.push(ended(RunOutcome::Passed));
    assert_eq!(keepers(&replay(events)), [("a", Keeper::Step)]);
}

#[test]
fn nobody_answers_for_the_fault_of_a_run_that_died_or_failed_even_if_it_is_looked_at_since() {
    for end in [
        None,
        Some(ended(RunOutcome::Failed)),
        Some(ended(RunOutcome::Cancelled { signal: 2 })),
    ] {
        let mut events = vec![
            started(Verb::Next),
            injected("a"),
            ended(RunOutcome::Passed),
            started(Verb::Next),
        ];
        events.extend(end);
        events.extend([started(Verb::Verify), ended(RunOutcome::Passed)]);
        assert_eq!(keepers(&replay(events.clone())), [("a", Keeper::Run)]);
        events.push(started(Verb::Up));
        assert_eq!(keepers(&replay(events.clone())), [("a", Keeper::Nobody)]);
        // A run that could not heal the fault leaves it to the next one.
        events.push(ended(RunOutcome::Passed));
        events.push(started(Verb::Heal));
        assert_eq!(keepers(&replay(events)), [("a", Keeper::Nobody)]);
    }
}

#[test]
fn what_a_fault_held_up_is_forgotten_when_it_is_taken_back_early() {
    let rewound = Rewound {
        cursor: Some("identity".into()),
        steps: vec!["drain".into(), "budget".into()],
    };
    let state = replay([
        verified("identity", "1", &["drained"]),
        injected("drain"),
        verified("drain", "1", &["gone"]),
        verified("budget", "1", &["gone-too"]),
        begun("last", None),
        undone("drain", Some(rewound)),
    ]);
    assert_eq!(state.cursor.as_deref(), Some("identity"));
    assert_eq!(state.facts.keys().collect::<Vec<_>>(), ["drained"]);
    let verified_steps = state.steps.iter().filter(|(_, s)| s.verified.is_some());
    assert_eq!(
        verified_steps.map(|(id, _)| id).collect::<Vec<_>>(),
        ["identity"]
    );
    assert!(state.steps["budget"].rewound && state.steps["drain"].healed);
    assert!(state.steps["last"].begun);
    // A step that is verified again loses its marks, and its facts are recorded again.
    let mut state = state;
    state.apply(&Event {
        seq: 7,
        at: Timestamp::UNIX_EPOCH,
        event: verified("drain", "2", &["gone"]),
    });
    assert_eq!(state.cursor.as_deref(), Some("drain"));
    assert!(state.facts.contains_key("gone"));
    assert!(!state.steps["drain"].rewound && !state.steps["drain"].healed);
}

#[test]
fn a_cluster_is_stopped_until_it_is_started_or_gone() {
    let event = |event: EventKind| Event {
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        event,
    };
    let started = EventKind::ClusterStarted {
        nodes: 4,
        took: std::time::Duration::ZERO,
        server: None,
    };
    let mut state = RunState::default();
    for end in [started, EventKind::ClusterDeleted] {
        state.apply(&event(EventKind::ClusterStopped));
        assert_eq!(state.stopped, Some(Timestamp::UNIX_EPOCH));
        state.apply(&event(end));
        assert_eq!(state.stopped, None);
    }
}

#[test]
fn ports_outlive_their_cluster_and_refusals_do_not_outlive_the_next() {
    let port = |host| Port {
        name: "http".into(),
        wanted: 80,
        host,
        node: 80,
    };
    let chosen = |host| EventKind::PortsChosen {
        ports: vec![port(host)],
    };
    let refused = EventKind::PortRefused { host: 80 };
    let mut events = vec![chosen(80), refused, EventKind::ClusterDeleted];
    let state = replay(events.clone());
    assert_eq!(
        (state.ports, state.refused_ports),
        (vec![port(80)], [80].into())
    );
    let cluster = ClusterIdentity {
        name: "c".into(),
        uid: "u".into(),
        containers: Vec::new(),
        server: None,
    };
    let deleted = EventKind::ClusterDeleted;
    events.extend([chosen(8080), EventKind::ClusterCreated { cluster }, deleted]);
    let state = replay(events);
    assert_eq!(
        (state.ports, state.refused_ports),
        (vec![port(8080)], [].into())
    );
}
