//! Labs in archives, read into memory. Nothing is unpacked, so no name in an archive is ever a path
//! on this machine. An archive with a name that would lead elsewhere is refused all the same,
//! before anything is touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::{
    StateError,
    tree::{MOST_BYTES, MOST_FILES, TOO_MUCH, collisions, name_faults, refuse},
};
use crate::spec::{LabTree, tree::LAB_FILE};

/// The maximum size of an archive in bytes.
pub const LARGEST: u64 = MOST_BYTES;
/// The maximum size of an unpacked tar in bytes: the files, and what a tar adds to each of them.
const MOST_UNPACKED: u64 = 2 * MOST_BYTES;
/// The maximum number of faults that are listed. Faults beyond it are only counted.
const MOST_FAULTS: usize = 20;

/// Reads the lab in `bytes`, a tar that may be compressed with gzip. `origin` names its source.
pub fn read(origin: &str, bytes: &[u8]) -> Result<LabTree, StateError> {
    let mut unpacker = Unpacker::default();
    let compressed = bytes.starts_with(&[0x1f, 0x8b]);
    let tar: Box<dyn Read> = if compressed {
        Box::new(MultiGzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    };
    if let Err(error) = unpacker.read(tar.take(MOST_UNPACKED)) {
        unpacker
            .faults
            .push(format!("it is no sound archive: {error}"));
    }
    let Unpacker {
        files, mut faults, ..
    } = unpacker;
    faults.extend(collisions(files.keys()));
    if faults.len() > MOST_FAULTS {
        let more = faults.len() - MOST_FAULTS;
        faults.truncate(MOST_FAULTS);
        faults.push(format!("and {more} more"));
    }
    refuse(origin, faults)?;
    Ok(LabTree {
        origin: origin.to_owned(),
        files: without_top(files),
    })
}

#[derive(Default)]
struct Unpacker {
    files: BTreeMap<String, Vec<u8>>,
    seen: BTreeSet<String>,
    faults: Vec<String>,
    bytes: u64,
}

impl Unpacker {
    fn read(&mut self, unpacked: impl Read) -> io::Result<()> {
        for (count, entry) in Archive::new(unpacked).entries()?.enumerate() {
            if count >= MOST_FILES || !self.entry(entry?)? {
                self.faults.push(TOO_MUCH.to_owned());
                break;
            }
        }
        Ok(())
    }

    /// Takes in one entry. Returns false if there is no room for it.
    fn entry(&mut self, mut entry: Entry<'_, impl Read>) -> io::Result<bool> {
        let kind = entry.header().entry_type();
        // A header for all entries, such as the comment that `git archive` writes.
        if kind == EntryType::XGlobalHeader {
            return Ok(true);
        }
        let raw = entry.path_bytes().into_owned();
        let Ok(name) = String::from_utf8(raw) else {
            let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            self.faults
                .push(format!("`{}` is not UTF-8", shown.escape_debug()));
            return Ok(true);
        };
        self.faults.extend(name_faults(&name));
        let is_file = kind.is_file() && !name.ends_with('/');
        if !is_file && !kind.is_dir() && !kind.is_file() {
            let what = described(kind);
            self.faults
                .push(format!("`{}` is {what}", name.escape_debug()));
            return Ok(true);
        }
        if !is_file {
            return Ok(true);
        }
        let parts: Vec<&str> = name
            .split('/')
            .filter(|p| !p.is_empty() && *p != ".")
            .collect();
        let path = parts.join("/");
        if !self.seen.insert(path.clone()) {
            self.faults
                .push(format!("`{}` is there twice", name.escape_debug()));
        }
        let room = MOST_BYTES - self.bytes;
        if entry.size() > room {
            return Ok(false);
        }
        let mut content = Vec::new();
        (&mut entry).take(room + 1).read_to_end(&mut content)?;
        self.bytes += content.len() as u64;
        // Files that editors and version control leave behind are no part of a lab.
        if !parts.iter().any(|part| part.starts_with('.')) {
            self.files.insert(path, content);
        }
        Ok(self.bytes <= MOST_BYTES)
    }
}

fn described(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        _ => "not a plain file",
    }
}

/// Strips the one directory that all `files` are in, if the lab is directly below it.
fn without_top(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let first = files.keys().next().and_then(|name| name.split_once('/'));
    let Some(top) = first.map(|(top, _)| format!("{top}/")) else {
        return files;
    };
    let is_all = files.keys().all(|name| name.starts_with(&top));
    if !is_all || !files.contains_key(&format!("{top}{LAB_FILE}")) {
        return files;
    }
    let stripped = files.into_iter();
    stripped
        .map(|(name, bytes)| (name[top.len()..].to_owned(), bytes))
        .collect()
}

#[cfg(test)]
mod tests;
