//! The assertion `spread-over-nodes`.

use std::collections::BTreeSet;

use super::{Context, workload_pods};
use crate::{
    assert::{cause, pod, text::clean},
    event::{Clause, Status},
    spec::assertion::SpreadOverNodes,
};

pub(super) fn check(a: &SpreadOverNodes, context: &Context<'_>) -> Vec<Clause> {
    let pods = match workload_pods::of(&a.of, context) {
        Ok(pods) => pods,
        Err(clause) => return vec![*clause],
    };
    let nodes: BTreeSet<&str> = pods.ready.iter().filter_map(pod::node).collect();
    let what = format!("nodes with a Ready pod of {}", a.of);
    let names: Vec<String> = nodes.iter().map(|node| clean(node)).collect();
    let actual = match names.as_slice() {
        [] => "0".to_owned(),
        names => format!("{}: {}", names.len(), names.join(", ")),
    };
    let expected = format!("at least {}", a.nodes);
    let clause = Clause::when(
        nodes.len() >= a.nodes,
        Status::Pending,
        what,
        expected,
        actual,
    );
    if clause.status == Status::Pass {
        return vec![clause];
    }
    let mut because: Vec<String> = Vec::new();
    for other in &pods.others {
        let name = clean(pod::name(other));
        let why = cause::why_not_ready(other, context.observed, context.namespace);
        because.extend(why.into_iter().map(|text| format!("pod {name}: {text}")));
    }
    let spec = pods.template.spec.unwrap_or_default();
    if because.is_empty() && spec.topology_spread_constraints.is_none() && spec.affinity.is_none() {
        let text = "has neither topologySpreadConstraints nor affinity: nothing spreads its pods";
        because.push(format!("{} {text}", a.of));
    }
    vec![clause.because(because)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::assert::fixture::{World, node_name, not_ready, said};

    const API: &str = "spread-over-nodes: {of: deployment/api, nodes: 2}";

    #[test]
    fn ready_pods_on_as_many_nodes_pass() {
        World::shop().passes(API);
        let together = json!({"spec": {"nodeName": node_name(0)}});
        let clause = World::shop().with("Pod", "api-1", together).fault(API);
        assert_eq!(
            said(&clause),
            "Pending: nodes with a Ready pod of deployment/api: expected at least 2, is 1: \
             lab-10-3-worker"
        );
        assert!(clause.because[0].contains("nothing spreads its pods"));
    }

    #[test]
    fn pods_of_others_do_not_count() {
        let foreign = json!({"metadata": {"ownerReferences": null}});
        let clause = World::shop().with("Pod", "api-1", foreign).fault(API);
        assert_eq!(clause.actual, "1: lab-10-3-worker");
    }

    #[test]
    fn pods_that_are_not_ready_do_not_count_and_nothing_never_passes() {
        let one = World::shop().with("Pod", "api-1", not_ready());
        assert!(one.fault(API).because[0].starts_with("pod api-1: "));
        let none = World::shop()
            .without("Pod", "api-0")
            .without("Pod", "api-1");
        assert_eq!(none.fault(API).actual, "0");
        assert_eq!(World::empty().fault(API).actual, "absent");
        assert_eq!(World::unreachable().fault(API).status, Status::Unknown);
    }
}
