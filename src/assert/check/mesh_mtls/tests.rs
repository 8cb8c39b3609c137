use serde_json::{Value, json};

use super::*;
use crate::{
    assert::fixture::{NS, World, ran, said},
    spec::Assertion,
};

const BY_VIZ: &str = "mesh-mtls: {from: deployment/web, to: deployment/api}";
const BY_HEADER: &str =
    "mesh-mtls: {from: deployment/web, to: deployment/api, by: 'http://api/api/whoami'}";

fn assertion(yaml: &str) -> MeshMtls {
    match crate::assert::fixture::assertion(yaml) {
        Assertion::MeshMtls(a) => a,
        other => panic!("{other}"),
    }
}

fn meshed() -> World {
    let proxied = json!({"spec": {"initContainers": [{"name": "linkerd-proxy"}]}});
    ["web-0", "web-1", "api-0", "api-1"]
        .into_iter()
        .fold(World::shop().mesh(1), |world, pod| {
            world.with("Pod", pod, proxied.clone())
        })
}

fn answered(world: World, yaml: &str, stdout: &str) -> World {
    let probe = probe(&assertion(yaml), NS, &world.observed).unwrap();
    world.answer(probe, ran(stdout))
}

fn edge(ids: [&str; 2], why: &str) -> Value {
    json!({"src": "web", "src_namespace": NS, "dst": "api", "dst_namespace": NS,
        "client_id": ids[0], "server_id": ids[1], "no_tls_reason": why})
}

fn viz(world: World, edges: &[Value]) -> World {
    answered(world, BY_VIZ, &json!(edges).to_string())
}

#[test]
fn both_have_to_prove_who_they_are() {
    let both = edge(["default.default", "default.default"], "");
    viz(meshed(), std::slice::from_ref(&both)).passes(BY_VIZ);
    // Every edge counts: an encrypted one does not make up for another.
    let plain = edge(["default.default", ""], "Not Provided By Service Discovery");
    let clause = viz(meshed(), &[both.clone(), plain]).fault(BY_VIZ);
    assert_eq!(
        said(&clause),
        "Pending: deployment/api proves to deployment/web who it is: expected default.default, is \
         nothing is proved: Not Provided By Service Discovery"
    );
    // Viz reports a reason that it does not know as none, but that is no proof.
    let silent = viz(meshed(), &[edge(["", "default.default"], "")]).fault(BY_VIZ);
    assert_eq!(silent.actual, "nothing is proved");
    let somebody = viz(meshed(), &[edge(["other.shop", "default.default"], "")]);
    assert_eq!(somebody.fault(BY_VIZ).actual, "other.shop");
    let despite = edge(["default.default", "default.default"], "Loopback");
    assert_ne!(viz(meshed(), &[despite]).faults(BY_VIZ), []);
}

#[test]
fn who_has_no_proxy_is_the_cause() {
    let plain = edge(["default.default", ""], "Not Provided By Service Discovery");
    let world = meshed().with("Pod", "api-1", json!({"spec": {"initContainers": null}}));
    let because = viz(world, &[plain]).fault(BY_VIZ).because;
    assert_eq!(because[0], "deployment/api has pods without a proxy");
    assert!(
        because[1].starts_with("neither the namespace"),
        "{because:?}"
    );
}

#[test]
fn connections_that_nobody_knows_never_pass() {
    // The recorded edges are of Prometheus and of other namespaces, not of the two workloads.
    let recorded = include_str!("edges.json");
    let clause = answered(meshed(), BY_VIZ, recorded).fault(BY_VIZ);
    assert_eq!(clause.actual, "none");
    assert!(clause.because[0].starts_with("Viz knows only connections that are open"));
    let down = viz(World::shop().mesh(0), &[])
        .fault(BY_VIZ)
        .because
        .join("; ");
    assert!(
        down.contains("deployment/prometheus in the namespace linkerd-viz"),
        "{down}"
    );
    let nonsense = answered(meshed(), BY_VIZ, "Error: no").fault(BY_VIZ);
    assert_eq!(nonsense.actual, "something else than a list of edges");
    assert_eq!(meshed().fault(BY_VIZ).actual, "not asked yet");
    assert_eq!(World::empty().fault(BY_VIZ).actual, "absent");
    assert_eq!(World::unreachable().fault(BY_VIZ).status, Status::Unknown);
}

#[test]
fn edges_are_read_as_viz_prints_them() {
    let edges: Vec<Edge> = serde_json::from_str(include_str!("edges.json")).unwrap();
    let of = |src: &str, dst: &str| {
        let edge = edges.iter().find(|e| e.src == src && e.dst == dst).unwrap();
        (
            edge.client_id.as_str(),
            edge.server_id.as_str(),
            edge.no_tls_reason.as_str(),
        )
    };
    assert_eq!(
        of("client2", "api"),
        ("client2.mesh-lab", "default.mesh-lab", "")
    );
    assert_eq!(
        of("client2", "plain"),
        ("client2.mesh-lab", "", "Not Provided By Service Discovery")
    );
}

#[test]
fn without_viz_the_called_says_who_called() {
    let whoami = |id: &str| json!({"pod": "api-0", "caller": {"l5d_client_id": id}}).to_string();
    let id = "default.default.serviceaccount.identity.linkerd.cluster.local";
    answered(meshed(), BY_HEADER, &whoami(id)).passes(BY_HEADER);
    let fault = |stdout: &str| answered(meshed(), BY_HEADER, stdout).fault(BY_HEADER);
    assert_eq!(fault(&whoami("")).actual, "nothing is proved");
    assert_eq!(fault(r#"{"caller": {}}"#).actual, "nothing is proved");
    let other = id.replace("default.default", "other.default");
    assert_eq!(fault(&whoami(&other)).actual, "other.default");
    assert_eq!(fault(&whoami("default.default")).actual, "default.default");
    assert_eq!(fault("<html>").status, Status::Pending);
    let alone = World::shop()
        .without("Pod", "web-0")
        .without("Pod", "web-1");
    assert!(
        alone
            .fault(BY_HEADER)
            .actual
            .starts_with("no pod of deployment/web")
    );
}
