//! Labs that are wrong: every fault is told with its place, and nothing is begun.

use crate::support::{Answer, MANIFEST, SMALL_LAB, Sandbox};

/// What `validate` says of the small lab with `wrong` in the place of `right`. What `up` says is
/// the same, and it does nothing.
#[track_caller]
fn faults(right: &str, wrong: &str) -> Answer {
    assert!(SMALL_LAB.contains(right), "{right}");
    let sandbox = Sandbox::new();
    sandbox.write("small/lab.yaml", &SMALL_LAB.replacen(right, wrong, 1));
    sandbox.write("small/manifests/app.yaml", MANIFEST);
    told_by_all(&sandbox)
}

#[track_caller]
fn told_by_all(sandbox: &Sandbox) -> Answer {
    let validated = sandbox
        .labctl("validate small")
        .run()
        .exits(3)
        .answers_nothing();
    for verb in [
        "up small",
        "plan small",
        "show small",
        "up small --output json",
    ] {
        let answer = sandbox.labctl(verb).run().exits(3).answers_nothing();
        assert_eq!(answer.stderr, validated.stderr, "{verb}");
    }
    sandbox.is_untouched();
    validated
}

#[test]
fn a_sound_lab_is_said_to_be() {
    let sandbox = Sandbox::new().with_small_lab();
    for path in ["small", "./small/", "small/lab.yaml"] {
        let answer = sandbox
            .labctl(&format!("validate {path}"))
            .run()
            .exits(0)
            .answers_nothing();
        assert_eq!(answer.stderr, "lab small is sound: 3 steps\n");
    }
    let json = sandbox
        .labctl("validate small --output json")
        .run()
        .exits(0)
        .tells_nothing();
    assert_eq!(json.json(), serde_json::json!({"lab": "small", "steps": 3}));
    sandbox.is_untouched();
}

#[test]
fn the_labs_of_the_repository_are_sound() {
    let sandbox = Sandbox::new();
    let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    for lab in std::fs::read_dir(labs).unwrap() {
        sandbox
            .labctl("validate")
            .arg(lab.unwrap().path())
            .run()
            .exits(0);
    }
}

