//! Tests of why a request does not arrive: each fault of the way, named with its object.

use serde_json::json;

use crate::assert::{
    fixture::{
        World, container,
        shop::{API, given, slice},
    },
    observed::{Answer, NoAnswer},
};

fn closed() -> Answer {
    Answer::None(NoAnswer::Closed, "connection closed".to_owned())
}

const WAY: &str = "the way is Ingress shop: shop.localhost/api → Service api";

#[test]
fn a_controller_that_does_not_run_is_named() {
    let scaled = World::shop()
        .with("Deployment", "traefik", json!({"spec": {"replicas": 0}}))
        .without("Pod", "traefik-0");
    assert_eq!(
        scaled.why(API, closed()),
        ["deployment traefik of namespace default has 0 replicas"]
    );
    let no_image = World::shop().with(
        "Pod",
        "traefik-0",
        container(&json!({"waiting": {"reason": "ImagePullBackOff"}})),
    );
    let why = no_image.why(API, closed());
    assert!(
        why[0].starts_with("deployment traefik of namespace default: pod traefik-0: "),
        "{why:?}"
    );
    let none = World::shop().without("Deployment", "traefik");
    let why = none.why(API, closed());
    assert!(why[0].contains("there is no ingress controller"), "{why:?}");
}

#[test]
fn a_node_port_leads_without_a_rule() {
    let port = json!({"spec": {"ports": [{"port": 80, "nodePort": 80}]}});
    let world = World::shop()
        .without("Deployment", "traefik")
        .without("Ingress", "shop")
        .with("Service", "web", port);
    assert_eq!(world.why(API, closed()), [""; 0]);
    let nobody = json!({"spec": {"selector": {"app": "nobody"}}});
    assert_eq!(
        world.with("Service", "web", nobody).why(API, closed()),
        ["service web of namespace default: its selector app=nobody matches no pod"]
    );
}

#[test]
fn a_selector_that_matches_nothing_is_named() {
    let wrong = World::shop()
        .with(
            "Service",
            "api",
            json!({"spec": {"selector": {"app": "nobody"}}}),
        )
        .add(slice("api", &[]));
    assert_eq!(
        wrong.why(API, given(503, "no available server")),
        [
            WAY,
            "no ready endpoint behind Service api: its selector app=nobody matches no pod"
        ]
    );
    let scaled = World::shop()
        .with("Deployment", "api", json!({"spec": {"replicas": 0}}))
        .without("Pod", "api-0")
        .without("Pod", "api-1")
        .add(slice("api", &[]));
    let why = scaled.why(API, given(503, ""));
    assert_eq!(why.last().unwrap(), "deployment api has 0 replicas");
    let gone = World::shop().without("Service", "api");
    assert_eq!(gone.why(API, given(503, ""))[1], "there is no Service api");
}

#[test]
fn an_image_that_is_missing_is_named_with_its_pod() {
    let state = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
    let missing = ["api-0", "api-1"]
        .into_iter()
        .fold(World::shop(), |world, pod| {
            world.with("Pod", pod, container(&state))
        })
        .add(slice("api", &[false, false]));
    let why = missing.why(API, given(503, ""));
    assert!(why.contains(&"no ready endpoint behind Service api".to_owned()) || why.len() >= 3);
    assert!(
        why.iter()
            .any(|w| w.starts_with("pod api-0: ") && w.contains("image")),
        "{why:?}"
    );
}

#[test]
fn a_path_or_host_that_no_rule_has_is_named_with_the_way_that_is_taken_instead() {
    let paths = json!({"spec": {"rules": [{"host": "shop.localhost", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web"}}}]}}]}});
    let world = World::shop().with("Ingress", "shop", paths);
    assert_eq!(
        world.why(API, given(404, "")),
        [
            "the way is Ingress shop: shop.localhost/ → Service web",
            "Service web has 2 ready endpoints: the answer is most likely its own"
        ]
    );
    let elsewhere = API.replace("shop.localhost", "shop.example");
    assert_eq!(
        World::shop().why(&elsewhere, given(404, "")),
        [
            "no rule of an Ingress or HTTPRoute is for the host shop.example: there are \
             Ingress shop: shop.localhost/ → Service web; Ingress shop: shop.localhost/api → Service \
             api"
        ]
    );
    let none = World::shop().without("Ingress", "shop");
    assert!(none.why(API, given(404, ""))[0].ends_with("there are none"));
    let class = World::shop().without("IngressClass", "traefik");
    assert!(class.why(API, given(404, ""))[1].contains("there is no IngressClass traefik"));
}

#[test]
fn an_answer_of_the_application_itself_is_called_that() {
    assert_eq!(
        World::shop().why(
            API,
            given(503, "{\"error\": \"password authentication failed\"}")
        ),
        [
            WAY,
            "Service api has 2 ready endpoints: the answer is most likely its own"
        ]
    );
}

#[test]
fn what_an_application_with_an_error_depends_on_is_named() {
    let variables = json!({"spec": {"template": {"spec": {"containers": [{"name": "api", "env": [
        {"name": "PGHOST", "value": "web"},
        {"name": "PGUSER", "value": "shop"},
        {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
    ]}]}}}});
    let shop = World::shop().with("Deployment", "api", variables);
    let secret = "deployment api takes PGPASSWORD from `password` of Secret database, as that was \
                  when its pods started";
    let own = "Service api has 2 ready endpoints: the answer is most likely its own";
    assert_eq!(shop.why(API, given(503, "")), [WAY, own, secret]);
    assert_eq!(shop.why(API, given(404, "")), [WAY, own]);
    let gone = shop.clone().without("Service", "web");
    let absent = "deployment api has PGHOST=web, and there is no Service web";
    assert_eq!(gone.why(API, given(503, "")), [WAY, own, absent, secret]);
    let scaled = shop
        .with("Deployment", "web", json!({"spec": {"replicas": 0}}))
        .without("Pod", "web-0")
        .without("Pod", "web-1")
        .add(slice("web", &[]));
    let why = scaled.why(API, given(503, ""));
    assert!(
        why.contains(&"deployment api has PGHOST=web: deployment web has 0 replicas".to_owned()),
        "{why:?}"
    );
}

#[test]
fn routes_of_the_gateway_api_lead_too() {
    let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"hostnames": ["*.localhost"], "rules": [
            {"matches": [{"path": {"type": "PathPrefix", "value": "/api"}}],
                "backendRefs": [{"name": "api", "port": 80}]},
            {"backendRefs": [{"name": "web", "port": 80}]}]},
        "status": {"parents": [{"conditions": [
            {"type": "Accepted", "status": "True"},
            {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound",
                "message": "no port 80"}]}]}});
    let world = World::shop().without("Ingress", "shop").add(route);
    assert_eq!(
        world.why(API, given(500, "")),
        [
            "the way is HTTPRoute shop: *.localhost/api → Service api",
            "its controller says: not ResolvedRefs: BackendNotFound: no port 80"
        ]
    );
}

#[test]
fn prefixes_go_by_parts_of_the_path_and_the_longest_rule_decides() {
    let at = |path: &str| {
        let yaml = API.replace("/api/entries", path);
        World::shop().why(&yaml, given(404, ""))[0].clone()
    };
    assert!(at("/api").ends_with("Service api"));
    assert!(at("/api?x=/").ends_with("Service api"));
    assert!(at("/apis").ends_with("Service web"));
}
