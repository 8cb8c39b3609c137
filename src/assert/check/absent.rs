//! The assertion `absent`.

use serde_json::Value;

use super::{Context, unknown};
use crate::{
    assert::{kinds, observed::Missing, text::clean},
    event::{Clause, Status},
    spec::assertion::ObjectRef,
};

pub(super) fn check(a: &ObjectRef, context: &Context<'_>) -> Vec<Clause> {
    let what = format!("{}/{} is gone", a.kind.to_lowercase(), a.name);
    let scope = kinds::scope(&a.api_version, &a.kind, context.namespace);
    vec![match context.observed.object(&scope, &a.name) {
        Err(Missing::Absent) => Clause::new(Status::Pass, what, "absent", "absent"),
        Err(Missing::Unknown(why)) => unknown(what, "absent", &why),
        Ok(object) => Clause::new(Status::Pending, what, "absent", present(object)),
    }]
}

/// Describes an object that exists, or the finalizers that keep it if it is being deleted.
pub(super) fn present(object: &Value) -> String {
    let metadata = &object["metadata"];
    let Some(since) = metadata["deletionTimestamp"].as_str() else {
        return "exists".to_owned();
    };
    let finalizers = metadata["finalizers"].as_array();
    let finalizers: Vec<String> = finalizers
        .into_iter()
        .flatten()
        .filter_map(|finalizer| Some(clean(finalizer.as_str()?)))
        .collect();
    let since = clean(since);
    if finalizers.is_empty() {
        return format!("being deleted since {since}");
    }
    format!(
        "being deleted since {since}, held by {}",
        finalizers.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use crate::{
        assert::fixture::{World, said},
        event::Status,
    };
    use serde_json::json;

    const ABSENT: &str = "absent: {api-version: v1, kind: Pod, name: postgres-0}";

    #[test]
    fn only_what_was_looked_for_and_not_found_is_absent() {
        World::empty().passes(ABSENT);
        assert_eq!(
            said(&World::well().fault(ABSENT)),
            "Pending: pod/postgres-0 is gone: expected absent, is exists"
        );
        assert_eq!(World::unreachable().fault(ABSENT).status, Status::Unknown);
        let mistyped = World::empty().unserved("Pod").fault(ABSENT);
        assert_eq!(
            said(&mistyped),
            "Unknown: pod/postgres-0 is gone: expected absent, is cannot be told: the cluster \
             serves no kind Pod"
        );
        let never_listed = "absent: {api-version: v1, kind: Secret, name: x}";
        assert_eq!(World::well().fault(never_listed).status, Status::Unknown);
    }

    #[test]
    fn what_keeps_an_object_is_named() {
        let world = World::well().deleting("Pod", "postgres-0");
        assert_eq!(
            world.fault(ABSENT).actual,
            "being deleted since 2026-11-21T09:59:22Z"
        );
        let world = world.with(
            "Pod",
            "postgres-0",
            json!({"metadata": {"finalizers": ["example.org/keep", "example.org/\u{1b}[1mtoo"]}}),
        );
        assert_eq!(
            world.fault(ABSENT).actual,
            "being deleted since 2026-11-21T09:59:22Z, held by example.org/keep, example.org/too"
        );
    }
}
