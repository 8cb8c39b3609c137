//! The journal: the durable events of an environment, one a line, each with a checksum.
//!
//! A line is `CHECKSUM JSON`. The checksum is the first 16 hexadecimal digits of a SHA-256 of the
//! checksum of the line before and the JSON. A header names the labctl that writes from there on,
//! and the format; a labctl that continues a journal of another version writes a header first.
//! Nothing that can be read is ever thrown away: a last line that an interrupted write tore is cut
//! off, a damaged tail is kept aside, and lines of a later labctl are left alone.

mod line;
mod replay;

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

#[cfg(feature = "failpoints")]
use super::failpoint::{Failpoint, Moment};
use super::{StateError, files};
use crate::event::{Event, EventKind};
use line::Chain;
pub use replay::{Replayed, Tail};

/// The beginning of the suffix of a damaged tail's file, before the time.
const ASIDE: &str = "damaged-";

/// A journal that is open for writing.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// The size of the complete lines in the file, in bytes.
    sound: u64,
    chain: Chain,
    /// True if the last line lacks its newline.
    is_open: bool,
    #[cfg(feature = "failpoints")]
    failpoint: Option<Failpoint>,
}

/// The content of a journal that was opened for writing.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The replayed events, with the tail as it was found.
    pub replayed: Replayed,
    /// The file that keeps the damaged tail, if there was one.
    pub aside: Option<PathBuf>,
}

impl Journal {
    /// Reads the journal at `path` without changing it. A missing journal is empty.
    pub fn read(path: &Path) -> Result<Replayed, StateError> {
        Ok(replay::replay(&bytes(path)?))
    }

    /// Opens the journal at `path` for appending. Cuts off a torn last line. Copies a damaged tail
    /// to a file of its own before replacing it with an event that says so. Refuses a journal with
    /// lines of a later labctl.
    pub fn open(path: &Path) -> Result<(Self, Opened), StateError> {
        let failed = |source| StateError::File {
            what: "open",
            path: path.to_owned(),
            source,
        };
        let text = bytes(path)?;
        let mut replayed = replay::replay(&text);
        if let Tail::Later { line, labctl } = &replayed.tail {
            return Err(StateError::Later {
                path: path.to_owned(),
                what: format!("its line {line}"),
                labctl: labctl.clone(),
            });
        }
        let mut aside = None;
        if let Tail::Damaged { line } = replayed.tail {
            files::no_link(path)?;
            let (sound, tail) =
                text.split_at(usize::try_from(replayed.sound).unwrap_or(text.len()));
            let now = Timestamp::now();
            let kept = keep_aside(path, tail, now)?;
            let event = Event {
                seq: replayed.state.seq + 1,
                at: now,
                event: EventKind::JournalDamaged { line },
            };
            let mut chain = replayed.chain.clone();
            let lines = lines(&mut chain, &event, false).map_err(|e| failed(e.into()))?;
            let whole = [sound, lines.as_bytes()].concat();
            files::write(path, &whole)?;
            let tail = replayed.tail;
            replayed = replay::replay(&whole);
            replayed.tail = tail;
            aside = Some(kept);
        }
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
            chain: replayed.chain.clone(),
            is_open: replayed.is_open,
            #[cfg(feature = "failpoints")]
            failpoint: None,
        };
        Ok((journal, Opened { replayed, aside }))
    }

    /// Makes the journal end this process at `failpoint`.
    #[cfg(feature = "failpoints")]
    #[must_use]
    pub fn dying_at(mut self, failpoint: Option<Failpoint>) -> Self {
        self.failpoint = failpoint;
        self
    }

    /// Appends one event. If the event asks for it, the event is on the disk before this returns.
    /// On an error nothing of the event is left, and the next event can be appended.
    pub fn append(&mut self, event: &Event) -> Result<(), StateError> {
        let mut chain = self.chain.clone();
        let written = lines(&mut chain, event, self.is_open)
            .map_err(io::Error::from)
            .and_then(|lines| self.try_append(event, &lines));
        match written {
            Ok(()) => {
                self.chain = chain;
                self.is_open = false;
                Ok(())
            }
            Err(source) => {
                // If even this fails, a torn line stays behind, and replaying stops there.
                let _ = self.file.set_len(self.sound);
                let _ = self.file.seek(SeekFrom::Start(self.sound));
                Err(StateError::file("write", &self.path)(source))
            }
        }
    }

    fn try_append(&mut self, event: &Event, lines: &str) -> io::Result<()> {
        #[cfg(feature = "failpoints")]
        if let Some(failpoint) = &mut self.failpoint {
            failpoint.meet(event);
            failpoint.pass(Moment::Before);
            if failpoint.is(Moment::Torn) {
                let _ = self.file.write_all(&lines.as_bytes()[..lines.len() / 2]);
                failpoint.pass(Moment::Torn);
            }
        }
        self.file.write_all(lines.as_bytes())?;
        #[cfg(feature = "failpoints")]
        if let Some(failpoint) = &self.failpoint {
            failpoint.pass(Moment::Written);
        }
        if event.event.is_synced() {
            self.file.sync_data()?;
        }
        self.sound += lines.len() as u64;
        #[cfg(feature = "failpoints")]
        if let Some(failpoint) = &self.failpoint {
            failpoint.pass(Moment::After);
        }
        Ok(())
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, StateError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StateError::file("read", path)(source)),
    }
}

/// Returns the text to append for `event`: the newline of the line before if that is `open`, a
/// header if this labctl wrote none yet, and the event.
fn lines(chain: &mut Chain, event: &Event, open: bool) -> serde_json::Result<String> {
    let mut lines = if open { "\n".to_owned() } else { String::new() };
    if !chain.is_headed() {
        lines.push_str(&chain.header()?);
    }
    lines.push_str(&chain.event(event)?);
    Ok(lines)
}

/// Saves `tail` beside the journal at `path`, under a name with the time.
fn keep_aside(path: &Path, tail: &[u8], now: Timestamp) -> Result<PathBuf, StateError> {
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let named = |more: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{ASIDE}{time}{more}"));
        PathBuf::from(name)
    };
    let mut aside = named("");
    let mut number = 2;
    while aside.symlink_metadata().is_ok() {
        aside = named(&format!("-{number}"));
        number += 1;
    }
    files::write(&aside, tail)?;
    Ok(aside)
}

/// Returns the damaged tails that were kept beside the journal at `path`, the oldest first.
#[must_use]
pub fn kept_aside(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    let begins = format!("{}.{ASIDE}", name.unwrap_or_default());
    let beside = path.parent().and_then(|dir| std::fs::read_dir(dir).ok());
    let paths = beside.into_iter().flatten().flatten().map(|e| e.path());
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(&begins))
    };
    let mut kept: Vec<PathBuf> = paths.filter(is_kept).collect();
    kept.sort();
    kept
}

#[cfg(test)]
mod tests;
