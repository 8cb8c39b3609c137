//! Properties that hold for every assertion.

use proptest::{prelude::*, sample::select};
use serde_json::json;

use super::*;
use crate::{
    assert::{
        fixture::{self, NS, World, ran},
        needs,
        observed::Seen,
    },
    spec::{
        Workload, WorkloadKind,
        assertion::{
            EndpointsReady, EvictedRefused, NodesReady, ObjectMatch, ObjectRef, PvcBound,
            PvcReattached, RolloutComplete, Sql, StableIdentity,
        },
    },
};

fn name() -> impl Strategy<Value = String> {
    select(vec![
        "postgres",
        "postgres-0",
        "postgres-1",
        "data-postgres-0",
        "lab-10-3-worker",
        "web",
    ])
    .prop_map(ToOwned::to_owned)
}

fn object() -> impl Strategy<Value = ObjectRef> {
    let kinds = vec![
        ("v1", "Pod"),
        ("v1", "Node"),
        ("v1", "Secret"),
        ("apps/v1", "StatefulSet"),
    ];
    (select(kinds), name()).prop_map(|((api_version, kind), name)| ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name,
    })
}

fn workload() -> impl Strategy<Value = Workload> {
    let kinds = vec![WorkloadKind::Deployment, WorkloadKind::StatefulSet];
    (select(kinds), name()).prop_map(|(kind, name)| Workload { kind, name })
}

fn assertion() -> impl Strategy<Value = Assertion> {
    let fields = select(vec![
        json!(null),
        json!({}),
        json!({"spec": {"replicas": null}}),
    ]);
    prop_oneof![
        (0_usize..3, any::<bool>()).prop_map(|(count, schedulable)| {
            Assertion::NodesReady(NodesReady { count, schedulable })
        }),
        (workload(), proptest::option::of(0..3)).prop_map(|(of, replicas)| {
            Assertion::RolloutComplete(RolloutComplete {
                of,
                namespace: None,
                replicas,
            })
        }),
        workload().prop_map(|of| Assertion::PvcBound(PvcBound { of })),
        (name(), select(vec!["before", "never"])).prop_map(|(pod, since)| {
            Assertion::PvcReattached(PvcReattached {
                pod,
                since: since.to_owned(),
            })
        }),
        (name(), name()).prop_map(|(pod, service)| {
            Assertion::StableIdentity(StableIdentity { pod, service })
        }),
        name().prop_map(|pod| Assertion::Sql(Sql {
            pod,
            query: "select 1".to_owned(),
            equals: "1".to_owned(),
        })),
        (object(), fields).prop_map(|(of, fields)| Assertion::Object(ObjectMatch {
            api_version: of.api_version,
            kind: of.kind,
            name: of.name,
            fields,
        })),
        object().prop_map(Assertion::Absent),
        (name(), 1..4_usize).prop_map(|(service, at_least)| {
            Assertion::EndpointsReady(EndpointsReady { service, at_least })
        }),
        (name(), name()).prop_map(|(pod, budget)| {
            Assertion::EvictedRefused(EvictedRefused { pod, budget })
        }),
    ]
}

/// Returns the world with an answer to every probe of `assertion` that would let it pass.
fn pleasing(mut world: World, assertion: &Assertion) -> World {
    let asked = needs::probes(std::slice::from_ref(assertion), NS, &World::well().observed);
    for probe in asked {
        let result = match &probe {
            Probe::Evict { .. } => ProbeResult::EvictionRefused {
                message: "it would violate".to_owned(),
            },
            Probe::Exec { pod, command, .. } => match command[0].as_str() {
                "uname" => ran(pod),
                "getent" => ran("10.244.1.0 STREAM"),
                _ => ran("1"),
            },
            Probe::Http { .. } | Probe::Tool { .. } => {
                unreachable!("what is asked by a client, or by a tool, has tests of its own")
            }
        };
        world = world.answer(probe, result);
    }
    world
}

proptest! {
    #[test]
    fn nothing_passes_that_cannot_be_asked(assertion in assertion()) {
        let world = pleasing(World::unreachable(), &assertion);
        prop_assert_ne!(world.evaluate(&assertion).status, Status::Pass);
    }

    #[test]
    fn nothing_passes_before_anything_was_seen(assertion in assertion()) {
        prop_assert_ne!(World::default().evaluate(&assertion).status, Status::Pass);
    }

    #[test]
    fn only_absence_passes_where_nothing_exists(assertion in assertion()) {
        let world = pleasing(World::empty(), &assertion);
        let absent = matches!(assertion, Assertion::Absent(_));
        prop_assert!(absent || world.evaluate(&assertion).status != Status::Pass);
    }

    #[test]
    fn losing_sight_of_objects_never_makes_anything_pass(
        assertion in assertion(),
        lost in proptest::collection::vec(any::<bool>(), 16),
    ) {
        let world = pleasing(World::well(), &assertion);
        let before = world.evaluate(&assertion).status;
        let mut blind = world;
        for (seen, lost) in blind.observed.objects.values_mut().zip(lost) {
            if lost {
                *seen = Seen::Unreachable("connection refused".to_owned());
            }
        }
        let after = blind.evaluate(&assertion).status;
        prop_assert!(after != Status::Pass || before == Status::Pass);
    }

    #[test]
    fn every_verdict_has_clauses_that_say_something(assertion in assertion()) {
        for world in [World::empty(), World::well(), World::unreachable()] {
            let verdict = world.evaluate(&assertion);
            prop_assert!(!verdict.clauses.is_empty());
            for c in &verdict.clauses {
                prop_assert!(!c.what.is_empty() && !c.expected.is_empty() && !c.actual.is_empty());
            }
        }
    }
}

#[test]
fn the_lab_when_it_is_well_passes_all_of_its_assertions() {
    let world = |assertion: &Assertion| pleasing(World::well(), assertion);
    for yaml in [
        "nodes-ready: {count: 4}",
        "rollout-complete: {of: statefulset/postgres, replicas: 3}",
        "pvc-bound: {of: statefulset/postgres}",
        "pvc-reattached: {pod: postgres-0, since: before}",
        "stable-identity: {pod: postgres-0, service: postgres}",
        "sql: {in: postgres-0, query: select 1, equals: \"1\"}",
        "object: {api-version: v1, kind: Node, name: lab-10-3-worker}",
        "absent: {api-version: v1, kind: Pod, name: postgres-3}",
        "evicted-refused: {pod: postgres-0, budget: postgres}",
    ] {
        world(&fixture::assertion(yaml)).passes(yaml);
    }
}
