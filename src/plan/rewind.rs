//! The steps that no longer count as verified when a fault is healed early or the cursor moves
//! back.

use crate::{
    event::{Rewound, RunState},
    spec::{Lab, Step, StepId},
};

/// Returns the state to forget so that the step at `index` and all later ones are done again.
#[must_use]
pub fn rewind(lab: &Lab, index: usize, state: &RunState) -> Rewound {
    let verified = |steps: &[Step]| {
        let ids = steps.iter().map(|step| step.id.clone());
        ids.filter(|id| state.is_verified(id)).collect::<Vec<_>>()
    };
    let (before, from) = lab.steps.split_at(index);
    Rewound {
        cursor: verified(before).pop(),
        steps: verified(from),
    }
}

/// Returns the state to forget if the fault of `step` is healed now. Returns `None` if its time has
/// come, if it was never observed to act, or if the lab has no such step any more.
#[must_use]
pub fn taken_back_early(lab: &Lab, step: &StepId, state: &RunState) -> Option<Rewound> {
    let index = lab.position(step)?;
    let end = lab.steps[index].until.as_ref().unwrap_or(step);
    if state.is_verified(end) {
        return None;
    }
    let rewound = rewind(lab, index, state);
    (!rewound.steps.is_empty()).then_some(rewound)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        event::StepState,
        spec::{LabTree, tree::LAB_FILE, yaml},
    };

    fn lab() -> Lab {
        let text = "lab: t\ntitle: T\nlevel: beginner\ntime: 10m\nsteps:\n\
            - {id: a, title: A, do: observe}\n\
            - {id: b, title: B, do: {drain: {node-of: x}}, undo: {uncordon: {node-of: x}}, until: d}\n\
            - {id: c, title: C, do: observe}\n\
            - {id: d, title: D, do: observe}\n\
            - {id: e, title: E, do: {drain: {node-of: x}}, undo: {uncordon: {node-of: x}}}\n";
        let tree = LabTree {
            origin: "a test".into(),
            files: [(LAB_FILE.to_owned(), text.as_bytes().to_vec())].into(),
        };
        yaml::lab(&tree).unwrap()
    }

    fn verified(steps: &[&str]) -> RunState {
        let known = StepState {
            verified: Some((Timestamp::UNIX_EPOCH, "f".into())),
            ..StepState::default()
        };
        RunState {
            steps: steps.iter().map(|s| ((*s).into(), known.clone())).collect(),
            ..RunState::default()
        }
    }

    fn early(step: &str, state: &[&str]) -> Option<(Option<StepId>, Vec<StepId>)> {
        let rewound = taken_back_early(&lab(), &step.into(), &verified(state));
        rewound.map(|rewound| (rewound.cursor, rewound.steps))
    }

    #[test]
    fn before_its_time_a_fault_takes_all_behind_it_along() {
        let from_b = |steps: &[&str]| {
            let steps = steps.iter().map(|&step| step.into()).collect();
            Some((Some("a".into()), steps))
        };
        assert_eq!(early("b", &["a", "b"]), from_b(&["b"]));
        assert_eq!(early("b", &["a", "b", "c"]), from_b(&["b", "c"]));
        assert_eq!(early("b", &["b"]), Some((None, vec!["b".into()])));
    }

    #[test]
    fn at_its_time_or_before_it_acted_nothing_is_forgotten() {
        assert_eq!(early("b", &["a", "b", "c", "d"]), None);
        assert_eq!(early("b", &["a"]), None);
        // Without `until`, the time of a fault ends with its own step.
        assert_eq!(early("e", &["a", "b", "c", "d", "e"]), None);
        assert_eq!(early("a-step-of-an-older-lab", &["a", "b"]), None);
    }
}
