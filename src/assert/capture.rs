//! Captures facts from observed objects.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};

use super::{Observed, observed::Missing, pod, text::clean};
use crate::{
    event::{Clause, Status, Verdict},
    spec::{ClaimFact, Fact, Facts, PodFact, model::Record},
};

/// Returns a verdict for each of `records` that cannot be captured now; none of them is Pass. Skips
/// the facts that `known` already holds.
#[must_use]
pub fn held_up(
    records: &BTreeMap<String, Record>,
    known: &Facts,
    namespace: &str,
    observed: &Observed,
) -> Vec<Verdict> {
    let open = records
        .iter()
        .filter(|(name, _)| !known.contains_key(*name));
    let held_up = open.filter_map(|(name, record)| {
        let why = capture(record, namespace, observed).err()?;
        let subjects = [("pod", &record.pod), ("claim", &record.claim)];
        let subjects = subjects
            .iter()
            .filter_map(|(kind, name)| Some(format!("{kind} {}", name.as_ref()?)));
        let subjects: Vec<String> = subjects.collect();
        let what = format!("fact `{name}` can be recorded");
        let clause = Clause::new(Status::Pending, what, subjects.join(" and "), why);
        Some(Verdict::of(format!("record {name}"), vec![clause]))
    });
    held_up.collect()
}

/// Captures the fact that `record` declares.
///
/// # Errors
///
/// Names every object that is absent or not yet ready to be recorded.
pub fn capture(record: &Record, namespace: &str, observed: &Observed) -> Result<Fact, String> {
    let pod = record
        .pod
        .as_deref()
        .map(|name| pod_fact(name, namespace, observed));
    let claim = record
        .claim
        .as_deref()
        .map(|name| claim_fact(name, namespace, observed));
    match (pod.transpose(), claim.transpose()) {
        (Ok(None), Ok(None)) => Err("neither a pod nor a claim is to be recorded".to_owned()),
        (Ok(pod), Ok(claim)) => Ok(Fact {
            pod,
            claim,
            load: None,
        }),
        (Err(pod), Err(claim)) => Err(format!("{pod}; {claim}")),
        (Err(missing), Ok(_)) | (Ok(_), Err(missing)) => Err(missing),
    }
}

fn missing(what: &str, why: &Missing) -> String {
    match why {
        Missing::Absent => format!("{what} does not exist"),
        Missing::Unknown(why) => format!("{what} cannot be looked at: {}", clean(why)),
    }
}

fn pod_fact(name: &str, namespace: &str, observed: &Observed) -> Result<PodFact, String> {
    let what = format!("pod {name}");
    let pod: Pod = observed
        .get(Some(namespace), name)
        .map_err(|why| missing(&what, &why))?;
    // A fact about a pod that is being deleted would be out of date at once.
    if pod::is_deleting(&pod) {
        return Err(format!("{what} is being deleted"));
    }
    let node = pod::node(&pod)
        .ok_or_else(|| format!("{what} has no node yet"))?
        .to_owned();
    let name = name.to_owned();
    let uid = pod
        .metadata
        .uid
        .ok_or_else(|| format!("{what} has no uid"))?;
    Ok(PodFact { name, uid, node })
}

fn claim_fact(name: &str, namespace: &str, observed: &Observed) -> Result<ClaimFact, String> {
    let what = format!("claim {name}");
    let claim: PersistentVolumeClaim = observed
        .get(Some(namespace), name)
        .map_err(|why| missing(&what, &why))?;
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(format!("{what} is being deleted"));
    }
    let phase = claim.status.and_then(|status| status.phase);
    let bound_to = claim.spec.and_then(|spec| spec.volume_name);
    let volume = bound_to
        .filter(|_| phase.as_deref() == Some("Bound"))
        .ok_or_else(|| format!("{what} is not Bound"))?;
    let bound: PersistentVolume = observed
        .get(None, &volume)
        .map_err(|why| missing(&format!("volume {} of {what}", clean(&volume)), &why))?;
    let volume_uid = bound
        .metadata
        .uid
        .ok_or_else(|| format!("volume {volume} has no uid"))?;
    let uid = claim
        .metadata
        .uid
        .ok_or_else(|| format!("{what} has no uid"))?;
    let name = name.to_owned();
    Ok(ClaimFact {
        name,
        uid,
        volume,
        volume_uid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::{
        Needs,
        fixture::{NS, World, before, said, unschedulable},
    };
    use serde_json::json;

    fn record() -> Record {
        Record {
            pod: Some("postgres-0".to_owned()),
            claim: Some("data-postgres-0".to_owned()),
        }
    }

    fn of(mut world: World) -> Result<Fact, String> {
        let needs = Needs::default().and_records([&record()], NS);
        world
            .observed
            .objects
            .retain(|scope, _| needs.scopes.contains(scope));
        capture(&record(), NS, &world.observed)
    }

    fn why_not(world: World) -> String {
        of(world).unwrap_err()
    }

    #[test]
    fn a_pod_and_its_claim_are_recorded_as_they_are() {
        let mut expected = before();
        expected.pod.as_mut().unwrap().uid = "a1000000-new".to_owned();
        assert_eq!(of(World::well()).unwrap(), expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        let volume = "pvc-9a000000-4e5f";
        let claim = ("PersistentVolumeClaim", "data-postgres-0");
        assert_eq!(
            why_not(World::empty()),
            "pod postgres-0 does not exist; claim data-postgres-0 does not exist"
        );
        for (world, expected) in [
            (
                World::well().with("Pod", "postgres-0", unschedulable("no")),
                "pod postgres-0 has no node yet",
            ),
            (
                World::well().deleting("Pod", "postgres-0"),
                "pod postgres-0 is being deleted",
            ),
            (
                World::well().deleting(claim.0, claim.1),
                "claim data-postgres-0 is being deleted",
            ),
            (
                World::well().with(claim.0, claim.1, json!({"status": {"phase": "Lost"}})),
                "claim data-postgres-0 is not Bound",
            ),
            (
                World::well().with(claim.0, claim.1, json!({"spec": null})),
                "claim data-postgres-0 is not Bound",
            ),
            (
                World::well().without("PersistentVolume", volume),
                "volume pvc-9a000000-4e5f of claim data-postgres-0 does not exist",
            ),
            (
                World::well().lost("PersistentVolume"),
                "volume pvc-9a000000-4e5f of claim data-postgres-0 cannot be looked at: \
                 connection refused",
            ),
        ] {
            assert_eq!(why_not(world), expected);
        }
        let nothing = capture(
            &Record {
                pod: None,
                claim: None,
            },
            NS,
            &World::well().observed,
        );
        assert!(nothing.is_err());
    }

    #[test]
    fn what_cannot_be_recorded_yet_is_pending_and_what_is_recorded_is_not_asked() {
        let going = World::well().deleting("Pod", "postgres-0");
        let records = [("before".to_owned(), record())].into();
        let verdicts = held_up(&records, &Facts::new(), NS, &going.observed);
        let clauses = verdicts.iter().flat_map(|v| &v.clauses);
        assert_eq!(
            clauses.map(said).collect::<Vec<_>>(),
            [
                "Pending: fact `before` can be recorded: expected pod postgres-0 and claim \
                 data-postgres-0, is pod postgres-0 is being deleted"
            ]
        );
        let known = [("before".to_owned(), before())].into();
        assert_eq!(held_up(&records, &known, NS, &going.observed), []);
        assert_eq!(
            held_up(&records, &Facts::new(), NS, &World::well().observed),
            []
        );
    }
}
