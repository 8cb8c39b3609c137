//! A death, or a hang, at an exact moment, for tests of what survives it. It is compiled only with
//! the feature `failpoints`, which no labctl that anybody installs has.

use std::str::FromStr;

use rustix::process::{Signal, getpid, kill_process};

use crate::event::{Event, EventKind};

/// A moment in the journalling of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the event is written.
    Before,
    /// When half of the event is written.
    Torn,
    /// Once the event is written, before it is synced.
    Written,
    /// Once the event is written, and synced if its kind is.
    After,
    /// Before the event is written. Instead of dying, the process hangs.
    Stuck,
}

/// The point at which labctl kills itself with SIGKILL, or hangs: `MOMENT KIND N`, the `N`th event
/// of the kind `KIND` (`verified`; `any` is every kind) that this process journals, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failpoint {
    moment: Moment,
    kind: String,
    left: usize,
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no failpoint: before|torn|written|after|stuck KIND N");
        let mut words = text.split_whitespace();
        let moment = match words.next() {
            Some("before") => Moment::Before,
            Some("torn") => Moment::Torn,
            Some("written") => Moment::Written,
            Some("after") => Moment::After,
            Some("stuck") => Moment::Stuck,
            _ => return Err(wrong()),
        };
        let kind = words.next().ok_or_else(wrong)?.to_owned();
        let left = words
            .next()
            .and_then(|n| n.parse().ok())
            .ok_or_else(wrong)?;
        Ok(Self { moment, kind, left })
    }
}

impl Failpoint {
    /// Counts `event`, which is about to be journalled.
    pub fn meet(&mut self, event: &Event) {
        if self.kind == "any" || self.kind == kind(&event.event) {
            // Wraps: after the `N`th event this is never 0 again.
            self.left = self.left.wrapping_sub(1);
        }
    }

    /// Returns true if this event and `moment` are the failpoint's.
    #[must_use]
    pub fn is(&self, moment: Moment) -> bool {
        self.left == 0 && self.moment == moment
    }

    /// Hangs, like a computation that never ends, if this is the moment.
    pub fn stick(&self) {
        while self.is(Moment::Stuck) {
            std::thread::park();
        }
    }

    /// Dies, if this is the moment.
    pub fn pass(&self, moment: Moment) {
        if self.is(moment) {
            die();
        }
    }
}

/// Returns the name of the event's kind, as it is journalled.
fn kind(event: &EventKind) -> String {
    match serde_json::to_value(event) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(serde_json::Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// Ends this process as `kill -9` does.
pub fn die() -> ! {
    loop {
        // `kill` does not return. If it failed, this process had better hang than go on.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_comes_once_and_for_the_event_that_is_meant() {
        let event = |event| Event {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            event,
        };
        let undone = event(EventKind::Undone {
            step: "a".into(),
            rewound: None,
        });
        let deleted = event(EventKind::ClusterDeleted);
        let mut point: Failpoint = "after cluster-deleted 2".parse().unwrap();
        let met = [&deleted, &undone, &undone, &deleted, &deleted].map(|event| {
            point.meet(event);
            point.is(Moment::After)
        });
        assert_eq!(met, [false, false, false, true, false]);
        assert!(!point.is(Moment::Before));
        for wrong in ["", "after", "after any", "after any x", "later any 1"] {
            assert!(wrong.parse::<Failpoint>().is_err(), "{wrong}");
        }
    }
}
