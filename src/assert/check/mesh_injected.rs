//! The assertion `mesh-injected`: every pod of a workload has a proxy.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod, PodTemplateSpec},
};

use super::{Context, workload_pods};
use crate::{
    assert::{Scope, cause, pod, text::clean},
    event::{Clause, Status},
    spec::{Workload, mesh::MeshInjected},
};

/// Linkerd's own namespace.
const LINKERD: &str = "linkerd";
const INJECTOR: &str = "linkerd-proxy-injector";
/// The annotation by which a namespace or a pod requests a proxy.
const INJECT: &str = "linkerd.io/inject";

/// Returns the scopes that explain why a pod has no proxy.
pub(in crate::assert) fn explaining() -> [Scope; 2] {
    [
        Scope::of::<Namespace>(None),
        Scope::of::<Deployment>(Some(LINKERD)),
    ]
}

pub(super) fn check(a: &MeshInjected, context: &Context<'_>) -> Vec<Clause> {
    let pods = match workload_pods::of(&a.of, context) {
        Ok(pods) => pods,
        Err(clause) => return vec![*clause],
    };
    let what = format!("pods of {} with a proxy", a.of);
    let stay = pods.ready.iter().chain(&pods.others);
    let stay: Vec<&Pod> = stay.filter(|pod| !pod::is_deleting(pod)).collect();
    if stay.is_empty() {
        return vec![Clause::new(Status::Pending, what, "all", "there is no pod")];
    }
    let without = stay.iter().filter(|pod| !pod::is_meshed(pod)).count();
    let waiting: Vec<&&Pod> = stay
        .iter()
        .filter(|pod| pod::is_meshed(pod) && pod::proxy(pod).is_none_or(|proxy| !proxy.ready))
        .collect();
    let injected = stay.len() - without;
    let actual = match waiting.as_slice() {
        [] => format!("{injected} of {}", stay.len()),
        waiting => format!("{injected} of {}, {} not ready", stay.len(), waiting.len()),
    };
    let holds = without == 0 && waiting.is_empty();
    let clause = Clause::when(holds, Status::Pending, what, "all", actual);
    let mut because = Vec::new();
    if without > 0 {
        because.extend(why_not(&a.of, &pods.template, context));
    }
    for pod in waiting {
        let why = cause::why_not_ready(pod, context.observed, context.namespace);
        let name = clean(pod::name(pod));
        because.extend(why.into_iter().map(|text| format!("pod {name}: {text}")));
    }
    vec![clause.because(because)]
}

/// Explains why pods of `of` have no proxy: nobody requested one, somebody disabled it, the
/// injector does not run, or the pods are older than the annotation.
pub(super) fn why_not(
    of: &Workload,
    template: &PodTemplateSpec,
    context: &Context<'_>,
) -> Vec<String> {
    let annotations = template.metadata.as_ref();
    let annotations = annotations.and_then(|m| m.annotations.as_ref());
    let of_template = annotations.and_then(|a| a.get(INJECT)).map(String::as_str);
    let observed = context.observed;
    let namespace = observed.get::<Namespace>(None, context.namespace).ok();
    let of_namespace = namespace.and_then(|n| n.metadata.annotations?.get(INJECT).cloned());
    let name = context.namespace;
    match (of_template, of_namespace.as_deref()) {
        (Some("enabled" | "ingress"), _) | (None, Some("enabled" | "ingress")) => {}
        (Some(value), _) => {
            let value = clean(value);
            return vec![format!(
                "{of} says `{INJECT}: {value}` in its pods' template, which counts for more than \
                 the namespace"
            )];
        }
        (None, Some(value)) => {
            let value = clean(value);
            return vec![format!("the namespace {name} says `{INJECT}: {value}`")];
        }
        (None, None) => {
            return vec![format!(
                "neither the namespace {name} nor {of} has the annotation `{INJECT}: enabled`"
            )];
        }
    }
    let injector = observed.get::<Deployment>(Some(LINKERD), INJECTOR);
    let runs = injector.is_ok_and(|d| d.status.is_some_and(|s| s.available_replicas > Some(0)));
    if !runs {
        return vec![format!(
            "deployment/{INJECTOR} in the namespace {LINKERD} has no pod that runs"
        )];
    }
    vec![format!(
        "they are from before the annotation: proxies come with new pods (kubectl rollout restart \
         {of})"
    )]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::assert::{
        fixture::{World, not_ready, patched, said},
        pod::PROXY,
    };

    const API: &str = "mesh-injected: {of: deployment/api}";

    fn proxied(ready: bool) -> Value {
        json!({"spec": {"initContainers": [{"name": PROXY, "restartPolicy": "Always"}]},
            "status": {"initContainerStatuses": [{"name": PROXY, "ready": ready, "restartCount": 0,
                "image": "", "imageID": ""}]}})
    }

    fn injected() -> World {
        let inject = json!({"metadata": {"annotations": {INJECT: "enabled"}}});
        World::shop()
            .mesh(1)
            .with("Namespace", "default", inject)
            .with("Pod", "api-0", proxied(true))
            .with("Pod", "api-1", proxied(true))
    }

    fn because(world: &World) -> String {
        world.fault(API).because.join("; ")
    }

    #[test]
    fn all_pods_need_a_proxy_that_is_ready() {
        injected().passes(API);
        let own = json!({"spec": {"initContainers": null, "containers": [{"name": PROXY}]},
            "status": {"initContainerStatuses": null, "containerStatuses": [{"name": PROXY,
                "ready": true, "restartCount": 0, "image": "", "imageID": ""}]}});
        injected().with("Pod", "api-0", own).passes(API);
        let starting = patched(proxied(false), not_ready());
        let clause = injected().with("Pod", "api-0", starting).fault(API);
        assert_eq!(
            said(&clause),
            "Pending: pods of deployment/api with a proxy: expected all, is 2 of 2, 1 not ready"
        );
        assert!(clause.because[0].starts_with("pod api-0: "), "{clause:?}");
    }

    #[test]
    fn who_forgot_it_is_named() {
        let without = json!({"spec": {"initContainers": null}});
        let old = injected().with("Pod", "api-1", without.clone());
        assert!(because(&old).contains("kubectl rollout restart deployment/api"));
        let template = |value: &str| json!({"spec": {"template": {"metadata": {"annotations": {INJECT: value}}}}});
        let disabled = old.clone().with("Deployment", "api", template("disabled"));
        assert!(
            because(&disabled).starts_with("deployment/api says `linkerd.io/inject: disabled`")
        );
        let forgotten = json!({"metadata": {"annotations": null}});
        let forgotten = old.clone().with("Namespace", "default", forgotten);
        assert!(
            because(&forgotten).starts_with("neither the namespace default nor deployment/api")
        );
        let by_itself = forgotten.with("Deployment", "api", template("enabled"));
        assert!(because(&by_itself).starts_with("they are from before"));
        let nobody = World::shop().mesh(0).with(
            "Namespace",
            "default",
            json!({"metadata": {"annotations": {INJECT: "enabled"}}}),
        );
        assert!(because(&nobody).starts_with("deployment/linkerd-proxy-injector"));
    }

    #[test]
    fn nothing_never_passes() {
        let none = injected().without("Pod", "api-0").without("Pod", "api-1");
        assert_eq!(none.fault(API).actual, "there is no pod");
        assert_eq!(World::empty().fault(API).actual, "absent");
        assert_eq!(World::unreachable().fault(API).status, Status::Unknown);
    }
}
