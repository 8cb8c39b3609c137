//! Labs from elsewhere: shown, asked about once, and refused where nobody can be asked.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{Act, Sandbox, rule};

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
fn on_a_terminal_it_is_shown_and_asked_about_once() {
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
    insta::assert_snapshot!(question, @r#"
    y
    the lab small (A small lab) did not come with labctl, but from
      <TMP>/work/./small
    It would run on this machine:
      cluster: kind create cluster --name lab-small --retain
      app: kubectl apply --filename manifests/app.yaml   # Secret app
      kill: kubectl delete --raw /api/v1/namespaces/default/pods/app-0 --filename - <<<'{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"<uid of the pod recorded as before>"}}'
    and, in a cluster of its own, what its manifests say: `labctl plan ./small` shows it all.
    Run this lab, now and in future?
    "#);
    for name in sandbox.files("state") {
        if let Some(answer) = name.strip_prefix("labctl/trust/") {
            let path = sandbox.state().join("trust").join(answer);
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
    assert_eq!(sandbox.files("state/labctl/trust").len(), 1);
    sandbox.labctl("down small").run().exits(0);
    // By the directory, however it is named and whatever is in it by now.
    sandbox.write("small/manifests/app.yaml", "apiVersion: v1\nkind: Pod\n");
    sandbox.untrusting("up small/lab.yaml").run().exits(1);
    // Another directory is another question.
    fs::rename(sandbox.path("work/small"), sandbox.path("work/other")).unwrap();
    sandbox.write(
        "other/manifests/app.yaml",
        "apiVersion: v1\nkind: Service\n",
    );
    sandbox.untrusting("up other").run().exits(7);
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
