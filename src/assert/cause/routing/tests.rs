//! Tests of the causes that keep a request from arriving: each fault is named with its object.

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

/// Asserts that the first line names the way and that no line attributes the answer to the
/// application, and returns the other lines.
#[track_caller]
fn misled_by_nothing(why: &[String]) -> &[String] {
    assert_eq!(why[0], WAY);
    assert!(!why.iter().any(|w| w.contains("most likely")), "{why:?}");
    &why[1..]
}

fn bad_gateway() -> Answer {
    given(502, "<html><h1>502 Bad Gateway</h1></html>")
}

#[test]
fn a_port_that_the_service_does_not_have_is_named_with_those_that_it_has() {
    let to = |port: serde_json::Value| {
        let backend = json!({"service": {"name": "api", "port": port}});
        let paths = json!([{"path": "/api", "pathType": "Prefix", "backend": backend}]);
        let rules = json!([{"host": "shop.localhost", "http": {"paths": paths}}]);
        let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}]);
        let world = World::shop()
            .with("Ingress", "shop", json!({"spec": {"rules": rules}}))
            .with("Service", "api", json!({"spec": {"ports": ports}}));
        world.why(API, bad_gateway())
    };
    let has = "it has http (80)";
    assert_eq!(
        misled_by_nothing(&to(json!({"number": 9090}))),
        [format!("Service api has no port 9090: {has}")]
    );
    assert_eq!(
        misled_by_nothing(&to(json!({"name": "htp"}))),
        [format!("Service api has no port called htp: {has}")]
    );
    for right in [json!({"number": 80}), json!({"name": "http"})] {
        assert!(to(right)[1].contains("most likely its own"));
    }
}

#[test]
fn a_target_port_that_no_pod_has_is_named() {
    let to = |target: serde_json::Value, ports: serde_json::Value| {
        let spec = json!({"spec": {"containers": [{"name": "api", "ports": ports}]}});
        let ports = json!({"spec": {"ports": [{"port": 80, "targetPort": target}]}});
        let world = World::shop().with("Service", "api", ports);
        let world = world.with("Pod", "api-0", spec.clone());
        world.with("Pod", "api-1", spec).why(API, bad_gateway())
    };
    let http = json!([{"name": "http", "containerPort": 8080}]);
    assert_eq!(
        misled_by_nothing(&to(json!(9999), http.clone())),
        ["Service api leads to port 9999 of its pods, which say that they have 8080"]
    );
    assert_eq!(
        misled_by_nothing(&to(json!("htp"), http.clone())),
        ["Service api leads to the port called htp, which none of its pods has"]
    );
    // A pod need not declare the port that it listens on.
    for (target, ports) in [
        (json!(8080), http.clone()),
        (json!("http"), http),
        (json!(1), json!([])),
    ] {
        assert!(to(target, ports)[1].contains("most likely its own"));
    }
}

/// Returns an event about the Ingress of the shop.
fn event(name: &str, kind: &str, reason: &str, message: &str, at: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Ingress", "name": "shop", "uid": "shop", "namespace": "default"},
        "type": kind, "reason": reason, "message": message, "lastTimestamp": at})
}

const TAKEN: &str = "All hosts are taken by other resources";

#[test]
fn an_ingress_that_its_controller_rejected_is_told_by_its_last_event() {
    let rejected = event(
        "shop.1",
        "Warning",
        "Rejected",
        TAKEN,
        "2026-11-21T09:50:00Z",
    );
    let world = World::shop().nginx().add(rejected);
    assert_eq!(
        misled_by_nothing(&world.why(API, given(404, ""))),
        [format!("its controller rejected it: {TAKEN}")]
    );
    let annotation = "annotations.nginx.org/proxy-connect-timeout: Invalid value";
    let invalid = event(
        "shop.2",
        "Warning",
        "Rejected",
        annotation,
        "2026-11-21T09:50:01Z",
    );
    let world = world.add(invalid);
    assert_eq!(
        misled_by_nothing(&world.why(API, given(404, ""))),
        [format!("its controller rejected it: {annotation}")]
    );
    let half = event(
        "shop.3",
        "Warning",
        "AddedOrUpdatedWithWarning",
        "host shop.localhost is taken by another resource",
        "2026-11-21T09:50:02Z",
    );
    let why = world.clone().add(half).why(API, given(404, ""));
    assert!(
        why[1].starts_with("its controller says: AddedOrUpdatedWithWarning: host"),
        "{why:?}"
    );
    // The Ingress was corrected since, or the events are about a deleted Ingress of the same name.
    let added = event(
        "shop.4",
        "Normal",
        "AddedOrUpdated",
        "ok",
        "2026-11-21T09:50:03Z",
    );
    assert!(world.clone().add(added).why(API, given(404, ""))[1].contains("most likely its own"));
    let other = json!({"involvedObject": {"uid": "another"}});
    let world = world
        .with("Event", "shop.1", other.clone())
        .with("Event", "shop.2", other);
    assert!(world.why(API, given(404, ""))[1].contains("most likely its own"));
}

