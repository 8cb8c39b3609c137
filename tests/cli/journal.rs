//! Journals that a crash tore: what can be believed is, and nothing panics.

use std::fs;

use labctl::{event::EventKind, spec::Facts};

use crate::support::{Act, Sandbox, Seeded, fact, rule, step_started, verified};

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
            reached <= 4 && (lines > 4 || reached == 0),
            "cut at {cut}: {reached}"
        );
        let up = sandbox.labctl("up 10.3").run();
        assert!([1, 5].contains(&up.code), "cut at {cut}:\n{}", up.whole);
        let is_torn = cut > 0 && whole[cut - 1] != b'\n';
        assert_eq!(
            up.stderr.contains("were damaged"),
            is_torn,
            "cut at {cut}:\n{}",
            up.whole
        );
        // What was torn is gone, and what followed can be read.
        let state = labctl::state::Journal::read(&path).unwrap();
        assert_eq!(state.damaged, 0, "cut at {cut}");
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
        sandbox.labctl("status").run().exits(0);
        let verify = sandbox.labctl("verify 10.3").run();
        assert!(
            [1, 5].contains(&verify.code),
            "changed at {at}:\n{}",
            verify.whole
        );
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
    // In the place of a file, a directory is an error that names it.
    let _ = fs::remove_file(&path);
    fs::create_dir(&path).unwrap();
    for verb in ["status", "up 10.3", "down 10.3", "verify 10.3"] {
        sandbox.labctl(verb).run().exits(70).tells("journal.jsonl");
    }
}
