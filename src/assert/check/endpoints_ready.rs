//! The assertion `endpoints-ready`.

use k8s_openapi::api::core::v1::Service;

use super::{Context, missing, unknown};
use crate::{
    assert::cause::backend,
    event::{Clause, Status},
    spec::assertion::EndpointsReady,
};

pub(super) fn check(a: &EndpointsReady, context: &Context<'_>) -> Vec<Clause> {
    let (observed, namespace) = (context.observed, context.namespace);
    let service = &a.service;
    if let Err(why) = observed.get::<Service>(Some(namespace), service) {
        let what = format!("Service {service} exists");
        return vec![missing(what, "exists", &why)];
    }
    let what = format!("ready endpoints of Service {service}");
    let expected = format!("at least {}", a.at_least);
    let ready = match backend::ready(service, observed, namespace) {
        Ok(ready) => ready,
        Err(why) => return vec![unknown(what, expected, &why)],
    };
    let holds = ready >= a.at_least;
    let clause = Clause::when(holds, Status::Pending, what, expected, ready.to_string());
    if holds {
        return vec![clause];
    }
    vec![clause.because(backend::why(service, observed, namespace))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::fixture::{World, said, shop::slice};

    const API: &str = "endpoints-ready: {service: api, at-least: 2}";

    #[test]
    fn so_many_ready_endpoints_pass_and_fewer_say_why() {
        World::shop().passes(API);
        let two = World::shop().add(slice("api", &[true, false]));
        assert_eq!(
            said(&two.fault(API)),
            "Pending: ready endpoints of Service api: expected at least 2, is 1"
        );
        let selector = serde_json::json!({"spec": {"selector": {"app": "nobody"}}});
        let nobody = World::shop()
            .with("Service", "api", selector)
            .add(slice("api", &[]));
        assert_eq!(
            nobody.fault(API).because,
            ["no ready endpoint behind Service api: its selector app=nobody matches no pod"]
        );
    }

    #[test]
    fn an_endpoint_in_two_slices_is_one() {
        let mut moved = slice("api", &[true]);
        moved["metadata"]["name"] = serde_json::json!("api-x2");
        let one = World::shop().add(slice("api", &[true])).add(moved.clone());
        assert_eq!(one.fault(API).actual, "1");
        // An endpoint of the other address family has another address, but the same pod.
        moved["endpoints"][0]["addresses"] = serde_json::json!(["fd00::1"]);
        let one = World::shop().add(slice("api", &[true])).add(moved.clone());
        assert_eq!(one.fault(API).actual, "1");
        // An endpoint without a pod is identified by its address.
        moved["endpoints"][0]["targetRef"] = serde_json::Value::Null;
        World::shop()
            .add(slice("api", &[true]))
            .add(moved)
            .passes(API);
    }

    #[test]
    fn a_service_that_is_absent_or_cannot_be_asked_for_never_passes() {
        assert_eq!(World::empty().fault(API).actual, "absent");
        assert_eq!(World::unreachable().fault(API).status, Status::Unknown);
        let lost = World::shop().lost("EndpointSlice");
        assert_eq!(lost.fault(API).status, Status::Unknown);
    }
}
