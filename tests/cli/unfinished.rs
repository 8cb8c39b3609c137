//! A reset that was interrupted: nothing else is done before it was gone on with.

use labctl::event::{EventKind, Rewound, RunOutcome, Verb};

use crate::support::{CONTAINERS, Sandbox, Seeded, run_finished};

/// A reset to the step `cluster` was begun and interrupted.
fn interrupted(sandbox: &Sandbox) -> Seeded {
    let seeded = Seeded::new(sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    sandbox.fakes.put(CONTAINERS, "c0ffee0000000000\n");
    let started = seeded.run_started(Verb::Reset);
    let rewound = Rewound {
        cursor: None,
        steps: vec!["cluster".into()],
    };
    let to = Some("cluster".into());
    seeded.journal([started, EventKind::Rewound { to, rewound }])
}

#[test]
fn every_verb_says_that_the_reset_goes_on_and_none_moves_the_cursor() {
    let sandbox = Sandbox::new().with_small_lab();
    interrupted(&sandbox);
    let before = sandbox.run_state("lab-small");
    for verb in ["up small", "next"] {
        let run = sandbox.labctl(verb).run().exits(7);
        run.tells("the reset to step cluster was interrupted")
            .tells("`labctl reset small` goes on with it");
    }
    let says = "the reset of \"lab-small\" to step cluster was interrupted; `labctl reset small` goes \
                on with it";
    for verb in ["status", "env small", "logs small", "heal small"] {
        let run = sandbox.labctl(verb).run();
        assert!(run.whole.contains(says), "{verb}: {}", run.whole);
    }
    sandbox.labctl("verify small").run().exits(5).tells(says);
    let status = sandbox.labctl("status --output json").run().exits(0);
    assert_eq!(status.json()[0]["reset-to"], "cluster");
    let after = sandbox.run_state("lab-small");
    assert_eq!(
        (after.cursor, after.facts, after.reset_to),
        (before.cursor, before.facts, before.reset_to)
    );
    assert!(!sandbox.environment("lab-small").join("snapshots").exists());
}

#[test]
fn a_cluster_that_was_made_anew_since_has_nothing_left_to_lose() {
    let sandbox = Sandbox::new().with_small_lab();
    interrupted(&sandbox).journal([
        EventKind::ClusterDeleting,
        EventKind::ClusterDeleted,
        run_finished(RunOutcome::Failed),
    ]);
    let state = sandbox.run_state("lab-small");
    assert_eq!(state.reset_to.as_deref(), Some("cluster"));
    assert_eq!(state.unfinished_reset(), None);
}
