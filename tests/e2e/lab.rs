//! A lab that is up: again, verified, and down.

use std::{fs, path::Path, time::Duration};

use labctl::event::{EventKind, Outcome, RunOutcome};

use crate::{
    paused::{Foreign, running},
    world::{STEPS, World},
};

/// `up` of a lab that is up takes no time and runs nothing.
pub(crate) fn up_again(world: &World) {
    world.at_the_end();
    // The machine may have been busy with something else for a moment.
    let runs = [(); 3].map(|()| world.up(&["--output", "json"]).exits(0).says_nothing());
    for run in &runs {
        let is_command = |event: &EventKind| {
            matches!(
                event,
                EventKind::CommandStarted { .. } | EventKind::ChildStarted { .. }
            )
        };
        assert!(!run.events().iter().any(is_command), "{}", run.transcript());
        let outcomes = run.outcomes();
        assert_eq!(outcomes.len(), STEPS.len(), "{}", run.transcript());
        for (id, outcome) in outcomes {
            let skipped = matches!(&outcome, Outcome::Skipped { reason } if !reason.is_empty());
            assert!(skipped, "{id}: {outcome:?}\n{}", run.transcript());
        }
    }
    let fastest = runs.iter().map(|run| run.took).min().expect("three runs");
    world.figure(format!("up of a lab that is up: {fastest:.1?}"));
    assert!(
        fastest < Duration::from_secs(3),
        "up again took {fastest:?}"
    );
}

/// `verify` of a lab that is up passes.
pub(crate) fn verify(world: &World) {
    world.at_the_end();
    world
        .labctl(&["verify"])
        .exits(0)
        .says("verified: 5 of 5 steps hold");
    let verified = world.verify(0);
    assert_eq!(verified.outcome, RunOutcome::Passed);
    let ids: Vec<&str> = verified.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, STEPS);
}

/// `down` leaves nothing, but for what has the environment's name and is somebody else's.
pub(crate) fn down(world: &World) {
    world.up(&["--to", "cluster"]).exits(0);
    let foreign = Foreign::beside(world);
    world.labctl(&["down"]).exits(0).says("did not make");
    assert_eq!(running(&world.name), [foreign.name.as_str()]);
    drop(foreign);
    assert_eq!(world.remains(), [""; 0], "left after down");
    assert_eq!(files(&world.state()), [""; 0], "left after down");
    // There is nothing more to remove, and it says so.
    world.labctl(&["down"]).exits(2).says(&world.name);
}

/// After all of this the user's own kubeconfigs are as they were, and their cluster was not asked.
pub(crate) fn untouched(world: &World) {
    world.assert_untouched();
    world.assert_clean_log();
}

/// All files below `dir`.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}
