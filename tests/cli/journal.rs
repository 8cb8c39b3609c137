//! Journals that a crash tore: what can be believed is, and nothing panics.

use std::{collections::BTreeSet, fs};

use labctl::{
    event::{Event, EventKind, RunState},
    spec::Facts,
    state::{Journal, journal::Tail},
};
use rustix::process::Signal;

use crate::support::{
    Act, Api, Sandbox, Seeded, created, fact, on_the_cluster, on_the_engine, rule, signal,
    step_started, verified, wait_for,
};

/// An environment of lab 10.3 with a journal of some length.
fn seeded(sandbox: &Sandbox) -> Vec<u8> {
    let seeded = Seeded::of_10_3(sandbox)
        .with_cluster(&["c0ffee0000000000"])
        .journal([
            verified("statefulset", Facts::new()),
            verified("database", fact("before", "postgres-0", "data-postgres-0")),
            step_started("kill-pod"),
            EventKind::Undone {
                step: "kill-pod".into(),
                rewound: None,
            },
            verified("kill-pod", Facts::new()),
        ]);
    fs::read(seeded.environment.journal()).unwrap()
}

#[test]
fn cut_anywhere_a_journal_is_read_and_written_on() {
    let sandbox = Sandbox::new();
    let whole = seeded(&sandbox);
    let path = sandbox.environment("lab-10-3").join("journal.jsonl");
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    for cut in (0..whole.len()).step_by(191) {
        fs::write(&path, &whole[..cut]).unwrap();
        let status = sandbox
            .labctl("status --output json")
            .run()
            .exits(0)
            .tells_nothing();
        let reached = status.json()[0]["reached"].as_u64().unwrap();
        let lines = whole[..cut].iter().filter(|b| **b == b'\n').count();
        assert!(
            reached <= 4 && (lines > 5 || reached == 0),
            "cut at {cut}: {reached}"
        );
        let up = sandbox.labctl("up 10.3").run();
        assert!([1, 5].contains(&up.code), "cut at {cut}:\n{}", up.whole);
        let is_torn = cut > 0 && whole[cut - 1] != b'\n' && whole[cut] != b'\n';
        assert_eq!(
            up.stderr.contains("ends in a torn line"),
            is_torn,
            "cut at {cut}:\n{}",
            up.whole
        );
        // What was torn is gone, and what followed can be read.
        let state = labctl::state::Journal::read(&path).unwrap();
        assert_eq!(state.tail, Tail::None, "cut at {cut}");
    }
}

#[test]
fn a_byte_that_changed_ends_what_is_believed() {
    let sandbox = Sandbox::new();
    let whole = seeded(&sandbox);
    let path = sandbox.environment("lab-10-3").join("journal.jsonl");
    for at in (0..whole.len()).step_by(211) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        fs::write(&path, &bytes).unwrap();
        let status = sandbox.labctl("status").run().exits(0);
        let verify = sandbox.labctl("verify 10.3").run();
        assert!(
            [1, 5].contains(&verify.code),
            "changed at {at}:\n{}",
            verify.whole
        );
        // Looking writes nothing, and both say what is wrong.
        assert_eq!(fs::read(&path).unwrap(), bytes, "changed at {at}");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for told in [status.stdout, verify.stderr] {
            let told = words(&told);
            let says = told.contains("is damaged from line") || told.contains("in a torn line");
            assert!(says, "changed at {at}: {told}");
        }
    }
}

#[test]
fn what_is_no_journal_at_all_is_no_reason_to_panic() {
    let sandbox = Sandbox::new();
    seeded(&sandbox);
    let path = sandbox.environment("lab-10-3").join("journal.jsonl");
    for bytes in [
        &b"\0\0\0\0"[..],
        b"\n\n\n",
        b"{}",
        &[0xff; 5000],
        b"0123456789abcdef {}\n",
    ] {
        fs::write(&path, bytes).unwrap();
        sandbox.labctl("status").run().exits(0);
        sandbox.labctl("down 10.3").run();
        if !path.exists() {
            seeded(&sandbox);
        }
    }
    // In the place of a file, a directory is an error that names it, and hides nothing.
    let _ = fs::remove_file(&path);
    fs::create_dir(&path).unwrap();
    for verb in ["up 10.3", "verify 10.3"] {
        sandbox.labctl(verb).run().exits(70).tells("journal.jsonl");
    }
    for verb in ["status", "list"] {
        let answer = sandbox.labctl(verb).run().exits(0).answers("lab-10-3");
        assert!(answer.whole.contains("journal.jsonl"), "{}", answer.whole);
    }
    let down = sandbox.labctl("down 10.3").run().exits(0);
    down.tells("journal.jsonl")
        .tells("the container engine is asked");
    sandbox.has_no_environment();
}

