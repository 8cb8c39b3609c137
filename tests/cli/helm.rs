//! Releases, on a fake helm and a make-believe cluster: what it is told, and what becomes of one that
//! was left by half.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Act, Api, Sandbox, link, on_the_cluster, rule, signal, wait_for};

const LAB: &str = "\
lab: crash
title: A lab with a release
level: beginner
time: 5m
steps:
- id: cluster
  title: Create a cluster
  do: {kind-cluster: {template: three-workers}}
  expect: {within: 20s, all: [{nodes-ready: {count: 4}}]}
- id: release
  title: Install it
  do: {helm: {release: app, chart: charts/app, values: values.yaml, set: {replicas: 2}}}
";
const ENVIRONMENT: &str = "lab-crash";
/// The file that holds what `helm history` answers.
const HISTORY: &str = "history.json";

struct World {
    sandbox: Sandbox,
    _api: Api,
}

impl World {
    fn new() -> Self {
        let api = Api::start();
        let sandbox = Sandbox::new().with_crash_lab(&api);
        sandbox.write("crash/lab.yaml", LAB);
        sandbox.write("crash/charts/app/Chart.yaml", "name: app\nversion: 0.1.0\n");
        sandbox.write("crash/values.yaml", "a: 1\n");
        let world = Self { sandbox, _api: api };
        world.helm([deployed(1)]);
        world
    }

    /// From now on `helm upgrade` does this.
    fn helm(&self, upgrade: impl IntoIterator<Item = Act>) {
        let fakes = &self.sandbox.fakes;
        let mut rules = on_the_cluster(&fakes.text(crate::support::API));
        let history = if fakes.has(HISTORY) {
            vec![Act::Cat(HISTORY.into())]
        } else {
            vec![Act::Err("Error: release: not found".into()), Act::Exit(1)]
        };
        rules.extend([
            rule("helm", "upgrade", upgrade),
            rule("helm", "history", history),
            rule("helm", "uninstall", []),
            rule("helm", "rollback", []),
        ]);
        fakes.obey(rules);
    }

    /// From now on the release has revisions of this status, and `helm upgrade` does its work.
    fn stands(&self, statuses: &[&str]) {
        let each = (1..).zip(statuses);
        // One line, and longer than what is read of one at a time.
        let long = "what helm said ".repeat(600);
        let history =
            each.map(|(n, status)| json!({"revision": n, "description": long, "status": status}));
        let history = serde_json::Value::from(history.collect::<Vec<_>>());
        self.sandbox.fakes.put(HISTORY, &history.to_string());
        self.helm([deployed(9)]);
    }

    /// What helm was called for since the last time, without questions.
    fn done(&self) -> Vec<String> {
        let changes = self.sandbox.fakes.changes();
        self.sandbox.fakes.forget();
        let of_helm = changes.into_iter().filter(|call| call.starts_with("helm"));
        of_helm.collect()
    }

    /// An `up` that is ended by this signal while helm installs.
    fn interrupted(&self, sent: Signal, code: i32) {
        self.helm([Act::Write("hangs".into(), String::new()), Act::Hang]);
        let up = self.sandbox.labctl("up crash").start();
        wait_for("helm to hang", || self.sandbox.fakes.has("hangs"));
        signal(up.pid(), sent);
        up.finish().exits(code);
    }
}

fn deployed(revision: u32) -> Act {
    let history = json!([{"revision": revision, "status": "deployed"}]);
    Act::Write(HISTORY.into(), history.to_string())
}

