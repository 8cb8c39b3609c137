//! A cluster that was made and whose workers never joined, on a make-believe cluster.

use std::time::Duration;

use jiff::Timestamp;
use labctl::{
    event::{Event, EventKind, Failure, Outcome, Rewound},
    state::Journal,
};
use serde_json::json;

use crate::support::{Act, Api, STARTS, Sandbox, on_the_cluster, rule};

const WORKER: &str = "c0ffee1111111111";

fn node(api: &Api, name: &str, ready: &str) {
    let condition = json!({"type": "Ready", "status": ready,
        "lastHeartbeatTime": "2026-06-01T00:00:00Z"});
    api.put(
        "/api/v1/nodes",
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name},
            "spec": {}, "status": {"conditions": [condition]}}),
    );
}

/// An environment whose first step has failed: one of its nodes is not Ready.
fn not_joined() -> (Sandbox, Api) {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox.labctl("up crash --to cluster").run().exits(0);
    let path = sandbox.environment("lab-crash").join("journal.jsonl");
    let (mut journal, replayed) = Journal::open(&path).unwrap();
    let kinds = [
        EventKind::Rewound {
            to: None,
            rewound: Rewound {
                cursor: None,
                steps: vec!["cluster".into()],
            },
        },
        EventKind::StepFinished {
            step: "cluster".into(),
            outcome: Outcome::Failed(Failure::new("nodes-ready 4 did not hold within 180 s")),
            took: Duration::from_mins(3),
        },
    ];
    for (seq, event) in (replayed.replayed.state.seq + 1..).zip(kinds) {
        let at = Timestamp::now();
        journal.append(&Event { seq, at, event }).unwrap();
    }
    node(&api, "lab-crash-control-plane", "True");
    node(&api, "lab-crash-worker", "False");
    let started = "/lab-crash-control-plane 2026-01-01T00:00:00Z\n\
                   /lab-crash-worker 2026-01-01T00:00:00Z\n";
    sandbox.fakes.put(STARTS, started);
    let mut rules = on_the_cluster(&api.address());
    rules.push(rule("docker", "port", [Act::Out(api.address())]));
    sandbox.fakes.obey(rules);
    (sandbox, api)
}

fn restarted(sandbox: &Sandbox) -> Vec<String> {
    let calls = sandbox.fakes.calls_of("docker", "exec");
    let mut restarts: Vec<String> = calls.iter().map(|call| call.args.join(" ")).collect();
    restarts.retain(|call| call.ends_with("systemctl restart kubelet"));
    restarts
}

#[test]
fn up_again_restarts_the_kubelets_and_says_when_that_does_not_help() {
    let (sandbox, api) = not_joined();
    let up = sandbox
        .labctl("up crash --timeout-scale 0.1")
        .run()
        .exits(1);
    up.tells("not all of its nodes joined it")
        .tells("restarting their kubelets did not help; only `labctl reset")
        .tells("--hard`");
    let restart = format!("exec {WORKER} systemctl restart kubelet");
    assert_eq!(restarted(&sandbox), [restart], "that of the node alone");
    // Where it helps, that is all that there is to do.
    node(&api, "lab-crash-worker", "True");
    sandbox.labctl("up crash --to cluster").run().exits(0);
    let state = sandbox.run_state("lab-crash");
    assert_eq!(state.cursor.as_deref(), Some("cluster"));
    assert_eq!(api.count("create cluster"), 1);
}

#[test]
fn reset_hard_makes_a_cluster_anew_at_which_no_step_held() {
    let (sandbox, api) = not_joined();
    sandbox.labctl("reset crash").run().exits(5);
    sandbox.labctl("reset crash --hard").run().exits(0);
    let state = sandbox.run_state("lab-crash");
    assert_eq!(state.cursor.as_deref(), Some("cluster"));
    assert_eq!(api.count("create cluster"), 2);
}
