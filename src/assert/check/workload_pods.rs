//! The ready pods of a workload, whatever its kind.

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{Context, missing, unknown};
use crate::{
    assert::{Observed, labels, observed::Missing, pod},
    event::Clause,
    spec::{Workload, WorkloadKind},
};

/// What a workload asks for, and its pods.
pub(in crate::assert) struct WorkloadPods {
    /// What its pods are made from.
    pub(in crate::assert) template: PodTemplateSpec,
    /// Those that its selector selects and that are Ready and stay.
    pub(in crate::assert) ready: Vec<Pod>,
    /// Those that are not.
    pub(in crate::assert) others: Vec<Pod>,
}

/// Which pods are those of `of`, and what they are made from.
pub(in crate::assert) fn asked(
    of: &Workload,
    namespace: &str,
    observed: &Observed,
) -> Result<(LabelSelector, PodTemplateSpec), Missing> {
    let namespace = Some(namespace);
    match of.kind {
        WorkloadKind::Deployment => observed
            .get::<Deployment>(namespace, &of.name)
            .map(|d| d.spec.unwrap_or_default())
            .map(|spec| (spec.selector, spec.template)),
        WorkloadKind::StatefulSet => observed
            .get::<StatefulSet>(namespace, &of.name)
            .map(|s| s.spec.unwrap_or_default())
            .map(|spec| (spec.selector, spec.template)),
    }
}

/// The pods of `of`, or the clause about why they are not known.
pub(in crate::assert) fn of(
    of: &Workload,
    context: &Context<'_>,
) -> Result<WorkloadPods, Box<Clause>> {
    let namespace = Some(context.namespace);
    let (selector, template) = asked(of, context.namespace, context.observed)
        .map_err(|why| Box::new(missing(format!("{of} exists"), "exists", &why)))?;
    let pods: Result<Vec<Pod>, String> = context.observed.list(namespace);
    let mut pods = pods.map_err(|why| Box::new(unknown(format!("pods of {of}"), "known", &why)))?;
    pods.retain(|pod| labels::selects(&selector, pod.metadata.labels.as_ref()));
    let (ready, others) = pods.into_iter().partition(pod::is_ready);
    Ok(WorkloadPods {
        template,
        ready,
        others,
    })
}
