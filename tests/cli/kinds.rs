//! Kinds that an assertion names: plural and scope are what the cluster says, and one that it does not
//! serve is no object's absence.

use serde_json::Value;

use crate::support::{Api, Sandbox};

const LAB: &str = "\
lab: crash
title: A lab about a moose
level: beginner
time: 5m
steps:
- id: cluster
  title: Create a cluster
  do: {kind-cluster: {template: three-workers}}
  expect: {within: 20s, all: [{nodes-ready: {count: 4}}]}
- id: moose
  title: Look for it
  do: observe
  expect:
    within: 3s
    all:
    - absent: {api-version: example.org/v1, kind: Moose, name: bull}
    - absent: {api-version: example.org/v1, kind: Mose, name: bull}
    - absent: {api-version: example.org/v2, kind: Moose, name: bull}
    - absent: {api-version: v1, kind: pod, name: nobody}
    - object: {api-version: example.org/v1, kind: Moose, name: bull}
    - absent: {api-version: example.org/v1, kind: Moose, name: cow}
";

/// The status of each verdict, and what is said of the first clause.
fn said(verdicts: &Value) -> Vec<String> {
    let verdicts = verdicts.as_array().unwrap();
    let said = |verdict: &Value| {
        let actual = verdict["clauses"][0]["actual"].as_str().unwrap();
        format!("{} {actual}", verdict["status"].as_str().unwrap())
    };
    verdicts.iter().map(said).collect()
}

#[test]
fn absent_is_what_the_cluster_was_asked_for_where_it_is() {
    let api = Api::start();
    let sandbox = Sandbox::new().with_crash_lab(&api);
    sandbox.write("crash/lab.yaml", LAB);
    sandbox.labctl("up crash --to cluster").run().exits(0);
    let verify = sandbox.labctl("verify crash --output json").run().exits(1);
    let expected = [
        "pending exists",
        "unknown cannot be told: the cluster serves no kind Mose in example.org/v1; did you mean \
         `Moose`?",
        "unknown cannot be told: the cluster serves no kind Moose in example.org/v2; it does in \
         example.org/v1",
        "unknown cannot be told: the cluster serves no kind pod in v1",
        "pass exists",
        "pass absent",
    ];
    assert_eq!(said(&verify.json()["steps"][1]["verdicts"]), expected);
    // Who watches sees the same.
    let up = sandbox.labctl("up crash --output json").run().exits(1);
    let failed = up
        .stdout
        .lines()
        .find(|line| line.contains("step-finished") && line.contains("Mose"));
    let failed = failed.unwrap_or_else(|| panic!("{}", up.whole));
    assert!(failed.contains("it does in example.org/v1"), "{failed}");
    assert!(failed.contains("moose/bull is gone"), "{failed}");
}
