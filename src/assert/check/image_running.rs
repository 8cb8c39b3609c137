//! The assertion `image-running`.

use k8s_openapi::api::core::v1::PodSpec;

use super::{Context, workload_pods};
use crate::{
    assert::{cause, pod, text::clean},
    event::{Clause, Status},
    spec::assertion::ImageRunning,
};

pub(super) fn check(a: &ImageRunning, context: &Context<'_>) -> Vec<Clause> {
    let pods = match workload_pods::of(&a.of, context) {
        Ok(pods) => pods,
        Err(clause) => return vec![*clause],
    };
    let asked = pods.template.spec.as_ref().and_then(|spec| image(a, spec));
    let what = format!("image that {} asks for", a.of);
    let actual = asked.map_or_else(|| "none: it has no such container".to_owned(), clean);
    let holds = asked == Some(a.image.as_str());
    let template = Clause::when(holds, Status::Pending, what, &*a.image, actual);
    let of_pods = pods.ready.iter().map(|pod| {
        let image = pod.spec.as_ref().and_then(|spec| image(a, spec));
        let holds = image == Some(a.image.as_str());
        (
            holds,
            pod::name(pod),
            image.map_or_else(|| "none".to_owned(), clean),
        )
    });
    let of_pods: Vec<(bool, &str, String)> = of_pods.collect();
    let others: Vec<String> = of_pods
        .iter()
        .filter(|(holds, ..)| !holds)
        .map(|(_, name, image)| format!("{} runs {image}", clean(name)))
        .collect();
    let what = format!("images of the Ready pods of {}", a.of);
    let expected = format!("{} in all", a.image);
    let count = of_pods.len();
    let actual = match (count, others.as_slice()) {
        (0, _) => "no pod is Ready".to_owned(),
        (_, []) => format!("the same in {count}"),
        (_, others) => others.join(", "),
    };
    let holds = count > 0 && others.is_empty();
    let mut running = Clause::when(holds, Status::Pending, what, expected, actual);
    if !holds {
        for other in &pods.others {
            let name = clean(pod::name(other));
            let why = cause::why_not_ready(other, context.observed, context.namespace);
            let why = why.into_iter().map(|text| format!("pod {name}: {text}"));
            running.because.extend(why);
        }
    }
    vec![template, running]
}

/// Returns the image of the container that `a` names, or of the first one.
fn image<'a>(a: &ImageRunning, spec: &'a PodSpec) -> Option<&'a str> {
    let mut containers = spec.containers.iter();
    let container = match &a.container {
        Some(name) => containers.find(|container| container.name == *name),
        None => containers.next(),
    };
    container?.image.as_deref()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::assert::fixture::{World, not_ready, said};

    const ONE: &str = "image-running: {of: deployment/api, image: docker.io/shop/api:1}";
    const TWO: &str = "image-running: {of: deployment/api, image: docker.io/shop/api:2}";

    fn image() -> serde_json::Value {
        json!({"spec": {"containers": [{"name": "api", "image": "docker.io/shop/api:2"}]}})
    }

    #[test]
    fn all_ready_pods_have_to_run_it_and_the_workload_to_ask_for_it() {
        World::shop().passes(ONE);
        let named = ONE.replace("api:1}", "api:1, container: api}");
        World::shop().passes(&named);
        let half = World::shop()
            .with("Deployment", "api", json!({"spec": {"template": image()}}))
            .with("Pod", "api-1", image());
        assert_eq!(
            said(&half.fault(TWO)),
            "Pending: images of the Ready pods of deployment/api: expected docker.io/shop/api:2 in \
             all, is api-0 runs docker.io/shop/api:1"
        );
        half.with("Pod", "api-0", image()).passes(TWO);
        assert_eq!(World::shop().faults(TWO).len(), 2);
    }

    #[test]
    fn without_a_ready_pod_or_such_a_container_it_never_passes() {
        let pods = ["api-0", "api-1"];
        let none = pods.into_iter().fold(World::shop(), |world, pod| {
            world.with("Pod", pod, not_ready())
        });
        let clause = none.fault(ONE);
        assert_eq!(clause.actual, "no pod is Ready");
        assert_eq!(clause.because.len(), 2);
        let other = ONE.replace("api:1}", "api:1, container: sidecar}");
        assert_eq!(World::shop().faults(&other).len(), 2);
        assert_eq!(World::empty().fault(ONE).actual, "absent");
        assert_eq!(World::unreachable().fault(ONE).status, Status::Unknown);
    }
}
