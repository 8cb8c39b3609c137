//! The fakes on a test's `PATH`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{
    Act, Call, UNREACHABLE_KUBECONFIG,
    script::{CALLS, Rule, SCRIPT},
};

/// The fakes of one test: where they are, what they are told, and how they were called.
///
/// Unless told otherwise they are tools and an engine in good health, without an API server: `kind
/// create` leaves containers and a kubeconfig that leads nowhere, `docker network create` a network,
/// `docker rm` takes the containers away, `docker` shows what is there.
#[derive(Debug)]
pub(crate) struct Fakes {
    dir: PathBuf,
    rules: Vec<Rule>,
}

/// The file that holds the engine's containers, as `docker ps` shows them; an id alone will do.
pub(crate) const CONTAINERS: &str = "containers";
/// The file that holds since when each container runs.
pub(crate) const STARTS: &str = "starts";
/// The file that holds the engine's networks, as `docker network ls` shows them.
pub(crate) const NETWORKS: &str = "networks";

/// The file that holds the address of the make-believe cluster's API server.
pub(crate) const API: &str = "api";

/// A rule for calls of `program` that begin with `args`.
pub(crate) fn rule(program: &str, args: &str, acts: impl IntoIterator<Item = Act>) -> Rule {
    Rule {
        program: program.to_owned(),
        args: args.split_whitespace().map(ToOwned::to_owned).collect(),
        acts: acts.into_iter().collect(),
    }
}

impl Fakes {
    /// Fakes below `dir`, installed in `bin`.
    pub(crate) fn install(dir: PathBuf, bin: &Path) -> Self {
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(bin).unwrap();
        for name in ["kind", "kubectl", "docker", "helm"] {
            link(&bin.join(name));
        }
        let fakes = Self {
            dir,
            rules: healthy(),
        };
        fakes.write(&[]);
        fakes
    }

    /// From now on these rules come before the ones of tools in good health.
    pub(crate) fn obey(&self, rules: impl IntoIterator<Item = Rule>) {
        self.write(&rules.into_iter().collect::<Vec<_>>());
    }

    fn write(&self, first: &[Rule]) {
        let rules: Vec<&Rule> = first.iter().chain(&self.rules).collect();
        let text = serde_json::to_vec_pretty(&rules).unwrap();
        let new = self.dir.join("script.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.dir.join(SCRIPT)).unwrap();
    }

    /// The fakes' directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every call so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let log = fs::read_to_string(self.dir.join(CALLS)).unwrap_or_default();
        let read = |line| serde_json::from_str(line).expect(line);
        log.lines().map(read).collect()
    }

    /// Forgets the calls so far.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(self.dir.join(CALLS));
    }

    /// The calls of `program` that begin with `args`.
    pub(crate) fn calls_of(&self, program: &str, args: &str) -> Vec<Call> {
        let meant = rule(program, args, []);
        let mut calls = self.calls();
        calls.retain(|call| meant.matches(&call.program, &call.args));
        calls
    }

    /// The verbs by which anything was created or removed, in order: `docker network create`, `kind
    /// create`, `docker rm`, `docker network rm`; or started or stopped.
    pub(crate) fn changes(&self) -> Vec<String> {
        let named = |call: &Call| {
            let words: Vec<&str> = call.args.iter().map(String::as_str).collect();
            match (call.program.as_str(), words.as_slice()) {
                ("kind", [verb @ ("create" | "delete"), ..]) => Some(format!("kind {verb}")),
                ("docker", ["network", verb @ ("create" | "rm"), ..]) => {
                    Some(format!("docker network {verb}"))
                }
                (
                    "docker",
                    [
                        verb @ ("load" | "pull" | "rm" | "exec" | "start" | "stop" | "unpause"),
                        ..,
                    ],
                ) => Some(format!("docker {verb}")),
                ("kubectl", ["version", ..]) | ("helm", ["version" | "history", ..]) => None,
                ("helm", [verb, ..]) => Some(format!("helm {verb}")),
                ("kubectl", _) => Some("kubectl".to_owned()),
                _ => None,
            }
        };
        self.calls().iter().filter_map(named).collect()
    }

    /// Whether the file is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    /// The file's text; none if it is not there.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    /// The process id in the file.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap()
    }
}

/// Puts a fake at `path`; it is what it is called.
pub(crate) fn link(path: &Path) {
    symlink(env!("CARGO_BIN_EXE_fake-tool"), path).unwrap();
}

/// The digest of the program that all fakes are, as an index of a bundle has it.
pub(crate) fn fake_digest() -> String {
    let fake = Path::new(env!("CARGO_BIN_EXE_fake-tool"));
    format!("sha256:{}", labctl::digest::hex_of_file(fake).unwrap())
}

