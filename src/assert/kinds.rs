//! The kinds that have no namespace, and the kinds that are known without discovery.

use super::Scope;

/// Kinds without a namespace, by API group: those of Kubernetes and of everything the labs install.
const CLUSTER_SCOPED: [(&str, &[&str]); 12] = [
    ("", &["Namespace", "Node", "PersistentVolume"]),
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
    ("apiregistration.k8s.io", &["APIService"]),
    (
        "certificates.k8s.io",
        &["CertificateSigningRequest", "ClusterTrustBundle"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    (
        "networking.k8s.io",
        &["IngressClass", "IPAddress", "ServiceCIDR"],
    ),
    ("node.k8s.io", &["RuntimeClass"]),
    (
        "rbac.authorization.k8s.io",
        &["ClusterRole", "ClusterRoleBinding"],
    ),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &[
            "CSIDriver",
            "CSINode",
            "StorageClass",
            "VolumeAttachment",
            "VolumeAttributesClass",
        ],
    ),
];

/// Built-in kinds of Kubernetes, by version, whose plurals follow the rule.
const WELL_KNOWN: [(&str, &[&str]); 10] = [
    (
        "v1",
        &[
            "ConfigMap",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    (
        "apps/v1",
        &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
    ),
    ("batch/v1", &["CronJob", "Job"]),
    ("discovery.k8s.io/v1", &["EndpointSlice"]),
    (
        "networking.k8s.io/v1",
        &["Ingress", "IngressClass", "NetworkPolicy"],
    ),
    ("policy/v1", &["PodDisruptionBudget"]),
    (
        "rbac.authorization.k8s.io/v1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    ),
    ("scheduling.k8s.io/v1", &["PriorityClass"]),
    ("storage.k8s.io/v1", &["StorageClass"]),
];

/// Returns true if the plural and the scope of this kind are known without asking a cluster.
#[must_use]
pub fn is_well_known(api_version: &str, kind: &str) -> bool {
    WELL_KNOWN
        .iter()
        .any(|(of, kinds)| *of == api_version && kinds.contains(&kind))
}

/// Returns true if objects of this kind belong to the whole cluster, not to a namespace.
#[must_use]
pub fn is_cluster_scoped(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    CLUSTER_SCOPED
        .iter()
        .any(|(of, kinds)| *of == group && kinds.contains(&kind))
}

/// Returns the scope of this kind for a lab whose namespace is `namespace`. For a kind that is not
/// well known, the cluster says at observation if the kind is namespaced.
#[must_use]
pub fn scope(api_version: &str, kind: &str, namespace: &str) -> Scope {
    let namespaced = !is_cluster_scoped(api_version, kind);
    Scope {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespaced.then(|| namespace.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_group_whatever_the_version() {
        assert!(is_cluster_scoped("v1", "PersistentVolume"));
        assert!(is_cluster_scoped("storage.k8s.io/v1", "StorageClass"));
        assert!(is_cluster_scoped(
            "gateway.networking.k8s.io/v1beta1",
            "GatewayClass"
        ));
        assert!(!is_cluster_scoped("v1", "PersistentVolumeClaim"));
        // Another group can have a kind of the same name.
        assert!(!is_cluster_scoped("example.org/v1", "Node"));
    }

    #[test]
    fn only_namespaced_kinds_are_looked_for_in_the_namespace() {
        assert_eq!(
            scope("v1", "Pod", "shop").namespace.as_deref(),
            Some("shop")
        );
        assert_eq!(scope("v1", "Node", "shop").namespace, None);
    }
}
