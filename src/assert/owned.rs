//! The pods that a workload's controller made. Labels do not decide: any pod can carry them, and a
//! pod with these labels but another owner does not belong to the workload.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Observed, Scope};
use crate::spec::WorkloadKind;

/// Returns the scope of the kind between a workload of `kind` and its pods, if there is one.
pub(super) fn between(kind: WorkloadKind, namespace: &str) -> Option<Scope> {
    match kind {
        WorkloadKind::Deployment => Some(Scope::of::<ReplicaSet>(Some(namespace))),
        WorkloadKind::StatefulSet => None,
    }
}

/// Returns the pods of `namespace` that the controller of the workload with `metadata` made.
pub(super) fn pods(
    kind: WorkloadKind,
    metadata: &ObjectMeta,
    observed: &Observed,
    namespace: &str,
) -> Result<Vec<Pod>, String> {
    let mut pods: Vec<Pod> = observed.list(Some(namespace))?;
    let own: BTreeSet<String> = match kind {
        WorkloadKind::StatefulSet => metadata.uid.iter().cloned().collect(),
        WorkloadKind::Deployment => {
            let sets: Vec<ReplicaSet> = observed.list(Some(namespace))?;
            let own = sets.into_iter().map(|set| set.metadata);
            let own = own.filter(|set| {
                controller(set).is_some_and(|uid| Some(uid) == metadata.uid.as_deref())
            });
            own.filter_map(|set| set.uid).collect()
        }
    };
    pods.retain(|pod| controller(&pod.metadata).is_some_and(|uid| own.contains(uid)));
    Ok(pods)
}

fn controller(metadata: &ObjectMeta) -> Option<&str> {
    let mut owners = metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true));
    owner.map(|owner| owner.uid.as_str())
}