/// The journal of a run that was interrupted while it made the cluster and one that came to its
/// end: every kind of event is in it. And what its lines say.
fn whole_journal(sandbox: &Sandbox, api: &Api) -> (Vec<u8>, Vec<Event>) {
    let mut hangs = created();
    hangs.extend([Act::Write("hangs".into(), String::new()), Act::Hang]);
    let mut rules = vec![rule("kind", "create", hangs)];
    rules.extend(on_the_cluster(&api.address()));
    sandbox.fakes.obey(rules);
    let up = sandbox.labctl("up crash").start();
    wait_for("kind to hang", || sandbox.fakes.has("hangs"));
    signal(up.pid(), Signal::INT);
    up.finish().exits(130);
    sandbox.fakes.obey(on_the_cluster(&api.address()));
    sandbox.labctl("up crash").run().exits(0);
    let path = sandbox.environment("lab-crash").join("journal.jsonl");
    let bytes = fs::read(path).unwrap();
    let lines = std::str::from_utf8(&bytes).unwrap().lines().skip(1);
    let events = lines.map(|line| serde_json::from_str(&line[17..]).unwrap());
    let events: Vec<Event> = events.collect();
    let name = |event: &Event| match serde_json::to_value(&event.event).unwrap() {
        serde_json::Value::Object(map) => map.keys().next().unwrap().clone(),
        name => name.as_str().unwrap().to_owned(),
    };
    let kinds: BTreeSet<String> = events.iter().map(name).collect();
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "applied",
            "cancelling",
            "child-exited",
            "child-started",
            "cluster-created",
            "cluster-deleted",
            "cluster-deleting",
            "cluster-intended",
            "run-finished",
            "run-started",
            "step-finished",
            "step-started",
            "undone",
            "verified",
        ]
    );
    (bytes, events)
}

#[test]
fn a_real_journal_cut_at_any_byte_keeps_every_line_before_the_cut() {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    let (whole, events) = whole_journal(&sandbox, &api);
    let path = sandbox.environment("lab-crash").join("journal.jsonl");
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    let (mut start, mut cuts) = (0, 0);
    for (n, line) in lines.iter().enumerate() {
        // Whole lines: nothing of what they say is lost. The first is the header.
        fs::write(&path, &whole[..start]).unwrap();
        let before = Journal::read(&path).unwrap();
        let known = RunState::replay(&events[..n.saturating_sub(1)]);
        assert_eq!((before.state, before.tail), (known, Tail::None));
        // And with any piece of the next one, nothing more is believed. As each line's checksum is
        // over the one before, all are read again each time: so not every byte is tried.
        for cut in (1..line.len()).step_by(7) {
            let torn = &whole[..start + cut];
            fs::write(&path, torn).unwrap();
            let read = Journal::read(&path).unwrap();
            let is_whole = cut + 1 == line.len();
            let bytes = u64::try_from(cut).unwrap();
            let tail = if is_whole {
                Tail::None
            } else {
                Tail::Torn { bytes }
            };
            assert_eq!(read.tail, tail, "line {n}, cut at {cut}");
            cuts += 1;
        }
        start += line.len();
    }
    assert!(start == whole.len() && cuts > lines.len());
    // A sample of them by the whole of labctl.
    let mut samples = 0;
    for cut in (0..whole.len()).step_by(whole.len() / 12) {
        samples += 1;
        fs::write(&path, &whole[..cut]).unwrap();
        let status = sandbox.labctl("status").run().exits(0);
        let up = sandbox.labctl("up crash").run();
        // Without its record of the cluster it takes in what is provably its own.
        assert_eq!(up.code, 0, "cut at {cut}:\n{}", up.whole);
        for answer in [status, up] {
            assert!(!answer.stderr.contains("panicked"), "{}", answer.whole);
        }
        assert_eq!(
            Journal::read(&path).unwrap().tail,
            Tail::None,
            "cut at {cut}"
        );
    }
    // However it was cut, there was never a second cluster.
    let (made, removed) = (api.count("create cluster"), api.count("delete cluster"));
    assert_eq!(made, removed + 1);
    // Each piece of the journal that was lost may have said that the pod was killed already.
    assert!(api.count("delete pod") <= made + samples);
}

/// All that came after the intent is lost without a trace, and the cluster does not answer as it is
/// stopped.
#[test]
fn a_cluster_that_is_stopped_is_not_half_made_because_the_journal_ends_early() {
    let api = Api::with_engine();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox.fakes.obey(on_the_engine(&api.address()));
    sandbox.labctl("up crash").run().exits(0);
    sandbox.labctl("stop crash").run().exits(0);
    let nodes = || {
        api.engine(|engine| {
            engine
                .containers
                .iter()
                .map(|c| c.id.clone())
                .collect::<Vec<_>>()
        })
    };
    let before = nodes();
    let path = sandbox.environment("lab-crash").join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let intended = lines
        .iter()
        .position(|line| line.contains("cluster-intended"));
    fs::write(&path, lines[..=intended.unwrap()].concat()).unwrap();
    sandbox.labctl("up crash").run().exits(0);
    assert_eq!(nodes(), before);
}
