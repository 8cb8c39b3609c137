//! The check that a cluster is back after its node containers were started again.
//!
//! The data of its API server is from before the start: a node may still be called Ready, and a pod
//! running, although nobody has checked since. So every node and pod must have reported after its
//! node's container was started.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};

use super::{Needs, Observed, Scope, cause::not_ready_reason, check::unknown, pod, text::clean};
use crate::event::{Clause, Status, Verdict};

/// The namespace of the cluster's own pods.
const SYSTEM: &str = "kube-system";

/// The start time of each node's container, by the node's name.
pub type Starts = BTreeMap<String, Timestamp>;

/// Returns the objects that [`back`] needs, for a lab in `namespace`.
#[must_use]
pub fn needs(namespace: &str) -> Needs {
    let pods = namespaces(namespace).map(|namespace| Scope::of::<Pod>(Some(namespace)));
    Needs {
        scopes: pods.into_iter().chain([Scope::of::<Node>(None)]).collect(),
    }
}

fn namespaces(namespace: &str) -> [&str; 2] {
    [SYSTEM, namespace]
}

/// Returns the verdict on a cluster's return: all nodes of `starts` are Ready, and they and their
/// pods have reported since their start.
#[must_use]
pub fn back(starts: &Starts, observed: &Observed, namespace: &str) -> Verdict {
    let clauses = vec![nodes(starts, observed), pods(starts, observed, namespace)];
    Verdict::of(format!("nodes-back {}", starts.len()), clauses)
}

fn nodes(starts: &Starts, observed: &Observed) -> Clause {
    const WHAT: &str = "nodes Ready since they were started";
    let expected = starts.len().to_string();
    let seen = match observed.list::<Node>(None) {
        Ok(nodes) => nodes,
        Err(why) => return unknown(WHAT, expected, &why),
    };
    let trouble = |(name, start): (&String, &Timestamp)| {
        let node = seen.iter().find(|n| n.metadata.name.as_ref() == Some(name));
        let why = match node {
            None => "it is not known to the API server".to_owned(),
            Some(node) if !has_reported(node, *start) => "it has not reported yet".to_owned(),
            Some(node) => not_ready_reason(node)?,
        };
        Some(format!("node {} is not Ready: {why}", clean(name)))
    };
    let not_ready: Vec<String> = starts.iter().filter_map(trouble).collect();
    let ready = starts.len() - not_ready.len();
    let holds = not_ready.is_empty() && ready > 0;
    Clause::when(holds, Status::Pending, WHAT, expected, ready.to_string()).evidence(not_ready)
}

/// Returns the nodes of `starts` that are not Ready or have not reported since their start; all of
/// them if the API server does not answer.
#[must_use]
pub fn late(starts: &Starts, observed: &Observed) -> Vec<String> {
    let seen = observed.list::<Node>(None).unwrap_or_default();
    let is_back = |name: &String, start: Timestamp| {
        let mut its = seen
            .iter()
            .filter(|n| n.metadata.name.as_ref() == Some(name));
        its.any(|node| has_reported(node, start) && not_ready_reason(node).is_none())
    };
    let late = starts
        .iter()
        .filter(|(name, start)| !is_back(name, **start));
    late.map(|(name, _)| name.clone()).collect()
}

/// Returns true if the kubelet of `node` posted its status at `start` or later. The API's times are
/// whole seconds.
fn has_reported(node: &Node, start: Timestamp) -> bool {
    let status = node.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_ref());
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|c| c.type_ == "Ready");
    let heartbeat = ready.and_then(|c| c.last_heartbeat_time.as_ref());
    heartbeat.is_some_and(|at| at.0.as_second() >= start.as_second())
}

fn pods(starts: &Starts, observed: &Observed, namespace: &str) -> Clause {
    const WHAT: &str = "pods whose status is from before";
    const NONE: &str = "0";
    let mut stale = Vec::new();
    for namespace in namespaces(namespace) {
        match observed.list::<Pod>(Some(namespace)) {
            Ok(pods) => {
                let old = pods.iter().filter(|pod| is_stale(pod, starts));
                stale.extend(old.map(|pod| format!("pod {}", clean(pod::name(pod)))));
            }
            Err(why) => return unknown(WHAT, NONE, &why),
        }
    }
    let actual = stale.len().to_string();
    Clause::when(stale.is_empty(), Status::Pending, WHAT, NONE, actual).evidence(stale)
}

