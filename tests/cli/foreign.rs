//! Clusters and networks of the same name that somebody else made: refused, and left alone.

use std::fs;

use labctl::event::EventKind;

use crate::support::{Act, CONTAINERS, NETWORKS, Sandbox, Seeded, rule, seeded_network};

#[test]
fn a_cluster_that_no_journal_knows_is_not_taken_over() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.put(CONTAINERS, "decaf000000000000\n");
    let answer = sandbox.labctl("up small").run();
    insta::assert_snapshot!(answer.whole, @r#"
    exit 7
    --- stderr
    lab small A small lab → environment lab-small

    ▸ 1/3 cluster  Create a cluster

    small is not up after <N> s (0 of 3 steps hold)
    next: `labctl up small` goes on at cluster

    error: refused to create the cluster "lab-small"
      caused by: the container decaf0000000 belongs to a kind cluster "lab-small" that this environment
                 did not make

    hint: use another name with --env, or remove it with the tool that made it
    "#);
    answer.exits(7).answers_nothing();
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    // The environment that was begun beside it can be removed without touching it.
    sandbox.labctl("down small").run().exits(0);
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    sandbox.has_no_environment();
    assert_eq!(sandbox.fakes.text(CONTAINERS), "decaf000000000000\n");
}

#[test]
fn a_cluster_whose_network_another_environment_made_is_not_begun() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.put(NETWORKS, &seeded_network("lab-small"));
    let answer = sandbox.labctl("up small").run().exits(7).answers_nothing();
    answer
        .tells("the Docker network \"labctl-lab-small-0123456789ab\" was made for a cluster")
        .tells("use another name with --env");
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    sandbox.labctl("down small").run().exits(0);
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn down_removes_its_own_containers_by_their_ids_and_names_the_others() {
    // Its own are gone, or there, and one is there that it did not make.
    for (containers, removed) in [
        ("decaf000000000000\n", None),
        (
            "c0ffee0000000000\ndecaf000000000000\n",
            Some("c0ffee0000000000"),
        ),
    ] {
        let sandbox = Sandbox::new().with_small_lab();
        Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
        sandbox.fakes.put(CONTAINERS, containers);
        let answer = sandbox
            .labctl("down small")
            .run()
            .exits(0)
            .answers_nothing();
        answer
            .tells("the container decaf0000000 belongs to a kind cluster \"lab-small\"")
            .tells("it is left alone");
        let calls = sandbox.fakes.calls_of("docker", "rm --force --volumes");
        let ids: Vec<&str> = calls
            .iter()
            .flat_map(|c| &c.args[3..])
            .map(String::as_str)
            .collect();
        assert_eq!(ids, removed.into_iter().collect::<Vec<_>>());
        sandbox.has_no_environment();
    }
}

#[test]
fn down_deletes_what_is_left_of_its_own_cluster() {
    for containers in [
        "",
        "c0ffee0000000000\n",
        "c0ffee1111111111\nc0ffee0000000000\n",
    ] {
        let sandbox = Sandbox::new().with_small_lab();
        let seeded = Seeded::new(&sandbox, "lab-small", "small");
        seeded.with_cluster(&["c0ffee0000000000", "c0ffee1111111111"]);
        sandbox.fakes.put(CONTAINERS, containers);
        sandbox.fakes.put(NETWORKS, &seeded_network("lab-small"));
        sandbox
            .labctl("down small")
            .run()
            .exits(0)
            .answers_nothing();
        let removes = Some("docker rm").filter(|_| !containers.is_empty());
        let removes: Vec<&str> = removes.into_iter().chain(["docker network rm"]).collect();
        assert_eq!(sandbox.fakes.changes(), removes);
        sandbox.has_no_environment();
    }
}

#[test]
fn down_of_an_environment_in_which_nothing_was_made_calls_nothing() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    sandbox.labctl("down small").run().exits(0);
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    sandbox.has_no_environment();
    sandbox
        .labctl("down small")
        .run()
        .exits(2)
        .tells("there is no environment");
}

#[test]
fn down_removes_its_environment_and_no_other() {
    let sandbox = Sandbox::new().with_small_lab();
    for name in ["lab-small", "other"] {
        Seeded::new(&sandbox, name, "small").journal([]);
    }
    sandbox.labctl("down --env other").run().exits(0);
    assert!(!sandbox.environment("other").exists());
    assert!(
        sandbox
            .environment("lab-small")
            .join("environment.json")
            .exists()
    );
}

#[test]
fn an_environment_of_another_lab_is_not_used() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "mine", "small");
    let answer = sandbox
        .labctl("up 10.3 --env mine")
        .run()
        .exits(2)
        .answers_nothing();
    answer
        .tells("the environment \"mine\" is of lab small")
        .tells("--env NAME");
    assert_eq!(sandbox.fakes.calls(), []);
}

