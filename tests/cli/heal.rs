//! Open faults: reported by what only looks, taken back by what changes.

use std::fs;

use labctl::{
    event::{EventKind, RunOutcome, Verb},
    spec::{Facts, StepId, Undo, action::Node},
};
use serde_json::{Value, json};

use crate::support::{
    Act, Api, CONTAINERS, Sandbox, Seeded, fact, is_alive, named, rule, run_finished, signal,
    verified, wait_for,
};

const LAB: &str = "lab: faulty
title: Two nodes are drained
level: beginner
time: 10m
steps:
- {id: look, title: Look, do: observe, expect: {within: 5s, all: [{nodes-ready: {count: 1}}]}, \
  record: {one: {pod: p-1}, two: {pod: p-2}}}
- {id: one, title: One, do: {drain: {node-of: one}}, undo: {uncordon: {node-of: one}}, until: last}
- {id: two, title: Two, do: {drain: {node-of: two}}, undo: {uncordon: {node-of: two}}, until: last}
- {id: last, title: Last, do: observe}
";
const UID: &str = "uid-of-kube-system";

fn injected(step: &str) -> EventKind {
    EventKind::StepStarted {
        step: step.into(),
        fingerprint: "f".into(),
        reason: "it was not done yet".into(),
        undo: Some(Undo::Uncordon(Node::NodeOf(step.into()))),
        held: false,
    }
}

/// An environment whose two faults are open; what they broke was seen to be broken by runs that
/// ended well.
fn two_faults(sandbox: &Sandbox) -> Seeded {
    let dir = sandbox.path("work/faulty");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("lab.yaml"), LAB).unwrap();
    let facts: Facts = [("one", "p-1"), ("two", "p-2")]
        .into_iter()
        .flat_map(|(name, pod)| {
            let mut facts = fact(name, pod, "c");
            facts.get_mut(name).unwrap().pod.as_mut().unwrap().node = format!("node-of-{pod}");
            facts
        })
        .collect();
    let seeded = Seeded::new(sandbox, "lab-faulty", "faulty").with_cluster(&["c0ffee0000000000"]);
    let up = seeded.run_started(Verb::Up);
    seeded.journal([
        up,
        verified("look", facts),
        injected("one"),
        verified("one", Facts::new()),
        injected("two"),
        verified("two", Facts::new()),
        run_finished(RunOutcome::Passed),
    ])
}

/// The same on a cluster that answers.
fn answering(sandbox: &Sandbox, uid: &str, pods: Value, budgets: Value) -> Seeded {
    let seeded = two_faults(sandbox);
    let api = Api::of(uid, pods, budgets);
    let kubeconfig = named(&api.kubeconfig(), seeded.environment.name());
    fs::write(seeded.environment.kubeconfig(), kubeconfig).unwrap();
    sandbox.fakes.put(CONTAINERS, "c0ffee0000000000\n");
    // It answers as long as the tests run.
    std::mem::forget(api);
    seeded
}

fn well(sandbox: &Sandbox) -> Seeded {
    answering(sandbox, UID, json!([]), json!([]))
}

/// What kubectl was told, without where.
fn told(sandbox: &Sandbox) -> Vec<String> {
    let calls = sandbox.fakes.calls_of("kubectl", "--kubeconfig");
    calls.iter().map(|call| call.args[4..].join(" ")).collect()
}

fn open(sandbox: &Sandbox) -> Vec<StepId> {
    sandbox.run_state("lab-faulty").faults.steps()
}

#[test]
fn all_are_taken_back_the_last_first_and_their_steps_are_to_be_done_again() {
    let sandbox = Sandbox::new();
    well(&sandbox);
    let status = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(status[0]["open-faults"], json!(["one", "two"]));
    assert_eq!(status[0]["cursor"], "two");
    let heal = sandbox
        .labctl("heal lab-faulty")
        .run()
        .exits(0)
        .answers_nothing();
    heal.tells("two fault taken back before its time; to be done again: two")
        .tells("one fault taken back before its time; to be done again: one");
    let uncordons = ["uncordon node-of-p-2", "uncordon node-of-p-1"];
    assert_eq!(told(&sandbox), uncordons);
    let state = sandbox.run_state("lab-faulty");
    assert_eq!(state.cursor.as_deref(), Some("look"));
    assert_eq!(state.faults.steps(), [""; 0]);
    // And once more: nothing is open, and nothing is done.
    sandbox
        .labctl("heal lab-faulty")
        .run()
        .exits(0)
        .tells("no fault is open; there is nothing to take back");
    assert_eq!(told(&sandbox), uncordons);
}

