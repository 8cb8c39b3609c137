//! The differences of the lab's objects and nodes from the snapshot of the step at the cursor.
//! `verify` reports them, and `reset` would restore them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    assert::{Cluster, Needs, Observed, Scope},
    engine::{
        restore::told,
        run::{context::Context, error::EngineError},
    },
    event::{Differing, RunState},
    plan::{commands, reset::is_base},
    snapshot::{Difference, Key, Live, LiveObject, Snapshot, difference},
    spec::{Action, Step, StepId, yaml},
};

/// The longest wait for the list, once everything else was observed. The differences are an
/// addition to the report, which must not wait for them.
const PATIENCE: Duration = Duration::from_secs(3);

/// The differences from the snapshot of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The step.
    pub with: StepId,
    /// The differences.
    pub differences: Vec<Differing>,
}

impl Compared {
    /// Returns a comparison with the snapshot of step `with` that found no difference.
    #[must_use]
    pub fn same(with: StepId) -> Self {
        let differences = Vec::new();
        Self { with, differences }
    }
}

/// A snapshot, and the running list of the cluster's objects that are compared with it.
pub struct Listing {
    snapshot: Snapshot,
    listed: JoinHandle<Observed>,
}

impl Listing {
    /// Begins to list the nodes of `cluster`, and its objects of the kinds in the snapshot of the
    /// step at the cursor. Returns `None` if there is no snapshot to compare with.
    pub fn begin(
        context: &Context,
        state: &RunState,
        cluster: &Cluster,
    ) -> Result<Option<Self>, EngineError> {
        let Some((_, step)) = base(context, state) else {
            return Ok(None);
        };
        let Some(snapshot) = context.environment.snapshot(&step.id)? else {
            return Ok(None);
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kinds = snapshot.objects.iter().map(|object| Scope {
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            namespace: None,
        });
        let scopes = kinds.chain([Scope::of::<Node>(None)]).collect();
        let (cluster, needs) = (cluster.clone(), Needs { scopes });
        let listed = tokio::spawn(async move { cluster.observe(&needs, &[], "").await });
        Ok(Some(Self { snapshot, listed }))
    }

    /// Returns the differences. Leaves out strangers: an object that the snapshot does not have is
    /// not the lab's.
    async fn end(mut self) -> Result<Vec<Difference>, String> {
        let observed = match tokio::time::timeout(PATIENCE, &mut self.listed).await {
            Ok(Ok(observed)) => observed,
            Ok(Err(_)) => return Err("the list of the lab's objects was broken off".to_owned()),
            Err(_) => {
                let patience = PATIENCE.as_secs();
                return Err(format!(
                    "the API server did not list the lab's objects within {patience} s"
                ));
            }
        };
        let live = live(&observed)?;
        let mut all = difference::between(&self.snapshot, &live);
        all.retain(|difference| !matches!(difference, Difference::Stranger { .. }));
        Ok(all)
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.listed.abort();
    }
}

/// Returns the objects of `observed`, or the reason why some of them are unknown.
fn live(observed: &Observed) -> Result<Live, String> {
    let mut live = Live::default();
    for scope in observed.objects.keys() {
        for object in observed.all(scope)?.values() {
            let mut object = object.clone();
            // Objects in a list lack `apiVersion` and `kind`.
            object["apiVersion"] = json!(scope.api_version);
            object["kind"] = json!(scope.kind);
            if scope.kind == "Node" {
                live.nodes.insert(Key::of(&object).name, object);
            } else {
                live.objects.extend(LiveObject::of(object, true));
            }
        }
    }
    Ok(live)
}

/// Returns the step to compare `state` with: the one at the cursor. Returns `None` while a fault is
/// open or a reset is unfinished: their effects cannot be told from other differences.
#[must_use]
pub fn base<'a>(context: &'a Context, state: &RunState) -> Option<(usize, &'a Step)> {
    let lab = &context.lab;
    let at = lab.position(state.cursor.as_ref()?)?;
    let is_told_apart = state.faults.is_empty() && state.reset_to.is_none() && is_base(lab, at);
    is_told_apart.then(|| (at, &lab.steps[at]))
}

/// Returns the differences between `listing` and the snapshot of the step at the cursor. Leaves out
/// the changes that the next step makes: a student may be in the middle of it.
pub async fn compare(
    context: &Context,
    state: &RunState,
    listing: Listing,
) -> Result<Option<Compared>, String> {
    let Some((at, step)) = base(context, state) else {
        return Ok(None);
    };
    let next = context.lab.steps.get(at + 1);
    let is_claimed = |difference: &Difference| match (next, difference) {
        (None, _) | (Some(_), Difference::Missing { .. }) => true,
        (Some(next), _) => !is_in_the_making(context, state, next, &difference.key()),
    };
    let differences = listing.end().await?;
    let claimed = differences.iter().filter(|d| is_claimed(d));
    Ok(Some(Compared {
        with: step.id.clone(),
        differences: claimed.map(|d| told(d, &context.lab.namespace)).collect(),
    }))
}

/// Returns true if `step` changes the object `key`. Objects made by a chart, a tool or a file
/// elsewhere are new, and so not in the snapshot.
fn is_in_the_making(context: &Context, state: &RunState, step: &Step, key: &Key) -> bool {
    let named = key.seen_from(&context.lab.namespace);
    match &step.action {
        Action::Drain(node) | Action::Uncordon(node) => {
            let name = commands::node(node, &context.target().cluster, &state.facts);
            key.kind == "Node" && name.is_some_and(|name| name == key.name)
        }
        Action::Apply(apply) => {
            let path = apply.path.as_ref();
            path.is_some_and(|path| is_in_manifests(context, path, key))
        }
        Action::Scale(scale) => named == scale.of.to_string(),
        Action::Annotate(annotate) => named == annotate.of,
        Action::RolloutRestart(restart) => restart.of.iter().any(|of| named == of.to_string()),
        Action::KindCluster(_)
        | Action::Helm(_)
        | Action::DeletePod(_)
        | Action::Tool(_)
        | Action::Certificates(_)
        | Action::Exec(_)
        | Action::Toxic(_)
        | Action::Load(_)
        | Action::Observe => false,
    }
}

fn is_in_manifests(context: &Context, path: &str, key: &Key) -> bool {
    let below = format!("{}/", path.trim_end_matches('/'));
    let files = context.tree.files.keys();
    let files = files.filter(|name| *name == path || name.starts_with(&below));
    let mut objects = files
        .filter_map(|name| context.tree.text(name))
        .flat_map(yaml::documents);
    objects.any(|object| {
        let of = Key::of(&object);
        let namespace = if of.namespace.is_empty() {
            &context.lab.namespace
        } else {
            &of.namespace
        };
        let is_there = key.namespace.is_empty() || *namespace == key.namespace;
        (&of.group, &of.kind, &of.name) == (&key.group, &key.kind, &key.name) && is_there
    })
}
