use serde_json::{Value, json};

use crate::{
    assert::fixture::{
        NS, World,
        measured::{counted, measured, toxic},
        said,
    },
    event::Status,
    spec::{Measurement, measurement::Mesh},
};

/// Returns the shop in a mesh, where `good` of 200 requests succeeded after this many retries.
fn world(good: u64, retries: u64, retry_successes: u64) -> World {
    with(good, retries, retry_successes, |_| {})
}

fn with(good: u64, retries: u64, ok: u64, change: impl FnOnce(&mut Measurement)) -> World {
    let mut load = measured(good);
    load.mesh = counted(good, retries, ok);
    change(&mut load);
    World::loaded(load).meshed()
}

const THREE_TIMES: &str =
    "mesh-retries: {of: load, per-request: {exactly: 3}, given-up: {exactly: 1}}";
const SOME: &str = "mesh-retries: {of: load, per-request: {at-least: 0.5}}";

#[allow(clippy::needless_pass_by_value)] // json! makes an owned value
fn well(annotations: Value) -> Value {
    let mut all = json!({"retry.linkerd.io/http": "5xx", "retry.linkerd.io/limit": "3"});
    all.as_object_mut()
        .unwrap()
        .extend(annotations.as_object().unwrap().clone());
    all
}

#[test]
fn the_demonstration_by_arithmetic() {
    // No request fails, so none is retried.
    world(200, 0, 0).passes(
        "mesh-retries: {of: load, per-request: {exactly: 0}, given-up: {exactly: 0}, \
         effective: {exactly: 100}, actual: {exactly: 100}}",
    );
    // All requests fail: each is retried three times and then given up.
    world(0, 600, 0).passes(THREE_TIMES);
    world(0, 600, 0)
        .passes("mesh-retries: {of: load, effective: {exactly: 0}, actual: {exactly: 0}}");
    // Half of the attempts fail: about 94 of 100 requests succeed in the end.
    world(189, 172, 86).passes(
        "mesh-retries: {of: load, per-request: {at-least: 0.7, at-most: 1.05}, \
         given-up: {at-most: 0.12}, effective: {at-least: 88}, actual: {at-least: 40, at-most: 60}}",
    );
}

#[test]
fn each_number_that_is_off_is_named_with_what_it_is_made_of() {
    let faults = world(100, 90, 10).faults(
        "mesh-retries: {of: load, per-request: {exactly: 3}, given-up: {at-most: 0.1}, \
         effective: {at-least: 90}, actual: {exactly: 50}}",
    );
    let said: Vec<String> = faults.iter().map(said).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    Failed: retries per request: expected exactly 3, is 0.45: 90 for 200 requests
    Failed: requests given up at the limit: expected at most 0.1, is 0.50: 100 of 200
    Failed: effective success: expected at least 90, is 50.0 %: 100 of 200 answers
    Failed: actual success: expected exactly 50, is 34.5 %: 100 of 290 answers
    ");
}

#[test]
fn counters_that_cannot_be_compared_are_unknown() {
    let why = "a pod of the client was replaced meanwhile, or its proxy started anew";
    let lost = with(0, 0, 0, |load| load.mesh = Mesh::Unknown(why.to_owned()));
    let fault = lost.fault(SOME);
    assert_eq!(fault.status, Status::Unknown);
    assert!(fault.actual.ends_with(why), "{fault:?}");
    let fell = with(0, 0, 0, |load| {
        if let Mesh::Counted { before, after } = counted(200, 0, 0) {
            load.mesh = Mesh::Counted {
                before: after,
                after: before,
            };
        }
    });
    assert_eq!(fell.fault(SOME).status, Status::Unknown);
}

#[test]
fn requests_that_the_proxy_did_not_see_are_not_a_pass() {
    let unseen = with(200, 0, 0, |load| {
        if let Mesh::Counted { before, after } = &mut load.mesh {
            *after = *before;
        }
    });
    let fault = unseen.fault("mesh-retries: {of: load, per-request: {exactly: 0}}");
    assert_eq!(
        said(&fault),
        "Failed: the client's proxy counts: expected the requests, is none of 200"
    );
    assert!(fault.because[0].contains("http://api/entries"), "{fault:?}");
}

/// Returns the only cause of missing retries in `world`.
#[track_caller]
fn cause(world: &World) -> String {
    let fault = world.fault(SOME);
    assert_eq!(fault.status, Status::Failed);
    assert_eq!(fault.because.len(), 1, "{fault:#?}");
    fault.because[0].clone()
}

#[test]
fn a_client_without_a_proxy_sends_nothing_again() {
    let unmeshed = World::loaded(measured(100)).annotated(well(json!({})));
    assert_eq!(
        cause(&unmeshed),
        "the client deployment/web (pod web-0) has no container linkerd-proxy: retries are made by \
         the proxy of whoever asks (linkerd.io/inject: enabled, then kubectl rollout restart \
         deployment/web)"
    );
}

#[test]
fn annotations_that_are_missing_or_not_understood() {
    let failing = world(100, 0, 0);
    assert_eq!(
        cause(&failing),
        "Service api has no retry.linkerd.io/http: no failed request is sent again"
    );
    let bogus = failing
        .clone()
        .annotated(well(json!({"retry.linkerd.io/http": "bogus"})));
    assert!(
        cause(&bogus).starts_with(
            "Service api has retry.linkerd.io/http: \"bogus\", which Linkerd does not understand \
             and ignores without a word"
        ),
        "{}",
        cause(&bogus)
    );
    let spaced = failing
        .clone()
        .annotated(well(json!({"retry.linkerd.io/http": "5xx, 429"})));
    assert!(cause(&spaced).contains("no spaces"));
    let limit = failing
        .clone()
        .annotated(well(json!({"retry.linkerd.io/limit": "three"})));
    assert!(cause(&limit).contains("retry.linkerd.io/limit: \"three\""));
}

#[test]
fn what_makes_proxies_ignore_sound_annotations() {
    let sound = world(100, 0, 0).annotated(well(json!({})));
    let headless = sound
        .clone()
        .with("Service", "api", json!({"spec": {"clusterIP": "None"}}));
    assert!(cause(&headless).starts_with("Service api is headless"));
    let profile = format!("api.{NS}.svc.cluster.local");
    let profiled = sound
        .clone()
        .add(json!({"apiVersion": "linkerd.io/v1alpha2",
        "kind": "ServiceProfile", "metadata": {"name": profile, "namespace": NS}, "spec": {}}));
    assert_eq!(
        cause(&profiled),
        format!(
            "there is a ServiceProfile {profile}: proxies go by it, and ignore the annotations of \
             the Service (kubectl delete serviceprofile {profile})"
        )
    );
    let other = sound.add(
        json!({"apiVersion": "linkerd.io/v1alpha2", "kind": "ServiceProfile",
        "metadata": {"name": format!("web.{NS}.svc.cluster.local"), "namespace": NS}, "spec": {}}),
    );
    assert_eq!(other.fault(SOME).because, [""; 0]);
}

#[test]
fn where_nothing_fails_nothing_is_sent_again_because_the_toxic_is_hidden() {
    let sound = |toxics, keep_alive| {
        let world = with(200, 0, 0, |load| {
            load.toxics = toxics;
            load.keep_alive = keep_alive;
        });
        world.annotated(well(json!({})))
    };
    assert!(cause(&sound(vec![toxic(false)], false)).contains("not there any more"));
    assert!(cause(&sound(vec![toxic(true)], true)).contains("keeps its connections"));
}
