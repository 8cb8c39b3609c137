//! The assertion `pvc-bound`.

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::PersistentVolumeClaim};

use super::{Context, missing};
use crate::{
    assert::{
        cause::{self, held_by},
        observed::Missing,
        text::{clean, volume},
    },
    event::{Clause, Status},
    spec::{WorkloadKind, assertion::PvcBound},
};

pub(super) fn check(a: &PvcBound, context: &Context<'_>) -> Vec<Clause> {
    let what = format!("claims of {}", a.of);
    if a.of.kind != WorkloadKind::StatefulSet {
        let actual = "no claims of its own: it is not a StatefulSet";
        return vec![Clause::new(Status::Failed, what, "Bound", actual)];
    }
    let set: StatefulSet = match context.observed.get(Some(context.namespace), &a.of.name) {
        Ok(set) => set,
        Err(why) => return vec![missing(format!("{} exists", a.of), "exists", &why)],
    };
    let spec = set.spec.as_ref();
    let templates = spec
        .and_then(|s| s.volume_claim_templates.as_deref())
        .unwrap_or_default();
    if templates.is_empty() {
        // Claim templates cannot be changed, so the set never gets claims.
        return vec![Clause::new(
            Status::Failed,
            what,
            "Bound",
            "it has no volumeClaimTemplates",
        )];
    }
    let first = cause::first_ordinal(&set);
    let replicas = spec.and_then(|s| s.replicas).unwrap_or(1);
    if replicas == 0 {
        return vec![Clause::new(
            Status::Pending,
            what,
            "Bound",
            "none: it asks for 0 replicas",
        )];
    }
    let template_names = templates.iter().filter_map(|t| t.metadata.name.as_deref());
    template_names
        .flat_map(|template| (first..first + replicas).map(move |ordinal| (template, ordinal)))
        .map(|(template, ordinal)| claim_clause(&set, template, ordinal, context))
        .collect()
}

fn claim_clause(set: &StatefulSet, template: &str, ordinal: i32, context: &Context<'_>) -> Clause {
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    let name = format!("{template}-{set_name}-{ordinal}");
    let what = format!("claim {name} is bound");
    let pod = format!("{set_name}-{ordinal}");
    let namespace = Some(context.namespace);
    let claim: PersistentVolumeClaim = match context.observed.get(namespace, &name) {
        Ok(claim) => claim,
        Err(why) => {
            // The controller creates a claim just before its pod.
            let because = match why {
                Missing::Absent if context.pod(&pod).is_err_and(|e| e == Missing::Absent) => {
                    cause::why_missing(set, ordinal, context.observed, context.namespace)
                }
                _ => Vec::new(),
            };
            return missing(what, "Bound", &why).because(because);
        }
    };
    let phase = claim
        .status
        .and_then(|status| status.phase)
        .unwrap_or_default();
    let spec = claim.spec.unwrap_or_default();
    if claim.metadata.deletion_timestamp.is_some() {
        let actual = format!("being deleted{}", held_by(&claim.metadata));
        return Clause::new(Status::Pending, what, "Bound", actual);
    }
    match (phase.as_str(), spec.volume_name.as_deref()) {
        ("Bound", Some(bound)) => Clause::new(
            Status::Pass,
            what,
            "Bound",
            format!("Bound to volume {}", volume(bound)),
        ),
        // The volume of the claim is gone, and the data with it.
        ("Lost", _) => Clause::new(Status::Failed, what, "Bound", "Lost: its volume is gone"),
        (phase, _) => {
            let class = spec.storage_class_name.as_deref();
            let evidence = class.map(|class| format!("storage class {}", clean(class)));
            let phase = if phase.is_empty() {
                "Pending".to_owned()
            } else {
                clean(phase)
            };
            Clause::new(Status::Pending, what, "Bound", phase)
                .evidence(evidence.into_iter().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        assert::fixture::{World, said},
        event::Status,
    };
    use serde_json::json;

    const BOUND: &str = "pvc-bound: {of: statefulset/postgres}";

    #[test]
    fn each_claim_has_its_clause_with_its_volume() {
        let verdict = World::well().verdict(BOUND);
        let said: Vec<String> = verdict.clauses.iter().map(said).collect();
        assert_eq!(verdict.status, Status::Pass);
        assert_eq!(said.len(), 3);
        assert_eq!(
            said[1],
            "Pass: claim data-postgres-1 is bound: expected Bound, is Bound to volume \
             pvc-9a000001…"
        );
    }

    #[test]
    fn ordinals_begin_where_the_set_says() {
        let world = World::well().with(
            "StatefulSet",
            "postgres",
            json!({"spec":
            {"ordinals": {"start": 1}, "replicas": 2}}),
        );
        assert_eq!(world.verdict(BOUND).clauses.len(), 2);
        world.passes(BOUND);
    }

    #[test]
    fn a_claim_that_is_not_there_waits_for_its_pod() {
        let world = World::well()
            .without("PersistentVolumeClaim", "data-postgres-2")
            .without("Pod", "postgres-2")
            .with("Pod", "postgres-1", crate::assert::fixture::not_ready());
        let clause = world.fault(BOUND);
        assert_eq!(
            said(&clause),
            "Pending: claim data-postgres-2 is bound: expected Bound, is absent"
        );
        assert_eq!(
            clause.because,
            ["pod postgres-2 does not exist yet: it waits until postgres-1 is Ready"]
        );
    }

    #[test]
    fn a_pod_that_cannot_be_looked_at_is_not_said_to_be_missing() {
        let world = World::well().without("PersistentVolumeClaim", "data-postgres-2");
        assert_eq!(world.lost("Pod").fault(BOUND).because, [""; 0]);
    }

    #[test]
    fn a_claim_on_its_way_in_or_out_is_not_bound() {
        let claim = "data-postgres-0";
        let pending = json!({"spec": {"volumeName": null}, "status": {"phase": "Pending"}});
        let lost = json!({"status": {"phase": "Lost"}});
        let with = |patch| {
            World::well()
                .with("PersistentVolumeClaim", claim, patch)
                .fault(BOUND)
        };
        assert_eq!(with(pending.clone()).status, Status::Pending);
        assert_eq!(with(pending).evidence, ["storage class standard"]);
        assert_eq!(with(lost).status, Status::Failed);
        let deleting = World::well()
            .deleting("PersistentVolumeClaim", claim)
            .fault(BOUND);
        assert_eq!(
            (deleting.status, deleting.actual.as_str()),
            (Status::Pending, "being deleted")
        );
    }

    #[test]
    fn nothing_that_could_be_bound_never_passes() {
        let set = |patch| World::well().with("StatefulSet", "postgres", patch);
        let status = |world: World| world.fault(BOUND).status;
        assert_eq!(status(World::empty()), Status::Pending);
        assert_eq!(
            status(set(json!({"spec": {"replicas": 0}}))),
            Status::Pending
        );
        assert_eq!(
            status(set(json!({"spec": {"volumeClaimTemplates": null}}))),
            Status::Failed
        );
        let deployment = World::well().fault("pvc-bound: {of: deployment/web}");
        assert_eq!(deployment.status, Status::Failed);
        assert_eq!(status(World::unreachable()), Status::Unknown);
    }
}
