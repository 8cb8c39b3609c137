//! Making the cluster: what kind is told, and what is left when it fails.

use labctl::event::{EventKind, Outcome, RunOutcome};

use crate::support::{Act, Sandbox, created, rule};

/// `kind create` fails after it made a part of the cluster.
fn kind_fails() -> Vec<Act> {
    let mut acts = created();
    acts.extend([
        Act::Err("Creating cluster \"lab-small\" ...".into()),
        Act::Err(" \u{1b}[32m✓\u{1b}[0m Ensuring node image (kindest/node:v1.34.0)".into()),
        Act::Err(" ✗ Preparing nodes".into()),
        Act::Err("ERROR: failed to create cluster: port 6443 is in use".into()),
        Act::Exit(1),
    ]);
    acts
}

#[test]
fn a_kind_that_fails_is_quoted_and_nothing_of_the_cluster_is_left() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", kind_fails())]);
    let answer = sandbox.labctl("up small").run();
    insta::assert_snapshot!(answer.whole, @r#"
    exit 1
    --- stderr
    lab small A small lab → environment lab-small

    ▸ 1/3 cluster  Create a cluster
      $ docker network create --driver bridge --label labctl.dev/environment=<ID> --label labctl.dev/cluster=lab-small --opt com.docker.network.bridge.enable_ip_masquerade=true --ipv6 --subnet <SUBNET> labctl-lab-small-<ID>
      $ KIND_EXPERIMENTAL_DOCKER_NETWORK=labctl-lab-small-<ID> kind create cluster --name lab-small --retain --config <TMP>/state/labctl/envs/lab-small/kind.yaml --kubeconfig <TMP>/state/labctl/envs/lab-small/kubeconfig
      $ docker rm --force --volumes c0ffee0000000000 c0ffee1111111111
      $ docker network rm 0ddba11
      cluster deleted
    ✗ cluster  failed after <N> s

    error: failed to create cluster "lab-small"
      caused by: `KIND_EXPERIMENTAL_DOCKER_NETWORK=labctl-lab-small-<ID> kind create cluster
                 --name lab-small --retain --config
                 <TMP>/state/labctl/envs/lab-small/kind.yaml --kubeconfig
                 <TMP>/state/labctl/envs/lab-small/kubeconfig` exited with code 1
      │ Creating cluster "lab-small" ...
      │  ✓ Ensuring node image (kindest/node:v1.34.0)
      │  ✗ Preparing nodes
      │ ERROR: failed to create cluster: port 6443 is in use

    small is not up after <N> s: failed to create cluster "lab-small" in step cluster
    (0 of 3 steps hold)
    next: `labctl up small` goes on at cluster
    "#);
    answer.exits(1).answers_nothing();
    assert_eq!(
        sandbox.fakes.changes(),
        [
            "docker network create",
            "kind create",
            "docker rm",
            "docker network rm"
        ]
    );
    assert!(!sandbox.fakes.has("containers") && !sandbox.fakes.has("networks"));

    let state = sandbox.run_state("lab-small");
    assert_eq!(
        (&state.cluster, &state.intended_cluster, &state.cursor),
        (&None, &None, &None)
    );
    assert_eq!(state.children, [], "all that was started has ended");
    let (_, _, outcome) = state.last_run.unwrap();
    assert_eq!(outcome, Some(RunOutcome::Failed));
    let Some(Outcome::Failed(failure)) = &state.steps["cluster"].outcome else {
        panic!("{:?}", state.steps);
    };
    assert_eq!(failure.summary, "failed to create cluster \"lab-small\"");
    assert_eq!(
        failure.tail.last().unwrap(),
        "ERROR: failed to create cluster: port 6443 is in use"
    );

    // The next one begins anew.
    sandbox.fakes.forget();
    sandbox.labctl("up small").run().exits(1);
    assert_eq!(
        sandbox.fakes.changes(),
        [
            "docker network create",
            "kind create",
            "docker rm",
            "docker network rm"
        ]
    );
}

