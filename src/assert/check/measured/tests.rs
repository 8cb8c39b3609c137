use serde_json::json;

use crate::{
    assert::fixture::{
        World,
        measured::{counted, measured, toxic},
        said,
    },
    event::Status,
    spec::Measurement,
};

fn with(change: impl FnOnce(&mut Measurement), succeeded: u64) -> World {
    let mut load = measured(succeeded);
    change(&mut load);
    World::loaded(load)
}

#[test]
fn a_rate_lies_where_it_should() {
    let world = World::loaded(measured(189));
    world.passes("success-rate: {of: load, at-least: 90, at-most: 97}");
    World::loaded(measured(0)).passes("success-rate: {of: load, exactly: 0}");
    let fault = world.fault("success-rate: {of: load, exactly: 100}");
    assert_eq!(
        said(&fault),
        "Failed: requests that succeeded: expected exactly 100 %, is 94.5 %: 189 of 200 \
         (200 × 189, 503 × 11)"
    );
    // Without a mesh, and without annotations that ask for retries, no retry is missing.
    assert_eq!(fault.because, [""; 0]);
}

#[test]
fn what_was_not_measured_is_never_a_pass() {
    for yaml in [
        "success-rate: {of: load, at-least: 0}",
        "latency: {of: load, quantile: p50, at-most: 1s}",
        "mesh-retries: {of: load, per-request: {at-least: 0}}",
    ] {
        let fault = World::shop().fault(yaml);
        assert_eq!(fault.status, Status::Unknown, "{fault:?}");
        assert!(fault.actual.contains("has to be done first"), "{fault:?}");
    }
    let none = with(|load| load.requests = 0, 0);
    for yaml in [
        "success-rate: {of: load, at-least: 0}",
        "latency: {of: load, quantile: p50, at-most: 1s}",
    ] {
        assert_eq!(none.fault(yaml).status, Status::Unknown);
    }
    let no_base = World::loaded(measured(200));
    let yaml = "latency: {of: load, quantile: p50, at-least: 1s, above: baseline}";
    assert_eq!(no_base.fault(yaml).status, Status::Unknown);
}

#[test]
fn a_time_is_compared_with_that_of_another_step() {
    let slow = with(|load| load.latency.p50 = 504_000, 200).recorded("baseline", measured(200));
    slow.passes(
        "latency: {of: load, quantile: p50, at-least: 450ms, at-most: 550ms, above: baseline}",
    );
    slow.passes("latency: {of: load, quantile: p50, at-least: 500ms, at-most: 2s}");
    let yaml = "latency: {of: load, quantile: p50, at-least: 510ms, above: baseline}";
    assert_eq!(
        said(&slow.fault(yaml)),
        "Failed: p50 above that of baseline: expected at least 510ms, is 501.0 ms (504.0 ms − 3.0 ms)"
    );
    let fault = slow.fault("latency: {of: load, quantile: p95, at-most: 8ms}");
    assert_eq!(said(&fault), "Failed: p95: expected at most 8ms, is 9.0 ms");
    // A load that was faster than the other one is within every upper bound above it.
    slow.recorded("slower", {
        let mut load = measured(200);
        load.latency.p50 = 900_000;
        load
    })
    .passes("latency: {of: load, quantile: p50, at-most: 1ms, above: slower}");
}

/// Returns the causes of too many successes.
fn too_well(world: &World) -> String {
    let fault = world.fault("success-rate: {of: load, at-most: 10}");
    assert_eq!(fault.status, Status::Failed);
    fault.because.join("\n")
}

#[test]
fn a_toxic_that_is_gone_is_named() {
    let gone = with(|load| load.toxics = vec![toxic(false)], 200);
    assert_eq!(
        too_well(&gone),
        "the toxic cut of proxy database is not there any more: somebody took it back, or \
         Toxiproxy was started anew (step cut injects it)"
    );
    let fault = gone.fault("latency: {of: load, quantile: p50, at-least: 1s}");
    assert_eq!(fault.because.len(), 1, "{fault:?}");
}

#[test]
fn kept_connections_hide_a_toxic() {
    let hidden = |load: &mut Measurement| {
        load.toxics = vec![toxic(true)];
        load.keep_alive = true;
    };
    assert_eq!(
        too_well(&with(hidden, 200)),
        "the client keeps its connections (keep-alive: true): a toxic is drawn once for each \
         connection, and one that is kept by then is spared"
    );
    let no_toxic = with(|load| load.keep_alive = true, 200);
    assert_eq!(too_well(&no_toxic), "");
}

#[test]
fn a_hop_that_the_mesh_looks_into_hides_a_toxic() {
    let world = with(|load| load.toxics = vec![toxic(true)], 200).meshed();
    // 5432 is opaque by default.
    assert_eq!(too_well(&world), "");
    let opaque = |ports: &str| {
        let annotations = json!({"config.linkerd.io/opaque-ports": ports});
        let patch = json!({"metadata": {"annotations": annotations}});
        world.clone().with("Service", "toxiproxy", patch)
    };
    for ports in ["5432", "25,5000-6000"] {
        assert_eq!(too_well(&opaque(ports)), "", "{ports}");
    }
    for ports in ["", "8474", "5433-6000"] {
        let why = too_well(&opaque(ports));
        assert!(
            why.starts_with("port 5432 of Service toxiproxy is not opaque to the mesh"),
            "{ports}: {why}"
        );
    }
    let said_so = opaque("").with(
        "Service",
        "toxiproxy",
        json!({"spec": {"ports": [{"port": 5432, "targetPort": 5432,
            "appProtocol": "linkerd.io/opaque"}]}}),
    );
    assert_eq!(too_well(&said_so), "");
}

#[test]
fn retries_that_nobody_wants_are_named() {
    let world = with(|load| load.mesh = counted(189, 172, 86), 189)
        .meshed()
        .annotated(json!({"retry.linkerd.io/http": "5xx", "retry.linkerd.io/limit": "3"}));
    assert_eq!(
        too_well(&world),
        "the client's proxy sent 172 requests again, as Service api says (retry.linkerd.io/http: \
         5xx, 3 times at most)"
    );
}

#[test]
fn too_few_successes_are_explained_where_somebody_asks_for_retries() {
    let asked = World::loaded(measured(100)).annotated(json!({"retry.linkerd.io/http": "5xx"}));
    let fault = asked.fault("success-rate: {of: load, at-least: 90}");
    assert!(fault.because[0].contains("linkerd-proxy"), "{fault:?}");
    let meshed = with(|load| load.mesh = counted(100, 0, 0), 100).meshed();
    let fault = meshed.fault("success-rate: {of: load, at-least: 90}");
    assert_eq!(
        fault.because,
        ["Service api has no retry.linkerd.io/http: no failed request is sent again"]
    );
}