#[test]
fn an_answer_of_the_application_came_all_the_way_whatever_an_event_says() {
    let rejected = event(
        "shop.1",
        "Warning",
        "Rejected",
        TAKEN,
        "2026-11-21T09:50:00Z",
    );
    let world = World::shop().add(rejected);
    let answer = Answer::Given {
        status: 503,
        headers: [("x-pod".to_owned(), "api-0".to_owned())].into(),
        body: String::new(),
    };
    assert!(world.why(API, answer)[1].contains("most likely its own"));
}

#[test]
fn a_host_that_an_older_ingress_has_is_named_where_the_controller_gives_it_to_one() {
    let other = |made: &str| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "other", "namespace": "elsewhere", "uid": "other",
                "creationTimestamp": made},
            "spec": {"ingressClassName": "traefik", "rules": [{"host": "shop.localhost"}]}})
    };
    let older = "2026-11-21T09:00:00Z";
    let world = World::shop().nginx().add(other(older));
    assert_eq!(
        misled_by_nothing(&world.why(API, given(404, ""))),
        [
            "Ingress other of namespace elsewhere has the host shop.localhost and is older: \
             nginx.org/ingress-controller gives a host to one Ingress"
        ]
    );
    let younger = World::shop().nginx().add(other("2026-11-21T09:59:00Z"));
    assert!(younger.why(API, given(404, ""))[1].contains("most likely its own"));
    // Traefik merges both.
    let merged = World::shop().add(other(older));
    assert!(merged.why(API, given(404, ""))[1].contains("most likely its own"));
}

#[test]
fn an_ingress_without_an_address_may_not_have_been_accepted() {
    let world = World::shop().nginx();
    let world = world.with(
        "Ingress",
        "shop",
        json!({"status": {"loadBalancer": {"ingress": null}}}),
    );
    assert_eq!(
        misled_by_nothing(&world.why(API, given(404, ""))),
        [
            "its status.loadBalancer is empty: the controller nginx.org/ingress-controller did not \
             accept it, or gives no addresses"
        ]
    );
}

#[test]
fn a_controller_without_a_binding_is_told_whether_it_runs_or_ends() {
    let name = "nginx-nginx-ingress";
    let lacks = "no ClusterRoleBinding gives the ClusterRole nginx-nginx-ingress to its service account \
                 nginx-nginx-ingress of namespace default: the API server refuses what it asks for";
    let unbound = World::shop().nginx().without("ClusterRoleBinding", name);
    // The controller was restarted: it runs, but sees no objects.
    assert_eq!(
        misled_by_nothing(&unbound.why(API, given(404, ""))),
        [format!("pod traefik-0: {lacks}")]
    );
    // The controller exits.
    let ended = json!({"status": {
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "nginx", "ready": false, "restartCount": 3, "image": "",
            "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1}}}]}});
    let ends = unbound.with("Pod", "traefik-0", ended);
    let of = "deployment traefik of namespace default: pod traefik-0";
    assert_eq!(
        ends.why(API, closed()),
        [
            format!("{of}: container nginx ends again and again: exit code 1, after 3 restarts"),
            format!("{of}: {lacks}"),
        ]
    );
    let role = World::shop().nginx().without("RoleBinding", name);
    let why = role.why(API, given(404, ""));
    assert!(
        why[1].contains("no RoleBinding gives the Role nginx-nginx-ingress"),
        "{why:?}"
    );
    let dangling = World::shop().nginx().without("ClusterRole", name);
    let why = dangling.why(API, given(404, ""));
    let says = "ClusterRoleBinding nginx-nginx-ingress gives its service account the ClusterRole \
                nginx-nginx-ingress, which does not exist";
    assert_eq!(misled_by_nothing(&why), [format!("pod traefik-0: {says}")]);
    let none = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    let none = none.into_iter().fold(World::shop().nginx(), |world, kind| {
        world.without(kind, name)
    });
    let why = none.why(API, given(404, ""));
    assert!(
        why[1].contains("no ClusterRoleBinding or RoleBinding names"),
        "{why:?}"
    );
    assert!(World::shop().nginx().why(API, given(404, ""))[1].contains("most likely its own"));
}