#[test]
fn a_release_is_made_with_directories_of_its_own_and_nothing_of_the_users() {
    let world = World::new();
    let up = world.sandbox.labctl("up crash");
    let up = up
        .env("HELM_KUBEAPISERVER", "https://another")
        .env("HELM_DRIVER", "memory");
    // One of a helm to come is not for it either.
    let up = up.env("HELM_TOMORROW", "yes");
    up.env("HELM_PLUGINS", "/theirs").run().exits(0);
    let calls = world.sandbox.fakes.calls_of("helm", "upgrade");
    let own = world.sandbox.environment(ENVIRONMENT).join("helm");
    assert_eq!(calls.len(), 1);
    for (name, dir) in [
        ("HELM_CONFIG_HOME", "config"),
        ("HELM_CACHE_HOME", "cache"),
        ("HELM_DATA_HOME", "data"),
        ("HELM_PLUGINS", "plugins"),
    ] {
        assert_eq!(
            calls[0].env[name],
            own.join(dir).to_string_lossy(),
            "{name}"
        );
    }
    assert!(!calls[0].env.contains_key("HELM_KUBEAPISERVER"));
    assert!(!calls[0].env.contains_key("HELM_DRIVER"));
    assert!(!calls[0].env.contains_key("HELM_TOMORROW"));
    insta::assert_snapshot!(world.sandbox.normal(&calls[0].args.join(" ")), @"upgrade --install app <TMP>/state/labctl/envs/lab-crash/lab/charts/app --values <TMP>/state/labctl/envs/lab-crash/lab/values.yaml --values - --server-side=true --force-conflicts --create-namespace --namespace default --kubeconfig <TMP>/state/labctl/envs/lab-crash/kubeconfig --kube-context kind-lab-crash");
    // It is done again when a file of its chart changes, and not otherwise.
    world.done();
    world.stands(&["deployed"]);
    world.sandbox.labctl("up crash").run().exits(0);
    assert_eq!(world.done(), [""; 0]);
    world
        .sandbox
        .write("crash/charts/app/templates/a.yaml", "{{ x }}\n");
    world.sandbox.labctl("up crash").run().exits(0);
    assert_eq!(world.done(), ["helm upgrade"]);
}

#[test]
fn what_helm_says_when_it_fails_is_shown() {
    let world = World::new();
    world.helm([
        Act::Err("Error: INSTALLATION FAILED: no such thing".into()),
        Act::Exit(1),
    ]);
    let up = world.sandbox.labctl("up crash").run().exits(1);
    up.tells("failed to make the release \"app\"")
        .tells("INSTALLATION FAILED: no such thing");
}

#[test]
fn an_install_that_was_cut_short_is_uninstalled_and_done_anew() {
    for (sent, code) in [(Signal::INT, 130), (Signal::KILL, -9)] {
        let world = World::new();
        world.interrupted(sent, code);
        world.done();
        world.stands(&["pending-install"]);
        let up = world.sandbox.labctl("up crash").run().exits(0);
        up.tells("was left pending-install by an interrupted run; it is uninstalled first");
        assert_eq!(world.done(), ["helm uninstall", "helm upgrade"]);
        assert!(
            world
                .sandbox
                .run_state(ENVIRONMENT)
                .is_verified(&"release".into())
        );
    }
}

#[test]
fn an_upgrade_that_was_cut_short_is_rolled_back_and_done_anew() {
    let world = World::new();
    world.sandbox.labctl("up crash").run().exits(0);
    world.sandbox.write("crash/values.yaml", "a: 2\n");
    world.stands(&["deployed"]);
    world.interrupted(Signal::KILL, -9);
    world.done();
    world.stands(&["superseded", "deployed", "pending-upgrade"]);
    world.sandbox.labctl("up crash").run().exits(0);
    let rollback = world.sandbox.fakes.calls_of("helm", "rollback app 2");
    assert_eq!(rollback.len(), 1);
    assert_eq!(world.done(), ["helm rollback", "helm upgrade"]);
}

#[test]
fn one_that_helm_itself_put_in_order_is_upgraded() {
    let world = World::new();
    world.interrupted(Signal::INT, 130);
    world.done();
    world.stands(&["failed"]);
    world.sandbox.labctl("up crash").run().exits(0);
    assert_eq!(world.done(), ["helm upgrade"]);
}