#[test]
fn one_that_cannot_be_taken_back_stays_open_and_keeps_no_other_from_it() {
    let sandbox = Sandbox::new();
    well(&sandbox);
    let gone = [Act::Err("Error: node not found".into()), Act::Exit(1)];
    let stuck = rule(
        "kubectl",
        "--kubeconfig * --context * uncordon node-of-p-2",
        gone,
    );
    sandbox.fakes.obey([stuck]);
    sandbox
        .labctl("heal lab-faulty")
        .run()
        .exits(1)
        .tells("failed to take back the fault of step two")
        .tells("labctl heal faulty");
    assert_eq!(told(&sandbox).len(), 2, "the other was tried");
    assert_eq!(open(&sandbox), ["two"]);
    // The next command that changes something tries again before all else; what looks does not.
    sandbox.labctl("status").run().exits(0).answers("two");
    assert_eq!(told(&sandbox).len(), 2);
    for (n, verb) in ["next", "up faulty"].into_iter().enumerate() {
        sandbox
            .labctl(verb)
            .run()
            .exits(1)
            .tells("failed to take back the fault of step two");
        assert_eq!(told(&sandbox).len(), 3 + n);
    }
    sandbox.fakes.obey([]);
    sandbox.labctl("heal lab-faulty").run().exits(0);
    assert_eq!(open(&sandbox), [""; 0]);
}

#[test]
fn both_that_cannot_be_taken_back_are_reported() {
    let sandbox = Sandbox::new();
    well(&sandbox);
    let refused = rule(
        "kubectl",
        "--kubeconfig * --context * uncordon",
        [Act::Exit(1)],
    );
    sandbox.fakes.obey([refused]);
    let heal = sandbox.labctl("heal lab-faulty").run().exits(1);
    heal.tells("failed to take back the faults of steps two, one")
        .tells("uncordon node-of-p-2")
        .tells("uncordon node-of-p-1");
    assert_eq!(open(&sandbox), ["one", "two"]);
}

#[test]
fn in_another_cluster_nothing_is_taken_back() {
    let sandbox = Sandbox::new();
    answering(&sandbox, "another uid", json!([]), json!([]));
    let heal = sandbox.labctl("heal lab-faulty").run().exits(7);
    heal.tells("another uid");
    assert_eq!(told(&sandbox), [""; 0]);
    assert_eq!(open(&sandbox), ["one", "two"]);
}

#[test]
fn what_cannot_be_asked_cannot_be_healed_and_says_so() {
    let sandbox = Sandbox::new();
    two_faults(&sandbox);
    sandbox.labctl("heal lab-faulty").run().exits(5);
    assert_eq!(told(&sandbox), [""; 0]);
    assert_eq!(open(&sandbox), ["one", "two"]);
}

#[test]
fn evictions_that_were_cut_short_are_taken_back_with_the_drain() {
    let sandbox = Sandbox::new();
    let pods = json!([{
        "metadata": {"namespace": "lab", "name": "p-2", "uid": "u"},
        "spec": {"nodeName": "node-of-p-2", "containers": []},
    }]);
    let budgets = json!([{
        "metadata": {"namespace": "lab", "name": "budget"},
        "spec": {},
        "status": {
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 1,
            "disruptedPods": {"p-2": "2026-01-01T00:00:00Z"},
        },
    }]);
    answering(&sandbox, UID, pods, budgets);
    sandbox.labctl("heal lab-faulty").run().exits(0);
    let patch = r#"patch poddisruptionbudget budget --namespace lab --subresource=status --type=merge --patch {"status":{"disruptedPods":{"p-2":null}}}"#;
    let told = told(&sandbox);
    assert_eq!(
        told,
        ["uncordon node-of-p-2", patch, "uncordon node-of-p-1"]
    );
}

#[test]
fn while_another_labctl_is_at_work_nothing_is_healed() {
    let sandbox = Sandbox::new();
    well(&sandbox);
    let hang = [Act::Write("hangs".into(), String::new()), Act::Hang];
    sandbox.fakes.obey([rule("kubectl", "--kubeconfig", hang)]);
    let first = sandbox.labctl("heal lab-faulty").start();
    wait_for("kubectl to hang", || sandbox.fakes.has("hangs"));
    sandbox.labctl("heal lab-faulty").run().exits(6);
    // Killed in the middle, it leaves the fault open; it is taken back once more.
    let kubectl = sandbox.fakes.calls_of("kubectl", "--kubeconfig")[0].pid;
    sandbox.is_journalled("lab-faulty", kubectl);
    signal(first.pid(), rustix::process::Signal::KILL);
    first.finish().exits(-9);
    sandbox.fakes.obey([]);
    sandbox.fakes.forget();
    sandbox.labctl("heal lab-faulty").run().exits(0);
    assert!(!is_alive(kubectl));
    assert_eq!(
        told(&sandbox),
        ["uncordon node-of-p-2", "uncordon node-of-p-1"]
    );
}
