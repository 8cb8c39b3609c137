//! A cluster that does not answer, or whose kubeconfig is not to be trusted: nothing passes.

use std::fs;

use labctl::spec::Facts;

use crate::support::{CONTAINERS, STARTS, Sandbox, Seeded, fact, signal, verified};

/// Lab 10.3 up to its drain, on a cluster that does not answer.
fn half_way(sandbox: &Sandbox) -> Seeded {
    Seeded::of_10_3(sandbox)
        .with_cluster(&["c0ffee0000000000"])
        .journal([
            verified("statefulset", Facts::new()),
            verified("database", fact("before", "postgres-0", "data-postgres-0")),
            verified("kill-pod", Facts::new()),
        ])
}

/// The statuses of all verdicts, and of all steps.
fn statuses(json: &serde_json::Value) -> (Vec<String>, Vec<String>) {
    let (mut verdicts, mut steps) = (Vec::new(), Vec::new());
    for step in json["steps"].as_array().unwrap() {
        let state = &step["state"];
        steps.push(
            state
                .as_str()
                .map_or_else(|| state.to_string(), ToOwned::to_owned),
        );
        for verdict in step["verdicts"].as_array().into_iter().flatten() {
            verdicts.push(verdict["status"].as_str().unwrap().to_owned());
        }
    }
    (verdicts, steps)
}

#[test]
fn nothing_passes_on_a_cluster_that_does_not_answer() {
    let sandbox = Sandbox::new();
    half_way(&sandbox);
    let answer = sandbox
        .labctl("verify 10.3 --output json")
        .run()
        .exits(5)
        .tells_nothing();
    let json = answer.json();
    assert_eq!(json["outcome"], "unreachable");
    let (verdicts, steps) = statuses(&json);
    assert!(verdicts.len() >= 5, "{json:#}");
    assert!(
        verdicts.iter().all(|status| status == "unknown"),
        "{json:#}"
    );
    assert!(!steps.iter().any(|state| state == "held"), "{json:#}");
}

#[test]
fn what_a_student_sees_of_a_cluster_that_does_not_answer() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    sandbox.fakes.put(CONTAINERS, "c0ffee0000000000\n");
    insta::assert_snapshot!(sandbox.labctl("verify small").run().whole, @r#"
    exit 5
    --- stderr
    ? cluster  Create a cluster
      ? nodes-ready 4
        ? the cluster answers  expected an answer of its API server, is the cluster's API server does
                               not answer: Connection refused (os error 111)
    ? app      Start the application
      ? rollout-complete deployment/app
        ? the cluster answers  expected an answer of its API server, is the cluster's API server does
                               not answer: Connection refused (os error 111)
    · kill     not reached yet

    not verified: nodes-ready 4 cannot be told in step cluster, and 1 more; 0 of 2 steps hold, 1 not
                  reached (next: kill)

    hint: the cluster does not answer; `labctl start small` brings it back
    "#);
    insta::assert_snapshot!(sandbox.labctl("verify small --to cluster").run().whole, @r#"
    exit 5
    --- stderr
    ? cluster  Create a cluster
      ? nodes-ready 4
        ? the cluster answers  expected an answer of its API server, is the cluster's API server does
                               not answer: Connection refused (os error 111)

    not verified: nodes-ready 4 cannot be told in step cluster; 0 of 1 steps hold

    hint: the cluster does not answer; `labctl start small` brings it back
    "#);
    // Looking moved nothing.
    assert_eq!(
        sandbox.run_state("lab-small").cursor.as_deref(),
        Some("cluster")
    );
}

#[test]
fn before_there_is_a_cluster_verify_says_so() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    insta::assert_snapshot!(sandbox.labctl("verify small").run().whole, @r#"
    exit 5
    --- stderr
    error: the environment "lab-small" has no cluster yet

    hint: `labctl up small` makes it
    "#);
}

#[test]
fn up_on_a_cluster_that_does_not_answer_restarts_its_kubelets_and_makes_nothing_anew() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let container = "c0ffee0000000000 running control-plane lab-small-control-plane\n";
    sandbox.fakes.put(CONTAINERS, container);
    let start = "/lab-small-control-plane 2026-11-21T10:00:00.5Z\n";
    sandbox.fakes.put(STARTS, start);
    let up = sandbox
        .labctl("up small --timeout-scale 0.1")
        .run()
        .exits(5);
    up.tells("the cluster's containers run, and its API server does not answer")
        .tells("$ docker exec c0ffee0000000000 systemctl restart kubelet")
        .tells("small is not up after")
        .tells("caused by: the cluster's API server does not answer: nothing within 6 s")
        .tells("`labctl down small && labctl up small` makes it anew");
    let exec = &sandbox.fakes.calls_of("docker", "exec")[0].args;
    let restart = [
        "exec",
        "c0ffee0000000000",
        "systemctl",
        "restart",
        "kubelet",
    ];
    assert_eq!(*exec, restart);
    assert_eq!(
        sandbox.fakes.changes(),
        ["docker exec"],
        "a cluster is never made anew unasked"
    );
    assert!(sandbox.run_state("lab-small").cluster.is_some());
}

