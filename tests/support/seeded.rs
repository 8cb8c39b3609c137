//! Environments that a test makes with labctl's own types, as runs on a real cluster leave them.

use std::{fs, path::PathBuf};

use jiff::Timestamp;
use labctl::{
    event::{ClusterIdentity, Event, EventKind, RunOutcome, StepInfo, Verb},
    spec::{ClaimFact, Fact, Facts, LabTree, PodFact, Undo, action::Node},
    state::{Environment, Identity, Journal, Record, Store, environment::read_tree, files},
};

use super::Sandbox;

/// A kubeconfig that leads to a port of this machine on which nobody listens.
///
/// Another one, of somebody else's, is the current one in it.
pub(crate) const UNREACHABLE_KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: another
contexts:
- {name: another, context: {cluster: another, user: another}}
- {name: 'kind-{--name}', context: {cluster: 'kind-{--name}', user: 'kind-{--name}'}}
clusters:
- {name: another, cluster: {server: 'http://127.0.0.1:2'}}
- {name: 'kind-{--name}', cluster: {server: 'http://127.0.0.1:1'}}
users:
- {name: another, user: {token: somebodys}}
- {name: 'kind-{--name}', user: {token: t}}
";

/// The id of the environments that tests make.
pub(crate) const SEEDED_ID: &str = "0123456789abcdef0123456789abcdef";

/// The network of the environment `name` that a test made, as `docker network ls` shows it.
pub(crate) fn seeded_network(name: &str) -> String {
    format!(
        "0ddba11 labctl-{name}-{} labctl.dev/environment={SEEDED_ID},labctl.dev/cluster={name}\n",
        &SEEDED_ID[..12]
    )
}

/// `kubeconfig` for the cluster `name`.
pub(crate) fn named(kubeconfig: &str, name: &str) -> String {
    kubeconfig.replace("{--name}", name)
}

/// An environment on disk.
#[derive(Debug)]
pub(crate) struct Seeded {
    /// The environment.
    pub(crate) environment: Environment,
    seq: u64,
}

impl Seeded {
    /// An environment of the lab `lab` in the test's working directory, in which nothing was done.
    pub(crate) fn new(sandbox: &Sandbox, name: &str, lab: &str) -> Self {
        Self::made(sandbox, name, lab, None)
    }

    /// The same, made from a bundle.
    pub(crate) fn made(sandbox: &Sandbox, name: &str, lab: &str, bundle: Option<PathBuf>) -> Self {
        let tree = read_tree(&sandbox.path("work").join(lab)).unwrap();
        Self::of_tree(sandbox, name, lab, &tree, bundle)
    }

    /// An environment of lab 10.3, in which nothing was done.
    pub(crate) fn of_10_3(sandbox: &Sandbox) -> Self {
        let labs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("labs/10.3");
        let tree = read_tree(&labs).unwrap();
        Self::of_tree(sandbox, "lab-10-3", "10.3", &tree, None)
    }

    fn of_tree(
        sandbox: &Sandbox,
        name: &str,
        lab: &str,
        tree: &LabTree,
        bundle: Option<PathBuf>,
    ) -> Self {
        let store = Store::new(sandbox.state());
        files::create_dir(&store.path(&name.into())).unwrap();
        let mut record = Record::new(&name.into(), lab, bundle, Timestamp::UNIX_EPOCH);
        record.id = Some(Identity::try_from(SEEDED_ID.to_owned()).unwrap());
        let environment = store.create(record).unwrap();
        environment.put_lab(tree).unwrap();
        Self {
            environment,
            seq: 0,
        }
    }

    /// Appends events to the journal.
    pub(crate) fn journal(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        let (mut journal, _) = Journal::open(&self.environment.journal()).unwrap();
        for event in kinds {
            self.seq += 1;
            let at = Timestamp::UNIX_EPOCH;
            let seq = self.seq;
            journal.append(&Event { seq, at, event }).unwrap();
        }
        self
    }

    /// Appends what `up` journals while it makes the cluster with these containers.
    pub(crate) fn with_cluster(self, containers: &[&str]) -> Self {
        let name = self.environment.name().to_string();
        let identity = ClusterIdentity {
            name: name.clone(),
            uid: "uid-of-kube-system".into(),
            containers: containers.iter().map(ToString::to_string).collect(),
            server: None,
        };
        let started = self.run_started(Verb::Up);
        let kubeconfig = named(UNREACHABLE_KUBECONFIG, &name);
        fs::write(self.environment.kubeconfig(), kubeconfig).unwrap();
        self.journal([
            started,
            step_started("cluster"),
            EventKind::ClusterIntended { name },
            EventKind::ClusterCreated { cluster: identity },
            verified("cluster", Facts::new()),
            run_finished(RunOutcome::Passed),
        ])
    }

    /// That a run begins in it.
    pub(crate) fn run_started(&self, verb: Verb) -> EventKind {
        EventKind::RunStarted {
            verb,
            environment: self.environment.name().to_string(),
            lab: self.environment.record.lab.clone(),
            title: "A lab".into(),
            steps: vec![StepInfo {
                id: "cluster".into(),
                title: "Create a cluster".into(),
                teach: None,
                unchecked: false,
            }],
        }
    }
}

/// That a step is begun.
pub(crate) fn step_started(step: &str) -> EventKind {
    EventKind::StepStarted {
        step: step.into(),
        fingerprint: "f".into(),
        reason: "it was not done yet".into(),
        undo: None,
        held: false,
    }
}

/// That the fault of lab 10.3 is injected.
pub(crate) fn drain_started() -> EventKind {
    let node_of = "drained".into();
    EventKind::StepStarted {
        step: "drain".into(),
        fingerprint: "f".into(),
        reason: "it was not done yet".into(),
        undo: Some(Undo::Uncordon(Node::NodeOf(node_of))),
        held: false,
    }
}

/// That a step was seen to hold.
pub(crate) fn verified(step: &str, facts: Facts) -> EventKind {
    EventKind::Verified {
        step: step.into(),
        fingerprint: "f".into(),
        facts,
        verdicts: Vec::new(),
    }
}

/// That a run ended.
pub(crate) fn run_finished(outcome: RunOutcome) -> EventKind {
    EventKind::RunFinished {
        outcome,
        took: std::time::Duration::from_secs(1),
    }
}

/// The fact `name` of the pod and the claim that begin with these names.
pub(crate) fn fact(name: &str, pod: &str, claim: &str) -> Facts {
    let pod = PodFact {
        name: pod.into(),
        uid: format!("uid-of-{pod}"),
        node: "lab-10-3-worker2".into(),
    };
    let claim = ClaimFact {
        name: claim.into(),
        uid: format!("uid-of-{claim}"),
        volume: format!("pv-of-{claim}"),
        volume_uid: format!("uid-of-pv-of-{claim}"),
    };
    let fact = Fact {
        pod: Some(pod),
        claim: Some(claim),
        load: None,
    };
    [(name.to_owned(), fact)].into()
}
