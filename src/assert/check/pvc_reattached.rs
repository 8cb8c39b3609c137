//! The assertion `pvc-reattached`.

mod storage;

use k8s_openapi::api::core::v1::Pod;

use super::{Context, explained, missing};
use crate::{
    assert::{cause::held_by, observed::Missing, pod, text::uid},
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
        storage::same_claim(claim_before, claim),
        storage::same_volume(claim_before, bound),
        replaced(a, before, &pod),
        mounts(a, before, claim_before, &pod),
        ready(a, &pod, context),
    ]
}

/// Returns the recorded pod and claim.
///
/// # Errors
///
/// Says which of the two is not recorded.
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
    let still = format!("still the pod of `{}` (uid {old})", a.since);
    if pod::is_deleting(pod) {
        let because = vec![format!("it is being deleted{}", held_by(&pod.metadata))];
        let actual = format!("{still}, being deleted");
        return Clause::new(Status::Pending, what, expected, actual).because(because);
    }
    Clause::new(
        Status::Pending,
        what,
        expected,
        format!("{still}, not replaced"),
    )
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
    // The volumes of a pod cannot be changed; only another replacement can mount the claim.
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
