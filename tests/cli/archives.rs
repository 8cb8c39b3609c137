//! Labs in archives and at URLs.

use std::{collections::BTreeMap, fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use labctl::state::environment::read_tree;

use crate::support::{Act, MANIFEST, SMALL_LAB, Sandbox, Server, rule};

/// The small lab in a tar, in a directory as forges make it.
fn small() -> Vec<u8> {
    tar(&[
        ("labs-main/lab.yaml", SMALL_LAB),
        ("labs-main/manifests/app.yaml", MANIFEST),
    ])
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_ustar();
        // As it is: `set_path` would refuse what is to be tried.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_archive_is_a_lab_and_is_asked_about_by_what_is_in_it() {
    let sandbox = Sandbox::new();
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    for (name, bytes) in [
        ("a.tar", small()),
        ("a.tar.gz", gzip(&small())),
        ("b.tgz", gzip(&small())),
    ] {
        fs::write(sandbox.path("work").join(name), bytes).unwrap();
        let shown = sandbox
            .labctl(&format!("show {name} --output json"))
            .run()
            .exits(0);
        assert_eq!(shown.json()["lab"], "small", "{name}");
        sandbox.labctl(&format!("validate {name}")).run().exits(0);
        sandbox.untrusting(&format!("up ./{name}")).run().exits(7);
        sandbox.is_untouched();
    }
    sandbox
        .untrusting("up a.tar")
        .on_a_terminal("yes\n")
        .exits(1);
    let applied = read_tree(&sandbox.environment("lab-small").join("lab")).unwrap();
    let files = [("lab.yaml", SMALL_LAB), ("manifests/app.yaml", MANIFEST)];
    let files: BTreeMap<String, Vec<u8>> = files
        .map(|(name, text)| (name.to_owned(), text.into()))
        .into();
    assert_eq!(applied.files, files);
    // The same files in another archive are the same lab.
    sandbox.labctl("down small").run();
    sandbox.untrusting("up b.tgz").run().exits(1);
}

#[test]
fn a_hostile_archive_is_refused_whole_with_all_that_is_wrong() {
    let sandbox = Sandbox::new();
    let bytes = tar(&[
        ("lab.yaml", SMALL_LAB),
        ("../../escaped", "x"),
        ("/tmp/labctl-escaped", "x"),
        ("LAB.yaml", "x"),
    ]);
    fs::write(sandbox.path("work/evil.tar.gz"), gzip(&bytes)).unwrap();
    let before = sandbox.files("");
    for verb in [
        "up evil.tar.gz",
        "plan evil.tar.gz",
        "show evil.tar.gz",
        "validate evil.tar.gz",
    ] {
        let refused = sandbox.labctl(verb).run().exits(3).answers_nothing();
        refused
            .tells("evil.tar.gz is refused as a lab")
            .tells("`../../escaped` leads out of the lab")
            .tells("`/tmp/labctl-escaped` is an absolute path")
            .tells("are one file on some disks");
    }
    assert_eq!(sandbox.files(""), before);
    sandbox.is_untouched();
}

#[test]
fn a_directory_with_names_that_fall_on_each_other_is_refused() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.write("small/manifests/App.yaml", MANIFEST);
    sandbox.write("small/aux.md", "");
    let refused = sandbox.labctl("validate small").run().exits(3);
    refused
        .tells("are one file on some disks")
        .tells("`aux.md` has a name that Windows reserves");
}

#[test]
fn a_lab_is_fetched_from_a_url() {
    let sandbox = Sandbox::new();
    let server = Server::new(|path| match path {
        "/there" => ("302 Found\r\nlocation: /lab.tar.gz".into(), Vec::new()),
        "/lab.tar.gz" | "/lab.tar.gz?token=t0ken" => ("200 OK".into(), gzip(&small())),
        "/huge" => ("200 OK".into(), vec![0; 17 << 20]),
        "/cut" => ("200 OK\r\ncontent-length: 1000".into(), vec![0; 10]),
        "/round" => ("302 Found\r\nlocation: /round".into(), Vec::new()),
        "/away" => (
            "302 Found\r\nlocation: http://192.0.2.1/x".into(),
            Vec::new(),
        ),
        _ => ("404 Not Found".into(), Vec::new()),
    });
    let url = server.url();
    for path in ["lab.tar.gz", "there"] {
        let shown = sandbox
            .labctl(&format!("show {url}/{path} --output json"))
            .run();
        assert_eq!(shown.exits(0).json()["lab"], "small");
    }
    sandbox
        .labctl(&format!("validate {url}/there"))
        .run()
        .exits(0);
    let refused = sandbox
        .untrusting(&format!("up {url}/lab.tar.gz"))
        .run()
        .exits(7);
    refused.tells("--trust");
    for (path, told) in [
        ("huge", "larger than 16 MiB"),
        ("cut", "it ended early"),
        ("round", "more than 5 times"),
        ("away", "not fetched without TLS"),
        ("missing?token=t0ken", "the server answers 404"),
    ] {
        let failed = sandbox.labctl(&format!("plan {url}/{path}")).run().exits(1);
        let failed = failed
            .answers_nothing()
            .tells(told)
            .tells("failed to fetch http://127.0.0.1");
        assert!(!failed.stderr.contains("t0ken"), "{}", failed.whole);
    }
    sandbox.is_untouched();
}

#[test]
fn what_is_not_fetched_is_a_wrong_command_line() {
    let sandbox = Sandbox::new();
    for (url, told) in [
        ("http://192.0.2.1/lab.tar.gz", "use https"),
        ("ftp://192.0.2.1/lab.tar.gz", "neither https"),
        (
            "https://me:secret@192.0.2.1/lab.tar.gz",
            "a user or a password",
        ),
    ] {
        let refused = sandbox.labctl(&format!("plan {url}")).run().exits(2);
        assert!(!refused.tells(told).stderr.contains("me:secret"));
    }
    sandbox.is_untouched();
}
