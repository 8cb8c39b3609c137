//! Bundles that are not what they should be: refused before a cluster is begun, or with the
//! cluster removed again.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use serde_json::{Value, json};

use crate::support::{Act, Answer, IMAGE_LAB, Sandbox, Seeded, fake_digest, link, rule, wait_for};

/// The archive of the image, and its digest.
const ARCHIVE: &str = "an image";

fn digest(text: &str) -> String {
    format!("sha256:{}", labctl::digest::hex(text.as_bytes()))
}

fn sound_index() -> Value {
    json!({
        "version": 1,
        "platform": "linux/amd64",
        "images": [{
            "name": "docker.io/library/app:1",
            "role": "workload",
            "path": "images/app.tar",
            "digest": digest(ARCHIVE),
            "id": "sha256:1234",
            "source": "a test",
        }, {
            "name": "docker.io/kindest/node:v1.34.11",
            "role": "node",
            "path": "images/node.tar",
            "digest": digest("a node"),
            "id": "sha256:5678",
        }],
    })
}

/// A sandbox with a lab that needs an image, and a bundle with this index.
fn with_bundle(index: &Value) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("small/lab.yaml", IMAGE_LAB);
    sandbox.write("bundle/images/app.tar", ARCHIVE);
    sandbox.write("bundle/images/node.tar", "a node");
    sandbox.write("bundle/index.json", &index.to_string());
    // Three workers start, one after another.
    let mut events: Vec<Act> = ["worker", "worker2", "worker3"]
        .map(|node| Act::Out(format!("lab-small-{node} worker")))
        .into();
    events.insert(0, Act::Out("lab-small-control-plane control-plane".into()));
    events.push(Act::Hang);
    sandbox.fakes.obey([rule("docker", "events", events)]);
    sandbox
}

/// What `up` says of a bundle with this index; it begins nothing.
#[track_caller]
fn refused(index: &Value) -> Answer {
    let sandbox = with_bundle(index);
    refused_in(&sandbox)
}

#[track_caller]
fn refused_in(sandbox: &Sandbox) -> Answer {
    let answer = sandbox
        .labctl("up small --bundle bundle")
        .run()
        .exits(4)
        .answers_nothing();
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    assert_eq!(sandbox.files("state"), [""; 0]);
    answer
}