fn healthy() -> Vec<Rule> {
    let version = r#"{"clientVersion": {"gitVersion": "v1.34.4"}}"#;
    vec![
        rule(
            "kind",
            "version",
            [Act::Out("kind v0.33.0 go1.26.8 linux/amd64".into())],
        ),
        rule("kubectl", "version --client", [Act::Out(version.into())]),
        rule("helm", "version", [Act::Out("v4.3.1+g0d5d2a5".into())]),
        rule("docker", "version", [Act::Out("28.5.2".into())]),
        rule("docker", "ps", [Act::Cat(CONTAINERS.into())]),
        rule("docker", "port", [Act::Out("127.0.0.1:1".into())]),
        rule("docker", "container inspect", [Act::Cat(STARTS.into())]),
        rule("docker", "start", []),
        rule("docker", "stop", []),
        rule("docker", "unpause", []),
        rule("docker", "network ls", [Act::Cat(NETWORKS.into())]),
        rule("docker", "network inspect", [Act::Out(String::new())]),
        rule("docker", "network create", [network_created()]),
        rule("docker", "network rm", [Act::Remove(NETWORKS.into())]),
        rule("kind", "create cluster", created()),
        rule("docker", "rm", [Act::Remove(CONTAINERS.into())]),
        rule("docker", "events", [Act::Hang]),
        rule(
            "docker",
            "image inspect",
            [Act::Err("Error: No such image".into()), Act::Exit(1)],
        ),
        rule("docker", "load", []),
        rule("docker", "pull", []),
        rule("docker", "build", []),
        rule("docker", "save", []),
        rule("docker", "exec", []),
        rule("kubectl", "--kubeconfig", []),
    ]
}

/// What `docker network create` leaves behind: the network, with its first label.
fn network_created() -> Act {
    Act::Write(NETWORKS.into(), "0ddba11 {last} {--label}\n".into())
}

/// What `kind create` leaves behind.
pub(crate) fn created() -> Vec<Act> {
    let network = "{$KIND_EXPERIMENTAL_DOCKER_NETWORK}";
    let node = |id: &str, role: &str| format!("{id} running {role} {{--name}}-{role} {network}\n");
    let containers =
        node("c0ffee0000000000", "control-plane") + &node("c0ffee1111111111", "worker");
    vec![
        Act::Write(CONTAINERS.into(), containers),
        Act::Write("{--kubeconfig}".into(), UNREACHABLE_KUBECONFIG.into()),
    ]
}

/// The rules of tools that work on the make-believe cluster at `address`, made in the file [`API`].
pub(crate) fn on_the_cluster(address: &str) -> Vec<Rule> {
    let ask = || Act::Ask(API.into());
    let kubeconfig = UNREACHABLE_KUBECONFIG.replace("127.0.0.1:1", address);
    let exported = kubeconfig.clone();
    let mut create = created();
    create.pop();
    create.extend([ask(), Act::Write("{--kubeconfig}".into(), kubeconfig)]);
    let starts =
        ["worker", "worker2", "worker3"].map(|n| Act::Out(format!("lab-crash-{n} worker")));
    let mut events = vec![Act::Await(CONTAINERS.into())];
    events.extend(starts);
    events.push(Act::Hang);
    let mut rules = vec![
        rule("kind", "create cluster", create),
        rule("docker", "rm", [ask(), Act::Remove(CONTAINERS.into())]),
        rule(
            "kind",
            "export kubeconfig",
            [Act::Write("{--kubeconfig}".into(), exported)],
        ),
        rule("docker", "events", events),
        rule(
            "docker",
            "save",
            [Act::Write("{--output}".into(), "an archive".into())],
        ),
    ];
    for verb in ["apply", "create", "exec", "delete", "drain", "uncordon"] {
        let args = format!("--kubeconfig * --context * {verb}");
        rules.push(rule("kubectl", &args, [ask()]));
    }
    rules
}

/// The same where the engine is make-believe, too.
pub(crate) fn on_the_engine(address: &str) -> Vec<Rule> {
    let ask = || Act::Ask(API.into());
    let kubeconfig = UNREACHABLE_KUBECONFIG.replace("127.0.0.1:1", address);
    let writes = || Act::Write("{--kubeconfig}".into(), kubeconfig.clone());
    let begun = Act::Write(CONTAINERS.into(), String::new());
    let mut rules = vec![
        rule("kind", "create cluster", [ask(), begun, writes()]),
        rule("kind", "export kubeconfig", [ask(), writes()]),
        rule("docker", "port", [Act::Cat(API.into())]),
    ];
    for verb in [
        "ps",
        "network",
        "start",
        "stop",
        "exec",
        "container inspect",
    ] {
        rules.push(rule("docker", verb, [ask()]));
    }
    rules.push(rule(
        "docker",
        "rm",
        [ask(), Act::Remove(CONTAINERS.into())],
    ));
    rules.extend(on_the_cluster(address));
    rules
}
