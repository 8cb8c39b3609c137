//! The journal: the durable events of an environment, a line each, each with a checksum.
//!
//! A line is `CHECKSUM JSON`, the checksum being the first 16 hexadecimal digits of the SHA-256 of
//! the JSON. A last line that was torn by a crash is dropped when the journal is opened; a damaged
//! line anywhere else ends what is believed, and says so.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

#[cfg(feature = "failpoints")]
use super::failpoint::{Failpoint, Moment};
use super::{StateError, files};
use crate::{
    digest,
    event::{Event, RunState},
};

/// A journal that is open for writing.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// How many bytes of whole lines are in the file.
    sound: u64,
    #[cfg(feature = "failpoints")]
    failpoint: Option<Failpoint>,
}

/// What a journal said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replayed {
    /// What its events add up to.
    pub state: RunState,
    /// How many bytes of it are whole lines that can be believed.
    pub sound: u64,
    /// How many bytes after them are not.
    pub damaged: u64,
}

impl Journal {
    /// Reads the journal at `path`; one that is not there is empty.
    pub fn read(path: &Path) -> Result<Replayed, StateError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(replay(&bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Replayed::default()),
            Err(source) => Err(StateError::file("read", path)(source)),
        }
    }

    /// Opens the journal at `path` for appending, after cutting off what cannot be believed.
    pub fn open(path: &Path) -> Result<(Self, Replayed), StateError> {
        let failed = |source| StateError::File {
            what: "open",
            path: path.to_owned(),
            source,
        };
        let replayed = Self::read(path)?;
        let existed = path.exists();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(files::NO_FOLLOW)
            .open(path)
            .map_err(failed)?;
        file.set_len(replayed.sound).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        if let (false, Some(parent)) = (existed, path.parent()) {
            files::sync_dir(parent).map_err(failed)?;
        }
        let journal = Self {
            file,
            path: path.to_owned(),
            sound: replayed.sound,
            #[cfg(feature = "failpoints")]
            failpoint: None,
        };
        Ok((journal, replayed))
    }

    /// The same, which dies at `failpoint`.
    #[cfg(feature = "failpoints")]
    #[must_use]
    pub fn dying_at(mut self, failpoint: Option<Failpoint>) -> Self {
        self.failpoint = failpoint;
        self
    }

    /// Appends one event; on the disk before it returns if the event asks for it. If that fails,
    /// nothing of it is left, and the next event can be appended.
    pub fn append(&mut self, event: &Event) -> Result<(), StateError> {
        let written = self.try_append(event);
        written.map_err(|source| {
            // What stays behind if even this fails is a torn line, which ends what is believed.
            let _ = self.file.set_len(self.sound);
            let _ = self.file.seek(SeekFrom::Start(self.sound));
            StateError::file("write", &self.path)(source)
        })
    }

    fn try_append(&mut self, event: &Event) -> io::Result<()> {
        let line = encode(event)?;
        #[cfg(feature = "failpoints")]
        if let Some(failpoint) = &mut self.failpoint {
            failpoint.meet(event);
            failpoint.stick();
            failpoint.pass(Moment::Before);
            if failpoint.is(Moment::Torn) {
                let _ = self.file.write_all(&line.as_bytes()[..line.len() / 2]);
                failpoint.pass(Moment::Torn);
            }
        }
        self.file.write_all(line.as_bytes())?;
        #[cfg(feature = "failpoints")]
        if let Some(failpoint) = &self.failpoint {
            failpoint.pass(Moment::Written);
        }
        if event.event.is_synced() {
            self.file.sync_data()?;
        }
        self.sound += line.len() as u64;
        #[cfg(feature = "failpoints")]
        if let Some(failpoint) = &self.failpoint {
            failpoint.pass(Moment::After);
        }
        Ok(())
    }
}

fn encode(event: &Event) -> serde_json::Result<String> {
    let json = serde_json::to_string(event)?;
    Ok(format!("{} {json}\n", checksum(json.as_bytes())))
}

fn checksum(bytes: &[u8]) -> String {
    let mut hex = digest::hex(bytes);
    hex.truncate(16);
    hex
}

fn replay(bytes: &[u8]) -> Replayed {
    let mut replayed = Replayed::default();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        let Some(event) = decode(line) else { break };
        replayed.state.apply(&event);
        replayed.sound += end as u64 + 1;
        rest = after;
    }
    replayed.damaged = rest.len() as u64;
    replayed
}

fn decode(line: &[u8]) -> Option<Event> {
    let (sum, json) = line.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    if checksum(json).as_bytes() != sum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    fn verified(seq: u64, step: &str) -> Event {
        Event {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            event: EventKind::Verified {
                step: step.into(),
                fingerprint: "f".into(),
                facts: crate::spec::Facts::new(),
                verdicts: Vec::new(),
            },
        }
    }

    /// An event that is journalled and not synced: a thousand of those are appended.
    fn unsynced(seq: u64) -> Event {
        Event {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            event: EventKind::ChildExited { group: 1 },
        }
    }

    #[test]
    fn cut_at_any_byte_it_keeps_every_whole_line_before_the_cut() {
        let lines: Vec<String> = (1..=4)
            .map(|n| encode(&verified(n, &format!("step-{n}"))).unwrap())
            .collect();
        let whole = lines.concat();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole.as_bytes()[..cut]).unwrap();
            let mut kept = 0;
            let mut length = 0;
            while kept < lines.len() && length + lines[kept].len() <= cut {
                length += lines[kept].len();
                kept += 1;
            }
            let (mut journal, replayed) = Journal::open(&path).unwrap();
            assert_eq!(replayed.state.steps.len(), kept, "cut at {cut}");
            // What comes next follows the last whole line, not the torn one.
            journal.append(&unsynced(9)).unwrap();
            let again = Journal::read(&path).unwrap();
            assert_eq!((again.damaged, again.state.seq), (0, 9), "cut at {cut}");
            assert_eq!(again.state.cursor, replayed.state.cursor);
        }
    }

    #[test]
    fn a_flipped_byte_ends_what_is_believed() {
        let whole = [1, 2, 3]
            .map(|n| encode(&verified(n, &format!("step-{n}"))).unwrap())
            .concat();
        let second = whole.find('\n').unwrap() + 30;
        let mut bytes = whole.into_bytes();
        bytes[second] ^= 1;
        let replayed = replay(&bytes);
        assert_eq!(replayed.state.cursor.as_deref(), Some("step-1"));
        assert!(replayed.damaged > 0);
    }
}
