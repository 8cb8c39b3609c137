//! What counts as done: not what happens to hold, and not a second time what shows that it was.

use crate::support::{API, Act, Api, CRASH_LAB, Sandbox, rule};

const ENVIRONMENT: &str = "lab-crash";

/// A world with [`CRASH_LAB`] up to the step `to`, with `change` made to the lab.
fn up_to(to: &str, change: (&str, &str)) -> (Api, Sandbox) {
    let api = Api::start();
    let sandbox = Sandbox::new().with_crash_lab(&api);
    let lab = CRASH_LAB.replace(change.0, change.1);
    assert_ne!(lab, CRASH_LAB, "nothing was changed");
    sandbox.write("crash/lab.yaml", &lab);
    let up = format!("up crash --to {to}");
    sandbox.labctl(&up).run().exits(0);
    (api, sandbox)
}

/// Step `write` expects what holds before it is done.
const EXPECTS_LITTLE: (&str, &str) = (
    "kind: ConfigMap, name: written, match: {data: {note: once}}",
    "kind: Pod, name: app-0",
);

#[test]
fn a_step_that_was_never_done_is_done_though_what_it_expects_holds() {
    let (api, sandbox) = up_to("app", EXPECTS_LITTLE);
    let up = sandbox.labctl("up crash --to write --output json").run();
    assert_eq!(api.count("exec"), 1, "{}", up.exits(0).whole);
    // Once it was seen to hold, it is left alone.
    sandbox.labctl("up crash --to write").run().exits(0);
    assert_eq!(api.count("exec"), 1);
}

#[test]
fn what_held_before_a_run_was_cut_short_does_not_show_that_it_was_done() {
    for (failpoint, by_then) in [("after step-started 1", 0), ("before applied 1", 1)] {
        let (api, sandbox) = up_to("app", EXPECTS_LITTLE);
        let up = sandbox.labctl("up crash --to write");
        let died = up.env("LABCTL_FAILPOINT", failpoint).run();
        assert_eq!((died.code, api.count("exec")), (-9, by_then), "{failpoint}");
        sandbox.labctl("up crash --to write").run().exits(0);
        assert_eq!(api.count("exec"), by_then + 1, "{failpoint}");
    }
    // Once its action came to its end, it is done.
    let (api, sandbox) = up_to("app", EXPECTS_LITTLE);
    let up = sandbox.labctl("up crash --to write");
    let died = up.env("LABCTL_FAILPOINT", "after applied 1").run();
    assert_eq!(died.code, -9);
    sandbox.labctl("up crash --to write").run().exits(0);
    assert_eq!(api.count("exec"), 1);
}

#[test]
fn an_action_that_failed_half_way_is_done_again() {
    let (api, sandbox) = up_to("app", ("Write something", "Write it"));
    // It writes what is looked at, and fails at something else.
    let fails = |acts: Vec<Act>| {
        let exec = rule("kubectl", "--kubeconfig * --context * exec", acts);
        sandbox.fakes.obey([exec]);
    };
    fails(vec![Act::Ask(API.into()), Act::Exit(1)]);
    sandbox.labctl("up crash --to write").run().exits(1);
    fails(vec![Act::Ask(API.into())]);
    sandbox.labctl("up crash --to write").run().exits(0);
    assert_eq!(api.count("exec"), 2);
}

#[test]
fn a_fault_that_expects_what_holds_anyway_is_injected() {
    let kill = (
        "pvc-reattached: {pod: app-0, since: before}",
        "rollout-complete: {of: statefulset/app}",
    );
    let (api, sandbox) = up_to("write", kill);
    sandbox.labctl("up crash --to kill").run().exits(0);
    assert_eq!(api.count("delete pod"), 1);
    let drain = (
        "api-version: v1, kind: Node, name: lab-crash-worker2, match: {spec: {unschedulable: true}}",
        "api-version: v1, kind: Pod, name: app-0",
    );
    let (api, sandbox) = up_to("kill", drain);
    sandbox.labctl("up crash --to drain").run().exits(0);
    assert_eq!(api.count("drain"), 1);
}

#[test]
fn a_fault_that_a_student_injected_is_not_injected_again() {
    let titled = ("Kill it", "Kill it yourself");
    let (api, sandbox) = up_to("write", titled);
    api.kubectl("delete pod app-0");
    sandbox
        .labctl("up crash --to kill")
        .run()
        .exits(0)
        .tells("it was done already, and what it expects holds");
    assert_eq!(api.count("delete pod"), 1);
    api.kubectl("drain lab-crash-worker2");
    sandbox.labctl("up crash --to drain").run().exits(0);
    assert_eq!(api.count("drain"), 1);
    // One that `verify` saw is done as well.
    let (api, sandbox) = up_to("write", titled);
    api.kubectl("delete pod app-0");
    sandbox.labctl("verify crash --to kill").run().exits(0);
    sandbox.labctl("up crash").run().exits(0);
    assert_eq!(api.count("delete pod"), 1);
    let state = sandbox.run_state(ENVIRONMENT);
    assert_eq!(state.cursor.as_deref(), Some("uncordon"));
}
