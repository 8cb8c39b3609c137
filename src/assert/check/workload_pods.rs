//! The pods of a workload of either kind.

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Context, missing, unknown};
use crate::{
    assert::{Observed, observed::Missing, owned, pod},
    event::Clause,
    spec::{Workload, WorkloadKind},
};

/// A workload's pod template and pods.
pub(in crate::assert) struct WorkloadPods {
    /// The template of its pods.
    pub(in crate::assert) template: PodTemplateSpec,
    /// The pods that its controller made that are Ready and not being deleted.
    pub(in crate::assert) ready: Vec<Pod>,
    /// The other pods that its controller made.
    pub(in crate::assert) others: Vec<Pod>,
}

/// Returns the metadata and the pod template of the workload `of`.
fn asked(
    of: &Workload,
    namespace: &str,
    observed: &Observed,
) -> Result<(ObjectMeta, PodTemplateSpec), Missing> {
    let namespace = Some(namespace);
    match of.kind {
        WorkloadKind::Deployment => observed
            .get::<Deployment>(namespace, &of.name)
            .map(|d| (d.metadata, d.spec.unwrap_or_default().template)),
        WorkloadKind::StatefulSet => observed
            .get::<StatefulSet>(namespace, &of.name)
            .map(|s| (s.metadata, s.spec.unwrap_or_default().template)),
    }
}

/// Returns a Ready pod of `of`, if there is one.
pub(in crate::assert) fn any_ready(
    of: &Workload,
    namespace: &str,
    observed: &Observed,
) -> Option<Pod> {
    let (metadata, _) = asked(of, namespace, observed).ok()?;
    let pods = owned::pods(of.kind, &metadata, observed, namespace).ok()?;
    pods.into_iter().find(pod::is_ready)
}

/// Returns the pods of `of`, or the clause that says why they are not known.
pub(in crate::assert) fn of(
    of: &Workload,
    context: &Context<'_>,
) -> Result<WorkloadPods, Box<Clause>> {
    let (metadata, template) = asked(of, context.namespace, context.observed)
        .map_err(|why| Box::new(missing(format!("{of} exists"), "exists", &why)))?;
    let pods = owned::pods(of.kind, &metadata, context.observed, context.namespace);
    let pods = pods.map_err(|why| Box::new(unknown(format!("pods of {of}"), "known", &why)))?;
    let (ready, others) = pods.into_iter().partition(pod::is_ready);
    Ok(WorkloadPods {
        template,
        ready,
        others,
    })
}
