//! What differs from when a step was verified: `verify` says it, and does not fail for it.

use crate::support::{Api, CRASH_LAB, Sandbox};

fn up_to(to: &str) -> (Api, Sandbox) {
    let api = Api::start();
    let sandbox = Sandbox::new().with_crash_lab(&api);
    sandbox
        .labctl(&format!("up crash --to {to}"))
        .run()
        .exits(0);
    (api, sandbox)
}

/// The objects that differ, and the step that they are compared with.
fn told(sandbox: &Sandbox) -> (Vec<String>, Option<String>) {
    let verify = sandbox.labctl("verify crash --output json").run().json();
    let all = verify["differences"].as_array().unwrap();
    let objects = all.iter().map(|d| d["object"].as_str().unwrap().to_owned());
    let with = verify["compared-with"].as_str().map(ToOwned::to_owned);
    (objects.collect(), with)
}

#[test]
fn verify_ends_with_what_differs_and_passes_all_the_same() {
    let (api, sandbox) = up_to("uncordon");
    let verify = sandbox.labctl("verify crash").run().exits(0);
    assert!(!verify.stderr.contains("differ"), "{}", verify.whole);
    api.kubectl("drain lab-crash-worker");
    let journal = sandbox.journal("lab-crash");
    sandbox.labctl("verify crash").run().exits(0).tells(
        "1 thing differs from when it was verified at step uncordon: node/lab-crash-worker is \
         cordoned; `labctl reset crash` puts it back",
    );
    assert_eq!(sandbox.journal("lab-crash"), journal, "it only looks");
    let node = "node/lab-crash-worker".to_owned();
    assert_eq!(told(&sandbox), (vec![node], Some("uncordon".to_owned())));
    api.kubectl("uncordon lab-crash-worker");
    assert_eq!(told(&sandbox).0, [""; 0]);
}

#[test]
fn what_the_next_step_does_is_not_said_to_differ_and_a_fault_explains_more_than_can_be_told() {
    let api = Api::start();
    let sandbox = Sandbox::new().with_crash_lab(&api);
    // A drain that takes more than its node being cordoned.
    let whole = CRASH_LAB.replacen(
        "{spec: {unschedulable: true}}",
        "{spec: {emptied: true}}",
        1,
    );
    sandbox.write("crash/lab.yaml", &whole);
    sandbox.labctl("up crash --to kill").run().exits(0);
    // A student is in the middle of it, on the recorded pod's node.
    api.kubectl("drain lab-crash-worker2");
    let with = Some("kill".to_owned());
    assert_eq!(told(&sandbox), (Vec::new(), with.clone()));
    api.kubectl("drain lab-crash-worker3");
    let node = "node/lab-crash-worker3".to_owned();
    assert_eq!(told(&sandbox), (vec![node], with));

    let (api, sandbox) = up_to("drain");
    assert_eq!(told(&sandbox), (Vec::new(), None), "{:?}", api.effects());
}