#[test]
fn a_release_that_somebody_else_is_at_work_on_is_not_touched() {
    let world = World::new();
    world.sandbox.labctl("up crash").run().exits(0);
    world.sandbox.write("crash/values.yaml", "a: 2\n");
    world.done();
    world.stands(&["deployed", "pending-upgrade"]);
    let refused = world.sandbox.labctl("up crash").run().exits(1);
    insta::assert_snapshot!(refused.whole, @r#"
    exit 1
    --- stderr
    lab crash A lab with a release → environment lab-crash
    · cluster  skipped: verified at <CLOCK>, unchanged, and it still holds
    ✗ release  failed after <N> s

    error: the release "app" in the namespace default is pending-upgrade, and this step did not begin
           that
      caused by: somebody's helm is at work on it, or was interrupted; it is not touched

    hint: wait for that helm to end; if there is none,
          `labctl shell crash -- helm history app --namespace default` shows what happened, and
          `labctl shell crash -- helm rollback app 1 --namespace default` puts it in order

    crash is not up after <N> s: the release "app" in the namespace default is pending-upgrade, and this
    step did not begin that in step release (1 of 2 steps hold)
    next: `labctl up crash` goes on at release
    "#);
    // Nor the next time: it was not begun.
    world.sandbox.labctl("up crash").run().exits(1);
    assert_eq!(world.done(), [""; 0]);
    world.stands(&["superseded", "deployed"]);
    world.sandbox.labctl("up crash").run().exits(0);
    assert_eq!(world.done(), ["helm upgrade"]);
}

#[test]
fn helm_is_looked_for_if_the_lab_uses_it() {
    let world = World::new();
    world.sandbox.uninstall("helm");
    let missing = world.sandbox.labctl("up crash").run().exits(4);
    insta::assert_snapshot!(missing.whole, @r"
    exit 4
    --- stderr
    error: lab crash cannot be brought up on this machine
      caused by: helm is not installed, or not on PATH

    hint: install helm: https://helm.sh/docs/intro/install/
    ");
    link(&world.sandbox.path("bin/helm"));
    let old = rule("helm", "version", [Act::Out("v3.19.0+g0".into())]);
    world.sandbox.fakes.obey([old]);
    let old = world.sandbox.labctl("up crash").run().exits(4);
    old.tells("helm v3.19.0 is installed; >=4.0 is needed");
    // Another lab is not kept from anything.
    world.sandbox.uninstall("helm");
    let other = Sandbox::new().with_small_lab();
    other.uninstall("helm");
    other.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    other.labctl("up small").run().exits(1);
}

/// A lab whose release is of a chart from elsewhere.
fn from_elsewhere(chart: &str) -> World {
    let world = World::new();
    let lab = LAB.replace("chart: charts/app", chart);
    world.sandbox.write("crash/lab.yaml", &lab);
    world
}

/// The commands of the release, as `plan` shows them.
fn planned(world: &World, args: &str) -> String {
    let plan = world
        .sandbox
        .labctl(&format!("plan crash --output json {args}"));
    let steps = plan.run().exits(0).json();
    let lines = |key: &str| steps[1][key].as_array().cloned().unwrap_or_default();
    let lines = [lines("sources"), lines("commands")].concat();
    let lines: Vec<String> = lines
        .iter()
        .map(|l| l.as_str().unwrap().to_owned())
        .collect();
    let kubeconfig = "--namespace default --kubeconfig <TMP>/state/labctl/envs/lab-crash/kubeconfig \
                      --kube-context kind-lab-crash";
    world
        .sandbox
        .normal(&lines.join("\n"))
        .replace(kubeconfig, "…")
}

#[test]
fn charts_from_elsewhere_are_pinned_or_come_from_the_bundle() {
    let hex = labctl::digest::hex(b"a chart");
    let oci = format!("chart: 'oci://r.example.org/app', version: 1.2.3, digest: 'sha256:{hex}'");
    let repository = oci.replace(
        "'oci://r.example.org/app'",
        "{repository: 'https://example.org/charts', name: app}",
    );
    insta::assert_snapshot!(planned(&from_elsewhere(&oci), ""), @r#"
    oci://r.example.org/app 1.2.3: sha256:a8c938318041ff413b5be251f171ce9ea478b3b957e5fd20b00a9d4de73a541d
    helm upgrade --install app oci://r.example.org/app@sha256:a8c938318041ff413b5be251f171ce9ea478b3b957e5fd20b00a9d4de73a541d --version 1.2.3 --values <TMP>/state/labctl/envs/lab-crash/lab/values.yaml --values - --server-side=true --force-conflicts --create-namespace … <<<'{"replicas":2}'
    "#);
    let world = from_elsewhere(&repository);
    insta::assert_snapshot!(planned(&world, ""), @r#"
    https://example.org/charts/app 1.2.3: sha256:a8c938318041ff413b5be251f171ce9ea478b3b957e5fd20b00a9d4de73a541d
    helm pull app --repo https://example.org/charts --version 1.2.3 --destination <TMP>/state/labctl/envs/lab-crash/charts
    helm upgrade --install app <TMP>/state/labctl/envs/lab-crash/charts/app-1.2.3.tgz --values <TMP>/state/labctl/envs/lab-crash/lab/values.yaml --values - --server-side=true --force-conflicts --create-namespace … <<<'{"replicas":2}'
    "#);
    // What is fetched is compared before it is used.
    for (fetched, code) in [("something else", 1), ("a chart", 0)] {
        let mut rules = on_the_cluster(&world.sandbox.fakes.text(crate::support::API));
        let pulled = Act::Write("{--destination}/app-1.2.3.tgz".into(), fetched.into());
        rules.extend([
            rule("helm", "pull", [pulled]),
            rule(
                "helm",
                "history",
                [Act::Err("Error: release: not found".into()), Act::Exit(1)],
            ),
            rule("helm", "upgrade", []),
        ]);
        world.sandbox.fakes.obey(rules);
        let up = world.sandbox.labctl("up crash").run().exits(code);
        if code == 0 {
            assert_eq!(world.done(), ["helm pull", "helm upgrade"]);
        } else {
            up.tells("is not what the lab names");
            assert_eq!(world.done(), ["helm pull"]);
        }
    }
    // A bundle's own digest counts.
    let world = from_elsewhere(&repository);
    let entry = json!({"chart": "https://example.org/charts/app", "version": "1.2.3",
        "path": "charts/app.tgz", "digest": format!("sha256:{}", labctl::digest::hex(b"mine"))});
    let index = json!({"version": 1, "platform": "linux/amd64", "charts": [entry]});
    world.sandbox.write("bundle/index.json", &index.to_string());
    world.sandbox.write("bundle/charts/app.tgz", "mine");
    insta::assert_snapshot!(planned(&world, "--bundle bundle"), @r#"
    https://example.org/charts/app 1.2.3: the bundle, sha256:3fd30542fe3f61b14bd4a4b2dc0b6fb30fa6f63ebce52dd1778aaa8c4dc02cff
    helm upgrade --install app <TMP>/work/bundle/charts/app.tgz --values <TMP>/state/labctl/envs/lab-crash/lab/values.yaml --values - --server-side=true --force-conflicts --create-namespace … <<<'{"replicas":2}'
    "#);
}

#[test]
fn a_bundle_without_the_chart_is_refused_and_a_damaged_one_is_not_used() {
    let chart = "chart: 'oci://r.example.org/app', version: 1.2.3";
    let world = from_elsewhere(chart);
    let mut index = json!({"version": 1, "platform": "linux/amd64"});
    world.sandbox.write("bundle/index.json", &index.to_string());
    let refused = world
        .sandbox
        .labctl("up crash --bundle bundle")
        .run()
        .exits(4);
    refused.tells("lacks the chart oci://r.example.org/app 1.2.3");
    index["charts"] = json!([{"chart": "oci://r.example.org/app", "version": "1.2.3",
        "path": "app.tgz", "digest": "sha256:00"}]);
    world.sandbox.write("bundle/index.json", &index.to_string());
    fs::write(world.sandbox.path("work/bundle/app.tgz"), "x").unwrap();
    let damaged = world
        .sandbox
        .labctl("up crash --bundle bundle")
        .run()
        .exits(1);
    damaged.tells("`app.tgz` has the digest");
    assert_eq!(world.done(), [""; 0]);
}

/// The words of a `helm upgrade` that is done without the schema, which is said last.
fn without_schema() -> String {
    format!("upgrade {}--skip-schema-validation", "* ".repeat(16))
}

/// What helm says of a chart whose schema refers to what it cannot load.
fn schema_elsewhere() -> Vec<Act> {
    let said = "Error: values don't meet the specifications of the schema(s) in the following \
                chart(s):\napp:\nfailing loading \"https://schemas.example.org/_definitions.json\": \
                proxyconnect tcp: dial tcp 127.0.0.1:0: connect: connection refused";
    vec![Act::Err(said.into()), Act::Exit(1)]
}

/// What `up` says of it, in words.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_schema_that_cannot_be_loaded_is_done_without_and_that_is_said() {
    let world = World::new();
    // The first rule that fits counts: with the option it does its work.
    let with = |upgrade: Vec<Act>| {
        let mut rules = on_the_cluster(&world.sandbox.fakes.text(crate::support::API));
        rules.extend([
            rule("helm", &without_schema(), [deployed(1)]),
            rule("helm", "upgrade", upgrade),
            rule(
                "helm",
                "history",
                [Act::Err("Error: release: not found".into()), Act::Exit(1)],
            ),
        ]);
        world.sandbox.fakes.obey(rules);
    };
    // Values that the chart does not take are refused, with or without a network.
    let wrong = "Error: values don't meet the specifications of the schema(s) in the following \
                 chart(s):\napp:\n- at '/replicas': got string, want integer";
    with(vec![Act::Err(wrong.into()), Act::Exit(1)]);
    let refused = world.sandbox.labctl("up crash").run().exits(1);
    refused.tells("got string, want integer");
    assert_eq!(world.done(), ["helm upgrade"]);
    // An address that does not answer.
    with(schema_elsewhere());
    let up = world.sandbox.labctl("up crash").run().exits(0);
    let said = "refers to https://schemas.example.org/_definitions.json, which does not answer: the \
                values are not compared with the schema";
    assert!(words(&up.stderr).contains(said), "{}", up.whole);
    let calls = world.sandbox.fakes.calls_of("helm", "upgrade");
    let skips = |args: &[String]| args.iter().any(|arg| arg == "--skip-schema-validation");
    let skipped: Vec<bool> = calls.iter().map(|call| skips(&call.args)).collect();
    assert_eq!(skipped, [false, true]);
}

#[test]
fn beside_a_bundle_helm_has_no_way_out() {
    let world = World::new();
    let digest = format!("sha256:{}", labctl::digest::hex(b"mine"));
    let chart = json!({"chart": "oci://r.example.org/app", "version": "1.2.3",
        "path": "app.tgz", "digest": digest});
    let index = json!({"version": 1, "platform": "linux/amd64", "charts": [chart]});
    world.sandbox.write("bundle/index.json", &index.to_string());
    world.sandbox.write("bundle/app.tgz", "mine");
    let lab = LAB.replace(
        "chart: charts/app",
        "chart: 'oci://r.example.org/app', version: 1.2.3",
    );
    world.sandbox.write("crash/lab.yaml", &lab);
    let mut rules = on_the_cluster(&world.sandbox.fakes.text(crate::support::API));
    rules.extend([
        rule("helm", &without_schema(), [deployed(1)]),
        rule("helm", "upgrade", schema_elsewhere()),
        rule(
            "helm",
            "history",
            [Act::Err("Error: release: not found".into()), Act::Exit(1)],
        ),
    ]);
    world.sandbox.fakes.obey(rules);
    // Theirs leads out, and names what goes without it.
    let theirs = "http://proxy.example.org:3128";
    let up = |args: &str| {
        let up = world.sandbox.labctl(&format!("up crash {args}"));
        let up = up.env("HTTPS_PROXY", theirs).env("http_proxy", theirs);
        up.env("NO_PROXY", "*").env("no_proxy", "*").run()
    };
    let said = "which is outside of the bundle: the values are not compared with the schema";
    let with = up("--bundle bundle").exits(0);
    assert!(words(&with.stderr).contains(said), "{}", with.whole);
    let calls = world.sandbox.fakes.calls_of("helm", "");
    assert!(calls.len() >= 3, "{calls:?}");
    for call in calls {
        let line = call.args.join(" ");
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            assert_eq!(
                call.env[name], "http://127.0.0.1:0",
                "{name} of helm {line}"
            );
        }
        for name in ["NO_PROXY", "no_proxy"] {
            assert!(!call.env.contains_key(name), "{name} of helm {line}");
        }
        // The chart is the bundle's file, and nothing is asked for that would be fetched.
        for option in [
            "oci://",
            "https://",
            "--repo",
            "--dependency-update",
            "--version",
        ] {
            let is_version = call.args[0] == "version";
            assert!(
                is_version || !line.contains(option),
                "{option} of helm {line}"
            );
        }
    }
    // Without a bundle their proxy is helm's, too.
    let world = World::new();
    let up = world.sandbox.labctl("up crash").env("HTTPS_PROXY", theirs);
    up.env("NO_PROXY", "*").run().exits(0);
    let calls = world.sandbox.fakes.calls_of("helm", "upgrade");
    assert_eq!(calls[0].env["HTTPS_PROXY"], theirs);
    assert_eq!(calls[0].env["NO_PROXY"], "*");
}