#[test]
fn after_a_kind_that_failed_down_leaves_nothing() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", kind_fails())]);
    sandbox.labctl("up small").run().exits(1);
    let status = sandbox
        .labctl("status small --output json")
        .run()
        .exits(0)
        .json();
    assert_eq!(status[0]["cluster"], "none");
    assert_eq!(status[0]["interrupted"], false);
    sandbox.fakes.forget();
    sandbox.labctl("down small").run().exits(0);
    assert_eq!(
        sandbox.fakes.changes(),
        [""; 0],
        "there was nothing to delete"
    );
    assert!(!sandbox.environment("lab-small").exists());
}

#[test]
fn a_cluster_that_cannot_be_removed_is_not_forgotten() {
    let sandbox = Sandbox::new().with_small_lab();
    let stuck = [
        Act::Err("ERROR: failed to delete nodes".into()),
        Act::Exit(1),
    ];
    sandbox.fakes.obey([
        rule("kind", "create", kind_fails()),
        rule("docker", "rm", stuck),
    ]);
    let answer = sandbox.labctl("up small").run().exits(1);
    answer.tells("the half-made cluster could not be removed");
    let state = sandbox.run_state("lab-small");
    assert_eq!(state.intended_cluster.as_deref(), Some("lab-small"));
    // `down` tries again, fails, and says so; the environment stays.
    sandbox
        .labctl("down small")
        .run()
        .exits(1)
        .tells("failed to delete nodes");
    assert!(sandbox.environment("lab-small").exists());
    // The next `up` removes it first.
    sandbox.fakes.obey([rule("kind", "create", kind_fails())]);
    sandbox.fakes.forget();
    sandbox
        .labctl("up small")
        .run()
        .exits(1)
        .tells("left half made");
    assert_eq!(
        sandbox.fakes.changes(),
        [
            "docker rm",
            "docker network rm",
            "docker network create",
            "kind create",
            "docker rm",
            "docker network rm"
        ]
    );
}

#[test]
fn every_tool_is_told_explicitly_which_cluster_and_network() {
    let sandbox = Sandbox::new().with_small_lab();
    // There is no API server: the run ends after kind.
    sandbox.labctl("up small").run().exits(5);
    let dir = sandbox.environment("lab-small").display().to_string();
    let kubeconfig = format!("{dir}/kubeconfig");
    let follows = |args: &[String], flag: &str| {
        let at = args.iter().position(|arg| arg == flag);
        at.map(|at| args[at + 1].clone())
    };
    let calls = sandbox.fakes.calls();
    let kinds: Vec<_> = calls
        .iter()
        .filter(|c| c.program == "kind" && c.args[0] != "version")
        .collect();
    assert_eq!(kinds.len(), 1, "{calls:#?}");
    for call in kinds {
        assert_eq!(follows(&call.args, "--name").as_deref(), Some("lab-small"));
        assert_eq!(
            follows(&call.args, "--kubeconfig").as_ref(),
            Some(&kubeconfig)
        );
        let network = &call.env["KIND_EXPERIMENTAL_DOCKER_NETWORK"];
        assert!(network.starts_with("labctl-lab-small-"), "{network}");
        let made = sandbox.fakes.calls_of("docker", "network create");
        assert_eq!(made[0].args.last(), Some(network));
    }
    // Nothing was written to where the user's own cluster is.
    assert_eq!(sandbox.files("home"), [""; 0]);
}

#[test]
fn kind_is_given_the_configuration_that_plan_showed() {
    let sandbox = Sandbox::new().with_small_lab();
    let plan = sandbox.labctl("plan small --output json").run().json();
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    sandbox.labctl("up small").run().exits(1);
    let planned = &plan[0]["files"][0];
    let config = std::fs::read_to_string(planned["path"].as_str().unwrap()).unwrap();
    assert_eq!(planned["text"], config.as_str());
    let create = &sandbox.fakes.calls_of("kind", "create")[0];
    let line = plan[0]["commands"][1].as_str().unwrap().to_owned();
    assert!(line.ends_with(&create.args.join(" ")), "{line}\n{create:?}");
}