#[test]
fn a_kubeconfig_that_runs_a_program_is_refused() {
    let canary = |sandbox: &Sandbox| sandbox.path("canary");
    let exec = |sandbox: &Sandbox| {
        let script = format!("echo run >> {}", canary(sandbox).display());
        format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, \
             args: [-c, '{script}'], interactiveMode: Never}}"
        )
    };
    let provider = |sandbox: &Sandbox| {
        let path = sandbox.path("canary");
        format!(
            "auth-provider: {{name: gcp, config: {{cmd-path: /usr/bin/touch, cmd-args: '{}'}}}}",
            path.display()
        )
    };
    for plugin in [&exec as &dyn Fn(&Sandbox) -> String, &provider] {
        let sandbox = Sandbox::new().with_small_lab();
        let seeded = Seeded::new(&sandbox, "lab-small", "small");
        let seeded = seeded.with_cluster(&["c0ffee0000000000"]);
        let kubeconfig = seeded.environment.kubeconfig();
        let text = fs::read_to_string(&kubeconfig).unwrap();
        fs::write(&kubeconfig, text.replace("token: t", &plugin(&sandbox))).unwrap();
        for verb in ["verify small", "up small"] {
            let answer = sandbox.labctl(verb).run().exits(7).answers_nothing();
            answer.tells("runs a program to log in, which labctl refuses");
        }
        sandbox.labctl("status").run().exits(0);
        assert!(!canary(&sandbox).exists(), "{}", plugin(&sandbox));
        assert_eq!(sandbox.fakes.changes(), [""; 0]);
    }
}

#[test]
fn a_kubeconfig_that_is_gone_or_garbled_is_named() {
    let sandbox = Sandbox::new().with_small_lab();
    let seeded = Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    sandbox.fakes.put(CONTAINERS, "c0ffee0000000000\n");
    let kubeconfig = seeded.environment.kubeconfig();
    fs::write(&kubeconfig, "garbled: [").unwrap();
    let up = sandbox.labctl("up small").run().exits(5).answers_nothing();
    up.tells("lab-small/kubeconfig cannot be used");
    fs::remove_file(&kubeconfig).unwrap();
    sandbox
        .labctl("up small")
        .run()
        .exits(5)
        .tells("lab-small/kubeconfig cannot be used");
    sandbox
        .labctl("status small")
        .run()
        .exits(0)
        .answers("does not answer");
    // It can still be removed.
    sandbox.labctl("down small").run().exits(0);
}

/// A cluster that takes connections and never answers.
#[test]
fn a_cluster_that_hangs_is_not_waited_for_and_can_be_interrupted() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let sandbox = Sandbox::new().with_small_lab();
    let seeded = Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let kubeconfig = seeded.environment.kubeconfig();
    let text = fs::read_to_string(&kubeconfig).unwrap();
    fs::write(
        &kubeconfig,
        text.replace("127.0.0.1:1", &format!("127.0.0.1:{port}")),
    )
    .unwrap();
    let verify = sandbox.labctl("verify small").start();
    let connection = silent.accept().unwrap();
    let started = std::time::Instant::now();
    signal(verify.pid(), rustix::process::Signal::INT);
    verify.finish().exits(130);
    assert!(
        started.elapsed() < std::time::Duration::from_secs(4),
        "it was waited for"
    );
    drop((connection, silent));
    let status = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(status[0]["interrupted"], false);
}

#[test]
fn a_run_that_could_not_go_on_has_ended() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let events = sandbox
        .labctl("up small --output json")
        .run()
        .exits(5)
        .events();
    let last = serde_json::to_value(&events.last().unwrap().event).unwrap();
    assert_eq!(last["run-finished"]["outcome"], "unreachable");
    let status = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(status[0]["interrupted"], false, "{status:#}");
}
