//! Images that a lab says how to build: built where neither the bundle nor the engine has them.

use std::fs;

use crate::support::{Act, IMAGE_LAB, Rule, Sandbox, rule};

const DOCKERFILE: &str = "ARG BASE=scratch\nFROM ${BASE}\nCOPY run.sh /\n";

/// A sandbox with a lab that has its image built, from a directory of its own.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let build =
        "images: [{image: 'docker.io/library/app:1', build: {context: app/, args: {BASE: 'a:1'}}}]";
    let lab = IMAGE_LAB.replace("images: [docker.io/library/app:1]", build);
    assert_ne!(lab, IMAGE_LAB);
    sandbox.write("small/lab.yaml", &lab);
    sandbox.write("small/app/Dockerfile", DOCKERFILE);
    sandbox.write("small/app/run.sh", "#!/bin/sh\n");
    sandbox.write("small/apple/not-of-it", "");
    obey(&sandbox, []);
    sandbox
}

/// Three workers start, one after another; and `rules`.
fn obey<const N: usize>(sandbox: &Sandbox, rules: [Rule; N]) {
    let started = ["worker", "worker2", "worker3"];
    let started = started.map(|node| Act::Out(format!("lab-small-{node} worker")));
    let events: Vec<Act> = started.into_iter().chain([Act::Hang]).collect();
    let mut all = Vec::from(rules);
    all.push(rule("docker", "events", events));
    sandbox.fakes.obey(all);
}

const SOURCES: &str = "envs/lab-small/build/docker.io+library+app=1";

#[test]
fn an_image_that_the_engine_does_not_have_is_built_and_not_pulled() {
    let sandbox = sandbox();
    sandbox.labctl("up small").run();
    let sources = sandbox.state().join(SOURCES);
    let built = sandbox.fakes.calls_of("docker", "build");
    let sources_arg = sources.to_str().unwrap();
    assert_eq!(
        built[0].args,
        [
            "build",
            "--tag",
            "docker.io/library/app:1",
            "--build-arg",
            "BASE=a:1",
            sources_arg
        ]
    );
    assert_eq!(built.len(), 1);
    assert_eq!(sandbox.fakes.calls_of("docker", "pull"), []);
    assert_eq!(sandbox.fakes.calls_of("docker", "save").len(), 1);
    let text = fs::read_to_string(sources.join("Dockerfile")).unwrap();
    assert_eq!(text, DOCKERFILE);
    let mut names: Vec<_> = fs::read_dir(&sources)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["Dockerfile", "run.sh"]);
}

#[test]
fn an_image_that_the_engine_has_is_not_built_again() {
    let sandbox = sandbox();
    let there = rule("docker", "image inspect", [Act::Out("sha256:1".into())]);
    obey(&sandbox, [there]);
    sandbox.labctl("up small").run();
    assert_eq!(sandbox.fakes.calls_of("docker", "build"), []);
    assert_eq!(sandbox.fakes.calls_of("docker", "save").len(), 1);
}

#[test]
fn an_image_that_a_bundle_lacks_is_built() {
    let sandbox = sandbox();
    sandbox.write(
        "bundle/index.json",
        r#"{"version": 1, "platform": "linux/amd64", "images": []}"#,
    );
    sandbox.labctl("up small --bundle bundle").run();
    assert_eq!(sandbox.fakes.calls_of("docker", "build").len(), 1);
    assert_eq!(sandbox.fakes.calls_of("docker", "pull"), []);
}

#[test]
fn what_docker_says_of_a_build_that_fails_is_shown_and_the_cluster_is_removed() {
    let sandbox = sandbox();
    let says = "COPY failed: file not found in build context";
    let fails = rule("docker", "build", [Act::Err(says.into()), Act::Exit(1)]);
    obey(&sandbox, [fails]);
    let answer = sandbox.labctl("up small").run().exits(1);
    answer
        .tells("failed to build the image docker.io/library/app:1")
        .tells(says);
    assert!(!sandbox.fakes.has("containers"));
}

#[test]
fn nothing_is_built_before_the_lab_is_trusted() {
    let sandbox = sandbox();
    sandbox.untrusting("up ./small").run().exits(7);
    sandbox.is_untouched();
    let told = sandbox
        .untrusting("up ./small")
        .on_a_terminal("n\n")
        .exits(7);
    assert!(
        told.stderr
            .contains("docker build --tag docker.io/library/app:1 --build-arg BASE=a:1"),
        "{}",
        told.whole
    );
    sandbox.is_untouched();
    let plan = sandbox.labctl("plan small").run().exits(0);
    plan.answers("# docker.io/library/app:1: built, unless the engine has it")
        .answers("docker build --tag docker.io/library/app:1");
}