#[test]
fn an_unknown_key_is_shown_where_it_stands() {
    let answer = faults("  title: Kill it\n", "  titel: Kill it\n");
    insta::assert_snapshot!(answer.whole, @r#"
    exit 3
    --- stderr
    error: <TMP>/work/small is not a sound lab
      caused by: lab.yaml:17:3: unknown field `titel`, expected one of id, title, when, teach, hints,
                 do, steady, during, expect, record, undo, until
                   17 |   titel: Kill it
                      |   ^
    "#);
    let key = SMALL_LAB.replacen("  title: Kill it\n", "  titel: Kill it\n", 1);
    let line = key.lines().position(|line| line.contains("titel")).unwrap() + 1;
    answer.tells(&format!("lab.yaml:{line}:3: unknown field `titel`"));
    faults("  undo: none\n", "  und: none\n").tells("; did you mean `undo`?");
    faults("do: {delete-pod:", "do: {delete-pods:").tells("; did you mean `delete-pod`?");
}

#[test]
fn what_is_no_yaml_is_shown_where_it_ends_to_be() {
    let answer = faults("title: A small lab\n", "title: [A small lab\n");
    answer.tells("lab.yaml:");
}

#[test]
fn a_manifest_that_is_not_there_is_named_with_the_nearest_that_is() {
    let answer = faults("path: manifests/app.yaml", "path: manifests/ap.yaml");
    insta::assert_snapshot!(answer.whole, @r#"
    exit 3
    --- stderr
    error: <TMP>/work/small is not a sound lab
      caused by: lab.yaml: step `app`: there is no file `manifests/ap.yaml`; did you mean
                 `manifests/app.yaml`?
    "#);
}

#[test]
fn a_manifest_may_not_lead_out_of_the_lab() {
    for path in [
        "../small/manifests/app.yaml",
        "/etc/hostname",
        "manifests/../../x.yaml",
    ] {
        let answer = faults("path: manifests/app.yaml", &format!("path: {path}"));
        answer.tells(&format!("`{path}` leads out of the lab"));
    }
}

#[test]
fn a_manifest_that_is_no_kubernetes_object_is_a_fault() {
    for (text, told) in [
        (
            "apiVersion: v1\nmetadata: {name: x}\n",
            "manifests/app.yaml: document 1 has no",
        ),
        (
            "apiVersion: v1\nkind: Pod\n---\n- 1\n",
            "manifests/app.yaml: document 2 has no",
        ),
        ("apiVersion: [v1\nkind: Pod\n", "manifests/app.yaml:"),
    ] {
        let sandbox = Sandbox::new().with_small_lab();
        sandbox.write("small/manifests/app.yaml", text);
        told_by_all(&sandbox).tells(told);
    }
}

#[test]
fn a_fact_that_no_earlier_step_records_is_a_fault() {
    let answer = faults("since: before}}\n  undo", "since: befor}}\n  undo");
    insta::assert_snapshot!(answer.whole, @r#"
    exit 3
    --- stderr
    error: <TMP>/work/small is not a sound lab
      caused by: lab.yaml: step `kill`: no earlier step records a fact `befor`; did you mean `before`?
    "#);
    // A step does not know its own facts yet.
    let own = "within: 10s, all: [{pvc-reattached: {pod: app-0, since: before}}]}\n  record";
    let answer = faults(
        "within: 10s, all: [{rollout-complete: {of: deployment/app}}]}\n  record",
        own,
    );
    answer.tells("no earlier step records a fact `before`");
}

#[test]
fn until_has_to_name_a_later_step() {
    let answer = faults("  undo: none\n", "  undo: none\n  until: app\n");
    insta::assert_snapshot!(answer.whole, @r#"
    exit 3
    --- stderr
    error: <TMP>/work/small is not a sound lab
      caused by: lab.yaml: step `kill`: `until: app` has to name a later step
    "#);
    let answer = faults("  undo: none\n", "  undo: none\n  until: kill\n");
    answer.tells("kill");
    let answer = faults("- id: app\n", "- id: app\n  until: kil\n");
    answer.tells("did you mean `kill`?");
}

#[test]
fn several_faults_are_told_at_once() {
    let sandbox = Sandbox::new();
    let lab = SMALL_LAB
        .replace("template: three-workers", "template: three-worker")
        .replace("path: manifests/app.yaml", "path: manifests/ap.yaml")
        .replace("since: before", "since: befor")
        .replace("- id: kill", "- id: app");
    sandbox.write("small/lab.yaml", &lab);
    sandbox.write("small/manifests/app.yaml", MANIFEST);
    let answer = told_by_all(&sandbox);
    insta::assert_snapshot!(answer.whole, @r#"
    exit 3
    --- stderr
    error: <TMP>/work/small is not a sound lab
      caused by: lab.yaml: step `cluster`: there is no kind template `three-worker`; did you mean
                 `three-workers`?
                 lab.yaml: step `app`: there is no file `manifests/ap.yaml`; did you mean
                 `manifests/app.yaml`?
                 lab.yaml: step `app`: another step has this id already
                 lab.yaml: step `app`: no earlier step records a fact `befor`; did you mean `before`?
    "#);
    answer
        .tells("did you mean `three-workers`?")
        .tells("did you mean `manifests/app.yaml`?")
        .tells("did you mean `before`?");
}

#[test]
fn a_lab_without_steps_is_a_fault() {
    let sandbox = Sandbox::new();
    let head = SMALL_LAB.split("steps:").next().unwrap();
    sandbox.write("small/lab.yaml", &format!("{head}steps: []\n"));
    told_by_all(&sandbox).tells("`steps` is empty");
}

#[test]
fn a_directory_that_is_no_lab_is_not_read_through() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.labctl("validate /proc").run().whole, @r#"
    exit 3
    --- stderr
    error: /proc has no lab.yaml
    "#);
    sandbox
        .labctl("validate nowhere")
        .run()
        .exits(3)
        .tells("nowhere");
    sandbox.is_untouched();
}