/// Returns true if the status of `pod` has a running container that is older than the start of its
/// node: that container is gone.
fn is_stale(pod: &Pod, starts: &Starts) -> bool {
    let Some(start) = pod::node(pod).and_then(|node| starts.get(node)) else {
        return false;
    };
    let statuses = pod
        .status
        .iter()
        .filter_map(|s| s.container_statuses.as_ref());
    let states = statuses
        .flatten()
        .filter_map(|status| status.state.as_ref());
    let mut running = states.filter_map(|state| state.running.as_ref()?.started_at.as_ref());
    running.any(|at| at.0.as_second() < start.as_second())
}

/// Returns true if every pod is settled: Ready, finished or being deleted.
#[must_use]
pub fn is_quiet(observed: &Observed, namespace: &str) -> bool {
    let is_settled = |pod: &Pod| {
        pod::is_ready(pod)
            || pod::is_deleting(pod)
            || ["Succeeded", "Failed"].contains(&pod::phase(pod))
    };
    namespaces(namespace).into_iter().all(|namespace| {
        let pods = observed.list::<Pod>(Some(namespace));
        pods.is_ok_and(|pods| pods.iter().all(is_settled))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::{
        fixture::{NS, World, not_ready_node, said},
        observed::Seen,
    };
    use serde_json::json;

    const START: &str = "2026-11-21T09:59:30.7Z";
    const BEFORE: &str = "2026-11-21T09:59:29Z";
    const SAME_SECOND: &str = "2026-11-21T09:59:30Z";
    const NODES: [&str; 2] = ["lab-10-3-control-plane", "lab-10-3-worker"];

    fn starts() -> Starts {
        let start = START.parse().unwrap();
        NODES.map(|name| (name.to_owned(), start)).into()
    }

    /// Returns a world whose nodes reported at `reported` and whose pods were started at `started`.
    fn world(reported: &str, started: &str) -> World {
        let mut world = World::well();
        let system = Scope::of::<Pod>(Some(SYSTEM));
        let none = Seen::Objects(BTreeMap::new());
        world.observed.objects.insert(system, none);
        for node in NODES {
            let ready = json!({"type": "Ready", "status": "True", "lastHeartbeatTime": reported});
            world = world.with("Node", node, json!({"status": {"conditions": [ready]}}));
        }
        let running = json!({"name": "postgres", "state": {"running": {"startedAt": started}},
            "ready": true, "restartCount": 1, "image": "i", "imageID": "i"});
        let status = json!({"status": {"containerStatuses": [running]}});
        world.with("Pod", "postgres-0", status)
    }

    fn judged(world: &World) -> Vec<String> {
        let verdict = back(&starts(), &world.observed, NS);
        verdict.clauses.iter().map(said).collect()
    }

    #[test]
    fn what_was_reported_since_the_start_counts() {
        let verdict = back(&starts(), &world(SAME_SECOND, SAME_SECOND).observed, NS);
        assert_eq!(verdict.status, Status::Pass, "{verdict:?}");
    }

    #[test]
    fn what_is_from_before_the_start_never_passes() {
        let world = world(BEFORE, BEFORE);
        assert_eq!(
            judged(&world),
            [
                "Pending: nodes Ready since they were started: expected 2, is 0",
                "Pending: pods whose status is from before: expected 0, is 1",
            ]
        );
        let verdict = back(&starts(), &world.observed, NS);
        assert_eq!(
            verdict.clauses[0].evidence[0],
            "node lab-10-3-control-plane is not Ready: it has not reported yet"
        );
    }

    #[test]
    fn a_node_that_is_not_ready_or_not_there_is_named() {
        let world = world(SAME_SECOND, SAME_SECOND).with("Node", NODES[1], not_ready_node());
        assert_ne!(back(&starts(), &world.observed, NS).status, Status::Pass);
        let world = world.without("Node", NODES[1]);
        let verdict = back(&starts(), &world.observed, NS);
        assert_eq!(
            verdict.clauses[0].evidence,
            ["node lab-10-3-worker is not Ready: it is not known to the API server"]
        );
    }

    #[test]
    fn no_answer_and_no_node_never_pass() {
        let unreachable = World::unreachable();
        let verdict = back(&starts(), &unreachable.observed, NS);
        assert_eq!(verdict.status, Status::Unknown);
        let none = back(
            &Starts::new(),
            &world(SAME_SECOND, SAME_SECOND).observed,
            NS,
        );
        assert_eq!(none.status, Status::Pending);
    }

    #[test]
    fn it_is_quiet_once_no_pod_is_on_its_way() {
        let world = world(SAME_SECOND, SAME_SECOND);
        assert!(is_quiet(&world.observed, NS));
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        let starting = world.with("Pod", "postgres-0", ready);
        assert!(!is_quiet(&starting.observed, NS));
        assert!(is_quiet(
            &starting.deleting("Pod", "postgres-0").observed,
            NS
        ));
        assert!(!is_quiet(&World::unreachable().observed, NS));
    }
}
