//! The kinds that a cluster serves, with their plurals and scopes. I/O.

use std::{sync::Arc, time::Duration};

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    discovery::{Discovery, Scope as Reach, verbs},
};
use tokio::time::Instant;

use super::{
    Scope,
    cluster::{ANSWER, Cluster, no_answer},
    kinds,
    observed::Seen,
    text::innermost,
};
use crate::spec::validate::nearest;

/// The maximum age of a list of served kinds that lacks the wanted one: its definition may have
/// been created since.
const NEWS: Duration = Duration::from_secs(1);
/// The time of the last discovery, and its result.
pub(super) type Asked = (Instant, Arc<Served>);

/// The kinds whose objects can be listed.
#[derive(Debug, Clone, Default)]
pub(super) struct Served(Vec<Kind>);

#[derive(Debug, Clone)]
struct Kind {
    resource: ApiResource,
    is_namespaced: bool,
}

impl Served {
    /// Collects the kinds that the API server's discovery names, of every version that it serves.
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

    /// Returns the resource of this kind, and true if it is namespaced.
    ///
    /// # Errors
    ///
    /// Says that the cluster does not serve the kind, and names the nearest one that it serves.
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

impl Cluster {
    /// Returns the API of `scope`. For a kind that is not well known, the API server says the
    /// plural and if it is namespaced.
    ///
    /// # Errors
    ///
    /// Returns the observation to report for a scope that cannot be listed.
    pub(super) async fn place(&self, scope: &Scope) -> Result<Api<DynamicObject>, Seen> {
        if kinds::is_well_known(&scope.api_version, &scope.kind) {
            return Ok(self.api(scope));
        }
        let found = |served: &Served| {
            let (resource, is_namespaced) = served.find(&scope.api_version, &scope.kind)?;
            let client = self.client();
            Ok(match &scope.namespace {
                Some(namespace) if is_namespaced => {
                    Api::namespaced_with(client, namespace, resource)
                }
                _ => Api::all_with(client, resource),
            })
        };
        let mut not_found = String::new();
        for newest in [false, true] {
            match self.served(newest).await {
                Ok(served) => match found(&served) {
                    Ok(api) => return Ok(api),
                    Err(why) => not_found = why,
                },
                Err(why) => return Err(Seen::Unreachable(why)),
            }
        }
        Err(Seen::Unserved(not_found))
    }

    /// Returns the kinds that the cluster serves. With `newest`, a list older than [`NEWS`] is
    /// fetched again.
    async fn served(&self, newest: bool) -> Result<Arc<Served>, String> {
        let mut known = self.served.lock().await;
        if let Some((asked, served)) = &*known
            && !(newest && asked.elapsed() > NEWS)
        {
            return Ok(Arc::clone(served));
        }
        let client = self.client();
        let discovered = tokio::time::timeout(ANSWER, discover(&client)).await;
        let discovered = discovered
            .map_err(|_| no_answer())?
            .map_err(|e| innermost(&e))?;
        let served = Arc::new(Served::of(&discovered));
        *known = Some((Instant::now(), Arc::clone(&served)));
        Ok(served)
    }
}

/// Discovers the kinds that a cluster serves.
pub(crate) async fn discover(client: &Client) -> kube::Result<Discovery> {
    // A cluster before 1.30 may not support aggregated discovery.
    match Discovery::new(client.clone()).run_aggregated().await {
        Ok(discovered) => Ok(discovered),
        Err(_) => Discovery::new(client.clone()).run().await,
    }
}

/// Reports that the cluster does not serve the kind of `scope`.
pub(super) fn unserved(scope: &Scope) -> Seen {
    let Scope {
        api_version, kind, ..
    } = scope;
    Seen::Unserved(format!(
        "the cluster serves no kind {kind} in {api_version}"
    ))
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
