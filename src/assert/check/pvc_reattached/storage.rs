//! The clauses about the claim and its volume, which have to be the recorded ones.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};

use crate::{
    assert::{
        cause::held_by,
        check::missing,
        observed::Missing,
        text::{uid, volume},
    },
    event::{Clause, Status},
    spec::ClaimFact,
};

/// Makes the clause about the claim's identity and the volume that the claim is bound to.
pub(super) fn same_claim(
    before: &ClaimFact,
    claim: Result<PersistentVolumeClaim, Missing>,
) -> Clause {
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
    // The uid of a claim never changes, nor does the name of its volume once it is set.
    let same = present == before.uid && bound.is_none_or(|bound| bound == before.volume);
    let status = match (same, bound) {
        (false, _) => Status::Failed,
        (true, Some(_)) if state.is_empty() => Status::Pass,
        (true, _) => Status::Pending,
    };
    let actual = identity(&present, bound.unwrap_or("none")) + &state;
    Clause::new(status, what, expected, actual)
}

/// Makes the clause about the volume's identity and the claim that the volume is bound to.
pub(super) fn same_volume(before: &ClaimFact, bound: Result<PersistentVolume, Missing>) -> Clause {
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
