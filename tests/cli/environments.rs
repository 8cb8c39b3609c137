//! `status`, `env`, `shell` and `logs` of environments that earlier runs left.

use std::fs;

use labctl::{
    event::{EventKind, Failure, Outcome, RunOutcome, Verb},
    spec::Facts,
};

use serde_json::json;

use crate::support::{
    Act, CONTAINERS, Sandbox, Seeded, UNREACHABLE_KUBECONFIG, drain_started, fact, fake_digest,
    link, rule, run_finished, verified,
};

#[test]
fn status_shows_each_environment_how_far_it_is_and_whether_it_answers() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "empty", "small");
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let containers = "c0ffee0000000000\nc0ffee1111111111\n";
    sandbox.fakes.put(CONTAINERS, containers);
    let facts = fact("drained", "postgres-2", "data-postgres-2");
    let seeded = Seeded::of_10_3(&sandbox).with_cluster(&["c0ffee1111111111"]);
    let interrupted = seeded.run_started(Verb::Up);
    seeded.journal([
        interrupted,
        verified("statefulset", Facts::new()),
        verified("database", Facts::new()),
        verified("kill-pod", Facts::new()),
        verified("identity", facts),
        drain_started(),
    ]);
    insta::assert_snapshot!(sandbox.labctl("status").run().whole, @r#"
    exit 0
    --- stdout
     ENVIRONMENT  LAB    STEP          CLUSTER          OPEN FAULTS
     empty        small  0/3           none             none
     lab-10-3     10.3   5/8 identity  does not answer  drain
     lab-small    small  1/3 cluster   does not answer  none

    the last run in lab-10-3 is under way, or was interrupted; `labctl up 10.3` goes on
    "#);
    let json = sandbox
        .labctl("status --output json")
        .run()
        .exits(0)
        .tells_nothing()
        .json();
    insta::assert_snapshot!(format!("{json:#}"), @r#"
    [
      {
        "cluster": "none",
        "cursor": null,
        "environment": "empty",
        "interrupted": false,
        "lab": "small",
        "open-faults": [],
        "reached": 0,
        "steps": 3
      },
      {
        "cluster": "does not answer",
        "cursor": "identity",
        "environment": "lab-10-3",
        "interrupted": true,
        "lab": "10.3",
        "open-faults": [
          "drain"
        ],
        "reached": 5,
        "steps": 8
      },
      {
        "cluster": "does not answer",
        "cursor": "cluster",
        "environment": "lab-small",
        "interrupted": false,
        "lab": "small",
        "open-faults": [],
        "reached": 1,
        "steps": 3
      }
    ]
    "#);
    // One alone, by its lab, by its name, by `--env`.
    for one in ["status 10.3", "status lab-10-3", "status --env lab-10-3"] {
        let text = sandbox.labctl(one).run().exits(0).stdout;
        assert!(
            text.contains("lab-10-3") && !text.contains("lab-small"),
            "{text}"
        );
    }
    sandbox
        .labctl("status --env other")
        .run()
        .exits(2)
        .tells("there is no environment \"other\"");
    assert_eq!(sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn without_environments_status_says_how_to_make_one() {
    let sandbox = Sandbox::new();
    let answer = sandbox.labctl("status").run().exits(0).answers_nothing();
    answer.tells("`labctl up LAB` makes one");
    let json = sandbox
        .labctl("status --output json")
        .run()
        .exits(0)
        .tells_nothing();
    assert_eq!(json.json(), serde_json::json!([]));
}

#[test]
fn status_of_a_fault_that_was_taken_back_shows_none() {
    let sandbox = Sandbox::new().with_small_lab();
    let undone = EventKind::Undone {
        step: "drain".into(),
        rewound: None,
    };
    let seeded = Seeded::of_10_3(&sandbox).journal([drain_started()]);
    let faults = || {
        let status = sandbox.labctl("status --output json").run().exits(0).json();
        status[0]["open-faults"].clone()
    };
    assert_eq!(faults(), serde_json::json!(["drain"]));
    seeded.journal([undone]);
    assert_eq!(faults(), serde_json::json!([]));
}

#[test]
fn one_environment_that_is_damaged_does_not_hide_the_others() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    Seeded::new(&sandbox, "unsound", "small");
    // As an earlier labctl may have understood it, and this one does not.
    let lab = sandbox.environment("unsound").join("lab/lab.yaml");
    fs::write(lab, "lab: small\nsteps: {}\n").unwrap();
    Seeded::new(&sandbox, "without-lab", "small");
    fs::remove_dir_all(sandbox.environment("without-lab").join("lab")).unwrap();
    let status = sandbox.labctl("status").run().exits(0);
    for name in ["lab-small", "unsound", "without-lab"] {
        assert!(status.stdout.contains(name), "{}", status.whole);
    }
    assert!(
        status
            .stdout
            .contains("`labctl down small --env unsound` removes"),
        "{}",
        status.whole
    );
    // They can be removed, too.
    for name in ["unsound", "without-lab"] {
        sandbox.labctl(&format!("down --env {name}")).run().exits(0);
        assert!(!sandbox.environment(name).exists());
    }
}

#[test]
fn which_environment_is_meant_has_to_be_clear() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "one", "small").with_cluster(&[]);
    sandbox.labctl("env").run().exits(0);
    sandbox.labctl("env small").run().exits(0);
    Seeded::new(&sandbox, "two", "small").with_cluster(&[]);
    for unclear in ["env", "env small", "down", "down small", "logs", "verify"] {
        let answer = sandbox.labctl(unclear).run().exits(2).answers_nothing();
        answer.tells("one, two").tells("choose one with --env NAME");
    }
    sandbox
        .labctl("env two")
        .run()
        .exits(0)
        .answers("/two/shell/kubeconfig");
    sandbox
        .labctl("env --env one")
        .run()
        .exits(0)
        .answers("/one/shell/kubeconfig");
    // The one with the lab's own name is meant by the lab.
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&[]);
    sandbox
        .labctl("env small")
        .run()
        .exits(0)
        .answers("/lab-small/shell/kubeconfig");
}

