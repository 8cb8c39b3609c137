use std::{io::Write, time::Instant};

use flate2::{Compression, write::GzEncoder};

use super::*;

/// Returns a tar of entries with these types, names and contents, valid or not.
fn tar(entries: &[(EntryType, &[u8], &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (kind, name, content) in entries {
        let mut header = tar::Header::new_ustar();
        // `set_path` would refuse the names that are to be tried.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        tar.extend(header.as_bytes());
        tar.extend(*content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn names(bytes: &[u8]) -> Vec<String> {
    read("a test", bytes).unwrap().files.into_keys().collect()
}

fn faults(bytes: &[u8]) -> Vec<String> {
    match read("a test", bytes) {
        Err(StateError::Hostile { faults, .. }) => faults.0,
        other => panic!("not refused: {other:?}"),
    }
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn files_are_read_compressed_or_not_and_a_single_directory_around_them_is_left_away() {
    let global = (
        EntryType::XGlobalHeader,
        &b"pax_global_header"[..],
        &b"18 comment=abcdef\n"[..],
    );
    let top = tar(&[
        global,
        (EntryType::Directory, b"lab-main/", b""),
        (FILE, b"lab-main/lab.yaml", b"x"),
        (FILE, b"lab-main/manifests/a.yaml", b"y"),
        (FILE, b"lab-main/.github/ci.yaml", b"z"),
    ]);
    for bytes in [top.clone(), gzip(&top)] {
        assert_eq!(names(&bytes), ["lab.yaml", "manifests/a.yaml"]);
    }
    let flat = tar(&[(FILE, b"./lab.yaml", b"x"), (FILE, b"./b/c", b"")]);
    assert_eq!(names(&flat), ["b/c", "lab.yaml"]);
    let two = tar(&[(FILE, b"a/lab.yaml", b"x"), (FILE, b"b/c", b"")]);
    assert_eq!(names(&two), ["a/lab.yaml", "b/c"]);
}

#[test]
fn everything_hostile_is_told_at_once() {
    let hostile = tar(&[
        (FILE, b"lab.yaml", b"x"),
        (FILE, b"../../.ssh/authorized_keys", b"x"),
        (FILE, b"/etc/cron.d/x", b"x"),
        (EntryType::Symlink, b"link", b""),
        (EntryType::Link, b"hard", b""),
        (EntryType::Char, b"null", b""),
        (EntryType::Block, b"sda", b""),
        (EntryType::Fifo, b"pipe", b""),
        (FILE, b"lab.yaml", b"y"),
        (FILE, b"Lab.yaml", b"z"),
        (FILE, b"bad\xff", b""),
        (FILE, b"esc\x1b[2J", b""),
        (FILE, b"a\\..\\b", b""),
        (FILE, b"nul.txt", b""),
        // Ends the archive for the reader, so it has to be the last entry.
        (EntryType::GNUSparse, b"sparse", b""),
    ]);
    insta::assert_snapshot!(faults(&hostile).join("\n"), @r"
    `../../.ssh/authorized_keys` leads out of the lab
    `/etc/cron.d/x` is an absolute path
    `link` is a symbolic link
    `hard` is a hard link
    `null` is a device
    `sda` is a device
    `pipe` is a pipe
    `lab.yaml` is there twice
    `bad�` is not UTF-8
    `esc\u{1b}[2J` has control or invisible characters in it
    `a\\..\\b` has a backslash in it, which is a separator elsewhere
    `nul.txt` has a name that Windows reserves
    it is no sound archive: sparse entry type listed but not GNU header
    `Lab.yaml` and `lab.yaml` are one file on some disks
    ");
    assert_eq!(faults(&gzip(&hostile)), faults(&hostile));
}

#[test]
fn a_bomb_takes_neither_memory_nor_time() {
    let bomb = gzip(&tar(&[(FILE, b"lab.yaml", &vec![0; 40 << 20])]));
    assert!(bomb.len() < 1 << 18, "{}", bomb.len());
    let many: Vec<Vec<u8>> = (0..3000).map(|n| format!("f{n}").into_bytes()).collect();
    let many: Vec<(EntryType, &[u8], &[u8])> =
        many.iter().map(|n| (FILE, &n[..], &b""[..])).collect();
    let halves = vec![0; 9 << 20];
    let bombs = [
        bomb,
        gzip(&tar(&many)),
        gzip(&tar(&[(FILE, b"a", &halves), (FILE, b"b", &halves)])),
    ];
    // The reader would read this name as a whole, and it is longer than the limit of the unpacked
    // tar.
    let name = gzip(&tar(&[(
        EntryType::GNULongName,
        b"x",
        &vec![b'a'; 40 << 20],
    )]));
    let started = Instant::now();
    for bytes in bombs {
        assert_eq!(faults(&bytes), [TOO_MUCH]);
    }
    assert_eq!(faults(&name).len(), 1);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn what_is_cut_off_or_no_archive_is_refused() {
    let whole = gzip(&tar(&[(FILE, b"lab.yaml", &[7; 5000])]));
    for bytes in [
        &whole[..whole.len() / 2],
        b"no archive at all, but text that is long enough"
            .repeat(20)
            .as_slice(),
    ] {
        let faults = faults(bytes);
        assert!(
            faults[0].starts_with("it is no sound archive"),
            "{faults:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn whatever_the_bytes_nothing_breaks_and_every_name_is_plain(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), name in ".{1,40}") {
        let _ = read("a test", &bytes);
        let tar = tar(&[(FILE, &name.as_bytes()[..name.len().min(99)], b"x")]);
        if let Ok(tree) = read("a test", &tar) {
            for name in tree.files.keys() {
                proptest::prop_assert!(!name.starts_with('/') && !name.split('/').any(|p| p == ".."));
            }
        }
    }
}
