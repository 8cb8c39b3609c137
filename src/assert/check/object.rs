//! The assertion `object`.

use serde_json::Value;

use super::{
    Context,
    absent::present,
    matching::{self, shown},
    missing,
};
use crate::{
    assert::kinds,
    event::{Clause, Status},
    spec::assertion::ObjectMatch,
};

pub(super) fn check(a: &ObjectMatch, context: &Context<'_>) -> Vec<Clause> {
    let object_name = format!("{}/{}", a.kind.to_lowercase(), a.name);
    let scope = kinds::scope(&a.api_version, &a.kind, context.namespace);
    let object = match context.observed.object(&scope, &a.name) {
        Ok(object) => object,
        Err(why) => return vec![missing(format!("{object_name} exists"), "exists", &why)],
    };
    // An object that is being deleted counts as gone, unless the lab asserts its deletion
    // timestamp.
    let is_going = object["metadata"]["deletionTimestamp"].is_string();
    if is_going && a.fields["metadata"]["deletionTimestamp"].is_null() {
        let what = format!("{object_name} exists");
        return vec![Clause::new(
            Status::Pending,
            what,
            "exists",
            present(object),
        )];
    }
    if a.fields.is_null() {
        return vec![Clause::new(
            Status::Pass,
            format!("{object_name} exists"),
            "exists",
            "exists",
        )];
    }
    if let Some(clause) = stale(a, &object_name, object) {
        return vec![clause];
    }
    let wrong = matching::mismatches(&a.fields, object);
    if wrong.is_empty() {
        let what = format!("{object_name} matches");
        return vec![Clause::new(
            Status::Pass,
            what,
            shown(Some(&a.fields)),
            "the same",
        )];
    }
    wrong
        .into_iter()
        .map(|mismatch| {
            let what = match mismatch.path.as_str() {
                "" => object_name.clone(),
                path => format!("{path} of {object_name}"),
            };
            Clause::new(Status::Pending, what, mismatch.expected, mismatch.actual)
        })
        .collect()
}

/// Makes the clause about an asserted status that is about an older spec.
fn stale(a: &ObjectMatch, object_name: &str, object: &Value) -> Option<Clause> {
    a.fields.get("status")?;
    let generation = object["metadata"]["generation"].as_i64()?;
    let observed = object["status"]["observedGeneration"].as_i64()?;
    let what = format!("status of {object_name} is current");
    let (expected, actual) = (
        format!("generation {generation}"),
        format!("generation {observed}"),
    );
    (observed < generation).then(|| Clause::new(Status::Pending, what, expected, actual))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::fixture::{World, said};
    use serde_json::json;

    fn object(fields: &str) -> String {
        format!("object: {{api-version: v1, kind: ConfigMap, name: app, match: {fields}}}")
    }

    fn world() -> World {
        World::empty().add(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "app", "generation": 2,
                "labels": {"app.kubernetes.io/name": "web", "tier": "a\u{202e}b"}},
            "spec": {"replicas": 3, "ports": [{"port": 80}], "ratio": 1},
            "status": {"observedGeneration": 2, "phase": "Active"}}))
    }

    fn said_of(fields: &str) -> Vec<String> {
        world().faults(&object(fields)).iter().map(said).collect()
    }

    #[test]
    fn asserted_fields_that_match_pass_whatever_else_there_is() {
        for fields in [
            "{spec: {replicas: 3}}",
            "{spec: {ports: [{port: 80}], ratio: 1.0}, status: {phase: Active}}",
            "{spec: {paused: null}}",
            "{}",
        ] {
            world().passes(&object(fields));
        }
        world().passes("object: {api-version: v1, kind: ConfigMap, name: app}");
    }

    #[test]
    fn every_field_that_differs_has_a_clause_with_its_path() {
        let fields = "{metadata: {labels: {app.kubernetes.io/name: api, tier: c}}, \
            spec: {replicas: 2, paused: true}, data: {key: x}}";
        assert_eq!(
            said_of(fields),
            [
                r#"Pending: data of configmap/app: expected {"key":"x"}, is absent"#,
                "Pending: metadata.labels['app.kubernetes.io/name'] of configmap/app: expected \
             \"api\", is \"web\"",
                r#"Pending: metadata.labels.tier of configmap/app: expected "c", is "ab""#,
                "Pending: spec.paused of configmap/app: expected true, is absent",
                "Pending: spec.replicas of configmap/app: expected 2, is 3",
            ]
        );
    }

    #[test]
    fn a_list_is_compared_as_a_whole() {
        assert_eq!(
            said_of("{spec: {ports: [{port: 80}, {port: 81}]}}"),
            [
                r#"Pending: spec.ports of configmap/app: expected [{"port":80},{"port":81}], is [{"port":80}]"#
            ]
        );
        assert_eq!(said_of("{spec: {ports: []}}").len(), 1);
        assert_eq!(said_of("{spec: 3}").len(), 1);
        assert_eq!(said_of("3").len(), 1);
    }

    #[test]
    fn a_status_about_an_older_generation_says_nothing() {
        let world = world().with("ConfigMap", "app", json!({"metadata": {"generation": 3}}));
        assert_eq!(
            said(&world.fault(&object("{status: {phase: Active}}"))),
            "Pending: status of configmap/app is current: expected generation 3, is generation 2"
        );
        world.passes(&object("{spec: {replicas: 3}}"));
    }

    #[test]
    fn an_object_that_is_being_deleted_is_as_good_as_gone() {
        let going = world().deleting("ConfigMap", "app");
        for fields in ["{}", "{spec: {replicas: 3}}"] {
            assert_eq!(
                said(&going.fault(&object(fields))),
                "Pending: configmap/app exists: expected exists, is being deleted since \
                 2026-11-21T09:59:22Z"
            );
        }
        going.passes(&object(
            "{metadata: {deletionTimestamp: '2026-11-21T09:59:22Z'}}",
        ));
    }

    #[test]
    fn what_is_absent_or_unreachable_never_passes() {
        let unserved = World::empty().unserved("ConfigMap").fault(&object("{}"));
        assert_eq!(unserved.status, Status::Unknown);
        for fields in ["{}", "{spec: {replicas: null}}"] {
            let clause = World::empty().fault(&object(fields));
            assert_eq!(
                said(&clause),
                "Pending: configmap/app exists: expected exists, is absent"
            );
            assert_eq!(
                World::unreachable().fault(&object(fields)).status,
                Status::Unknown
            );
        }
    }
}