#[test]
fn env_prints_what_a_shell_can_evaluate() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&[]);
    let kubeconfig = sandbox.environment("lab-small").join("shell/kubeconfig");
    let answer = sandbox.labctl("env small").run().exits(0).tells_nothing();
    assert_eq!(
        answer.stdout,
        format!("export KUBECONFIG={}\n", kubeconfig.display())
    );
    let json = sandbox
        .labctl("env small --output json")
        .run()
        .exits(0)
        .tells_nothing()
        .json();
    assert_eq!(json["kubeconfig"], kubeconfig.to_str().unwrap());
    assert_eq!(json["environment"], "lab-small");

    // A path with a space and a quote reaches the shell whole.
    fs::rename(sandbox.path("state/labctl"), sandbox.path("it's a state")).unwrap();
    let odd = sandbox
        .labctl("env small --state-dir")
        .arg(sandbox.path("it's a state"));
    let script = format!("{}printf %s \"$KUBECONFIG\"", odd.run().exits(0).stdout);
    let told = sandbox.program("/bin/sh", ["-c", &script]).run().exits(0);
    let expected = sandbox.path("it's a state/envs/lab-small/shell/kubeconfig");
    assert_eq!(told.stdout, expected.to_str().unwrap());
}

#[test]
fn env_of_a_bundle_puts_its_tools_first() {
    let sandbox = Sandbox::new().with_small_lab();
    let kubectl = json!({"name": "kubectl", "path": "tools/kubectl", "digest": fake_digest()});
    let index = json!({"version": 1, "platform": "linux/amd64", "tools": [kubectl]});
    sandbox.write("bundle/index.json", &index.to_string());
    fs::create_dir(sandbox.path("work/bundle/tools")).unwrap();
    link(&sandbox.path("work/bundle/tools/kubectl"));
    let bundle = Some(sandbox.path("work/bundle"));
    Seeded::made(&sandbox, "lab-small", "small", bundle).with_cluster(&[]);
    let env = sandbox.labctl("env small").run().exits(0);
    let programs = sandbox.state().join("programs");
    let copies = fs::read_dir(programs).unwrap().next().unwrap().unwrap();
    let tools = copies.path().display().to_string();
    env.answers(&format!("export PATH={tools}:\"$PATH\"\n"));
    // And `shell` finds kubectl there, although it is on no PATH.
    sandbox.uninstall("kubectl");
    sandbox.fakes.obey([rule("kubectl", "get", [])]);
    sandbox
        .labctl("shell small -- kubectl get pods")
        .run()
        .exits(0);
    let call = &sandbox.fakes.calls_of("kubectl", "get")[0];
    assert!(
        call.env["PATH"].starts_with(&format!("{tools}:")),
        "{call:?}"
    );
}

