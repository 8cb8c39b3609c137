//! `pvc-reattached`

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};

use super::{Context, explained, missing};
use crate::{
    assert::{
        cause::held_by,
        observed::Missing,
        pod,
        text::{uid, volume},
    },
    event::{Clause, Status},
    spec::{ClaimFact, PodFact, assertion::PvcReattached},
};

pub(super) fn check(a: &PvcReattached, context: &Context<'_>) -> Vec<Clause> {
    let (before, claim_before) = match recorded(a, context) {
        Ok(recorded) => recorded,
        Err(actual) => {
            let what = format!("pod {} and its claim were recorded", a.pod);
            let expected = format!("fact `{}`", a.since);
            return vec![Clause::new(Status::Unknown, what, expected, actual)];
        }
    };
    let namespace = Some(context.namespace);
    let claim = context.observed.get(namespace, &claim_before.name);
    let bound = context.observed.get(None, &claim_before.volume);
    let pod = context.pod(&a.pod);
    vec![
        same_claim(claim_before, claim),
        same_volume(claim_before, bound),
        replaced(a, before, &pod),
        mounts(a, before, claim_before, &pod),
        ready(a, &pod, context),
    ]
}

/// The pod and the claim as they were, or what of them is not recorded.
fn recorded<'a>(
    a: &PvcReattached,
    context: &Context<'a>,
) -> Result<(&'a PodFact, &'a ClaimFact), String> {
    let since = &a.since;
    let Some(fact) = context.facts.get(since) else {
        return Err(format!(
            "no fact named `{since}` is recorded; it is recorded when the step that declares it is \
             verified"
        ));
    };
    match (&fact.pod, &fact.claim) {
        (Some(pod), Some(claim)) if pod.name == a.pod => Ok((pod, claim)),
        (Some(pod), Some(_)) => Err(format!("fact `{since}` is about pod {}", pod.name)),
        (None, _) => Err(format!("fact `{since}` holds no pod")),
        (_, None) => Err(format!("fact `{since}` holds no claim")),
    }
}

fn same_claim(before: &ClaimFact, claim: Result<PersistentVolumeClaim, Missing>) -> Clause {
    let what = format!("claim {} is the same", before.name);
    let identity = |id: &str, bound: &str| format!("uid {} · volume {}", uid(id), volume(bound));
    let expected = identity(&before.uid, &before.volume);
    let claim = match claim {
        Ok(claim) => claim,
        Err(why) => return missing(what, expected, &why),
    };
    let present = claim.metadata.uid.clone().unwrap_or_default();
    let bound = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_name.as_deref());
    let phase = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let deleting = claim.metadata.deletion_timestamp.is_some();
    let state = match phase {
        _ if deleting => format!(", being deleted{}", held_by(&claim.metadata)),
        Some("Bound") => String::new(),
        _ => ", not Bound".to_owned(),
    };
    // Neither a uid nor a volume's name changes once it is there.
    let same = present == before.uid && bound.is_none_or(|bound| bound == before.volume);
    let status = match (same, bound) {
        (false, _) => Status::Failed,
        (true, Some(_)) if state.is_empty() => Status::Pass,
        (true, _) => Status::Pending,
    };
    let actual = identity(&present, bound.unwrap_or("none")) + &state;
    Clause::new(status, what, expected, actual)
}

fn same_volume(before: &ClaimFact, bound: Result<PersistentVolume, Missing>) -> Clause {
    let what = format!("volume {} is the same", volume(&before.volume));
    let identity = |id: &str, of: &str| format!("uid {} · of claim uid {}", uid(id), uid(of));
    let expected = identity(&before.volume_uid, &before.uid);
    let bound = match bound {
        Ok(bound) => bound,
        Err(why) => return missing(what, expected, &why),
    };
    let present = bound.metadata.uid.unwrap_or_default();
    let claim_ref = bound.spec.and_then(|spec| spec.claim_ref);
    let of = claim_ref
        .and_then(|claim| claim.uid)
        .unwrap_or_else(|| "none".to_owned());
    let same = present == before.volume_uid && of == before.uid;
    Clause::when(
        same,
        Status::Failed,
        what,
        expected,
        identity(&present, &of),
    )
}

fn replaced(a: &PvcReattached, before: &PodFact, pod: &Result<Pod, Missing>) -> Clause {
    let what = format!("pod {} was replaced", a.pod);
    let old = uid(&before.uid);
    let expected = format!("another uid than {old}");
    let pod = match pod {
        Ok(pod) => pod,
        Err(why) => return missing(what, expected, why),
    };
    let present = pod.metadata.uid.as_deref().unwrap_or_default();
    if present != before.uid {
        let actual = format!("uid {old} → {}", uid(present));
        return Clause::new(Status::Pass, what, expected, actual);
    }
    let not_yet = if pod::is_deleting(pod) {
        "being deleted"
    } else {
        "not replaced"
    };
    let actual = format!("still the pod of `{}` (uid {old}), {not_yet}", a.since);
    let because = if pod::is_deleting(pod) {
        vec![format!("it is being deleted{}", held_by(&pod.metadata))]
    } else {
        Vec::new()
    };
    Clause::new(Status::Pending, what, expected, actual).because(because)
}

fn mounts(
    a: &PvcReattached,
    before: &PodFact,
    claim: &ClaimFact,
    pod: &Result<Pod, Missing>,
) -> Clause {
    let what = format!("pod {} mounts claim {}", a.pod, claim.name);
    let pod = match pod {
        Ok(pod) => pod,
        Err(why) => return missing(what, "mounted", why),
    };
    let claims = pod::claims(pod);
    let actual = match claims.as_slice() {
        claims if claims.contains(&claim.name.as_str()) => "mounted".to_owned(),
        [] => "it mounts no claim".to_owned(),
        others => format!("it mounts {}", others.join(", ")),
    };
    // The volumes of a pod cannot be changed; only another replacement could mount it.
    let going = pod::is_deleting(pod) || pod.metadata.uid.as_ref() == Some(&before.uid);
    let otherwise = if going {
        Status::Pending
    } else {
        Status::Failed
    };
    Clause::when(actual == "mounted", otherwise, what, "mounted", actual)
}

fn ready(a: &PvcReattached, pod: &Result<Pod, Missing>, context: &Context<'_>) -> Clause {
    let what = format!("pod {} is Ready", a.pod);
    let pod = match pod {
        Ok(pod) => pod,
        Err(why) => return missing(what, "Ready", why),
    };
    let actual = pod::state(pod, context.now);
    let clause = Clause::when(pod::is_ready(pod), Status::Pending, what, "Ready", actual);
    explained(clause, pod, context)
}

#[cfg(test)]
mod tests;