#[test]
fn a_bundle_without_an_index_is_refused() {
    let sandbox = with_bundle(&sound_index());
    fs::remove_file(sandbox.path("work/bundle/index.json")).unwrap();
    insta::assert_snapshot!(refused_in(&sandbox).whole, @r#"
    exit 4
    --- stderr
    error: the bundle <TMP>/work/bundle cannot be used
      caused by: No such file or directory (os error 2)
    "#);
    let nowhere = sandbox.labctl("up small --bundle nowhere").run().exits(4);
    nowhere
        .tells("the bundle")
        .tells("nowhere cannot be used")
        .tells("No such file or directory");
}

#[test]
fn an_index_that_cannot_be_read_is_refused() {
    let sandbox = with_bundle(&sound_index());
    sandbox.write("bundle/index.json", "{\"version\": 1,");
    refused_in(&sandbox)
        .tells("bundle cannot be used")
        .tells("line 1 column");
}

#[test]
fn an_index_of_a_later_form_is_refused() {
    let mut index = sound_index();
    index["version"] = json!(2);
    insta::assert_snapshot!(refused(&index).whole, @r#"
    exit 4
    --- stderr
    error: the bundle <TMP>/work/bundle cannot be used
      caused by: its index has form 2, this labctl knows 1
    "#);
}

#[test]
fn a_path_that_leads_out_of_the_bundle_is_refused() {
    for path in [
        "../secret.tar",
        "/etc/hostname",
        "images/../../secret.tar",
        "./images/app.tar",
    ] {
        let mut index = sound_index();
        index["images"][0]["path"] = json!(path);
        refused(&index).tells(&format!("`{path}` leads out of it"));
        let mut index = sound_index();
        index["tools"] = json!([{"name": "kind", "path": path, "digest": digest("")}]);
        refused(&index).tells(&format!("`{path}` leads out of it"));
    }
}

#[test]
fn a_file_that_the_bundle_lacks_is_named() {
    let sandbox = with_bundle(&sound_index());
    fs::remove_file(sandbox.path("work/bundle/images/app.tar")).unwrap();
    refused_in(&sandbox).tells("`images/app.tar` is missing");
}

#[test]
fn an_image_that_the_bundle_lacks_is_named_with_everything_else_that_is_missing() {
    let mut index = sound_index();
    index["images"][0]["name"] = json!("docker.io/library/app:2");
    let sandbox = with_bundle(&index);
    sandbox.uninstall("kind");
    insta::assert_snapshot!(refused_in(&sandbox).whole, @r#"
    exit 4
    --- stderr
    error: lab small cannot be brought up on this machine
      caused by: kind is not installed, or not on PATH
                 the bundle <TMP>/work/bundle lacks docker.io/library/app:1

    hint: install kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation
          make the bundle anew, or leave --bundle away
    "#);
}

#[test]
fn an_image_with_another_digest_is_never_imported_and_the_cluster_is_removed() {
    let sandbox = with_bundle(&sound_index());
    sandbox.write("bundle/images/app.tar", "another image");
    let answer = sandbox
        .labctl("up small --bundle bundle")
        .run()
        .exits(1)
        .answers_nothing();
    answer
        .tells("failed to take the image docker.io/library/app:1 from the bundle")
        .tells(&digest("another image"))
        .tells(&digest(ARCHIVE));
    assert_eq!(sandbox.fakes.calls_of("docker", "exec"), []);
    // kind was ended in the middle of its work: before it had made containers, or after.
    assert!(!sandbox.fakes.has("containers") && !sandbox.fakes.has("networks"));
}

#[test]
fn a_node_image_with_another_digest_is_never_loaded() {
    let sandbox = with_bundle(&sound_index());
    sandbox.write("bundle/images/node.tar", "another node");
    let answer = sandbox
        .labctl("up small --bundle bundle")
        .run()
        .exits(1)
        .answers_nothing();
    answer.tells("failed to take the image docker.io/kindest/node:v1.34.11 from the bundle");
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn a_sound_bundle_is_all_that_is_used() {
    let sandbox = with_bundle(&sound_index());
    sandbox.labctl("up small --bundle bundle").run();
    // No registry is asked: what is missing comes from the bundle.
    assert_eq!(sandbox.fakes.calls_of("docker", "pull"), []);
    let load = &sandbox.fakes.calls_of("docker", "load")[0];
    let archive = sandbox.path("work/bundle/images/node.tar");
    assert_eq!(load.args.last().unwrap(), archive.to_str().unwrap());
    let create = &sandbox.fakes.calls_of("kind", "create")[0];
    assert!(
        create.args.contains(&"sha256:5678".to_owned()),
        "{:?}",
        create.args
    );
    let imports = sandbox.fakes.calls_of("docker", "exec");
    let mut nodes: Vec<&str> = imports.iter().map(|call| call.args[2].as_str()).collect();
    nodes.sort_unstable();
    assert_eq!(
        nodes,
        ["lab-small-worker", "lab-small-worker2", "lab-small-worker3"]
    );
}

#[test]
fn the_bundles_tools_come_before_the_ones_on_path() {
    let sandbox = with_kind_in_the_bundle();
    sandbox.uninstall("kind");
    sandbox.labctl("up small --bundle bundle").run();
    assert_eq!(sandbox.fakes.calls_of("kind", "create").len(), 1);
}

/// A sandbox whose bundle has a kind, with its digest.
fn with_kind_in_the_bundle() -> Sandbox {
    let mut index = sound_index();
    let program = fake_digest();
    index["tools"] = json!([{"name": "kind", "path": "tools/kind", "digest": program}]);
    let sandbox = with_bundle(&index);
    fs::create_dir(sandbox.path("work/bundle/tools")).unwrap();
    link(&sandbox.path("work/bundle/tools/kind"));
    sandbox
}

/// Puts another program in the place of the bundle's kind.
fn replace(sandbox: &Sandbox) {
    let program = sandbox.path("work/bundle/tools/kind");
    fs::remove_file(&program).unwrap();
    fs::write(&program, "#!/bin/sh\ntouch owned\n").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_of_a_bundle_is_run_only_as_its_index_has_it() {
    let sandbox = with_kind_in_the_bundle();
    replace(&sandbox);
    let answer = refused_in(&sandbox)
        .tells("`tools/kind` has the digest")
        .tells(&fake_digest())
        .tells("hint: make the bundle anew, or leave --bundle away");
    let words: Vec<&str> = answer.stderr.split_whitespace().collect();
    assert_eq!(words.join(" ").matches("has the digest").count(), 1);
    assert!(!sandbox.path("work/owned").exists());
}

#[test]
fn another_program_put_into_a_bundle_later_is_not_run() {
    let sandbox = with_kind_in_the_bundle();
    let bundle = Some(sandbox.path("work/bundle"));
    Seeded::made(&sandbox, "lab-small", "small", bundle).with_cluster(&[]);
    let which = "shell small -- /bin/sh -c";
    let found = || {
        let shell = sandbox.labctl(which).arg("command -v kind; kind version");
        shell.run().exits(0).stdout
    };
    let copy = found();
    assert!(copy.starts_with(sandbox.state().join("programs").to_str().unwrap()));
    replace(&sandbox);
    assert_eq!(found(), copy);
    assert!(!sandbox.path("work/owned").exists());
    // With the last environment the copies go, too.
    sandbox.labctl("down small").run().exits(0);
    assert!(!sandbox.state().join("programs").exists());
}

#[test]
fn plan_shows_what_comes_from_the_bundle() {
    let mut index = sound_index();
    index["images"][0]["packages"] = json!(true);
    let sandbox = with_bundle(&index);
    let plan = sandbox
        .labctl("plan small --bundle bundle")
        .run()
        .exits(0)
        .tells_nothing();
    plan.answers("--image sha256:5678")
        .answers("# docker.io/library/app:1: a test, built from packages")
        .answers("bundle/images/app.tar");
    sandbox.is_untouched();
}

#[test]
fn a_node_whose_containerd_does_not_listen_yet_is_asked_again() {
    let sandbox = with_bundle(&sound_index());
    let events =
        ["worker", "worker2", "worker3"].map(|n| Act::Out(format!("lab-small-{n} worker")));
    let events: Vec<Act> = events.into_iter().chain([Act::Hang]).collect();
    let refuses = || {
        let why = "ctr: failed to dial \"/run/containerd/containerd.sock\": connection refused";
        [Act::Err(why.into()), Act::Exit(1)]
    };
    let exec = "exec --interactive lab-small-worker2";
    sandbox.fakes.obey([
        rule("docker", "events", events.clone()),
        rule("docker", exec, refuses()),
        rule(
            "kind",
            "create cluster",
            [Act::Await("imported".into()), Act::Exit(1)],
        ),
    ]);
    let up = sandbox.labctl("up small --bundle bundle").start();
    let tries = || sandbox.fakes.calls_of("docker", exec).len();
    wait_for("a second try", || tries() >= 2);
    sandbox.fakes.obey([
        rule("docker", "events", events),
        rule(
            "docker",
            exec,
            [Act::Write("imported".into(), String::new())],
        ),
    ]);
    let up = up.finish();
    assert!(!up.whole.contains("failed to import"), "{}", up.whole);
    assert!(sandbox.fakes.has("imported"));
}

#[test]
fn two_tools_of_one_name_are_refused() {
    let mut index = sound_index();
    let tool = json!({"name": "kind", "path": "images/app.tar", "digest": digest(ARCHIVE)});
    index["tools"] = json!([tool, tool]);
    refused(&index).tells("its index has two tools `kind`");
}

#[test]
fn copies_go_where_no_environment_may_need_them_and_hold_labctls_own_programs_only() {
    let mut index = sound_index();
    let program = fake_digest();
    let tool = |name| json!({"name": name, "path": "tools/kind", "digest": program});
    index["tools"] = json!([tool("kind"), tool("sudo")]);
    let sandbox = with_bundle(&index);
    fs::create_dir(sandbox.path("work/bundle/tools")).unwrap();
    link(&sandbox.path("work/bundle/tools/kind"));
    sandbox.labctl("plan small --bundle bundle").run().exits(0);
    assert!(!sandbox.state().join("programs").exists());
    let bundle = Some(sandbox.path("work/bundle"));
    Seeded::made(&sandbox, "lab-small", "small", bundle).with_cluster(&[]);
    // One who has taken them already keeps them there.
    let shell = sandbox.labctl("shell small -- /bin/sh -c");
    let shell = shell.arg("command -v kind; command -v sudo").run();
    let programs = sandbox.state().join("programs");
    let programs = programs.to_str().unwrap();
    let own: Vec<&str> = shell
        .stdout
        .lines()
        .filter(|l| l.starts_with(programs))
        .collect();
    assert!(
        own.len() == 1 && own[0].ends_with("/kind"),
        "{}",
        shell.whole
    );
}
