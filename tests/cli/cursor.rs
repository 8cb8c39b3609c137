//! Where the cursor stands after `up` and `verify`, on a make-believe cluster.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Api, Sandbox};

const ENVIRONMENT: &str = "lab-crash";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// The cluster, and a labctl for it that brought the lab up to `step`.
fn up_to(step: &str) -> (Sandbox, Api) {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox
        .labctl(&format!("up crash --to {step}"))
        .run()
        .exits(0);
    (sandbox, api)
}

fn step<'a>(report: &'a Value, id: &str) -> &'a Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap()
}

/// A student writes what the step `write` expects, while the pod that it records is going.
fn written_while_the_pod_goes(api: &Api) {
    let note = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "written", "namespace": "default"}, "data": {"note": "once"}});
    api.put("/api/v1/namespaces/default/configmaps", note);
    let mut pod = api.get(&format!("{PODS}/app-0"));
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    api.put(PODS, pod);
}

#[test]
fn a_fact_that_cannot_be_recorded_is_a_line_of_the_report() {
    let (sandbox, api) = up_to("app");
    written_while_the_pod_goes(&api);
    let verify = sandbox.labctl("verify crash --output json").run().exits(1);
    let report = verify.json();
    assert_eq!(
        step(&report, "cluster")["state"],
        "held",
        "{}",
        verify.whole
    );
    let write = step(&report, "write");
    assert_eq!(write["state"], "pending", "{}", verify.whole);
    let clause = &write["verdicts"][1]["clauses"][0];
    assert_eq!(clause["what"], "fact `before` can be recorded");
    assert_eq!(clause["actual"], "pod app-0 is being deleted");
    let cursor = sandbox.run_state(ENVIRONMENT).cursor;
    assert_eq!(cursor.as_deref(), Some("app"));
}

#[test]
fn a_snapshot_that_cannot_be_kept_is_a_line_of_the_report() {
    let (sandbox, api) = up_to("app");
    written_while_the_pod_goes(&api);
    let mut pod = api.get(&format!("{PODS}/app-0"));
    pod["metadata"]["deletionTimestamp"].take();
    api.put(PODS, pod);
    let in_the_way = sandbox
        .environment(ENVIRONMENT)
        .join("snapshots/write.json");
    fs::create_dir_all(in_the_way).unwrap();
    let verify = sandbox.labctl("verify crash --output json").run().exits(1);
    let report = verify.json();
    assert_eq!(step(&report, "app")["state"], "held", "{}", verify.whole);
    let write = step(&report, "write");
    assert_eq!(write["state"], "pending", "{}", verify.whole);
    let last = write["verdicts"].as_array().unwrap().last().unwrap();
    assert_eq!(last["assertion"], "step kept", "{}", verify.whole);
    let cursor = sandbox.run_state(ENVIRONMENT).cursor;
    assert_eq!(cursor.as_deref(), Some("app"));
}
