//! The assertion `nodes-ready`.

use k8s_openapi::api::core::v1::Node;

use super::{Context, unknown};
use crate::{
    assert::{cause::not_ready_reason, text::clean},
    event::{Clause, Status},
    spec::assertion::NodesReady,
};

pub(super) fn check(a: &NodesReady, context: &Context<'_>) -> Vec<Clause> {
    let what = if a.schedulable {
        "nodes Ready and not cordoned"
    } else {
        "nodes Ready"
    };
    let expected = a.count.to_string();
    let nodes = match context.observed.list::<Node>(None) {
        Ok(nodes) => nodes,
        Err(why) => return vec![unknown(what, expected, &why)],
    };
    let trouble = |node: &Node| {
        let name = clean(node.metadata.name.as_deref().unwrap_or_default());
        if let Some(reason) = not_ready_reason(node) {
            return Some(format!("node {name} is not Ready: {reason}"));
        }
        let is_cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
        (a.schedulable && is_cordoned)
            .then(|| format!("node {name} is cordoned (kubectl uncordon {name})"))
    };
    let troubles: Vec<String> = nodes.iter().filter_map(trouble).collect();
    let well = nodes.len() - troubles.len();
    // A cluster has at least one node, however few the lab asks for.
    let holds = well >= a.count.max(1);
    let clause = Clause::when(holds, Status::Pending, what, expected, well.to_string());
    vec![clause.evidence(troubles)]
}

#[cfg(test)]
mod tests {
    use crate::{
        assert::fixture::{World, not_ready_node, said},
        event::Status,
    };
    use serde_json::json;

    #[test]
    fn as_many_as_asked_for_or_more_pass() {
        World::well().passes("nodes-ready: {count: 4}");
        World::well().passes("nodes-ready: {count: 2}");
    }

    #[test]
    fn nodes_that_are_not_ready_are_named_with_their_reason() {
        let world = World::well()
            .with("Node", "lab-10-3-worker2", not_ready_node())
            .with(
                "Node",
                "lab-10-3-worker3",
                json!({"status": {"conditions": []}}),
            );
        let clause = world.fault("nodes-ready: {count: 4}");
        assert_eq!(said(&clause), "Pending: nodes Ready: expected 4, is 2");
        assert_eq!(
            clause.evidence,
            [
                "node lab-10-3-worker2 is not Ready: NodeStatusUnknown: Kubelet stopped posting node \
             status.",
                "node lab-10-3-worker3 is not Ready: it reports no condition Ready",
            ]
        );
    }

    #[test]
    fn a_cordoned_node_counts_unless_it_has_to_take_pods() {
        let cordoned = json!({"spec": {"unschedulable": true}});
        let world = World::well().with("Node", "lab-10-3-worker2", cordoned);
        world.passes("nodes-ready: {count: 4}");
        world.passes("nodes-ready: {count: 3, schedulable: true}");
        let clause = world.fault("nodes-ready: {count: 4, schedulable: true}");
        assert_eq!(
            said(&clause),
            "Pending: nodes Ready and not cordoned: expected 4, is 3"
        );
        assert_eq!(
            clause.evidence,
            ["node lab-10-3-worker2 is cordoned (kubectl uncordon lab-10-3-worker2)"]
        );
    }

    #[test]
    fn no_node_and_no_answer_never_pass() {
        assert_eq!(
            World::empty().fault("nodes-ready: {count: 0}").status,
            Status::Pending
        );
        let clause = World::unreachable().fault("nodes-ready: {count: 1}");
        assert_eq!(
            said(&clause),
            "Unknown: nodes Ready: expected 1, is cannot be told: connection refused"
        );
    }
}
