//! The rollout of a `StatefulSet`.

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};

use super::{
    Context, Field, Rollout,
    pods::{self, Trouble},
};
use crate::{
    assert::{cause, check::unknown, observed::Missing, pod, text::clean},
    event::Clause,
    spec::assertion::RolloutComplete,
};

fn asked(set: &StatefulSet) -> i32 {
    set.spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1)
}

/// Returns the number of pods, from the first ordinal on, that keep their revision on purpose.
fn partition(set: &StatefulSet) -> i32 {
    let strategy = set
        .spec
        .as_ref()
        .and_then(|spec| spec.update_strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    rolling
        .and_then(|rolling| rolling.partition)
        .unwrap_or(0)
        .clamp(0, asked(set))
}

fn is_on_delete(set: &StatefulSet) -> bool {
    let strategy = set
        .spec
        .as_ref()
        .and_then(|spec| spec.update_strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete")
}

pub(super) fn rollout(set: &StatefulSet) -> Rollout<'_> {
    let status = set.status.clone().unwrap_or_default();
    let asked = asked(set);
    let partition = partition(set);
    let updated = if partition == 0 {
        Field::count("updated replicas", asked, status.updated_replicas)
    } else {
        let (least, actual) = (asked - partition, status.updated_replicas.unwrap_or(0));
        Field {
            what: "updated replicas",
            expected: format!("at least {least} (partition {partition})"),
            actual: actual.to_string(),
            holds: (least..=asked).contains(&actual),
        }
    };
    let mut fields = vec![
        Field::count("replicas", asked, Some(status.replicas)),
        updated,
        Field::count("ready replicas", asked, status.ready_replicas),
        Field::count("available replicas", asked, status.available_replicas),
    ];
    // The controller makes the newest revision the current one after a rolling update is complete.
    // It never does so with OnDelete, nor while a partition holds pods back.
    let on_delete = is_on_delete(set);
    if !on_delete && partition == 0 {
        let revision = |name: Option<String>| clean(name.as_deref().unwrap_or("none"));
        let holds =
            status.update_revision.is_some() && status.current_revision == status.update_revision;
        fields.push(Field {
            what: "revision",
            expected: revision(status.update_revision),
            actual: revision(status.current_revision),
            holds,
        });
    }
    let mut complaints = Vec::new();
    if on_delete && status.updated_replicas.unwrap_or(0) < asked {
        complaints.push(
            "its updateStrategy is OnDelete: a pod gets the new revision when it is deleted"
                .to_owned(),
        );
    }
    Rollout {
        metadata: &set.metadata,
        observed: status.observed_generation,
        asked,
        fields,
        complaints,
    }
}

/// Makes the clause about the pods of `set`, identified by their ordinals.
pub(super) fn pods(a: &RolloutComplete, set: &StatefulSet, context: &Context<'_>) -> Clause {
    let first = cause::first_ordinal(set);
    let asked = asked(set);
    let held_back = first + partition(set);
    let newest = set
        .status
        .as_ref()
        .and_then(|status| status.update_revision.as_deref());
    let mut ready = 0;
    let mut trouble = Trouble::default();
    for ordinal in first..first + asked {
        let name = format!("{}-{ordinal}", a.of.name);
        let pod: Pod = match context.pod(&name) {
            Ok(pod) => pod,
            Err(Missing::Absent) => {
                let why = cause::why_missing(set, ordinal, context.observed, context.namespace);
                trouble.because.extend(why);
                continue;
            }
            Err(Missing::Unknown(why)) => {
                return unknown(
                    format!("pods of {} are Ready", a.of),
                    asked.to_string(),
                    &why,
                );
            }
        };
        let owner = pod::controller(&pod).map(|owner| owner.uid.as_str());
        let revision = pod::label(&pod, "controller-revision-hash");
        if owner != set.metadata.uid.as_deref() {
            trouble
                .because
                .push(format!("pod {name} does not belong to {}", a.of));
        } else if !pod::is_ready(&pod) {
            trouble.add(&pod, context);
        } else if ordinal >= held_back && revision != newest {
            let shown = |revision: Option<&str>| clean(revision.unwrap_or("none"));
            trouble.because.push(format!(
                "pod {name} runs revision {}, not {}",
                shown(revision),
                shown(newest)
            ));
        } else {
            ready += 1;
        }
    }
    pods::clause(a, asked, ready, trouble)
}
