//! A labctl that is killed while kind makes the cluster: kind goes on by itself. The next command
//! ends it instead of racing it, removes what it made, and needs no help.

use std::{
    os::unix::process::CommandExt,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{Act, Sandbox, created, is_alive, rule, signal, wait_for};

/// Sooner than anything is waited for that does not end when it is asked to.
const SOON: Duration = Duration::from_secs(9);

/// Kills an `up` whose `kind create` hangs; returns the process id of that.
fn killed_up(sandbox: &Sandbox) -> u32 {
    let mut acts = created();
    acts.extend([Act::Write("hangs".into(), String::new()), Act::Hang]);
    sandbox.fakes.obey([rule("kind", "create", acts)]);
    let up = sandbox.labctl("up small").start();
    wait_for("kind to hang", || sandbox.fakes.has("hangs"));
    let kind = sandbox.fakes.calls_of("kind", "create")[0].pid;
    sandbox.is_journalled("lab-small", kind);
    signal(up.pid(), Signal::KILL);
    up.finish().exits(-9);
    assert!(is_alive(kind), "kind outlives labctl");
    sandbox.fakes.obey([]);
    sandbox.fakes.forget();
    kind
}

#[test]
fn the_next_up_ends_it_removes_what_it_made_and_begins_anew() {
    let sandbox = Sandbox::new().with_small_lab();
    let kind = killed_up(&sandbox);
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    let answer = sandbox.labctl("up small").run();
    insta::assert_snapshot!(answer.whole, @r#"
    exit 1
    --- stderr
    ended `kind` (process <PID>), which an interrupted `labctl` had left running
    lab small A small lab → environment lab-small
    note: the cluster "lab-small" was left half made by an interrupted run; it is removed first
      $ docker rm --force --volumes c0ffee0000000000 c0ffee1111111111
      $ docker network rm 0ddba11
      cluster deleted

    ▸ 1/3 cluster  Create a cluster
      $ docker network create --driver bridge --label labctl.dev/environment=<ID> --label labctl.dev/cluster=lab-small --opt com.docker.network.bridge.enable_ip_masquerade=true --ipv6 --subnet <SUBNET> labctl-lab-small-<ID>
      $ KIND_EXPERIMENTAL_DOCKER_NETWORK=labctl-lab-small-<ID> kind create cluster --name lab-small --retain --config <TMP>/state/labctl/envs/lab-small/kind.yaml --kubeconfig <TMP>/state/labctl/envs/lab-small/kubeconfig
      $ docker network rm 0ddba11
      cluster deleted
    ✗ cluster  failed after <N> s

    error: failed to create cluster "lab-small"
      caused by: `KIND_EXPERIMENTAL_DOCKER_NETWORK=labctl-lab-small-<ID> kind create cluster
                 --name lab-small --retain --config
                 <TMP>/state/labctl/envs/lab-small/kind.yaml --kubeconfig
                 <TMP>/state/labctl/envs/lab-small/kubeconfig` exited with code 1

    small is not up after <N> s: failed to create cluster "lab-small" in step cluster
    (0 of 3 steps hold)
    next: `labctl up small` goes on at cluster
    "#);
    answer.exits(1);
    assert!(!is_alive(kind));
    assert_eq!(
        sandbox.fakes.changes(),
        [
            "docker rm",
            "docker network rm",
            "docker network create",
            "kind create",
            "docker network rm"
        ]
    );
}

#[test]
fn down_ends_it_and_leaves_nothing() {
    let sandbox = Sandbox::new().with_small_lab();
    let kind = killed_up(&sandbox);
    let answer = sandbox
        .labctl("down small")
        .run()
        .exits(0)
        .answers_nothing();
    answer.tells("ended `kind`");
    assert!(!is_alive(kind));
    assert_eq!(sandbox.fakes.changes(), ["docker rm", "docker network rm"]);
    assert!(!sandbox.environment("lab-small").exists());
    assert!(!sandbox.fakes.has("containers") && !sandbox.fakes.has("networks"));
}

#[test]
fn status_says_that_the_run_was_interrupted_and_ends_nothing() {
    let sandbox = Sandbox::new().with_small_lab();
    let kind = killed_up(&sandbox);
    let answer = sandbox.labctl("status").run().exits(0);
    answer.answers("was interrupted").answers("labctl up small");
    let json = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(json[0]["interrupted"], true);
    sandbox.labctl("logs small").run().exits(0);
    assert!(is_alive(kind), "looking changes nothing");
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn a_process_that_only_has_its_number_is_not_ended() {
    use labctl::event::{Child, EventKind};
    let sandbox = Sandbox::new().with_small_lab();
    // A process of somebody else's, to which the number of a child was given again.
    let mut other = std::process::Command::new("/bin/sleep")
        .arg("60")
        .process_group(0)
        .spawn()
        .unwrap();
    let child = |started| EventKind::ChildStarted {
        child: Child {
            program: "kind".into(),
            group: other.id(),
            started,
        },
    };
    crate::support::Seeded::new(&sandbox, "lab-small", "small").journal([
        EventKind::ClusterIntended {
            name: "lab-small".into(),
        },
        child(1),
        child(0),
    ]);
    sandbox.labctl("down small").run().exits(0);
    let survived = is_alive(other.id());
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(survived, "its start time is another one");
}

/// Killed at any moment, `up` leaves what the next command can go on with: the moments are those
/// between two calls of a tool.
#[test]
fn killed_between_any_two_calls_the_next_down_leaves_nothing() {
    for (program, args) in [
        ("docker", "ps"),
        ("docker", "network ls"),
        ("kind", "create"),
        ("docker", "rm"),
        ("docker", "network rm"),
    ] {
        let sandbox = Sandbox::new().with_small_lab();
        let here = [Act::Write("here".into(), String::new()), Act::Hang];
        sandbox.fakes.obey([rule(program, args, here)]);
        let up = sandbox.labctl("up small").start();
        wait_for(&format!("{program} {args}"), || sandbox.fakes.has("here"));
        signal(up.pid(), Signal::KILL);
        up.finish().exits(-9);
        // What it left running is found, although only some of it is journalled.
        let left = sandbox.fakes.calls_of(program, args);
        let left: Vec<u32> = left.iter().map(|call| call.pid).collect();
        let began = Instant::now();
        sandbox.fakes.obey([]);
        sandbox.labctl("down small").run().exits(0);
        assert!(
            !left.iter().any(|pid| is_alive(*pid)),
            "killed in {program} {args}"
        );
        assert!(began.elapsed() < SOON, "killed in {program} {args}");
        let left = (
            sandbox.fakes.has("containers"),
            sandbox.fakes.has("networks"),
        );
        assert_eq!(left, (false, false), "killed in {program} {args}");
        sandbox.has_no_environment();
    }
}

#[test]
fn a_child_that_was_not_yet_journalled_is_found_by_the_lock_it_inherited() {
    for (verb, ended) in [("down", 0), ("up", 1)] {
        let sandbox = Sandbox::new().with_small_lab();
        let hangs = [Act::Write("hangs".into(), String::new()), Act::Hang];
        sandbox.fakes.obey([rule("kind", "create", hangs)]);
        let up = sandbox.labctl("up small");
        let up = up.env("LABCTL_FAILPOINT", "before child-started 2").run();
        up.exits(-9);
        wait_for("kind to hang", || sandbox.fakes.has("hangs"));
        let kind = sandbox.fakes.calls_of("kind", "create")[0].pid;
        assert_eq!(sandbox.run_state("lab-small").children, []);
        sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
        let began = Instant::now();
        let next = sandbox.labctl(&format!("{verb} small")).run().exits(ended);
        next.tells(&format!(
            "ended `kind` (process {kind}), which an interrupted"
        ));
        assert!(began.elapsed() < SOON);
        assert!(!is_alive(kind));
    }
}

#[test]
fn programs_are_told_what_was_ended_as_an_event_outside_of_the_run() {
    let sandbox = Sandbox::new().with_small_lab();
    killed_up(&sandbox);
    let down = sandbox.labctl("down small --output json").run().exits(0);
    let events = down.tells_nothing().events();
    let first = serde_json::to_value(&events[0]).unwrap();
    assert_eq!(first["seq"], 0);
    let text = first["event"]["notice"]["text"].as_str().unwrap();
    assert!(text.starts_with("ended `kind`"), "{text}");
    assert!(events[1].seq > 0);
}
