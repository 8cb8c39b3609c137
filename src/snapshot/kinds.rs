//! The kinds and namespaces that a snapshot covers.

use super::Key;

/// Namespaces that belong to the cluster rather than to a lab: those of Kubernetes, and that of
/// kind's storage provisioner.
const OF_THE_CLUSTER: [&str; 4] = [
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "local-path-storage",
];

/// The namespaces of the cluster that every lab depends on, for DNS, the network and volumes.
const OF_THE_BASELINE: [&str; 2] = ["kube-system", "local-path-storage"];

/// The kinds in these namespaces whose objects a snapshot holds, as the cluster came with them.
/// Secrets and Leases are missing, since they come, change and go by themselves.
const BASELINE: [(&str, &[&str]); 3] = [
    ("", &["ConfigMap", "Pod", "Service", "ServiceAccount"]),
    ("apps", &["DaemonSet", "Deployment"]),
    ("rbac.authorization.k8s.io", &["Role", "RoleBinding"]),
];

/// Namespaced kinds that only controllers write, by API group.
const WRITTEN_BY_CONTROLLERS: [(&str, &[&str]); 6] = [
    ("", &["Endpoints", "Event"]),
    ("apps", &["ControllerRevision"]),
    ("coordination.k8s.io", &["Lease", "LeaseCandidate"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
    ("events.k8s.io", &["Event"]),
    ("storage.k8s.io", &["CSIStorageCapacity"]),
];

/// Cluster-scoped kinds that a lab or a student creates objects of. All others are the cluster's
/// own.
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

/// Returns true if a snapshot holds objects of this kind.
#[must_use]
pub fn is_kept(group: &str, kind: &str, is_namespaced: bool) -> bool {
    if is_namespaced {
        !holds(&WRITTEN_BY_CONTROLLERS, group, kind)
    } else {
        holds(&OF_THE_WHOLE_CLUSTER, group, kind)
    }
}

/// Returns true if a snapshot covers the object. It covers all labs' namespaces, cluster-scoped
/// objects, and the baseline in the cluster's own namespaces.
#[must_use]
pub fn is_looked_at(key: &Key) -> bool {
    if !is_of_the_cluster(key) {
        return true;
    }
    let is_baseline = OF_THE_BASELINE.contains(&namespace(key));
    // `kube-system` itself cannot be deleted.
    let is_there_for_good = is_namespace(key) && key.name.starts_with("kube-");
    let is_kind_kept = is_namespace(key) || holds(&BASELINE, &key.group, &key.kind);
    is_baseline && is_kind_kept && !is_there_for_good
}

/// Returns true if the object is in one of the cluster's own namespaces, or is such a namespace.
/// There, a reset restores objects of the snapshot and removes nothing.
#[must_use]
pub fn is_of_the_cluster(key: &Key) -> bool {
    OF_THE_CLUSTER.contains(&namespace(key))
}

fn is_namespace(key: &Key) -> bool {
    key.kind == "Namespace" && key.group.is_empty()
}

fn namespace(key: &Key) -> &str {
    if is_namespace(key) {
        &key.name
    } else {
        &key.namespace
    }
}

/// Returns the rank of an object in the order of restoring. Objects that others need come first.
#[must_use]
pub fn rank(key: &Key) -> u8 {
    match key.kind.as_str() {
        "Namespace" | "Node" => 0,
        "CustomResourceDefinition" | "PriorityClass" | "StorageClass" | "RuntimeClass" => 1,
        "ServiceAccount" | "Secret" | "ConfigMap" | "ClusterRole" | "Role" => 2,
        "PersistentVolume" | "PersistentVolumeClaim" | "Service" => 3,
        // Last, as these objects may refuse or change others while those are restored.
        _ if guards(key) => 5,
        _ => 4,
    }
}

/// Returns true if an object of this kind holds more than itself: a claim or a volume its data, a
/// namespace its objects, a definition the objects of its kind. Such an object is never deleted and
/// created again.
#[must_use]
pub fn holds_more(key: &Key) -> bool {
    matches!(
        (key.group.as_str(), key.kind.as_str()),
        (
            "",
            "Namespace" | "PersistentVolume" | "PersistentVolumeClaim"
        ) | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// Returns true if an object of this kind can affect others. Strangers of such a kind are removed
/// before anything is restored.
#[must_use]
pub fn guards(key: &Key) -> bool {
    key.group == "admissionregistration.k8s.io"
        || matches!(key.kind.as_str(), "ResourceQuota" | "LimitRange")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_clusters_own_namespaces_the_baseline_is_looked_at() {
        let key = |group: &str, kind: &str, namespace: &str, name: &str| Key {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        for (looked_at, key) in [
            (true, key("apps", "Deployment", "kube-system", "coredns")),
            (true, key("", "ConfigMap", "kube-system", "coredns")),
            (true, key("", "Namespace", "", "local-path-storage")),
            (true, key("apps", "StatefulSet", "lab", "postgres")),
            (false, key("", "Namespace", "", "kube-system")),
            (
                false,
                key("", "Secret", "kube-system", "bootstrap-token-abcdef"),
            ),
            (false, key("apps", "StatefulSet", "kube-system", "mine")),
            (false, key("", "ConfigMap", "kube-public", "cluster-info")),
        ] {
            assert_eq!(is_looked_at(&key), looked_at, "{key}");
        }
    }

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
