//! Signals: what was started ends with the run, a half-made cluster is removed, and the exit code
//! says which signal it was.

use rustix::process::Signal;

use crate::support::{Act, Sandbox, created, is_alive, rule, signal, wait_for};

/// A `kind create` that made a part of the cluster, started another process, and hangs.
fn hanging_kind() -> Vec<Act> {
    let mut acts = created();
    acts.extend([
        Act::Grandchild("grandchild".into()),
        Act::Write("hangs".into(), String::new()),
        Act::Hang,
    ]);
    acts
}

/// The same, not obeying TERM.
fn stubborn_kind() -> Vec<Act> {
    let mut acts = vec![Act::IgnoreTerm("was asked".into())];
    acts.extend(hanging_kind());
    acts
}

/// The process ids of the hanging `kind create` and of what it started.
fn hanging(sandbox: &Sandbox) -> [u32; 2] {
    wait_for("kind to hang", || sandbox.fakes.has("hangs"));
    let kind = sandbox.fakes.calls_of("kind", "create")[0].pid;
    [kind, sandbox.fakes.pid("grandchild")]
}

#[track_caller]
fn nothing_is_left(sandbox: &Sandbox, processes: [u32; 2]) {
    // The grandchild is nobody's child any more; the kernel may take a moment to be done with it.
    wait_for("what kind started to be gone", || {
        !processes.iter().any(|pid| is_alive(*pid))
    });
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
    assert_eq!((state.cluster, state.intended_cluster), (None, None));
    assert_eq!(state.children, []);
}

#[test]
fn a_signal_ends_the_run_and_removes_what_it_began() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let sandbox = Sandbox::new().with_small_lab();
        sandbox.fakes.obey([rule("kind", "create", hanging_kind())]);
        let up = sandbox.labctl("up small").start();
        let processes = hanging(&sandbox);
        signal(up.pid(), sent);
        up.finish().exits(code).answers_nothing();
        nothing_is_left(&sandbox, processes);
    }
}

#[test]
fn what_a_student_sees_of_an_interrupted_run() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", hanging_kind())]);
    let up = sandbox.labctl("up small").start();
    hanging(&sandbox);
    signal(up.pid(), Signal::INT);
    insta::assert_snapshot!(up.finish().whole, @r#"
    exit 130
    --- stderr
    lab small A small lab → environment lab-small

    ▸ 1/3 cluster  Create a cluster
      $ docker network create --driver bridge --label labctl.dev/environment=<ID> --label labctl.dev/cluster=lab-small --opt com.docker.network.bridge.enable_ip_masquerade=true --ipv6 --subnet <SUBNET> labctl-lab-small-<ID>
      $ KIND_EXPERIMENTAL_DOCKER_NETWORK=labctl-lab-small-<ID> kind create cluster --name lab-small --retain --config <TMP>/state/labctl/envs/lab-small/kind.yaml --kubeconfig <TMP>/state/labctl/envs/lab-small/kubeconfig
    signal 2: stopping; open faults are healed and running commands ended
              (Ctrl-C again ends them at once)
      $ docker rm --force --volumes c0ffee0000000000 c0ffee1111111111
      $ docker network rm 0ddba11
      cluster deleted
    ○ cluster  cancelled after <N> s

    small is not up after <N> s: interrupted by SIGINT (0 of 3 steps hold)
    next: `labctl up small` goes on at cluster
    "#);
    let status = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(
        status[0]["interrupted"], false,
        "the run ended in order: {status:#}"
    );
}

#[test]
fn a_second_signal_kills_what_does_not_obey_the_first() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox
        .fakes
        .obey([rule("kind", "create", stubborn_kind())]);
    let up = sandbox.labctl("up small").start();
    let processes = hanging(&sandbox);
    signal(up.pid(), Signal::INT);
    wait_for("kind to be asked to end", || sandbox.fakes.has("was asked"));
    assert!(is_alive(processes[0]), "it does not obey");
    let started = std::time::Instant::now();
    signal(up.pid(), Signal::INT);
    up.finish().exits(130);
    // Not after the grace time of the first signal.
    assert!(started.elapsed() < std::time::Duration::from_secs(8));
    nothing_is_left(&sandbox, processes);
}

#[test]
fn what_kind_started_goes_with_it_even_if_it_does_not_obey() {
    let sandbox = Sandbox::new().with_small_lab();
    let mut acts = created();
    acts.extend([
        Act::StubbornGrandchild("grandchild".into()),
        Act::Write("hangs".into(), String::new()),
        Act::Hang,
    ]);
    sandbox.fakes.obey([rule("kind", "create", acts)]);
    let up = sandbox.labctl("up small").start();
    let processes = hanging(&sandbox);
    signal(up.pid(), Signal::INT);
    // kind itself obeys; nobody is left who would wait for the other.
    up.finish().exits(130);
    nothing_is_left(&sandbox, processes);
}

