//! What a command of a lab may take: time, and room in the log.

use std::fs;

use crate::support::{Act, Api, CRASH_LAB, Sandbox, is_alive, on_the_cluster, rule, wait_for};

#[test]
fn an_exec_that_prints_without_end_is_ended_and_its_log_stays_short() {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    let lab = CRASH_LAB.replace("command: [write]", "command: [yes], within: 2s");
    sandbox.write("crash/lab.yaml", &lab);
    sandbox.fakes.put("much", &"y\n".repeat(200_000));
    let endless = [
        Act::Grandchild("grandchild".into()),
        Act::Cat("much".into()),
        Act::Hang,
    ];
    let mut rules = vec![rule("kubectl", "--kubeconfig * --context * exec", endless)];
    rules.extend(on_the_cluster(&api.address()));
    sandbox.fakes.obey(rules);
    let up = sandbox.labctl("up crash --to write").run().exits(1);
    up.tells("did not end within 2 s")
        .tells("raise `within` of this step's `exec` in lab.yaml");
    let exec = sandbox
        .fakes
        .calls_of("kubectl", "--kubeconfig * --context * exec");
    let started = [exec[0].pid, sandbox.fakes.pid("grandchild")];
    wait_for("what it started to be gone", || {
        !started.iter().any(|pid| is_alive(*pid))
    });
    let runs = sandbox.environment("lab-crash").join("runs");
    for entry in fs::read_dir(runs).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() < 1 << 20, "{} bytes", text.len());
        assert!(text.contains("lines (") && text.contains("are left out here"));
    }
    let logs = sandbox.labctl("logs crash --all -v").run().exits(0);
    logs.answers("are left out here");
}

#[test]
fn values_of_a_release_are_in_no_process_list() {
    let set = "{release: app, chart: charts/app, set: {auth.password: sw0rdfish!}}";
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    let lab = CRASH_LAB.replace(
        "{apply: {path: manifests/app.yaml}}",
        &format!("{{helm: {set}}}"),
    );
    let lab = lab.split("- id: write").next().unwrap();
    let lab = lab
        .split("  expect: {within: 20s, all: [{rollout")
        .next()
        .unwrap();
    sandbox.write("crash/lab.yaml", lab);
    sandbox.write(
        "crash/charts/app/Chart.yaml",
        "apiVersion: v2\nname: app\nversion: 0.1.0\n",
    );
    let history = [Act::Err("Error: release: not found".into()), Act::Exit(1)];
    let mut rules = vec![
        rule("helm", "history", history),
        rule("helm", "upgrade", [Act::Out("made with sw0rdfish!".into())]),
        rule("helm", "version", [Act::Out("v4.3.1+g0d5d2a5".into())]),
    ];
    rules.extend(on_the_cluster(&api.address()));
    sandbox.fakes.obey(rules);
    let up = sandbox.labctl("up crash -v").run().exits(0);
    assert!(!up.whole.contains("sw0rdfish"), "{}", up.whole);
    let upgrade = sandbox.fakes.calls_of("helm", "upgrade");
    let args = upgrade[0].args.join(" ");
    assert!(
        args.contains("--values -") && !args.contains("sw0rdfish"),
        "{args}"
    );
    let logs = sandbox.labctl("logs crash --all -v").run().exits(0);
    assert!(!logs.whole.contains("sw0rdfish"), "{}", logs.whole);
}
