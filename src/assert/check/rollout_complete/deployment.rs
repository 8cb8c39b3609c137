//! The rollout of a `Deployment`.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};

use super::{
    Context, Field, Rollout,
    pods::{self, Trouble},
};
use crate::{
    assert::{check::unknown, owned, pod, text::clean},
    event::Clause,
    spec::assertion::RolloutComplete,
};

fn asked(deployment: &Deployment) -> i32 {
    deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1)
}

pub(super) fn rollout(deployment: &Deployment) -> Rollout<'_> {
    let status = deployment.status.clone().unwrap_or_default();
    let asked = asked(deployment);
    let mut complaints: Vec<String> = status
        .conditions
        .iter()
        .flatten()
        .filter(|c| match c.type_.as_str() {
            "ReplicaFailure" => c.status == "True",
            // False after the deadline is exceeded. The controller keeps trying nevertheless.
            "Progressing" => c.status == "False",
            _ => false,
        })
        .map(|c| {
            let text = |text: &Option<String>| clean(text.as_deref().unwrap_or_default());
            format!(
                "{}: {}: {}",
                clean(&c.type_),
                text(&c.reason),
                text(&c.message)
            )
        })
        .collect();
    if deployment.spec.as_ref().and_then(|spec| spec.paused) == Some(true) {
        complaints.push("it is paused (kubectl rollout resume)".to_owned());
    }
    Rollout {
        metadata: &deployment.metadata,
        observed: status.observed_generation,
        asked,
        fields: vec![
            Field::count("replicas", asked, status.replicas),
            Field::count("updated replicas", asked, status.updated_replicas),
            Field::count("ready replicas", asked, status.ready_replicas),
            Field::count("available replicas", asked, status.available_replicas),
        ],
        complaints,
    }
}

/// Makes the clause about the pods that the controller of `deployment` made.
pub(super) fn pods(a: &RolloutComplete, deployment: &Deployment, context: &Context<'_>) -> Clause {
    let asked = asked(deployment);
    let own = owned::pods(
        a.of.kind,
        &deployment.metadata,
        context.observed,
        context.namespace,
    );
    let own = match own {
        Ok(pods) => pods,
        Err(why) => {
            return unknown(
                format!("pods of {} are Ready", a.of),
                asked.to_string(),
                &why,
            );
        }
    };
    let (ready, others): (Vec<Pod>, Vec<Pod>) = own.into_iter().partition(pod::is_ready);
    let mut trouble = Trouble::default();
    for pod in &others {
        trouble.add(pod, context);
    }
    pods::clause(a, asked, ready.len(), trouble)
}
