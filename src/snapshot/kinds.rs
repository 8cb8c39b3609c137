//! Which kinds and namespaces a snapshot is of.

use super::Key;

/// Namespaces that belong to the cluster rather than to a lab: Kubernetes' own, and that of kind's
/// storage provisioner.
const OF_THE_CLUSTER: [&str; 4] = [
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "local-path-storage",
];

/// Kinds of a namespace that controllers write and nobody else does, by API group.
const WRITTEN_BY_CONTROLLERS: [(&str, &[&str]); 6] = [
    ("", &["Endpoints", "Event"]),
    ("apps", &["ControllerRevision"]),
    ("coordination.k8s.io", &["Lease", "LeaseCandidate"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
    ("events.k8s.io", &["Event"]),
    ("storage.k8s.io", &["CSIStorageCapacity"]),
];

/// Kinds of the whole cluster that a lab, or a student, makes objects of. All others are the
/// cluster's own business.
const OF_THE_WHOLE_CLUSTER: [(&str, &[&str]); 9] = [
    ("", &["Namespace", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    ("networking.k8s.io", &["IngressClass"]),
    ("node.k8s.io", &["RuntimeClass"]),
    (
        "rbac.authorization.k8s.io",
        &["ClusterRole", "ClusterRoleBinding"],
    ),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["StorageClass"]),
];

fn holds(table: &[(&str, &[&str])], group: &str, kind: &str) -> bool {
    let mut rows = table.iter();
    rows.any(|(of, kinds)| *of == group && kinds.contains(&kind))
}

/// Whether a snapshot holds objects of this kind.
#[must_use]
pub fn is_kept(group: &str, kind: &str, is_namespaced: bool) -> bool {
    if is_namespaced {
        !holds(&WRITTEN_BY_CONTROLLERS, group, kind)
    } else {
        holds(&OF_THE_WHOLE_CLUSTER, group, kind)
    }
}

/// Whether a snapshot looks into this namespace, which is empty for objects of the whole cluster.
#[must_use]
pub fn is_of_labs(namespace: &str) -> bool {
    !OF_THE_CLUSTER.contains(&namespace)
}

/// When an object is put back, relative to others: what others need comes first.
#[must_use]
pub fn rank(key: &Key) -> u8 {
    match key.kind.as_str() {
        "Namespace" | "Node" => 0,
        "CustomResourceDefinition" | "PriorityClass" | "StorageClass" | "RuntimeClass" => 1,
        "ServiceAccount" | "Secret" | "ConfigMap" | "ClusterRole" | "Role" => 2,
        "PersistentVolume" | "PersistentVolumeClaim" | "Service" => 3,
        // What refuses, changes or lets through others would do so while they are put back.
        _ if guards(key) => 5,
        _ => 4,
    }
}

/// Whether an object of this kind has a say in what becomes of others. Strangers among them go
/// before anything is put back.
#[must_use]
pub fn guards(key: &Key) -> bool {
    key.group == "admissionregistration.k8s.io"
        || matches!(key.kind.as_str(), "ResourceQuota" | "LimitRange")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chosen_kinds_of_the_whole_cluster_are_kept() {
        assert!(is_kept("apps", "StatefulSet", true));
        assert!(is_kept("example.org", "Widget", true));
        assert!(!is_kept("", "Event", true));
        assert!(is_kept("", "Namespace", false));
        assert!(!is_kept("", "Node", false));
        assert!(!is_kept(
            "flowcontrol.apiserver.k8s.io",
            "FlowSchema",
            false
        ));
    }
}
