use super::*;
use crate::spec::{Facts, StepId};

fn event(seq: u64, event: EventKind) -> Event {
    Event {
        seq,
        at: Timestamp::UNIX_EPOCH,
        event,
    }
}

fn verified(seq: u64, step: &str) -> Event {
    event(
        seq,
        EventKind::Verified {
            step: step.into(),
            fingerprint: "f".into(),
            facts: Facts::new(),
            verdicts: Vec::new(),
        },
    )
}

/// Returns an event that is journalled and not synced, as tests append a thousand of them.
fn unsynced(seq: u64) -> Event {
    event(seq, EventKind::ChildExited { group: 1 })
}

/// Returns the lines of a journal that verified this many steps, its header first.
fn journal(steps: u64) -> Vec<String> {
    let mut chain = Chain::default();
    let events = 1..=steps;
    let header = chain.header().unwrap();
    let events = events.map(|n| chain.event(&verified(n, &format!("step-{n}"))).unwrap());
    std::iter::once(header).chain(events).collect()
}

/// Returns the line of format 1 with this JSON.
fn former(json: &str) -> String {
    format!("{} {json}\n", &crate::digest::hex(json.as_bytes())[..16])
}

fn cursor(text: &str) -> (Option<StepId>, Tail) {
    let replayed = replay::replay(text.as_bytes());
    (replayed.state.cursor, replayed.tail)
}

fn at(step: u64) -> Option<StepId> {
    (step > 0).then(|| format!("step-{step}").as_str().into())
}

#[test]
fn cut_at_any_byte_it_keeps_every_whole_line_before_the_cut() {
    let lines = journal(4);
    let whole = lines.concat();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole.as_bytes()[..cut]).unwrap();
        let mut kept = 0;
        let mut length = 0;
        // A line that lacks only its newline is complete.
        while kept < lines.len() && length + lines[kept].len() <= cut + 1 {
            length += lines[kept].len();
            kept += 1;
        }
        let (mut journal, Opened { replayed, aside }) = Journal::open(&path).unwrap();
        assert_eq!(
            replayed.state.cursor,
            at(kept.saturating_sub(1) as u64),
            "cut at {cut}"
        );
        assert_eq!(aside, None, "an interrupted write is no damage");
        // The next line follows the last complete line, not the torn one.
        journal.append(&unsynced(9)).unwrap();
        let again = Journal::read(&path).unwrap();
        assert_eq!(
            (&again.tail, again.state.seq),
            (&Tail::None, 9),
            "cut at {cut}"
        );
        assert_eq!(again.state.cursor, replayed.state.cursor);
    }
}

#[test]
fn any_byte_that_changed_ends_what_is_believed_where_it_is() {
    let lines = journal(3);
    let whole = lines.concat();
    let mut start = 0;
    for (n, line) in lines.iter().enumerate() {
        for at_byte in start..start + line.len() {
            for flip in [1, 0x41, 0x80, b'\n'] {
                let mut bytes = whole.clone().into_bytes();
                bytes[at_byte] ^= flip;
                let replayed = replay::replay(&bytes);
                let is_last_end = at_byte + 1 == whole.len();
                let before = if is_last_end { n } else { n.saturating_sub(1) };
                assert_eq!(
                    replayed.state.cursor,
                    at(before as u64),
                    "byte {at_byte} ^ {flip}"
                );
                // The last newline carries nothing: without it the line is complete.
                let is_torn = replayed.tail == Tail::Torn { bytes: 1 };
                assert!(replayed.tail != Tail::None, "byte {at_byte} ^ {flip}");
                assert_eq!(is_torn, is_last_end, "byte {at_byte} ^ {flip}");
            }
        }
        start += line.len();
    }
}

#[test]
fn lines_that_are_lost_doubled_or_swapped_end_what_is_believed() {
    let lines = journal(4);
    for n in 1..4 {
        let mut lost = lines.clone();
        lost.remove(n);
        let mut doubled = lines.clone();
        doubled.insert(n, lines[n].clone());
        let mut swapped = lines.clone();
        swapped.swap(n, n + 1);
        let damaged = |line: usize| Tail::Damaged { line: line as u64 };
        let before = at(n as u64 - 1);
        assert_eq!(
            cursor(&lost.concat()),
            (before.clone(), damaged(n + 1)),
            "lost {n}"
        );
        assert_eq!(
            cursor(&swapped.concat()),
            (before, damaged(n + 1)),
            "swapped {n}"
        );
        assert_eq!(
            cursor(&doubled.concat()),
            (at(n as u64), damaged(n + 2)),
            "doubled {n}"
        );
    }
}

