//! State directories that cannot be written: a clear error, nothing half made, no cluster.

use std::{fs, process::Command};

use crate::support::{Answer, Sandbox};

/// Runs `up small` with the state directory on a file system of its own, mounted with `options` in
/// a mount namespace of the command's own, and filled with `fill`. What is left in it afterwards is
/// standard output's last part.
fn on_a_mount(sandbox: &Sandbox, options: &str, fill: &str) -> Answer {
    let state = sandbox.path("mounted");
    fs::create_dir_all(&state).unwrap();
    let labctl = env!("CARGO_BIN_EXE_labctl");
    let script = format!(
        "set -e; /usr/bin/mount -t tmpfs -o mode=0700,{options} tmpfs '{state}'; cd '{state}'; {fill}; cd ..; \
         set +e; '{labctl}' up work/small --trust --state-dir '{state}'; code=$?; \
         cd '{state}'; /usr/bin/find . -mindepth 1 | /usr/bin/sort; exit $code",
        state = state.display(),
    );
    // The working directory is the sandbox's own, above the mount.
    let args = ["--map-root-user", "--mount", "/bin/sh", "-c", &script];
    sandbox.program("/usr/bin/unshare", args).run()
}

/// Whether a file system can be mounted here; says why the test is skipped if not.
pub(crate) fn can_mount() -> bool {
    let args = [
        "--map-root-user",
        "--mount",
        "/bin/sh",
        "-c",
        "mount -t tmpfs tmpfs /mnt",
    ];
    let tried = Command::new("/usr/bin/unshare").args(args).output();
    match tried {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("skipped: no file system can be mounted here: {why}");
            false
        }
        Err(error) => {
            eprintln!("skipped: unshare cannot be run: {error}");
            false
        }
    }
}

