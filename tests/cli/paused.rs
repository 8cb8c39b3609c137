//! `stop`, `start`, and clusters whose containers do not run, are gone, or are somebody else's.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use labctl::event::EventKind;

use crate::support::{Act, CONTAINERS, NETWORKS, SEEDED_ID, Sandbox, Seeded, rule, seeded_network};

const IDS: [&str; 2] = ["c0ffee0000000000", "c0ffee1111111111"];
const RUNNING: &str = "\
c0ffee0000000000 running control-plane lab-small-control-plane
c0ffee1111111111 running worker lab-small-worker
";
const STOPPED: &str = "\
c0ffee0000000000 exited control-plane lab-small-control-plane
c0ffee1111111111 exited worker lab-small-worker
";

/// A small lab whose cluster has the containers [`IDS`], as `containers` shows them.
fn with_containers(containers: &str) -> Sandbox {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&IDS);
    sandbox.fakes.put(CONTAINERS, containers);
    sandbox
}

#[test]
fn stop_stops_the_recorded_containers_by_their_ids_and_says_so_again() {
    let sandbox = with_containers(RUNNING);
    let stops = Act::Write(CONTAINERS.into(), STOPPED.into());
    sandbox.fakes.obey([rule("docker", "stop", [stops])]);
    insta::assert_snapshot!(sandbox.labctl("stop small").run().whole, @r"
    exit 0
    --- stderr
    stopping lab small A small lab → environment lab-small
      $ docker stop c0ffee0000000000 c0ffee1111111111
      cluster stopped

    lab-small is stopped, <N> s
    ");
    assert_eq!(sandbox.fakes.changes(), ["docker stop"]);
    let stop = &sandbox.fakes.calls_of("docker", "stop")[0].args;
    assert_eq!(*stop, ["stop", IDS[0], IDS[1]]);
    assert!(sandbox.run_state("lab-small").stopped.is_some());

    let again = sandbox.labctl("stop small --output json").run().exits(0);
    let kinds: Vec<EventKind> = again.events().into_iter().map(|e| e.event).collect();
    assert!(!kinds.contains(&EventKind::ClusterStopped), "{kinds:?}");
    assert_eq!(sandbox.fakes.changes(), ["docker stop"], "once is enough");
}

#[test]
fn only_what_still_runs_is_stopped() {
    let sandbox = with_containers(&STOPPED.replacen("exited", "running", 1));
    sandbox.labctl("stop small").run().exits(0);
    let stop = &sandbox.fakes.calls_of("docker", "stop")[0].args;
    assert_eq!(*stop, ["stop", IDS[0]]);
}

#[test]
fn every_verb_says_that_the_containers_are_stopped_and_what_starts_them() {
    let sandbox = with_containers(STOPPED);
    let said = "the cluster's containers are stopped (2 of 2); `labctl start small` brings it back";
    for (verb, code) in [
        ("verify small", 5),
        ("env small", 0),
        ("logs small", 0),
        ("shell small -- /bin/true", 0),
    ] {
        sandbox.labctl(verb).run().exits(code).tells(said);
    }
    sandbox.labctl("status").run().exits(0).answers(said);
    let status = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(status[0]["cluster"], "stopped");
    assert_eq!(status[0]["containers"]["stopped"], 2);
    let verify = sandbox
        .labctl("verify small --output json")
        .run()
        .exits(5)
        .json();
    assert_eq!(verify["hint"], said);
    // Nothing but `up` and `start` starts them.
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn up_and_start_start_what_is_stopped() {
    for verb in ["up small", "start small"] {
        let containers = STOPPED.replacen("exited", "paused", 1);
        let sandbox = with_containers(&containers);
        // That is as far as it gets without a cluster.
        let fails = [Act::Err("no such thing".into()), Act::Exit(1)];
        sandbox
            .fakes
            .obey([rule("docker", "container inspect", fails)]);
        sandbox.labctl(verb).run().exits(1);
        assert_eq!(sandbox.fakes.changes(), ["docker unpause", "docker start"]);
        assert_eq!(
            sandbox.fakes.calls_of("docker", "unpause")[0].args[1..],
            IDS[..1]
        );
        assert_eq!(
            sandbox.fakes.calls_of("docker", "start")[0].args[1..],
            IDS[1..]
        );
    }
}

#[test]
fn a_port_that_is_anothers_by_now_is_named_with_what_to_do() {
    let sandbox = with_containers(STOPPED);
    let taken = "Bind for 127.0.0.1:40123 failed: port is already allocated";
    let fails = [Act::Err(taken.into()), Act::Exit(1)];
    sandbox.fakes.obey([rule("docker", "start", fails)]);
    let start = sandbox.labctl("start small").run().exits(1);
    start
        .tells(taken)
        .tells("`labctl down small && labctl up small` makes the cluster anew");
}

#[test]
fn a_port_that_changed_is_followed() {
    let sandbox = with_containers(RUNNING);
    let moved = [Act::Out("127.0.0.1:40123".into())];
    let fails = [Act::Err("not now".into()), Act::Exit(1)];
    sandbox.fakes.obey([
        rule("docker", "port", moved),
        rule("kind", "export kubeconfig", fails),
    ]);
    let start = sandbox.labctl("start small").run().exits(1);
    start.tells("the API server is at port 40123 now");
    let port = &sandbox.fakes.calls_of("docker", "port")[0].args;
    assert_eq!(*port, ["port", IDS[0], "6443/tcp"]);
    let export = &sandbox.fakes.calls_of("kind", "export")[0];
    let kubeconfig = sandbox.environment("lab-small").join("kubeconfig");
    assert!(
        export.args.contains(&kubeconfig.display().to_string()),
        "{export:?}"
    );
    assert_eq!(
        export.env["KIND_EXPERIMENTAL_DOCKER_NETWORK"],
        format!("labctl-lab-small-{}", &SEEDED_ID[..12])
    );
}

#[test]
fn what_is_gone_is_lost_and_cannot_be_started() {
    for containers in ["", RUNNING.split_inclusive('\n').next().unwrap()] {
        let sandbox = with_containers(containers);
        let anew = "`labctl down small && labctl up small` makes it anew";
        for verb in ["start small", "stop small", "up small", "verify small"] {
            let answer = sandbox.labctl(verb).run().exits(5);
            answer.tells("the cluster is lost: ").tells(anew);
        }
        sandbox
            .labctl("status")
            .run()
            .exits(0)
            .answers("lost")
            .answers(anew);
        assert_eq!(sandbox.fakes.changes(), [""; 0]);
        sandbox.labctl("down small").run().exits(0);
        sandbox.has_no_environment();
    }
}

#[test]
fn a_container_that_is_not_its_own_is_not_touched_by_any_verb() {
    // Beside its own, and in their place.
    let foreign = "decaf000000000000 running worker lab-small-worker\n";
    for containers in [format!("{STOPPED}{foreign}"), foreign.to_owned()] {
        let sandbox = with_containers(&containers);
        sandbox.fakes.put(NETWORKS, &seeded_network("lab-small"));
        for verb in ["stop", "start", "up"] {
            let answer = sandbox.labctl(&format!("{verb} small")).run().exits(7);
            answer.tells("the container decaf0000000 belongs to a kind cluster \"lab-small\"");
        }
        assert_eq!(sandbox.fakes.changes(), [""; 0]);
        assert_eq!(sandbox.fakes.text(CONTAINERS), containers);
    }
}

/// The containers are the recorded ones, and what answers is another cluster.
#[test]
fn a_cluster_with_another_uid_is_not_touched_by_any_verb() {
    let sandbox = with_containers(RUNNING);
    sandbox.fakes.put(NETWORKS, &seeded_network("lab-small"));
    let port = another_cluster();
    let kubeconfig = sandbox.environment("lab-small").join("kubeconfig");
    let text = fs::read_to_string(&kubeconfig).unwrap();
    fs::write(
        &kubeconfig,
        text.replace("127.0.0.1:1", &format!("127.0.0.1:{port}")),
    )
    .unwrap();
    for verb in ["down", "stop", "start", "up", "verify"] {
        let answer = sandbox.labctl(&format!("{verb} small")).run().exits(7);
        answer
            .tells("has the uid uid-of-another")
            .tells("uid-of-kube-system");
    }
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    sandbox
        .labctl("status")
        .run()
        .exits(0)
        .answers("is another one");
}

/// An API server that knows one namespace. Returns its port.
fn another_cluster() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = BufReader::new(&stream).lines();
            let ended =
                |line: &std::io::Result<String>| line.as_ref().map_or(true, String::is_empty);
            request.take_while(|line| !ended(line)).for_each(drop);
            let body = r#"{"apiVersion":"v1","kind":"Namespace",
                "metadata":{"name":"kube-system","uid":"uid-of-another"}}"#;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn without_an_engine_nothing_is_started_and_that_is_said() {
    let sandbox = with_containers(STOPPED);
    let fails = [
        Act::Err("Cannot connect to the Docker daemon".into()),
        Act::Exit(1),
    ];
    sandbox.fakes.obey([rule("docker", "", fails)]);
    for verb in ["start small", "stop small"] {
        let answer = sandbox.labctl(verb).run().exits(4);
        answer.tells("no container engine answers: Cannot connect to the Docker daemon");
    }
    sandbox.labctl("verify small").run().exits(5);
    sandbox
        .labctl("status")
        .run()
        .exits(0)
        .answers("does not answer");
}

#[test]
fn an_environment_without_a_cluster_has_nothing_to_stop_or_start() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    for verb in ["stop small", "start small"] {
        sandbox
            .labctl(verb)
            .run()
            .exits(5)
            .tells("has no cluster yet");
    }
    assert_eq!(sandbox.fakes.calls(), []);
}
