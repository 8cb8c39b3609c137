//! Clusters and networks of the same name that somebody else made: refused, and left alone.

use labctl::event::EventKind;

use crate::support::{CONTAINERS, NETWORKS, Sandbox, Seeded};

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
fn a_network_that_no_journal_knows_is_not_taken_over() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.put(NETWORKS, "labctl-lab-small\n");
    let answer = sandbox.labctl("up small").run().exits(7).answers_nothing();
    answer
        .tells("a Docker network \"labctl-lab-small\" exists, which this environment did not make");
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
    sandbox.labctl("down small").run().exits(0);
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn down_does_not_delete_a_cluster_with_other_containers() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let journal = sandbox.journal("lab-small");
    // One of its own is gone, and one is there that it did not make.
    for containers in [
        "decaf000000000000\n",
        "c0ffee0000000000\ndecaf000000000000\n",
    ] {
        sandbox.fakes.put(CONTAINERS, containers);
        let answer = sandbox
            .labctl("down small")
            .run()
            .exits(7)
            .answers_nothing();
        answer.tells("the container decaf0000000 belongs to a kind cluster \"lab-small\"");
        assert_eq!(sandbox.fakes.changes(), [""; 0]);
        assert_eq!(sandbox.fakes.text(CONTAINERS), containers);
        assert!(sandbox.journal("lab-small").starts_with(&journal));
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
        sandbox.fakes.put(NETWORKS, "labctl-lab-small\n");
        sandbox
            .labctl("down small")
            .run()
            .exits(0)
            .answers_nothing();
        assert_eq!(
            sandbox.fakes.changes(),
            ["kind delete", "docker network rm"]
        );
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
