//! Tools that a lab brings along, what they print, and certificates.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::json;

use crate::support::{Act, Api, Sandbox, link, on_the_cluster, rule};

const LAB: &str = "\
lab: crash
title: A lab with a tool
level: beginner
time: 5m
steps:
- {id: cluster, title: A cluster, do: {kind-cluster: {template: three-workers}}}
- id: tool
  title: A tool
  do: {tool: {name: linkerd, version: edge-26.8.3, version-arguments: [version, --short]}}
- id: certificates
  title: Certificates
  do:
    certificates:
      trust-anchor: {name: root.mesh.local, days: 20}
      issuer: {name: identity.mesh.local, days: 10}
- id: install
  title: What the tool prints
  do:
    apply:
      output:
        of: linkerd
        arguments: [install, --set, a=b]
        certificates: {issuer-key-file: issuer-key}
- id: annotate
  title: Annotations
  do: {annotate: {of: service/api, set: {example.org/a: 'b c'}, remove: [example.org/x]}}
- id: restart
  title: New pods
  do: {rollout-restart: {of: [deployment/api, statefulset/db]}}
";

struct World {
    sandbox: Sandbox,
    api: Api,
}

impl World {
    /// A machine whose `linkerd` says that it is `version`.
    fn new(version: &str) -> Self {
        let api = Api::start();
        let sandbox = Sandbox::new().with_crash_lab(&api);
        sandbox.write("crash/lab.yaml", LAB);
        link(&sandbox.path("bin/linkerd"));
        let mut rules = on_the_cluster(&api.address());
        let manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: issuer}".to_owned();
        rules.extend([
            rule("linkerd", "version", [Act::Out(version.to_owned())]),
            rule("linkerd", "install", [Act::Out(manifest)]),
            rule("kubectl", "--kubeconfig * --context * annotate", []),
            rule("kubectl", "--kubeconfig * --context * rollout", []),
        ]);
        sandbox.fakes.obey(rules);
        Self { sandbox, api }
    }

    fn kubectl(&self, verb: &str) -> Vec<String> {
        let verb = format!("--kubeconfig * --context * {verb}");
        let calls = self.sandbox.fakes.calls_of("kubectl", &verb);
        let line = |args: &[String]| self.sandbox.normal(&args[4..].join(" "));
        calls.iter().map(|call| line(&call.args)).collect()
    }
}

#[test]
fn a_tool_that_prints_more_than_it_may_is_ended_and_nothing_of_it_is_applied() {
    let world = World::new("edge-26.8.3");
    let lab = LAB.replace("of: linkerd\n", "of: linkerd\n        at-most: 1Ki\n");
    world.sandbox.write("crash/lab.yaml", &lab);
    world.sandbox.fakes.put("much", &"# more\n".repeat(1000));
    let mut rules = vec![rule(
        "linkerd",
        "install",
        [Act::Cat("much".into()), Act::Hang],
    )];
    rules.push(rule(
        "linkerd",
        "version",
        [Act::Out("edge-26.8.3".to_owned())],
    ));
    rules.extend(on_the_cluster(&world.api.address()));
    world.sandbox.fakes.obey(rules);
    let up = world.sandbox.labctl("up crash").run().exits(1);
    up.tells("printed more than the 1Ki that `at-most` of the `output` of this step allows")
        .tells("raise `at-most` of the `output` of this step in lab.yaml");
    assert_eq!(world.kubectl("apply"), [""; 0]);
    let kept = world.sandbox.environment("lab-crash").join("files");
    for entry in fs::read_dir(kept).unwrap() {
        assert!(entry.unwrap().metadata().unwrap().len() <= 1025);
    }
}

#[test]
fn a_tool_is_kept_and_what_it_prints_is_applied() {
    let world = World::new("edge-26.8.3");
    world.sandbox.labctl("up crash").run().exits(0);
    let dir = world.sandbox.environment("lab-crash");
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("tools/linkerd"), 0o700);
    // It is called by its path, with the environment's cluster, whatever the user's is.
    let called = world.sandbox.fakes.calls_of("linkerd", "install");
    let key = dir.join("certificates/issuer.key").display().to_string();
    assert_eq!(
        called[0].args[1..],
        ["--set", "a=b", &format!("--issuer-key-file={key}")]
    );
    let kubeconfig = dir.join("kubeconfig").display().to_string();
    assert_eq!(called[0].env["KUBECONFIG"], kubeconfig);
    // What it printed is applied, and nobody else can read it: there are keys in it.
    let applied = world.kubectl("apply");
    let printed = applied[0].split_whitespace().last().unwrap();
    let name = printed.rsplit('/').next().unwrap();
    assert!(name.starts_with("linkerd-install-set-"), "{name}");
    assert_eq!(mode(&format!("files/{name}")), 0o600);
    let text = fs::read_to_string(dir.join("files").join(name)).unwrap();
    assert!(text.contains("name: issuer"), "{text}");
    assert_eq!(
        world.kubectl("annotate"),
        ["annotate --overwrite service/api --namespace default example.org/a=b c example.org/x-"]
    );
    assert_eq!(
        world.kubectl("rollout"),
        ["rollout restart deployment/api statefulset/db --namespace default"]
    );
    // A shell in the environment finds the tool.
    let shell = world.sandbox.labctl("env crash").run().exits(0);
    shell
        .answers("export PATH=\"$PATH\":")
        .answers("/lab-crash/tools\n");
    // It is the environment's own by now.
    world.sandbox.uninstall("linkerd");
    world.sandbox.labctl("up crash").run().exits(0);
}

