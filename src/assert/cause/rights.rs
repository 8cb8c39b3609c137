//! The rights of a pod's service account at the API server, and the rights that it lacks.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::Pod,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::assert::{Observed, Scope, text::clean};

/// The label by which charts name the release that an object belongs to.
const INSTANCE: &str = "app.kubernetes.io/instance";

/// The prefix of the labels that make a role a part of another role.
const AGGREGATED: &str = "rbac.authorization.k8s.io/aggregate-to-";

/// Returns the scopes of roles and bindings.
pub(in crate::assert) fn scopes() -> [Scope; 4] {
    [
        Scope::of::<ClusterRole>(None),
        Scope::of::<ClusterRoleBinding>(None),
        Scope::of::<Role>(None),
        Scope::of::<RoleBinding>(None),
    ]
}

/// A `ClusterRoleBinding` or a `RoleBinding`.
struct Binding {
    /// `ClusterRoleBinding` or `RoleBinding`.
    kind: &'static str,
    metadata: ObjectMeta,
    role: RoleRef,
    subjects: Vec<Subject>,
}

/// A `ClusterRole` or a `Role`.
struct Granted {
    kind: &'static str,
    metadata: ObjectMeta,
}

/// Returns the rights that `pod` lacks although somebody meant it to have them: a role of its
/// release without a binding, or a binding whose role does not exist.
pub(super) fn why(pod: &Pod, observed: &Observed) -> Vec<String> {
    let Some((account, namespace)) = account(pod) else {
        return Vec::new();
    };
    let Some((roles, bindings)) = seen(observed) else {
        return Vec::new();
    };
    let names = |binding: &&Binding| binding.names(account, namespace);
    let dangling = bindings.iter().filter(names).filter_map(|binding| {
        let role = &binding.role;
        let is_it = |of: &&Granted| {
            of.kind == role.kind
                && of.metadata.name.as_deref() == Some(&role.name)
                && (of.kind == "ClusterRole" || of.metadata.namespace == binding.metadata.namespace)
        };
        let name = binding.metadata.name.as_deref().unwrap_or_default();
        roles.iter().find(is_it).is_none().then(|| {
            let (kind, name) = (binding.kind, clean(name));
            format!(
                "{kind} {name} gives its service account the {} {}, which does not exist",
                clean(&role.kind),
                clean(&role.name)
            )
        })
    });
    let unbound = roles
        .iter()
        .filter(|role| role.is_meant_for(pod, account, namespace));
    let unbound = unbound.filter(|role| !bindings.iter().any(|binding| binding.binds(role)));
    let unbound = unbound.map(|role| {
        format!(
            "no {}Binding gives the {} {} to its service account {} of namespace {}: the API server \
             refuses what it asks for",
            role.kind,
            role.kind,
            clean(role.metadata.name.as_deref().unwrap_or_default()),
            clean(account),
            clean(namespace)
        )
    });
    dangling.chain(unbound).collect()
}

/// Explains that no binding names the service account of `pod`, whose program works with the API
/// server.
pub(super) fn has_none(pod: &Pod, observed: &Observed) -> Option<String> {
    let (account, namespace) = account(pod)?;
    let (_, bindings) = seen(observed)?;
    let is_named = bindings
        .iter()
        .any(|binding| binding.names(account, namespace));
    (!is_named).then(|| {
        format!(
            "no ClusterRoleBinding or RoleBinding names its service account {} of namespace {}: the \
             API server refuses what it asks for",
            clean(account),
            clean(namespace)
        )
    })
}

/// Returns the service account of `pod` and the account's namespace, if the account is not
/// `default` and its token is mounted in the pod.
fn account(pod: &Pod) -> Option<(&str, &str)> {
    let spec = pod.spec.as_ref()?;
    let account = spec.service_account_name.as_deref()?;
    let is_own = account != "default" && spec.automount_service_account_token != Some(false);
    is_own.then_some((account, pod.metadata.namespace.as_deref()?))
}

/// Returns all roles and all bindings, if all four kinds were listed.
fn seen(observed: &Observed) -> Option<(Vec<Granted>, Vec<Binding>)> {
    let granted = |kind, metadata| Granted { kind, metadata };
    let everywhere = observed.list::<ClusterRole>(None).ok()?.into_iter();
    let mut roles: Vec<Granted> = everywhere
        .map(|r| granted("ClusterRole", r.metadata))
        .collect();
    let in_one = observed.list::<Role>(None).ok()?.into_iter();
    roles.extend(in_one.map(|r| granted("Role", r.metadata)));
    let everywhere = observed.list::<ClusterRoleBinding>(None).ok()?.into_iter();
    let everywhere = everywhere.map(|b| Binding {
        kind: "ClusterRoleBinding",
        metadata: b.metadata,
        role: b.role_ref,
        subjects: b.subjects.unwrap_or_default(),
    });
    let in_one = observed.list::<RoleBinding>(None).ok()?.into_iter();
    let in_one = in_one.map(|b| Binding {
        kind: "RoleBinding",
        metadata: b.metadata,
        role: b.role_ref,
        subjects: b.subjects.unwrap_or_default(),
    });
    Some((roles, everywhere.chain(in_one).collect()))
}

impl Binding {
    /// Returns true if the binding is for the service account `account` of `namespace`.
    fn names(&self, account: &str, namespace: &str) -> bool {
        self.subjects.iter().any(|subject| {
            subject.kind == "ServiceAccount"
                && subject.name == account
                && subject.namespace.as_deref() == Some(namespace)
        })
    }

    /// Returns true if the binding refers to `role`.
    fn binds(&self, role: &Granted) -> bool {
        self.role.kind == role.kind
            && Some(&self.role.name) == role.metadata.name.as_ref()
            && (role.kind == "ClusterRole" || self.metadata.namespace == role.metadata.namespace)
    }
}

impl Granted {
    /// Returns true if the role looks as if it was made for `pod`: it belongs to the same release,
    /// or has the name of the service account.
    fn is_meant_for(&self, pod: &Pod, account: &str, namespace: &str) -> bool {
        let instance = |labels: &Option<BTreeMap<String, String>>| {
            let label = labels.as_ref().and_then(|labels| labels.get(INSTANCE));
            label.cloned()
        };
        let of_pod = instance(&pod.metadata.labels);
        let is_of_release = of_pod.is_some() && of_pod == instance(&self.metadata.labels);
        let is_near =
            self.kind == "ClusterRole" || self.metadata.namespace.as_deref() == Some(namespace);
        // A role that is a part of another role is bound together with it.
        let mut labels = self.metadata.labels.iter().flatten();
        let is_part = labels.any(|(label, _)| label.starts_with(AGGREGATED));
        is_near && !is_part && (is_of_release || self.metadata.name.as_deref() == Some(account))
    }
}