#[test]
fn without_the_engine_down_keeps_what_it_cannot_remove() {
    let sandbox = Sandbox::new().with_small_lab();
    let seeded = Seeded::new(&sandbox, "lab-small", "small");
    seeded.journal([EventKind::ClusterIntended {
        name: "lab-small".into(),
    }]);
    sandbox.uninstall("docker");
    let answer = sandbox
        .labctl("down small")
        .run()
        .exits(4)
        .answers_nothing();
    answer.tells("docker is not installed, or not on PATH");
    assert!(sandbox.environment("lab-small").exists());
}

/// What a journal does not tell any more may have been made.
#[test]
fn without_the_engine_nothing_is_forgotten_that_a_lost_journal_may_have_told() {
    for journal in [None, Some(""), Some("not a journal\n")] {
        let sandbox = Sandbox::new().with_small_lab();
        Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
        let path = sandbox.environment("lab-small").join("journal.jsonl");
        match journal {
            None => fs::remove_file(&path).unwrap(),
            Some(text) => fs::write(&path, text).unwrap(),
        }
        let fails = [
            Act::Err("Cannot connect to the Docker daemon".into()),
            Act::Exit(1),
        ];
        sandbox.fakes.obey([rule("docker", "", fails)]);
        let answer = sandbox.labctl("down small").run();
        assert_ne!(answer.code, 0, "{journal:?}: {}", answer.whole);
        let record = sandbox.environment("lab-small").join("environment.json");
        assert!(record.exists(), "{journal:?}: {}", answer.whole);
    }
}

/// Two begin at once: kind finds the name taken by a cluster that was not there when it was looked
/// for.
#[test]
fn a_cluster_whose_name_was_taken_meanwhile_is_refused_and_nothing_of_the_other_is_touched() {
    let other = "decaf000000000000 running control-plane lab-small-control-plane kind\n";
    for also_own in [false, true] {
        let sandbox = Sandbox::new().with_small_lab();
        let own = "c0ffee0000000000 created worker lab-small-worker2 {$KIND_EXPERIMENTAL_DOCKER_NETWORK}\n";
        let there = format!("{other}{}", if also_own { own } else { "" });
        let taken = [
            Act::Write(CONTAINERS.into(), there),
            Act::Err("ERROR: failed to create cluster: node(s) already exist".into()),
            Act::Exit(1),
        ];
        let only_other = [Act::Write(CONTAINERS.into(), other.into())];
        sandbox.fakes.obey([
            rule("kind", "create", taken),
            rule(
                "docker",
                "rm --force --volumes c0ffee0000000000",
                only_other,
            ),
        ]);
        let up = sandbox.labctl("up small").run().exits(7).answers_nothing();
        up.tells("the container decaf0000000 belongs to a kind cluster \"lab-small\"")
            .tells("use another name with --env");
        // kind itself would have removed all that carries the cluster's name.
        let create = &sandbox.fakes.calls_of("kind", "create")[0];
        assert!(create.args.contains(&"--retain".to_owned()), "{create:?}");
        let mut changes = vec!["docker network create", "kind create"];
        changes.extend(also_own.then_some("docker rm"));
        changes.push("docker network rm");
        assert_eq!(sandbox.fakes.changes(), changes);
        assert_eq!(sandbox.fakes.text(CONTAINERS), other);
    }
}

/// As labctl left them before environments had an id.
#[test]
fn an_environment_without_an_id_has_the_recorded_containers_for_proof() {
    let network = "0ddba11 labctl-lab-small \n";
    for (recorded, changes) in [
        (true, &["docker rm", "docker network rm"][..]),
        // Half made: nothing proves whose it is.
        (false, &[]),
    ] {
        let sandbox = Sandbox::new().with_small_lab();
        let seeded = Seeded::new(&sandbox, "lab-small", "small");
        let mut environment = seeded.environment.clone();
        environment.record.version = 1;
        environment.record.id = None;
        environment.save().unwrap();
        let container = "c0ffee0000000000 running worker lab-small-worker labctl-lab-small\n";
        sandbox.fakes.put(CONTAINERS, container);
        sandbox.fakes.put(NETWORKS, network);
        if recorded {
            seeded.with_cluster(&["c0ffee0000000000"]);
        } else {
            seeded.journal([EventKind::ClusterIntended {
                name: "lab-small".into(),
            }]);
        }
        let down = sandbox.labctl("down small").run().exits(0);
        assert_eq!(sandbox.fakes.changes(), changes);
        if !recorded {
            down.tells("the container c0ffee000000 belongs to a kind cluster");
        }
        sandbox.has_no_environment();
    }
}

#[test]
fn an_environment_gets_its_id_before_anything_is_made_and_keeps_it() {
    let sandbox = Sandbox::new().with_small_lab();
    let read = || {
        let path = sandbox.environment("lab-small").join("environment.json");
        let record: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        record["id"].as_str().unwrap().to_owned()
    };
    sandbox.labctl("up small").run().exits(5);
    let id = read();
    let made = &sandbox.fakes.calls_of("docker", "network create")[0].args;
    assert!(
        made.contains(&format!("labctl.dev/environment={id}")),
        "{made:?}"
    );
    sandbox.labctl("up small").run().exits(5);
    assert_eq!(read(), id);
}