#[test]
fn certificates_are_what_openssl_accepts_and_their_keys_stay_secret() {
    let world = World::new("edge-26.8.3");
    let up = world.sandbox.labctl("up crash").run().exits(0);
    let up = up.tells("issuer identity.mesh.local: valid until ");
    let dir = world.sandbox.environment("lab-crash").join("certificates");
    for key in ["trust-anchor.key", "issuer.key"] {
        let metadata = fs::metadata(dir.join(key)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{key}");
        let pem = fs::read_to_string(dir.join(key)).unwrap();
        let secret = pem.lines().nth(1).unwrap();
        assert!(!world.sandbox.journal("lab-crash").contains(secret));
        assert!(!up.whole.contains(secret));
    }
    let openssl = |args: &str| {
        let output = Command::new("openssl")
            .args(args.split_whitespace())
            .current_dir(&dir)
            .output();
        let output = output.expect("openssl, which every machine of a developer has");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "openssl {args}: {output:?}");
        text
    };
    let verified = openssl("verify -x509_strict -CAfile trust-anchor.crt issuer.crt");
    assert_eq!(verified.trim(), "issuer.crt: OK");
    let issuer = openssl("x509 -in issuer.crt -noout -text");
    for part in [
        "ASN1 OID: prime256v1",
        "Issuer: CN = root.mesh.local",
        "Subject: CN = identity.mesh.local",
        "CA:TRUE, pathlen:0",
        "Certificate Sign",
        "DNS:identity.mesh.local",
    ] {
        assert!(issuer.contains(part), "{part} in {issuer}");
    }
    // The key is the certificate's own, and no other.
    let public = openssl("pkey -in issuer.key -pubout");
    assert_eq!(openssl("x509 -in issuer.crt -noout -pubkey"), public);
}

#[test]
fn another_version_is_not_taken() {
    let world = World::new("edge-26.8.30");
    let up = world.sandbox.labctl("up crash").run().exits(1);
    up.tells("linkerd edge-26.8.3 is not to be had")
        .tells("bin/linkerd is another version")
        .tells("install linkerd edge-26.8.3 so that it is on PATH");
    let tools = world.sandbox.environment("lab-crash").join("tools");
    assert!(!tools.join("linkerd").exists());
    // Once it is there, the lab goes on.
    world
        .sandbox
        .fakes
        .obey([rule("linkerd", "version", [Act::Out("edge-26.8.3".into())])]);
    let up = world.sandbox.labctl("up crash --to tool").run();
    up.exits(0);
    assert!(tools.join("linkerd").exists());
}

#[test]
fn one_that_is_nowhere_is_told_before_anything_is_made() {
    let world = World::new("edge-26.8.3");
    world.sandbox.uninstall("linkerd");
    let up = world.sandbox.labctl("up crash").run().exits(4);
    up.tells("linkerd is not on PATH, and the lab names no download of it for ")
        .tells("install linkerd edge-26.8.3, or use a bundle that has it");
    assert_eq!(world.sandbox.fakes.changes(), [""; 0]);
}

#[test]
fn a_bundle_has_to_have_it_and_its_digest_counts() {
    let world = World::new("edge-26.8.3");
    world.sandbox.uninstall("linkerd");
    let mut index = json!({"version": 1, "platform": "linux/amd64"});
    world.sandbox.write("bundle/index.json", &index.to_string());
    let lacks = world.sandbox.labctl("up crash --bundle bundle").run();
    lacks.exits(4).tells("lacks the tool linkerd edge-26.8.3");
    let tool = world.sandbox.path("work/bundle/tools/linkerd");
    fs::create_dir_all(tool.parent().unwrap()).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_fake-tool"), &tool).unwrap();
    let digest = labctl::digest::hex_of_file(&tool).unwrap();
    for (digest, code) in [("0".repeat(64), 4), (digest, 0)] {
        index["tools"] = json!([{"name": "linkerd", "path": "tools/linkerd",
            "digest": format!("sha256:{digest}")}]);
        world.sandbox.write("bundle/index.json", &index.to_string());
        let up = world.sandbox.labctl("up crash --bundle bundle").run();
        up.exits(code);
    }
}

#[test]
fn all_faults_of_them_are_told_at_once() {
    let world = World::new("edge-26.8.3");
    let lab = LAB
        .replace("name: linkerd,", "name: kubectl,")
        .replace("days: 20", "days: 2")
        .replace("[deployment/api, statefulset/db]", "[]")
        .replace("service/api", "api")
        .replace("{example.org/a: 'b c'}", "{-x: y}");
    world.sandbox.write("crash/lab.yaml", &lab);
    let mut validate = world.sandbox.labctl("validate crash").run().exits(3);
    for fault in [
        "`kubectl` is a program that labctl itself uses",
        "the `issuer` cannot be valid for longer than the `trust-anchor`",
        "no earlier step brings a tool `linkerd`",
        "`of: api` is not an object; write service/NAME",
        "`-x` is not the key of an annotation",
        "`rollout-restart` has no workload under `of`",
    ] {
        validate = validate.tells(fault);
    }
}
