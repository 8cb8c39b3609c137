//! SHA-256 as text.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of `bytes` in hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    text(Sha256::digest(bytes))
}

/// Returns the SHA-256 of the file at `path` in hexadecimal digits.
pub fn hex_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(text(hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Returns the SHA-256 of a tree of files: of their paths and contents, and of nothing else.
#[must_use]
pub fn hex_of_tree<'a>(files: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>) -> String {
    let mut hasher = Sha256::new();
    for (name, bytes) in files {
        // Each part follows its length, so that no two trees hash the same bytes.
        for part in [name.as_bytes(), bytes] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    text(hasher.finalize())
}

fn text(digest: impl AsRef<[u8]>) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in digest.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