#[test]
fn a_cluster_that_does_not_answer_is_removed_again() {
    let sandbox = Sandbox::new().with_small_lab();
    let answer = sandbox.labctl("up small").run();
    insta::assert_snapshot!(answer.whole, @r#"
    exit 5
    --- stderr
    lab small A small lab → environment lab-small

    ▸ 1/3 cluster  Create a cluster
      $ docker network create --driver bridge --label labctl.dev/environment=<ID> --label labctl.dev/cluster=lab-small --opt com.docker.network.bridge.enable_ip_masquerade=true --ipv6 --subnet <SUBNET> labctl-lab-small-<ID>
      $ KIND_EXPERIMENTAL_DOCKER_NETWORK=labctl-lab-small-<ID> kind create cluster --name lab-small --retain --config <TMP>/state/labctl/envs/lab-small/kind.yaml --kubeconfig <TMP>/state/labctl/envs/lab-small/kubeconfig
      $ docker rm --force --volumes c0ffee0000000000 c0ffee1111111111
      $ docker network rm 0ddba11
      cluster deleted

    small is not up after <N> s: its cluster does not answer (0 of 3 steps hold)
    next: `labctl status` shows how its nodes stand

    error: the cluster of the environment "lab-small" cannot be asked
      caused by: the cluster's API server does not answer: Connection refused (os error 111)

    hint: `labctl status` shows how it stands; `labctl down small && labctl up small` makes it anew
    "#);
    assert_eq!(
        sandbox.fakes.changes(),
        [
            "docker network create",
            "kind create",
            "docker rm",
            "docker network rm"
        ]
    );
    assert!(!sandbox.fakes.has("containers"));
    let state = sandbox.run_state("lab-small");
    assert_eq!((state.cluster, state.intended_cluster), (None, None));
}

#[test]
fn a_grandchild_that_keeps_the_output_open_does_not_hold_the_run_up() {
    let sandbox = Sandbox::new().with_small_lab();
    let mut acts = vec![Act::Grandchild("grandchild".into())];
    acts.extend(kind_fails());
    sandbox.fakes.obey([rule("kind", "create", acts)]);
    sandbox
        .labctl("up small")
        .run()
        .exits(1)
        .tells("port 6443 is in use");
}

#[test]
fn what_was_decided_is_journalled_before_kind_is_called() {
    let sandbox = Sandbox::new().with_small_lab();
    let kept = [
        Act::Write("called".into(), String::new()),
        Act::Await("go on".into()),
        Act::Exit(1),
    ];
    sandbox.fakes.obey([rule("kind", "create", kept)]);
    let up = sandbox.labctl("up small").start();
    crate::support::wait_for("kind to be called", || sandbox.fakes.has("called"));
    let state = sandbox.run_state("lab-small");
    assert_eq!(state.intended_cluster.as_deref(), Some("lab-small"));
    assert!(state.steps["cluster"].begun);
    sandbox.fakes.put("go on", "");
    up.finish().exits(1);
}

#[test]
fn json_tells_the_same_failure_as_data() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", kind_fails())]);
    let events = sandbox
        .labctl("up small --output json")
        .run()
        .exits(1)
        .tells_nothing()
        .events();
    let failed = events.iter().find_map(|event| match &event.event {
        EventKind::StepFinished {
            step,
            outcome: Outcome::Failed(failure),
            ..
        } => Some((step.as_str(), failure.tail.last().unwrap().as_str())),
        _ => None,
    });
    assert_eq!(
        failed,
        Some((
            "cluster",
            "ERROR: failed to create cluster: port 6443 is in use"
        ))
    );
}
