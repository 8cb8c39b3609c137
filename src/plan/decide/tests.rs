//! Tests of decisions about steps that were verified and whose expectations do not hold now.

use super::*;
use crate::{
    event::{Clause, Event, EventKind},
    spec::{Facts, LabTree, tree::LAB_FILE, yaml},
};

const LAB: &str = "lab: t\ntitle: T\nlevel: beginner\ntime: 10m\nsteps:\n\
    - {id: apply, title: A, do: {apply: {path: a.yaml}}}\n\
    - {id: look, title: L, do: observe}\n\
    - {id: kill, title: K, do: {delete-pod: {name: p, since: x}}, undo: none}\n";

fn decided(step: &str, statuses: &[Status]) -> Decision {
    let tree = LabTree {
        origin: "a test".into(),
        files: [(LAB_FILE.to_owned(), LAB.as_bytes().to_vec())].into(),
    };
    let lab = yaml::lab(&tree).unwrap();
    let state = RunState::replay(&[Event {
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        event: EventKind::Verified {
            step: step.into(),
            fingerprint: "f".into(),
            facts: Facts::new(),
            verdicts: Vec::new(),
        },
    }]);
    let verdict = |(n, status): (usize, &Status)| {
        Verdict::of(
            format!("assertion-{n}"),
            vec![Clause::new(*status, "w", "e", "a")],
        )
    };
    let verdicts: Vec<Verdict> = statuses.iter().enumerate().map(verdict).collect();
    let known = Known {
        state: &state,
        fingerprint: "f",
        verdicts: Some(&verdicts),
    };
    decide(&lab, lab.position(step).unwrap(), &known)
}

#[test]
fn what_may_come_to_hold_is_waited_for_and_what_cannot_is_broken() {
    use Status::{Failed, Pass, Pending, Unknown};
    for step in ["look", "kill"] {
        let pending = decided(step, &[Pass, Pending]);
        assert!(
            matches!(&pending, Decision::Wait { reason } if reason.contains("assertion-1")),
            "{pending:?}"
        );
        assert!(matches!(decided(step, &[Unknown]), Decision::Wait { .. }));
        let broken = decided(step, &[Pending, Failed]);
        assert!(
            matches!(&broken, Decision::Broken { reason } if reason.contains("assertion-1")),
            "{broken:?}"
        );
        assert!(matches!(decided(step, &[Pass]), Decision::Skip { .. }));
    }
}

#[test]
fn what_can_be_done_again_is() {
    for status in [Status::Pending, Status::Unknown, Status::Failed] {
        let decision = decided("apply", &[status]);
        assert!(matches!(decision, Decision::Run { .. }), "{decision:?}");
    }
}
