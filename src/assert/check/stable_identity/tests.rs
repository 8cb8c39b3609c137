use serde_json::json;

use crate::{
    assert::{
        Probe, ProbeResult,
        fixture::{NS, World, failed, not_ready, ran, said, unschedulable},
    },
    event::Status,
};

const IDENTITY: &str = "stable-identity: {pod: postgres-0, service: postgres}";
const NAME: &str = "postgres-0.postgres.default.svc";

fn exec(pod: &str, command: &[&str]) -> Probe {
    let command = command.iter().map(ToString::to_string).collect();
    Probe::Exec {
        namespace: NS.to_owned(),
        pod: pod.to_owned(),
        command,
    }
}

fn hostname(world: World, result: ProbeResult) -> World {
    world.answer(exec("postgres-0", &["uname", "-n"]), result)
}

fn dns(world: World, result: ProbeResult) -> World {
    world.answer(exec("postgres-1", &["getent", "ahostsv4", NAME]), result)
}

fn well() -> World {
    let answer = "10.244.1.0     STREAM postgres-0.postgres.default.svc.cluster.local\n\
        10.244.1.0     DGRAM";
    dns(hostname(World::well(), ran("postgres-0")), ran(answer))
}

#[test]
fn labels_names_and_the_address_all_agree() {
    well().passes(IDENTITY);
    let verdict = well().verdict(IDENTITY);
    let what: Vec<&str> = verdict.clauses.iter().map(|c| c.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "label statefulset.kubernetes.io/pod-name of pod postgres-0",
            "label apps.kubernetes.io/pod-index of pod postgres-0",
            "hostname and subdomain of pod postgres-0",
            "hostname inside pod postgres-0",
            "service postgres is headless",
            "address of postgres-0.postgres.default.svc",
        ]
    );
}

#[test]
fn each_part_of_the_identity_is_looked_at() {
    let pod = |patch| well().with("Pod", "postgres-0", patch);
    let index = json!({"metadata": {"labels": {"apps.kubernetes.io/pod-index": "1"}}});
    let service = |patch| well().with("Service", "postgres", patch);
    for (world, expected) in [
        (
            pod(index),
            "label apps.kubernetes.io/pod-index of pod postgres-0: expected 0, is 1",
        ),
        (
            pod(json!({"spec": {"subdomain": "other"}})),
            "hostname and subdomain of pod postgres-0: expected postgres-0.postgres, is \
             postgres-0.other",
        ),
        (
            pod(json!({"spec": {"hostname": null}})),
            "hostname and subdomain of pod postgres-0: expected postgres-0.postgres, is \
             none.postgres",
        ),
        (
            service(json!({"spec": {"clusterIP": "10.96.0.7"}})),
            "service postgres is headless: expected headless Service, is clusterIP 10.96.0.7",
        ),
        (
            well().without("Service", "postgres"),
            "service postgres is headless: expected headless Service, is absent",
        ),
        (
            hostname(well(), ran("web-7d")),
            "hostname inside pod postgres-0: expected postgres-0, is web-7d",
        ),
    ] {
        assert_eq!(said(&world.fault(IDENTITY)), format!("Pending: {expected}"));
    }
    let faults = World::well()
        .add(crate::assert::fixture::web_pod("web"))
        .faults("stable-identity: {pod: web, service: postgres}");
    assert_eq!(faults[1].status, Status::Failed);
}

#[test]
fn an_older_address_is_a_cached_one() {
    let clause = dns(well(), ran("10.244.1.77 STREAM x\n10.244.1.77 RAW")).fault(IDENTITY);
    assert_eq!(
        said(&clause),
        "Pending: address of postgres-0.postgres.default.svc: expected 10.244.1.0, is 10.244.1.77"
    );
    assert_eq!(
        clause.evidence,
        ["an older address: DNS answers are cached for up to 30 s"]
    );
}

#[test]
fn a_pod_that_is_not_ready_has_no_name_yet() {
    let world = dns(well(), failed(2, "", "")).with("Pod", "postgres-0", not_ready());
    let clause = world.fault(IDENTITY);
    assert_eq!(
        (clause.status, clause.actual.as_str()),
        (Status::Pending, "no address")
    );
    assert_eq!(
        clause.because,
        ["pod postgres-0 is Running, not Ready for 20 s"]
    );
}

#[test]
fn what_was_not_answered_is_waited_for_and_what_cannot_be_is_unknown() {
    let faults = World::well().faults(IDENTITY);
    assert!(
        faults
            .iter()
            .all(|c| c.actual == "not asked yet" && c.status == Status::Pending)
    );
    assert_eq!(faults.len(), 2);
    let lost = ProbeResult::Unreachable("timed out".to_owned());
    assert_eq!(dns(well(), lost).fault(IDENTITY).status, Status::Unknown);
    let clause = dns(well(), failed(127, "", "sh: getent: not found")).fault(IDENTITY);
    assert_eq!(
        (clause.status, clause.actual.as_str()),
        (Status::Pending, "exit code 127")
    );
    let unreachable = World::unreachable().verdict(IDENTITY);
    assert!(
        unreachable
            .clauses
            .iter()
            .all(|c| c.status == Status::Unknown)
    );
}

#[test]
fn without_the_pod_or_another_one_nothing_is_asked() {
    let gone = well().without("Pod", "postgres-0").fault(IDENTITY);
    assert_eq!(
        said(&gone),
        "Pending: pod postgres-0 exists: expected exists, is absent"
    );
    assert_eq!(
        well().deleting("Pod", "postgres-0").fault(IDENTITY).actual,
        "being deleted"
    );
    let alone = well()
        .without("Pod", "postgres-1")
        .without("Pod", "postgres-2");
    assert_eq!(
        alone.fault(IDENTITY).actual,
        "no other pod is ready to ask from"
    );
    let waiting = well().with("Pod", "postgres-0", unschedulable("no room"));
    let faults = waiting.faults(IDENTITY);
    assert_eq!(
        faults[0].actual,
        "not asked: the pod is Pending for 30 s: no node fits"
    );
    assert_eq!(faults[1].actual, "the pod has no address yet");
    assert_eq!(faults[1].because, ["no node fits: no room"]);
}
