//! The machine's clock was set back: what an environment's files say is in the future. Nothing is
//! decided by it, and the last run is the last.

use std::fs;

use jiff::{SignedDuration, ToSpan};
use labctl::{
    event::{Event, EventKind},
    state::Journal,
};

use crate::support::{Api, Sandbox};

/// Moves what an environment's files say by a year, as if the clock had been set back by that much
/// since they were written.
fn into_the_future(sandbox: &Sandbox) {
    let dir = sandbox.environment("lab-crash");
    let later = |mut event: Event| {
        event.at += (365 * 24).hours();
        event
    };
    let path = dir.join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let (mut journal, _) = Journal::open(&path).unwrap();
    for line in text.lines().skip(1) {
        journal
            .append(&later(serde_json::from_str(&line[17..]).unwrap()))
            .unwrap();
    }
    for run in fs::read_dir(dir.join("runs")).unwrap() {
        let path = run.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| {
            let event = later(serde_json::from_str(line).unwrap());
            serde_json::to_string(&event).unwrap() + "\n"
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (number, time) = name.split_once('-').unwrap();
        let year: u32 = time[..4].parse().unwrap();
        let renamed = format!("{number}-{}{}", year + 1, &time[4..]);
        fs::rename(&path, path.with_file_name(renamed)).unwrap();
    }
    let lock = dir.join("lock");
    let holder = fs::read_to_string(&lock).unwrap();
    fs::write(lock, holder.replace("\"since\":\"20", "\"since\":\"21")).unwrap();
}

/// All events in the run files, in the order of `logs --all`.
fn logged(sandbox: &Sandbox, verb: &str) -> Vec<Event> {
    sandbox
        .labctl(&format!("{verb} crash --output json"))
        .run()
        .exits(0)
        .events()
}

#[test]
fn an_environment_from_the_future_is_read_verified_and_brought_up_to_its_end() {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox.labctl("up crash --to kill").run().exits(0);
    into_the_future(&sandbox);
    let status = || sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(status()[0]["cursor"], "kill");
    assert_eq!(status()[0]["interrupted"], false);
    sandbox.labctl("verify crash --to kill").run().exits(0);
    let before = logged(&sandbox, "logs").len();

    let up = sandbox.labctl("up crash --output json").run().exits(0);
    let ran = up.events();
    for event in &ran {
        let (EventKind::StepFinished { took, .. } | EventKind::RunFinished { took, .. }) =
            &event.event
        else {
            continue;
        };
        assert!(took.as_secs() < 60, "{event:?}");
    }
    // What was verified in the future is not done again.
    assert_eq!(api.count("apply"), 1);
    assert_eq!(api.count("delete pod"), 1);
    assert_eq!(status()[0]["cursor"], "uncordon");
    assert_eq!(logged(&sandbox, "logs"), ran, "the last run is the last");
    let all = logged(&sandbox, "logs --all");
    assert_eq!(all.len(), before + ran.len());
    assert_eq!(all[before..], ran[..]);
    let back = all[before].at.duration_since(all[before - 1].at);
    assert!(
        back < SignedDuration::from_hours(-8000),
        "the clock was set back: {back}"
    );
    let text = sandbox.labctl("logs crash --all").run().exits(0);
    let negative = regex::Regex::new(r"(^|\s)-[0-9]").unwrap();
    assert!(!negative.is_match(&text.stdout), "{}", text.whole);
    sandbox.labctl("down crash").run().exits(0);
    sandbox.has_no_environment();
}
