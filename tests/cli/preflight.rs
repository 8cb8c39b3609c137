//! What has to be on the machine before anything is begun: all that is missing is told at once.

use crate::support::{Act, Sandbox, rule};

/// What the client says when no engine runs.
const NO_ENGINE: &str = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the \
                         docker daemon running?";

#[track_caller]
fn nothing_was_begun(sandbox: &Sandbox) {
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    assert_eq!(sandbox.files("state"), [""; 0]);
}

#[test]
fn without_an_engine_nothing_is_begun() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule(
        "docker",
        "version",
        [Act::Err(NO_ENGINE.into()), Act::Exit(1)],
    )]);
    insta::assert_snapshot!(sandbox.labctl("up small").run().whole, @r#"
    exit 4
    --- stderr
    error: lab small cannot be brought up on this machine
      caused by: no container engine answers: Cannot connect to the Docker daemon at
                 unix:///var/run/docker.sock. Is the docker daemon running?

    hint: start it (Docker Desktop, or `systemctl start docker`)
    "#);
    nothing_was_begun(&sandbox);
}

#[test]
fn a_tool_that_is_not_installed_is_named_with_where_to_get_it() {
    for tool in ["kind", "kubectl", "docker"] {
        let sandbox = Sandbox::new().with_small_lab();
        sandbox.uninstall(tool);
        let answer = sandbox.labctl("up small").run().exits(4).answers_nothing();
        answer
            .tells(&format!("{tool} is not installed, or not on PATH"))
            .tells(&format!("hint: install {tool}: https://"));
        nothing_was_begun(&sandbox);
    }
}

#[test]
fn a_tool_that_is_too_old_is_named_with_what_is_needed() {
    let sandbox = Sandbox::new().with_small_lab();
    let old = Act::Out("kind v0.26.0 go1.22.4 linux/amd64".into());
    sandbox.fakes.obey([rule("kind", "version", [old])]);
    insta::assert_snapshot!(sandbox.labctl("up small").run().whole, @r#"
    exit 4
    --- stderr
    error: lab small cannot be brought up on this machine
      caused by: kind v0.26.0 is installed; >=0.27 is needed

    hint: install a later kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation
    "#);
    nothing_was_begun(&sandbox);
}

#[test]
fn versions_are_compared_as_numbers() {
    for (version, is_enough) in [
        ("kind v0.27.0 go1.24 linux/amd64", true),
        ("kind v0.100.0 go1.24 linux/amd64", true),
        ("kind v1.0.0 go1.24 linux/amd64", true),
        ("kind v0.3.0 go1.24 linux/amd64", false),
        ("kind (unknown)", false),
        ("", false),
    ] {
        let sandbox = Sandbox::new().with_small_lab();
        // The engine's absence ends the run in any case.
        sandbox.fakes.obey([
            rule("kind", "version", [Act::Out(version.into())]),
            rule("docker", "version", [Act::Exit(1)]),
        ]);
        let answer = sandbox.labctl("up small").run().exits(4);
        let complains = answer.stderr.contains(">=0.27 is needed");
        assert_eq!(complains, !is_enough, "{version:?}:\n{}", answer.whole);
    }
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.uninstall("kubectl");
    sandbox.fakes.obey([
        rule(
            "kind",
            "version",
            [Act::Out("kind v0.20.0 go1.20 linux/amd64".into())],
        ),
        rule(
            "docker",
            "version",
            [Act::Err(NO_ENGINE.into()), Act::Exit(1)],
        ),
    ]);
    insta::assert_snapshot!(sandbox.labctl("up small").run().whole, @r#"
    exit 4
    --- stderr
    error: lab small cannot be brought up on this machine
      caused by: kind v0.20.0 is installed; >=0.27 is needed
                 kubectl is not installed, or not on PATH
                 no container engine answers: Cannot connect to the Docker daemon at
                 unix:///var/run/docker.sock. Is the docker daemon running?

    hint: install a later kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation
          install kubectl: https://kubernetes.io/docs/tasks/tools/#kubectl
          start it (Docker Desktop, or `systemctl start docker`)
    "#);
    nothing_was_begun(&sandbox);
}

#[test]
fn tools_are_looked_for_on_path_only() {
    let sandbox = Sandbox::new().with_small_lab();
    // A program of that name in the working directory is none that the user installed.
    for tool in ["kind", "kubectl", "docker"] {
        sandbox.uninstall(tool);
        crate::support::link(&sandbox.path("work").join(tool));
    }
    let answer = sandbox.labctl("up small").run().exits(4);
    answer
        .tells("kind is not")
        .tells("kubectl is not")
        .tells("docker is not");
    assert_eq!(sandbox.fakes.calls(), []);
}

#[test]
fn an_engine_that_does_not_answer_can_be_interrupted() {
    let sandbox = Sandbox::new().with_small_lab();
    let hang = [Act::Write("asked".into(), String::new()), Act::Hang];
    sandbox.fakes.obey([rule("docker", "version", hang)]);
    let up = sandbox.labctl("up small").start();
    crate::support::wait_for("the engine to be asked", || sandbox.fakes.has("asked"));
    let docker = sandbox.fakes.calls_of("docker", "version")[0].pid;
    crate::support::signal(up.pid(), rustix::process::Signal::INT);
    up.finish().exits(130);
    assert!(!crate::support::is_alive(docker));
    nothing_was_begun(&sandbox);
}