#[test]
fn on_a_full_disk_nothing_is_begun_and_nothing_is_left() {
    if !can_mount() {
        return;
    }
    let sandbox = Sandbox::new().with_small_lab();
    insta::assert_snapshot!(on_a_mount(&sandbox, "size=4k,nr_inodes=1", "true").whole, @r#"
    exit 70
    --- stderr
    error: failed to create <TMP>/mounted/envs/lab-small
      caused by: No space left on device (os error 28)

    hint: free some space, or name another directory with --state-dir
    "#);
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

/// The disk is full at each place in turn: after the first directory, the first file, and so on.
#[test]
fn wherever_the_disk_fills_up_the_error_is_clear_and_no_cluster_is_made() {
    if !can_mount() {
        return;
    }
    let mut refused = 0;
    // Files and directories, then bytes, are what runs out.
    let inodes = (2..16).map(|n| format!("nr_inodes={n}"));
    let sizes = (1..8).map(|pages| format!("size={}k", 4 * pages));
    for options in inodes.chain(sizes) {
        let sandbox = Sandbox::new().with_small_lab();
        let answer = on_a_mount(&sandbox, &options, "true");
        let created = sandbox.fakes.calls_of("kind", "create");
        if answer.code != 70 {
            // There is enough: the run got as far as the API server that there is none of, or it
            // failed as a run does, on a disk that was full by then.
            assert!(!created.is_empty(), "{options}:\n{}", answer.whole);
            continue;
        }
        refused += 1;
        let answer = answer
            .tells("No space left on device")
            .tells("free some space, or name another directory with --state-dir");
        if created.is_empty() {
            let left: Vec<&str> = answer.stdout.lines().filter(|l| *l != "./envs").collect();
            assert_eq!(left, [""; 0], "left with {options}:\n{}", answer.whole);
        } else {
            // It ran full while the cluster was made: that one is taken away again.
            let last = sandbox.fakes.changes();
            assert!(
                last.contains(&"docker rm".to_owned()),
                "{options}: {last:?}"
            );
        }
    }
    assert!(refused >= 5, "only {refused} disks were too small");
}

#[test]
fn in_a_directory_that_is_read_only_nothing_is_begun() {
    let sandbox = Sandbox::new().with_small_lab();
    if can_mount() {
        let answer = on_a_mount(&sandbox, "size=64k", "/usr/bin/mount -o remount,ro .");
        insta::assert_snapshot!(answer.whole, @r#"
        exit 70
        --- stderr
        error: failed to create <TMP>/mounted/envs/lab-small
          caused by: Read-only file system (os error 30)

        hint: name a directory that you may write with --state-dir
        "#);
    }
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

/// An environment whose directory became read-only after the lab was up.
#[test]
fn an_environment_that_became_read_only_can_be_looked_at_and_is_not_changed() {
    if !can_mount() {
        return;
    }
    let api = crate::support::Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox.labctl("up crash").run().exits(0);
    let effects = api.effects();
    sandbox.fakes.forget();
    for (verb, code) in [
        ("up crash", 70),
        ("down crash", 70),
        ("verify crash", 70),
        ("status", 0),
        ("logs crash", 0),
        ("env crash", 0),
    ] {
        let script = format!(
            "/usr/bin/mount --bind -o ro '{state}' '{state}' || exit 99\n'{labctl}' {verb}",
            state = sandbox.state().display(),
            labctl = env!("CARGO_BIN_EXE_labctl"),
        );
        let args = ["--map-root-user", "--mount", "/bin/sh", "-c", &script];
        let answer = sandbox.program("/usr/bin/unshare", args).run().exits(code);
        if code == 70 {
            answer
                .tells("Read-only file system")
                .tells("name a directory that you may write with --state-dir");
        }
    }
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    assert_eq!(api.effects(), effects);
    sandbox.labctl("verify crash").run().exits(0);
}

#[test]
fn a_file_in_the_place_of_the_state_directory_is_named() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.write("file", "precious");
    insta::assert_snapshot!(sandbox.labctl("up small --state-dir file").run().whole, @r#"
    exit 70
    --- stderr
    error: failed to read <TMP>/work/file/envs/lab-small/environment.json
      caused by: Not a directory (os error 20)

    hint: name a directory that you may write with --state-dir
    "#);
    for verb in ["status", "verify small", "down small", "status --env x"] {
        let answer = sandbox.labctl(verb).arg("--state-dir=file").run().exits(70);
        answer.answers_nothing().tells("Not a directory");
    }
    assert_eq!(
        fs::read_to_string(sandbox.path("work/file")).unwrap(),
        "precious"
    );
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn a_file_in_the_place_of_the_environments_is_named() {
    let sandbox = Sandbox::new().with_small_lab();
    fs::create_dir_all(sandbox.state()).unwrap();
    fs::write(sandbox.state().join("envs"), "precious").unwrap();
    sandbox
        .labctl("up small")
        .run()
        .exits(70)
        .tells("state/labctl/envs");
    assert_eq!(sandbox.files("state"), ["labctl", "labctl/envs"]);
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn files_that_are_no_environment_do_not_disturb() {
    let sandbox = Sandbox::new().with_small_lab();
    crate::support::Seeded::new(&sandbox, "lab-small", "small");
    // What a file manager, an interrupted `down` and an editor leave behind.
    fs::write(sandbox.state().join("envs/.DS_Store"), "").unwrap();
    fs::create_dir(sandbox.state().join("envs/half-removed")).unwrap();
    let status = sandbox.labctl("status").run().exits(0);
    assert!(status.stdout.contains("lab-small"), "{}", status.whole);
    assert!(!status.stdout.contains("half-removed"), "{}", status.whole);
}

#[test]
fn what_a_later_labctl_wrote_is_not_touched() {
    let sandbox = Sandbox::new().with_small_lab();
    crate::support::Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let record = sandbox.environment("lab-small").join("environment.json");
    let later = fs::read_to_string(&record)
        .unwrap()
        .replace("\"version\": 2", "\"version\": 3");
    fs::write(&record, &later).unwrap();
    for verb in ["up small", "down small", "verify small"] {
        let answer = sandbox.labctl(verb).run().exits(7).answers_nothing();
        let needed = format!(
            "install labctl {} or a later one",
            env!("CARGO_PKG_VERSION")
        );
        answer
            .tells("environment.json")
            .tells("form 3")
            .tells(&needed);
    }
    // It is a row beside the others, and in the way of none.
    crate::support::Seeded::new(&sandbox, "other", "small");
    let status = sandbox.labctl("status").run().exits(0);
    for row in ["lab-small", "form 3", "other"] {
        assert!(status.stdout.contains(row), "{}", status.whole);
    }
    sandbox.labctl("list").run().exits(0).tells("form 3");
    sandbox.labctl("verify small --env other").run().exits(5);
    fs::write(&record, "{").unwrap();
    let status = sandbox.labctl("status").run().exits(0);
    assert!(status.stdout.contains("other"), "{}", status.whole);
    assert!(status.stdout.contains("cannot be used"), "{}", status.whole);
    fs::write(&record, &later).unwrap();
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn state_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([crate::support::rule(
        "kind",
        "create",
        [crate::support::Act::Exit(1)],
    )]);
    sandbox.labctl("up small").run().exits(1);
    for name in sandbox.files("state") {
        let path = sandbox.path("state").join(&name);
        let metadata = fs::metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        // The files in a directory that only its owner may enter are as good as its own.
        if metadata.is_dir() {
            assert_eq!(mode, 0o700, "{name} is {mode:o}");
        } else if !name.contains("/runs/") {
            assert_eq!(mode, 0o600, "{name} is {mode:o}");
        }
    }
}
