//! The kinds that a cluster serves: under which plural, and whether they have a namespace.

use kube::{
    api::ApiResource,
    discovery::{Discovery, Scope as Reach, verbs},
};

use crate::spec::validate::nearest;

/// The kinds whose objects can be listed.
#[derive(Debug, Clone, Default)]
pub(super) struct Served(Vec<Kind>);

#[derive(Debug, Clone)]
struct Kind {
    resource: ApiResource,
    is_namespaced: bool,
}

impl Served {
    /// The kinds that the API server's discovery names, of every version that it serves.
    #[must_use]
    pub(super) fn of(discovered: &Discovery) -> Self {
        let groups = discovered.groups();
        let resources = groups.flat_map(|group| {
            let versions = group.versions();
            versions.flat_map(|version| group.versioned_resources(version))
        });
        let listed = resources.filter(|(_, able)| able.supports_operation(verbs::LIST));
        let kinds = listed.map(|(resource, able)| Kind {
            resource,
            is_namespaced: able.scope == Reach::Namespaced,
        });
        Self(kinds.collect())
    }

    /// The resource of this kind, and whether it has a namespace; or that the cluster does not serve
    /// it, and the nearest that it does.
    pub(super) fn find(
        &self,
        api_version: &str,
        kind: &str,
    ) -> Result<(&ApiResource, bool), String> {
        let mut all = self.0.iter();
        let found = all.find(|k| k.resource.api_version == api_version && k.resource.kind == kind);
        match found {
            Some(found) => Ok((&found.resource, found.is_namespaced)),
            None => Err(format!(
                "the cluster serves no kind {kind} in {api_version}{}",
                self.near(api_version, kind)
            )),
        }
    }

    fn near(&self, api_version: &str, kind: &str) -> String {
        let resources = self.0.iter().map(|k| &k.resource);
        let elsewhere: Vec<&str> = resources
            .clone()
            .filter(|resource| resource.kind == kind)
            .map(|resource| resource.api_version.as_str())
            .collect();
        if !elsewhere.is_empty() {
            return format!("; it does in {}", elsewhere.join(", "));
        }
        let beside = resources.filter(|resource| resource.api_version == api_version);
        nearest(kind, beside.map(|resource| &resource.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::api::GroupVersionKind;

    fn served() -> Served {
        let kind = |group: &str, version: &str, kind: &str, plural: &str, is_namespaced| {
            let gvk = GroupVersionKind::gvk(group, version, kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
            Kind {
                resource,
                is_namespaced,
            }
        };
        Served(vec![
            kind("", "v1", "Pod", "pods", true),
            kind("apps", "v1", "Deployment", "deployments", true),
            kind("example.org", "v1", "Moose", "meese", false),
            kind("example.org", "v1beta1", "Moose", "meese", false),
        ])
    }

    #[test]
    fn plural_and_scope_are_what_the_cluster_says() {
        let served = served();
        let (resource, is_namespaced) = served.find("example.org/v1", "Moose").unwrap();
        assert_eq!((resource.plural.as_str(), is_namespaced), ("meese", false));
        assert!(served.find("v1", "Pod").unwrap().1);
    }

    #[test]
    fn what_is_not_served_is_said_with_the_nearest_that_is() {
        for (api_version, kind, near) in [
            ("apps/v1", "Deploymnt", "; did you mean `Deployment`?"),
            ("v1", "pod", "; did you mean `Pod`?"),
            ("v1", "Deployment", "; it does in apps/v1"),
            (
                "example.org/v2",
                "Moose",
                "; it does in example.org/v1, example.org/v1beta1",
            ),
            ("v1", "Unicorn", ""),
        ] {
            assert_eq!(
                served().find(api_version, kind).unwrap_err(),
                format!("the cluster serves no kind {kind} in {api_version}{near}")
            );
        }
    }
}
