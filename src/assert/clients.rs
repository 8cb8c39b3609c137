//! The pods that send the requests of a load, and their mesh proxies.

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet, StatefulSet},
    core::v1::Pod,
};

use super::{
    Needs, Observed, Scope,
    check::{self, workload_pods},
    pod,
};
use crate::spec::{Facts, Workload};

/// A pod that can send the requests of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPod {
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// True if the pod has a mesh proxy.
    pub meshed: bool,
    /// The ID of the proxy's container. It changes when the container is restarted.
    pub proxy: Option<String>,
}

/// Returns the objects from which [`pods`] finds the pods of a workload in `namespace`.
#[must_use]
pub fn needs(namespace: &str) -> Needs {
    let namespace = Some(namespace);
    let scopes = [
        Scope::of::<Pod>(namespace),
        Scope::of::<Deployment>(namespace),
        Scope::of::<StatefulSet>(namespace),
        Scope::of::<ReplicaSet>(namespace),
    ];
    Needs {
        scopes: scopes.into(),
    }
}

/// Returns the ready pods of the workload `of`, sorted by name, or the reason why there are none or
/// they are not known.
pub fn pods(of: &Workload, observed: &Observed, namespace: &str) -> Result<Vec<ClientPod>, String> {
    let context = check::Context {
        observed,
        facts: &Facts::new(),
        namespace,
        now: Timestamp::UNIX_EPOCH,
    };
    let pods = workload_pods::of(of, &context)
        .map_err(|clause| format!("{}: {}", clause.what, clause.actual))?;
    let mut pods: Vec<ClientPod> = pods.ready.iter().map(client).collect();
    if pods.is_empty() {
        return Err(format!("no pod of {of} is ready"));
    }
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pods)
}

fn client(of: &Pod) -> ClientPod {
    ClientPod {
        name: pod::name(of).to_owned(),
        uid: of.metadata.uid.clone().unwrap_or_default(),
        meshed: pod::is_meshed(of),
        proxy: pod::proxy_id(of).map(ToOwned::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::assert::fixture::{NS, World};

    fn seen(world: &World) -> Result<Vec<ClientPod>, String> {
        pods(&"deployment/web".parse().unwrap(), &world.observed, NS)
    }

    #[test]
    fn a_proxy_is_a_container_or_a_native_sidecar() {
        let world = World::shop();
        let pods = seen(&world).unwrap();
        assert_eq!(pods.len(), 2);
        assert!(pods.iter().all(|pod| !pod.meshed && pod.proxy.is_none()));
        let sidecar = world
            .clone()
            .with(
                "Pod",
                "web-0",
                json!({"spec": {"initContainers": [{"name": "linkerd-proxy"}]},
                "status": {"initContainerStatuses": [{"name": "linkerd-proxy", "image": "",
                    "imageID": "", "ready": true, "restartCount": 0, "containerID": "c1"}]}}),
            )
            .with(
                "Pod",
                "web-1",
                json!({"spec": {"containers": [{"name": "linkerd-proxy"}]}}),
            );
        let pods = seen(&sidecar).unwrap();
        assert_eq!(
            (pods[0].meshed, pods[0].proxy.as_deref()),
            (true, Some("c1"))
        );
        assert!(pods[1].meshed);
    }

    #[test]
    fn without_a_ready_pod_there_is_none_to_send_from() {
        let none = World::shop()
            .without("Pod", "web-0")
            .without("Pod", "web-1");
        assert_eq!(
            seen(&none).unwrap_err(),
            "no pod of deployment/web is ready"
        );
        let gone = none.without("Deployment", "web");
        assert_eq!(seen(&gone).unwrap_err(), "deployment/web exists: absent");
    }
}