#[test]
fn an_environment_without_a_cluster_has_nothing_to_point_at() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    for verb in ["env small", "shell small -- kubectl get pods"] {
        let answer = sandbox.labctl(verb).run().exits(5).answers_nothing();
        answer
            .tells("has no cluster yet")
            .tells("`labctl up small` makes it");
    }
    assert_eq!(sandbox.fakes.calls(), []);
}

#[test]
fn a_shell_points_at_the_environment_and_its_exit_code_is_passed_on() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&[]);
    let acts = [
        Act::Out("NAME".into()),
        Act::Err("warning".into()),
        Act::Exit(42),
    ];
    sandbox.fakes.obey([rule("kubectl", "get", acts)]);
    let answer = sandbox
        .labctl("shell small -- kubectl get pods --output json")
        .run()
        .exits(42);
    assert_eq!(
        (answer.stdout.as_str(), answer.stderr.as_str()),
        ("NAME\n", "warning\n")
    );
    let call = &sandbox.fakes.calls_of("kubectl", "")[0];
    assert_eq!(call.args, ["get", "pods", "--output", "json"]);
    let kubeconfig = sandbox.environment("lab-small").join("shell/kubeconfig");
    assert_eq!(call.env["KUBECONFIG"], kubeconfig.to_str().unwrap());
    assert_eq!(call.env["LABCTL_ENVIRONMENT"], "lab-small");
}

#[test]
fn a_shell_is_the_users_and_a_signal_that_ends_it_is_told() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small").with_cluster(&[]);
    let shell = sandbox
        .labctl("shell small")
        .env("SHELL", sandbox.path("bin/kubectl"));
    sandbox.fakes.obey([rule("kubectl", "", [Act::Exit(3)])]);
    shell.run().exits(3);
    assert_eq!(sandbox.fakes.calls_of("kubectl", "")[0].args, [""; 0]);
    let command = ["shell", "small", "--", "/bin/sh", "-c", "kill -TERM $$"];
    let program = env!("CARGO_BIN_EXE_labctl");
    sandbox.program(program, command).run().exits(143);
    let unknown = sandbox.labctl("shell small -- nonsense").run().exits(4);
    unknown.tells("nonsense is not installed, or not on PATH");
}

#[test]
fn logs_show_the_last_run_as_it_was_shown() {
    let sandbox = Sandbox::new().with_small_lab();
    let fails = [Act::Err("ERROR: no more memory".into()), Act::Exit(1)];
    sandbox.fakes.obey([rule("kind", "create", fails)]);
    let first = sandbox.labctl("up small").run().exits(1);
    let logs = sandbox.labctl("logs small").run().exits(0).tells_nothing();
    assert_eq!(logs.stdout, first.stderr);

    let verbose = sandbox.labctl("up small --verbose").run().exits(1);
    let logs = sandbox
        .labctl("logs small --verbose")
        .run()
        .exits(0)
        .tells_nothing();
    assert_eq!(logs.stdout, verbose.stderr);
    // With all, the first one comes first.
    let all = sandbox.labctl("logs small --all").run().exits(0).stdout;
    assert!(all.starts_with(&first.stderr), "{all}");
    assert_eq!(all.matches("lab small A small lab").count(), 2, "{all}");
}