#[test]
fn a_third_signal_ends_labctl_itself_and_the_next_command_finds_what_is_left() {
    let sandbox = Sandbox::new().with_small_lab();
    // Deleting hangs as well, and is not given up by the second signal.
    let stuck = [Act::Write("deletes".into(), String::new()), Act::Hang];
    sandbox.fakes.obey([
        rule("kind", "create", stubborn_kind()),
        rule("docker", "rm", stuck),
    ]);
    let up = sandbox.labctl("up small").start();
    hanging(&sandbox);
    signal(up.pid(), Signal::INT);
    wait_for("kind to be asked to end", || sandbox.fakes.has("was asked"));
    signal(up.pid(), Signal::INT);
    wait_for("the cluster to be deleted", || sandbox.fakes.has("deletes"));
    let deleting = sandbox.fakes.calls_of("docker", "rm")[0].pid;
    sandbox.is_journalled("lab-small", deleting);
    signal(up.pid(), Signal::INT);
    up.finish().exits(130);
    assert!(is_alive(deleting));

    sandbox.fakes.obey([]);
    sandbox.fakes.forget();
    sandbox.labctl("down small").run().exits(0);
    assert!(!is_alive(deleting));
    assert_eq!(sandbox.fakes.changes(), ["docker rm", "docker network rm"]);
    assert!(!sandbox.environment("lab-small").exists());
}

#[test]
fn json_ends_with_how_the_run_ended() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", hanging_kind())]);
    let up = sandbox.labctl("up small --output json").start();
    hanging(&sandbox);
    signal(up.pid(), Signal::TERM);
    let events = up.finish().exits(143).tells_nothing().events();
    let last = serde_json::to_value(&events.last().unwrap().event).unwrap();
    assert_eq!(
        last["run-finished"]["outcome"],
        serde_json::json!({"cancelled": {"signal": 15}})
    );
}

#[test]
fn a_signal_during_down_stops_it_and_nothing_is_forgotten() {
    let sandbox = Sandbox::new().with_small_lab();
    crate::support::Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    sandbox.fakes.put("containers", "c0ffee0000000000\n");
    let hang = [Act::Write("deletes".into(), String::new()), Act::Hang];
    sandbox.fakes.obey([rule("docker", "rm", hang)]);
    let down = sandbox.labctl("down small").start();
    wait_for("kind to be called", || sandbox.fakes.has("deletes"));
    signal(down.pid(), Signal::INT);
    down.finish().exits(130);
    assert!(sandbox.run_state("lab-small").cluster.is_some());
    // And once more, to its end.
    sandbox.fakes.obey([]);
    sandbox.labctl("down small").run().exits(0);
    assert!(!sandbox.environment("lab-small").exists());
}

#[test]
fn a_question_that_is_not_answered_can_be_interrupted() {
    for (program, args) in [("docker", "ps"), ("docker", "network ls")] {
        let sandbox = Sandbox::new().with_small_lab();
        let hangs = [Act::Write("asked".into(), String::new()), Act::Hang];
        sandbox.fakes.obey([rule(program, args, hangs)]);
        let up = sandbox.labctl("up small").start();
        wait_for("the question", || sandbox.fakes.has("asked"));
        let began = std::time::Instant::now();
        signal(up.pid(), Signal::INT);
        up.finish().exits(130);
        assert!(began.elapsed() < std::time::Duration::from_secs(8));
        let asked = sandbox.fakes.calls_of(program, args)[0].pid;
        assert!(!is_alive(asked));
        assert_eq!(sandbox.fakes.changes(), [""; 0]);
    }
}

#[test]
fn when_nobody_reads_any_more_what_is_undone_is_journalled_all_the_same() {
    let sandbox = Sandbox::new().with_small_lab();
    let mut acts = created();
    acts.extend([
        Act::Write("called".into(), String::new()),
        Act::Await("go on".into()),
        Act::Err("something that cannot be shown".into()),
        Act::Hang,
    ]);
    sandbox.fakes.obey([rule("kind", "create", acts)]);
    let (reader, writer) = std::io::pipe().unwrap();
    let up = sandbox.labctl("up small --output json").stdout(writer);
    let up = up.start();
    wait_for("kind to be called", || sandbox.fakes.has("called"));
    drop(reader);
    sandbox.fakes.put("go on", "");
    up.finish().exits(141);
    let state = sandbox.run_state("lab-small");
    assert_eq!(state.children, [], "each was seen to end");
    assert_eq!((state.cluster, state.intended_cluster), (None, None));
    let (_, _, ended) = state.last_run.unwrap();
    assert!(ended.is_some(), "the run ended in order");
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
fn the_third_signal_ends_a_labctl_that_is_stuck() {
    let sandbox = Sandbox::new().with_small_lab();
    let up = sandbox
        .labctl("up small")
        .env("LABCTL_FAILPOINT", "stuck cluster-intended 1");
    let mut up = up.start();
    wait_for("labctl to begin", || {
        sandbox.journal("lab-small").contains("step-started")
    });
    // Signals that come at the same time are one: they are sent until there were three.
    wait_for("its end", || {
        let runs = up.runs();
        if runs {
            signal(up.pid(), Signal::INT);
        }
        !runs
    });
    up.finish().exits(130);
}
