//! Links and other people's files where labctl keeps its own.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use serde_json::Value;

use crate::support::{Sandbox, Seeded};

const VERBS: [&str; 5] = [
    "up small",
    "verify small",
    "down small",
    "status",
    "env small",
];

/// Asserts that each verb refuses, does nothing, and leaves `elsewhere` alone.
#[track_caller]
fn is_refused(sandbox: &Sandbox, told: &str) {
    let before = sandbox.files("elsewhere");
    for verb in VERBS {
        let refused = sandbox.labctl(verb).run().exits(7).answers_nothing();
        refused
            .tells("is not safe to use")
            .tells(told)
            .tells("--state-dir");
    }
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    assert_eq!(sandbox.files("elsewhere"), before);
    for name in before {
        let path = sandbox.path("elsewhere").join(name);
        if path.is_file() {
            assert_eq!(fs::read_to_string(path).unwrap(), "precious");
        }
    }
}

fn elsewhere(sandbox: &Sandbox) -> std::path::PathBuf {
    let path = sandbox.path("elsewhere");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("file"), "precious").unwrap();
    path
}

#[test]
fn a_link_in_the_place_of_an_environment_is_not_followed() {
    for name in ["labctl/envs/lab-small", "labctl/envs"] {
        let sandbox = Sandbox::new().with_small_lab();
        let link = sandbox.path("state").join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(elsewhere(&sandbox), link).unwrap();
        is_refused(&sandbox, "it is a link to somewhere else");
    }
}

#[test]
fn a_link_in_the_place_of_a_file_that_is_written_is_not_followed() {
    for name in [
        "lock",
        "journal.jsonl",
        "kubeconfig",
        "kind.yaml",
        "environment.json",
    ] {
        let sandbox = Sandbox::new().with_small_lab();
        Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
        let link = sandbox.environment("lab-small").join(name);
        let _ = fs::remove_file(&link);
        symlink(elsewhere(&sandbox).join("file"), link).unwrap();
        is_refused(&sandbox, name);
    }
}

#[test]
fn a_link_in_the_place_of_a_directory_that_is_written_is_not_followed() {
    for name in ["runs", "lab", "images", "kubectl-cache"] {
        let sandbox = Sandbox::new().with_small_lab();
        Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
        let link = sandbox.environment("lab-small").join(name);
        let _ = fs::remove_dir_all(&link);
        symlink(elsewhere(&sandbox), link).unwrap();
        is_refused(&sandbox, name);
    }
}

#[test]
fn a_directory_that_everybody_may_write_in_is_refused() {
    for name in ["", "envs", "envs/lab-small"] {
        let sandbox = Sandbox::new().with_small_lab();
        Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
        let everybody = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(sandbox.state().join(name), everybody).unwrap();
        fs::create_dir(sandbox.path("elsewhere")).unwrap();
        is_refused(&sandbox, "everybody may write in it");
    }
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    // Only root can give a directory away; elsewhere there is nothing to try.
    if std::os::unix::fs::chown(sandbox.state(), Some(12_345), None).is_ok() {
        fs::create_dir(sandbox.path("elsewhere")).unwrap();
        is_refused(&sandbox, "it belongs to another user");
    }
}

#[test]
fn the_state_directory_itself_may_be_a_link_of_the_users() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    fs::rename(sandbox.state(), sandbox.path("moved")).unwrap();
    symlink(sandbox.path("moved"), sandbox.state()).unwrap();
    sandbox.labctl("status").run().exits(0).answers("lab-small");
}

#[test]
fn a_record_that_names_another_directory_is_refused_and_nothing_is_removed() {
    for name in ["../..", "../../elsewhere", "lab-other", ""] {
        let sandbox = Sandbox::new().with_small_lab();
        Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
        let path = sandbox.environment("lab-small").join("environment.json");
        let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record["name"] = name.into();
        fs::write(&path, record.to_string()).unwrap();
        elsewhere(&sandbox);
        is_refused(&sandbox, "which is another directory");
        assert!(path.is_file() && sandbox.environment("lab-small").is_dir());
    }
}

#[test]
fn nothing_that_a_lab_names_leads_out_of_its_environment() {
    for (from, to) in [
        (
            "images: [docker.io/library/app:1]",
            "images: [{image: '..', build: {context: manifests}}]",
        ),
        (
            "images: [docker.io/library/app:1]",
            "images: ['../../elsewhere']",
        ),
        ("id: cluster", "id: ../../../elsewhere/x"),
        (
            "steps:",
            "data: [{in: [../../../elsewhere/x], fingerprint: [q], save: [a], ends-with: e, restore: [b]}]\nsteps:",
        ),
        (
            "steps:",
            "steps:\n- {id: t, title: T, do: {tool: {name: ../../x, version: '1', version-arguments: [version]}}}",
        ),
    ] {
        let sandbox = Sandbox::new();
        let lab = crate::support::IMAGE_LAB.replace(from, to);
        assert_ne!(lab, crate::support::IMAGE_LAB, "{from}");
        sandbox.write("small/lab.yaml", &lab);
        sandbox.write("small/manifests/Dockerfile", "FROM scratch\n");
        elsewhere(&sandbox);
        let refused = sandbox.labctl("up ./small").run().exits(3);
        assert!(refused.stderr.contains("`.."), "{}", refused.whole);
        assert_eq!(sandbox.files("elsewhere"), ["file"]);
        sandbox.is_untouched();
    }
}