#[test]
fn logs_as_json_are_the_events_that_the_run_printed() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    let up = sandbox
        .labctl("up small --output json")
        .run()
        .exits(1)
        .tells_nothing();
    let logs = sandbox
        .labctl("logs small --output json")
        .run()
        .exits(0)
        .tells_nothing();
    assert_eq!(logs.stdout, up.stdout);
    let seqs: Vec<u64> = logs.events().iter().map(|event| event.seq).collect();
    assert!(seqs.len() > 5);
    assert!(
        seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{seqs:?}"
    );
}

#[test]
fn logs_of_a_run_that_was_killed_show_what_there_is() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    sandbox.labctl("up small").run().exits(1);
    let runs = sandbox.environment("lab-small").join("runs");
    let run = fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&run).unwrap();
    let events = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
    for cut in (0..whole.len()).step_by(97) {
        fs::write(&run, &whole[..cut]).unwrap();
        let logs = sandbox
            .labctl("logs small --output json")
            .run()
            .exits(0)
            .tells_nothing();
        // A line that lacks its end only is whole.
        assert_eq!(logs.events().len(), events(&whole[..=cut]));
        sandbox.labctl("logs small").run().exits(0).tells_nothing();
    }
}

#[test]
fn logs_of_an_environment_without_runs_say_so() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    let answer = sandbox
        .labctl("logs small")
        .run()
        .exits(0)
        .answers_nothing();
    answer.tells("no run");
    sandbox
        .labctl("logs small --output json")
        .run()
        .exits(0)
        .answers_nothing()
        .tells_nothing();
}

#[test]
fn only_the_last_runs_are_kept() {
    let sandbox = Sandbox::new().with_small_lab();
    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    sandbox.labctl("up small").run().exits(1);
    let runs = sandbox.environment("lab-small").join("runs");
    for n in 10..40 {
        // Whatever the clock says: their numbers tell which is the last.
        fs::write(runs.join(format!("{n:06}-20400101T000000Z.ndjson")), "").unwrap();
    }
    sandbox.labctl("up small").run().exits(1);
    let mut kept: Vec<String> = fs::read_dir(&runs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 20, "{kept:?}");
    let (first, last) = (&kept[0], &kept[19]);
    assert!(first.starts_with("000021-") && last.starts_with("000040-2"));
    assert!(!last.contains("2040"), "the newest are kept: {kept:?}");
}

#[test]
fn what_a_pod_or_a_tool_wrote_cannot_command_the_terminal() {
    let sandbox = Sandbox::new().with_small_lab();
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2Jgone\u{202e}";
    let seeded = Seeded::new(&sandbox, "lab-small", "small");
    let failure = Failure {
        tail: vec![hostile.into()],
        ..Failure::new("it failed")
    };
    let started = seeded.run_started(Verb::Up);
    let finished = EventKind::StepFinished {
        step: "cluster".into(),
        outcome: Outcome::Failed(failure),
        took: std::time::Duration::from_secs(1),
    };
    let seeded = seeded.journal([started, finished, run_finished(RunOutcome::Failed)]);
    drop(seeded);
    sandbox.fakes.obey([rule(
        "kind",
        "create",
        [Act::Err(hostile.into()), Act::Exit(1)],
    )]);
    for verb in [
        "up small",
        "up small -v",
        "status",
        "logs small",
        "logs small -v",
    ] {
        let answer = sandbox.labctl(verb).run();
        for text in [&answer.stdout, &answer.stderr] {
            let obeyed = text
                .chars()
                .any(|c| c == '\u{1b}' || c == '\u{7}' || c == '\u{202e}');
            assert!(!obeyed, "{verb}: {text:?}");
        }
    }
    assert!(!UNREACHABLE_KUBECONFIG.contains("exec"));
}
