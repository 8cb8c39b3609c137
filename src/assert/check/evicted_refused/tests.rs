use serde_json::{Value, json};

use super::{EvictedRefused, probe, refusing_budget};
use crate::{
    assert::{
        ProbeResult,
        fixture::{NS, World, said},
    },
    event::{Clause, Status},
};

const REFUSED: &str = "evicted-refused: {pod: postgres-0, budget: postgres}";
const VIOLATED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

fn answered(result: ProbeResult) -> World {
    let a = EvictedRefused {
        pod: "postgres-0".to_owned(),
        budget: "postgres".to_owned(),
    };
    World::well().answer(probe(&a, NS), result)
}

fn refused(message: &str) -> World {
    answered(ProbeResult::EvictionRefused {
        message: message.to_owned(),
    })
}

fn budget(world: World, patch: Value) -> Clause {
    world
        .with("PodDisruptionBudget", "postgres", patch)
        .fault(REFUSED)
}

#[test]
fn a_budget_with_nothing_to_spare_refuses() {
    refused(VIOLATED).passes(REFUSED);
    let clauses = refused(VIOLATED).verdict(REFUSED).clauses;
    assert_eq!(clauses[2].evidence, [VIOLATED]);
}

#[test]
fn the_message_may_name_the_budget() {
    let named =
        |name| format!("{VIOLATED} The disruption budget {name} needs 3 healthy pods and has 3");
    assert_eq!(refusing_budget(&named("a")), Some("a"));
    assert_eq!(refusing_budget(VIOLATED), None);
    assert_eq!(
        refusing_budget("The disruption budget a is still being processed by the server."),
        None
    );
    refused(&named("postgres")).passes(REFUSED);
    let clause = refused(&named("other")).fault(REFUSED);
    assert_eq!(
        said(&clause),
        "Pending: eviction of pod postgres-0 is refused: expected refused by budget postgres, is \
         refused by budget other"
    );
}

#[test]
fn an_eviction_that_would_be_granted_is_told_with_what_is_allowed() {
    let allowed = json!({"status": {"disruptionsAllowed": 1}});
    let granted = budget(answered(ProbeResult::EvictionGranted), allowed.clone());
    assert_eq!(granted.status, Status::Pending);
    assert_eq!(granted.actual, "would be granted; disruptionsAllowed is 1");
    let other_reason = budget(refused(VIOLATED), allowed);
    assert_eq!(other_reason.actual, "refused, but disruptionsAllowed is 1");
}

#[test]
fn a_budget_about_other_pods_or_an_older_spec_is_not_the_one_that_refuses() {
    let clause = budget(refused(VIOLATED), json!({"spec": {"selector": null}}));
    assert_eq!(
        clause.actual,
        "its selector does not match the pod's labels"
    );
    let clause = budget(
        refused(VIOLATED),
        json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}}),
    );
    assert_eq!(clause.what, "budget postgres selects pod postgres-0");
    let clause = budget(refused(VIOLATED), json!({"metadata": {"generation": 2}}));
    assert_eq!(
        said(&clause),
        "Pending: budget postgres was seen by its controller: expected generation 2, is \
         generation 1"
    );
    let clause = budget(
        refused(VIOLATED),
        json!({"status": {"observedGeneration": null}}),
    );
    assert_eq!(clause.actual, "none so far");
}

#[test]
fn what_is_not_there_or_not_answered_never_passes() {
    let clause = refused(VIOLATED)
        .without("PodDisruptionBudget", "postgres")
        .fault(REFUSED);
    assert_eq!(
        said(&clause),
        "Pending: budget postgres exists: expected exists, is absent"
    );
    let clause = refused(VIOLATED)
        .without("Pod", "postgres-0")
        .fault(REFUSED);
    assert_eq!(
        said(&clause),
        "Pending: pod postgres-0 exists: expected exists, is absent"
    );
    assert_eq!(World::well().fault(REFUSED).actual, "not asked yet");
    let message = "pods \"postgres-0\" not found".to_owned();
    let clause = answered(ProbeResult::Refused { message }).fault(REFUSED);
    assert_eq!((clause.status, clause.evidence.len()), (Status::Pending, 1));
    let lost = answered(ProbeResult::Unreachable("timed out".to_owned())).fault(REFUSED);
    assert_eq!(lost.status, Status::Unknown);
    assert_eq!(World::unreachable().fault(REFUSED).status, Status::Unknown);
}
