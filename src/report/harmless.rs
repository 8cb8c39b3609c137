//! Tests that no reporter lets a hostile character or a secret through, from any field of any
//! event.

use std::collections::BTreeSet;

use indicatif::{InMemoryTerm, ProgressDrawTarget};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{Json, Lines, Look, Reporter, StepReport, Terminal, failure, sample, verify_report};
use crate::event::{Event, EventKind, Outcome, Redactor, untrusted::deceives};

const SECRET: &str = "canary-4711";
/// Text that somebody may put into a log, a message or a title.
const HOSTILE: [&str; 16] = [
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\",
    "\u{1b}]52;c;Y2F0\u{7}",
    "\u{1b}[2J\u{1b}[31m",
    "\u{1b}P1$r\u{1b}\\",
    "\u{9b}5A",
    "\u{9d}0;t\u{9c}",
    "\u{90}x\u{9c}",
    "\r",
    "\u{8}\u{7f}",
    "\u{202e}\u{2066}",
    "\u{200b}\u{200d}\u{feff}",
    "\u{e0041}\u{e007f}",
    "\u{2028}\u{85}",
    "canary-4711",
    "text",
];
const LOOK: Look = Look {
    width: 80,
    colour: false,
};

/// Returns `event` with `text` in front of each free string in it. A string is free if the event
/// remains valid with any text in its place.
fn with(event: &Event, text: &str) -> Event {
    let mut value = serde_json::to_value(event).unwrap();
    let mut pointers = Vec::new();
    strings(&value, String::new(), &mut pointers);
    for pointer in pointers {
        let string = value.pointer_mut(&pointer).unwrap();
        let before = string.take();
        *string = format!("{text}{}", before.as_str().unwrap()).into();
        if serde_json::from_value::<Event>(value.clone()).is_err() {
            *value.pointer_mut(&pointer).unwrap() = before;
        }
    }
    serde_json::from_value(value).unwrap()
}

fn strings(value: &serde_json::Value, at: String, pointers: &mut Vec<String>) {
    match value {
        serde_json::Value::String(_) => pointers.push(at),
        serde_json::Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                strings(value, format!("{at}/{index}"), pointers);
            }
        }
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                strings(value, format!("{at}/{name}"), pointers);
            }
        }
        _ => {}
    }
}

/// Returns all that is printed of `events`: the text, and the strings of the JSON after parsing it.
fn printed(events: &[Event]) -> Vec<(&'static str, String)> {
    let (mut lines, mut json) = (Vec::new(), Vec::new());
    let screen = InMemoryTerm::new(200, 80);
    {
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let reporters: [&mut dyn Reporter; 3] = [
            &mut Lines::new(&mut lines, LOOK, true),
            &mut Json::new(&mut json),
            &mut Terminal::on(target, None, LOOK, true),
        ];
        for reporter in reporters {
            for event in events {
                reporter.event(event).unwrap();
            }
            reporter.finish().unwrap();
        }
    }
    let mut printed = vec![
        ("lines", String::from_utf8(lines).unwrap()),
        ("screen", screen.contents()),
    ];
    for line in String::from_utf8(json).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut pointers = Vec::new();
        strings(&value, String::new(), &mut pointers);
        let texts = pointers
            .iter()
            .map(|p| value.pointer(p).unwrap().as_str().unwrap());
        // The lesson of a step keeps its line breaks.
        printed.extend(texts.map(|text| ("json", text.replace('\n', " "))));
        printed.push(("json", line.to_owned()));
    }
    for event in events {
        if let EventKind::StepFinished {
            outcome: Outcome::Failed(why),
            ..
        } = &event.event
        {
            printed.push(("failure", failure(why, LOOK)));
        }
        if let EventKind::Verified { verdicts, .. } = &event.event {
            let step = StepReport::of("step", "title", verdicts.clone());
            printed.push(("verify", verify_report(&[step], true, LOOK)));
        }
    }
    printed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_that_a_terminal_obeys_and_no_secret_is_printed(
        parts in vec(prop_oneof![select(&HOSTILE[..]).prop_map(str::to_owned), ".{0,6}"], 1..6),
    ) {
        let redactor = Redactor::new(&[SECRET.to_owned()].into(), &BTreeSet::new());
        let hostile = parts.concat();
        let events: Vec<Event> = sample::one_of_each()
            .iter()
            .map(|event| redactor.event(&with(event, &hostile)))
            .collect();
        for (place, text) in printed(&events) {
            let bad = text.chars().find(|c| *c != '\n' && deceives(*c));
            prop_assert_eq!(bad, None, "{} of {:?}: {:?}", place, &hostile, text);
        }
    }
}

#[test]
fn a_secret_in_any_text_of_any_event_is_printed_nowhere() {
    let redactor = Redactor::new(&[SECRET.to_owned()].into(), &BTreeSet::new());
    let mut redacted = 0;
    for event in sample::one_of_each() {
        let hostile = with(&event, &format!("{SECRET}\u{1b}[1m "));
        let event = redactor.event(&hostile);
        let json = serde_json::to_string(&event).unwrap();
        redacted += json.matches(crate::event::redact::REDACTED).count();
        // Names and ids are only made harmless: they are compared, so redaction must not change
        // them.
        let is_text = |kind: &EventKind| {
            matches!(
                kind,
                EventKind::CommandStarted { .. }
                    | EventKind::Output { .. }
                    | EventKind::Notice { .. }
                    | EventKind::Cancelling { .. }
            )
        };
        if is_text(&event.event) {
            assert!(!json.contains(SECRET), "{json}");
        }
    }
    assert!(redacted > 40, "{redacted} texts");
}
