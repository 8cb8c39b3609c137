//! Which stream what is written to: answers to standard output, all else to standard error.

use labctl::event::{Event, EventKind, RunOutcome, RunState};

use crate::support::{Act, Api, CRASH_LAB, Sandbox, Seeded, created, is_alive, rule, wait_for};

#[test]
fn as_json_a_run_is_one_event_a_line_and_nothing_else() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule(
        "kind",
        "create",
        [Act::Out("Creating".into()), Act::Exit(1)],
    )]);
    let answer = sandbox
        .labctl("up small --output json")
        .run()
        .exits(1)
        .tells_nothing();
    let events = answer.events();
    assert!(matches!(events[0].event, EventKind::RunStarted { .. }));
    let EventKind::RunFinished { outcome, .. } = events.last().unwrap().event else {
        panic!("{:?}", events.last());
    };
    assert_eq!(outcome, RunOutcome::Failed);
    // What it printed adds up to what it kept.
    let printed = RunState::replay(&events);
    let kept = sandbox.run_state("lab-small");
    assert_eq!((printed.steps, printed.cursor), (kept.steps, kept.cursor));
    // Each line is as the library writes it: nothing is lost on the way.
    for (event, line) in events.iter().zip(answer.stdout.lines()) {
        assert_eq!(serde_json::to_string(event).unwrap(), line);
    }
}

#[test]
fn as_json_down_is_events_as_well() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let events: Vec<Event> = sandbox
        .labctl("down small --output json")
        .run()
        .exits(0)
        .tells_nothing()
        .events();
    assert!(
        events
            .iter()
            .any(|event| event.event == EventKind::ClusterDeleted)
    );
}

#[test]
fn as_text_a_run_leaves_standard_output_alone() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule(
        "kind",
        "create",
        [Act::Out("Creating".into()), Act::Exit(1)],
    )]);
    for verb in ["up small", "up small --verbose", "down small"] {
        let answer = sandbox.labctl(verb).run().answers_nothing();
        assert!(!answer.stderr.is_empty());
    }
}

#[test]
fn verbose_shows_what_commands_print_and_colours_are_for_terminals() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule(
        "kind",
        "create",
        [Act::Out("Pulling node".into()), Act::Exit(1)],
    )]);
    let quiet = sandbox.labctl("up small").run().exits(1);
    let verbose = sandbox.labctl("up small -v").run().exits(1);
    // The tail of what failed is shown in any case.
    assert_eq!(
        quiet.stderr.matches("Pulling node").count(),
        1,
        "{}",
        quiet.whole
    );
    assert_eq!(
        verbose.stderr.matches("Pulling node").count(),
        2,
        "{}",
        verbose.whole
    );
    assert!(!verbose.stderr.contains('\u{1b}'));
}

/// Nobody reads the events any more: the run cannot be followed, and ends as if it was stopped.
#[test]
fn a_reader_that_went_away_ends_the_run_and_leaves_no_cluster() {
    let sandbox = Sandbox::new().with_small_lab();
    let mut acts = created();
    acts.extend([
        Act::Write("called".into(), String::new()),
        Act::Await("go on".into()),
        Act::Out("a line that nobody reads".into()),
        Act::Hang,
    ]);
    sandbox.fakes.obey([rule("kind", "create", acts)]);
    let (reader, writer) = std::io::pipe().unwrap();
    let up = sandbox
        .labctl("up small --output json")
        .stdout(writer)
        .start();
    wait_for("kind to be called", || sandbox.fakes.has("called"));
    drop(reader);
    sandbox.fakes.put("go on", "");
    let answer = up.finish();
    assert!(!is_alive(sandbox.fakes.calls_of("kind", "create")[0].pid));
    assert!(
        !sandbox.fakes.has("containers"),
        "the half-made cluster is removed"
    );
    assert_eq!(answer.code, 141, "the lab is not up:\n{}", answer.whole);
}

#[test]
fn verify_in_a_loop_leaves_the_journal_as_it_is_and_no_journal_has_the_texts_of_the_lesson() {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    let lab = CRASH_LAB.replace(
        "  title: Start the application\n",
        "  title: Start the application\n  teach: What a student reads of it.\n",
    );
    sandbox.write("crash/lab.yaml", &lab);
    sandbox.labctl("up crash --to app").run().exits(0);
    let after_up = sandbox.journal("lab-crash");
    for _ in 0..3 {
        sandbox.labctl("verify --to app").run().exits(0);
    }
    assert_eq!(sandbox.journal("lab-crash"), after_up);
    // What it finds is kept, with how the run began that found it.
    let by_hand = "--kubeconfig K --context C exec app-0".split_whitespace();
    let kubectl = sandbox.path("bin/kubectl");
    sandbox
        .program(&kubectl.to_string_lossy(), by_hand)
        .run()
        .exits(0);
    sandbox.labctl("verify --to write").run().exits(0);
    let found = sandbox.journal("lab-crash");
    let new = found.strip_prefix(&after_up).unwrap();
    for said in ["run-started", "verified", "run-finished"] {
        assert_eq!(new.matches(said).count(), 1, "{new}");
    }
    for text in [
        "A lab with a step",
        "Start the application",
        "What a student reads",
    ] {
        assert!(!found.contains(text), "{found}");
    }
}
