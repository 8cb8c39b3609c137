//! What the user's own kubeconfigs point at while the scenarios run: a cluster that nobody may ask.
//!
//! By default it is a mere listener that counts who comes. With `LABCTL_E2E_AUDIT` it is a real
//! cluster of one node that writes down every request, and it stays the current one.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    remains::docker,
    world::{setting, wait_for},
};

/// Where the decoy's API server writes its audit log, in the node.
const LOG: &str = "/var/log/kubernetes/audit.log";
/// Everything is logged, with who asked and what for.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
";
/// What the tests themselves make in the decoy, so that a log that records nothing is noticed.
const CONTROL: &str = "audit-control";

/// A cluster of the user's, which has nothing to do with any lab.
pub(crate) enum Decoy {
    /// None at all; who asks is counted.
    Listener {
        /// How it is reached.
        kubeconfig: String,
        /// How often it was asked.
        asked: Arc<AtomicUsize>,
    },
    /// A real one, which keeps an audit log.
    Audited(Audited),
}

/// A real cluster of one node.
pub(crate) struct Audited {
    name: String,
    kind: PathBuf,
    kubeconfig: String,
    /// Its container.
    container: Vec<String>,
    /// How many requests of people are the tests' own.
    own: usize,
}

impl Decoy {
    /// A decoy beside the environments that are named like `name`, with its files in `root`.
    pub(crate) fn open(name: &str, root: &Path, bundle: Option<&Path>) -> Self {
        if setting("LABCTL_E2E_AUDIT").is_some() {
            Self::Audited(Audited::create(&format!("{name}-decoy"), root, bundle))
        } else {
            Self::listen()
        }
    }

    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = listener.local_addr().expect("an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        thread::spawn(move || {
            for _ in listener.incoming() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let kubeconfig = format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters: [{{name: production, cluster: {{server: \"http://{server}\"}}}}]\n\
             contexts: [{{name: production, context: {{cluster: production}}}}]\n\
             current-context: production\n"
        );
        Self::Listener { kubeconfig, asked }
    }

    /// The kubeconfig in which it is the current cluster.
    pub(crate) fn kubeconfig(&self) -> &str {
        match self {
            Self::Listener { kubeconfig, .. } => kubeconfig,
            Self::Audited(decoy) => &decoy.kubeconfig,
        }
    }

    /// Nobody connected to it, as far as that can be told at any time.
    #[track_caller]
    pub(crate) fn was_not_asked(&self) {
        if let Self::Listener { asked, .. } = self {
            let asked = asked.load(Ordering::Relaxed);
            assert_eq!(asked, 0, "the user's own cluster was asked");
        }
    }

    /// Its audit log holds nothing but what the cluster does by itself, and its container is the
    /// same and runs. Says how many requests were looked at.
    #[track_caller]
    pub(crate) fn has_a_clean_log(&self) -> Option<String> {
        let Self::Audited(decoy) = self else {
            return None;
        };
        assert_eq!(decoy.state(), decoy.container, "the decoy's container");
        let log = decoy.log();
        let people: Vec<&Value> = log.iter().filter(|entry| !is_its_own(entry)).collect();
        assert_eq!(
            people.len(),
            decoy.own,
            "the user's own cluster was asked: {:#?}",
            people.get(decoy.own..)
        );
        Some(format!(
            "the decoy's audit log: {} requests, none of them after the tests' own {} by anybody \
             but the cluster itself",
            log.len(),
            decoy.own
        ))
    }

    /// Removes it.
    pub(crate) fn close(&self) {
        if let Self::Audited(decoy) = self {
            decoy.delete();
        }
    }
}

impl Audited {
    fn create(name: &str, root: &Path, bundle: Option<&Path>) -> Self {
        let dir = root.join("decoy");
        fs::create_dir_all(&dir).expect("a directory for the decoy");
        let (policy, config, kubeconfig) = (
            dir.join("policy.yaml"),
            dir.join("kind.yaml"),
            dir.join("kubeconfig"),
        );
        fs::write(&policy, POLICY).expect("a policy");
        fs::write(&config, config_with(&policy)).expect("a configuration");
        let kind = bundle.map_or_else(|| "kind".into(), |dir| dir.join("tools/kind"));
        let mut decoy = Self {
            name: name.to_owned(),
            kind,
            kubeconfig: String::new(),
            container: Vec::new(),
            own: 0,
        };
        // One that an earlier, killed run left.
        decoy.delete();
        let mut create = decoy.kind(&["create", "cluster", "--wait", "180s"]);
        create.arg("--config").arg(&config);
        create.arg("--kubeconfig").arg(&kubeconfig);
        if let Some(image) = bundle.and_then(node_image) {
            create.args(["--image", &image]);
        }
        let made = create.output().expect("kind can be run");
        assert!(made.status.success(), "the decoy: {made:?}");
        decoy.kubeconfig = fs::read_to_string(&kubeconfig).expect("a kubeconfig");
        decoy.container = decoy.state();
        decoy.prove_the_log();
        decoy
    }

    fn kind(&self, args: &[&str]) -> Command {
        let mut kind = Command::new(&self.kind);
        kind.args(args).args(["--name", &self.name]);
        kind.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", &self.name);
        kind
    }

    fn node(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    /// Its container's id, and whether it runs.
    fn state(&self) -> Vec<String> {
        let format = "{{.Id}} {{.State.Status}}";
        docker(&["container", "inspect", "--format", format, &self.node()])
    }

    /// Makes something as a person would, and waits until the log has it: what is not in it from
    /// then on was not asked for.
    fn prove_the_log(&mut self) {
        let (node, admin) = (self.node(), "--kubeconfig=/etc/kubernetes/admin.conf");
        let create = [
            "exec",
            &node,
            "kubectl",
            admin,
            "create",
            "configmap",
            CONTROL,
        ];
        docker(&create);
        let is_control = |entry: &Value| {
            entry["objectRef"]["name"] == CONTROL && entry["verb"] == "create" && !is_its_own(entry)
        };
        wait_for("the audit log", Duration::from_secs(30), || {
            self.log().iter().any(is_control)
        });
        self.own = self.log().iter().filter(|entry| !is_its_own(entry)).count();
    }

    /// Every request so far.
    fn log(&self) -> Vec<Value> {
        let lines = docker(&["exec", &self.node(), "cat", LOG]);
        // The last line may be half written.
        let entries = lines.iter().map(|line| serde_json::from_str(line));
        entries.filter_map(Result::ok).collect()
    }

    fn delete(&self) {
        let deleted = self.kind(&["delete", "cluster"]).output();
        let deleted = deleted.expect("kind can be run");
        assert!(deleted.status.success(), "the decoy: {deleted:?}");
        let filter = format!("name=^{}$", self.name);
        for network in docker(&["network", "ls", "--quiet", "--filter", &filter]) {
            docker(&["network", "rm", &network]);
        }
    }
}

/// Whether the cluster asked this of itself: its components do, and the kubelet looks, without a
/// name, whether the API server is well.
fn is_its_own(entry: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (user, agent) = (text(&entry["user"]["username"]), text(&entry["userAgent"]));
    let is_probe = user == "system:anonymous" && agent.starts_with("kube-probe/");
    let is_component = user.starts_with("system:") && user != "system:anonymous";
    is_probe || is_component
}

fn config_with(policy: &Path) -> String {
    format!(
        "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraMounts:
  - {{hostPath: \"{}\", containerPath: /etc/kubernetes/audit/policy.yaml, readOnly: true}}
  kubeadmConfigPatches:
  - |
    kind: ClusterConfiguration
    apiServer:
      extraArgs:
        audit-policy-file: /etc/kubernetes/audit/policy.yaml
        audit-log-path: {LOG}
      extraVolumes:
      - {{name: policy, hostPath: /etc/kubernetes/audit, mountPath: /etc/kubernetes/audit, readOnly: true, pathType: DirectoryOrCreate}}
      - {{name: audit, hostPath: /var/log/kubernetes, mountPath: /var/log/kubernetes, pathType: DirectoryOrCreate}}
",
        policy.display()
    )
}

/// The id of the bundle's node image, which the engine has from then on.
fn node_image(bundle: &Path) -> Option<String> {
    let index = fs::read(bundle.join("index.json")).expect("the bundle's index");
    let index: Value = serde_json::from_slice(&index).expect("the bundle's index");
    let image = index["images"]
        .as_array()?
        .iter()
        .find(|i| i["role"] == "node")?;
    let id = image["id"].as_str()?.to_owned();
    let has_it = Command::new("docker")
        .args(["image", "inspect", &id])
        .output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        let archive = bundle.join(image["path"].as_str()?);
        docker(&["load", "--quiet", "--input", &archive.to_string_lossy()]);
    }
    Some(id)
}