#[test]
fn a_damaged_tail_is_kept_aside_and_the_journal_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let lines = journal(3);
    let tail = format!("{}{}", lines[2].replace("step-2", "step-x"), lines[3]);
    std::fs::write(&path, format!("{}{}{tail}", lines[0], lines[1])).unwrap();
    let read = Journal::read(&path).unwrap();
    assert_eq!(read.tail, Tail::Damaged { line: 3 });
    assert!(
        kept_aside(&path).is_empty() && !read.state.damaged,
        "reading changes nothing"
    );
    let (mut journal, opened) = Journal::open(&path).unwrap();
    let aside = opened.aside.unwrap();
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), tail);
    assert_eq!(kept_aside(&path), [aside]);
    assert_eq!(opened.replayed.tail, Tail::Damaged { line: 3 });
    assert!(opened.replayed.state.damaged);
    assert_eq!(opened.replayed.state.cursor, at(1));
    journal.append(&verified(9, "step-9")).unwrap();
    let again = Journal::read(&path).unwrap();
    assert_eq!((again.tail, again.state.cursor), (Tail::None, at(9)));
    assert!(again.state.damaged);
    // Damaged once more in the same second, the journal loses nothing of the first tail.
    std::fs::write(&path, "no journal\n").unwrap();
    Journal::open(&path).unwrap();
    assert_eq!(kept_aside(&path).len(), 2);
}

#[test]
fn what_a_later_labctl_wrote_is_refused_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut chain = Chain::default();
    let mut whole = chain.header().unwrap() + &chain.event(&verified(1, "step-1")).unwrap();
    let sound = whole.len() as u64;
    let line = |chain: &Chain, json: &str| {
        let sum = crate::digest::hex(format!("{}{json}", chain.last()).as_bytes());
        format!("{} {json}\n", &sum[..16])
    };
    let later_event = line(
        &chain,
        r#"{"seq":2,"at":"1970-01-01T00:00:00Z","event":{"taught":{}}}"#,
    );
    let field = r#"{"seq":2,"at":"1970-01-01T00:00:00Z","event":{"applied":{"step":"a","how":1}}}"#;
    let later_field = line(&chain, field);
    let later_form = line(&chain, r#"{"journal":3,"labctl":"9.9.9","key":"k"}"#);
    for (later, labctl) in [
        (later_event, crate::state::LABCTL),
        (later_field, crate::state::LABCTL),
        (later_form, "9.9.9"),
    ] {
        let whole = format!("{whole}{later}what follows\n");
        std::fs::write(&path, &whole).unwrap();
        let read = Journal::read(&path).unwrap();
        let expected = Tail::Later {
            line: 3,
            labctl: Some(labctl.to_owned()),
        };
        assert_eq!((read.tail, read.sound), (expected, sound), "{later}");
        assert_eq!(read.state.cursor, at(1));
        let refused = Journal::open(&path).unwrap_err();
        assert!(matches!(refused, StateError::Later { .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    }
    // This labctl continues a journal of another version in a known format, and says so in a
    // header.
    whole.push_str(&line(&chain, r#"{"journal":2,"labctl":"0.0.1"}"#));
    std::fs::write(&path, &whole).unwrap();
    let (mut journal, _) = Journal::open(&path).unwrap();
    journal.append(&unsynced(2)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let added: Vec<&str> = text[whole.len()..].lines().collect();
    assert!(
        added.len() == 2 && added[0].contains(crate::state::LABCTL),
        "{added:?}"
    );
    assert_eq!(Journal::read(&path).unwrap().tail, Tail::None);
}

#[test]
fn a_journal_of_form_1_is_read_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let former = |n| former(&serde_json::to_string(&verified(n, &format!("step-{n}"))).unwrap());
    std::fs::write(&path, former(1) + &former(2)).unwrap();
    let (mut journal, opened) = Journal::open(&path).unwrap();
    assert_eq!(opened.replayed.state.cursor, at(2));
    journal.append(&verified(3, "step-3")).unwrap();
    journal.append(&verified(4, "step-4")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(cursor(&text), (at(4), Tail::None));
    assert_eq!(text.lines().count(), 5, "one header: {text}");
    // From the header on, each line is chained to the one before, the last line of format 1
    // included.
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let without = |n: usize| {
        let mut lines = lines.clone();
        lines.remove(n);
        cursor(&lines.concat()).1
    };
    assert_eq!(without(1), Tail::Damaged { line: 2 });
    assert_eq!(without(3), Tail::Damaged { line: 4 });
}
