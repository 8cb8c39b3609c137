use serde_json::{Value, json};

use crate::assert::{
    cause::why_not_ready,
    fixture::{NS, World, container, not_ready},
};

const POD: &str = "postgres-0";

fn why(world: &World) -> Vec<String> {
    why_not_ready(&world.get(POD), &world.observed, NS)
}

fn pod(patch: Value) -> World {
    World::well().with("Pod", POD, patch)
}

#[test]
fn containers_say_what_they_wait_for() {
    let waiting = |reason: &str, message: &str| {
        pod(container(
            &json!({"waiting": {"reason": reason, "message": message}}),
        ))
    };
    let mut crash = container(&json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    crash["status"]["containerStatuses"][0]["lastState"] =
        json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    crash["status"]["containerStatuses"][0]["restartCount"] = json!(4);
    for (world, expected) in [
        (
            waiting("ImagePullBackOff", "not \u{1b}[1mfound"),
            "container postgres cannot have its image docker.io/library/postgres:17 \
             (ImagePullBackOff): not found",
        ),
        (
            waiting("CreateContainerConfigError", "secret \"x\" not found"),
            "container postgres cannot start (CreateContainerConfigError): secret \"x\" not found",
        ),
        (
            waiting("ContainerCreating", ""),
            "container postgres is being created",
        ),
        (
            pod(crash),
            "container postgres ends again and again: exit code 137 (OOMKilled), after 4 restarts",
        ),
        (
            pod(container(
                &json!({"terminated": {"exitCode": 1, "message": "no space left\n"}}),
            )),
            "container postgres ended with exit code 1: no space left",
        ),
        (
            pod(not_ready()),
            "container postgres runs, but its readiness probe fails",
        ),
        (
            pod(not_ready()).with(
                "Pod",
                POD,
                json!({"spec": {"containers": [
            {"name": "postgres"}]}}),
            ),
            "container postgres runs, but is not ready",
        ),
        (
            pod(json!({"status": {"phase": "Pending", "conditions": null,
            "containerStatuses": null}})),
            "node lab-10-3-worker has not started it yet",
        ),
    ] {
        assert_eq!(why(&world), [expected]);
    }
    let mut starting = container(&json!({"running": {}}));
    starting["status"]["containerStatuses"][0]["started"] = json!(false);
    starting["spec"] = json!({"containers": [{"name": "postgres", "startupProbe": {}}]});
    let expected = "container postgres runs, but its startup probe has not succeeded yet";
    assert_eq!(why(&pod(starting)), [expected]);
}

#[test]
fn init_containers_come_first_and_sidecars_have_to_be_ready() {
    let init = |restart: Option<&str>, state: Value| {
        let mut patch = container(&json!({"waiting": {"reason": "PodInitializing"}}));
        patch["spec"] = json!({"initContainers": [{"name": "init", "restartPolicy": restart}]});
        patch["status"]["initContainerStatuses"] = json!([{"name": "init", "ready": false,
            "restartCount": 0, "image": "i", "imageID": "", "state": state}]);
        why(&pod(patch))
    };
    let running = json!({"running": {}});
    assert_eq!(
        init(None, running.clone()),
        ["init container init still runs"]
    );
    assert_eq!(
        init(Some("Always"), running),
        ["init container init runs, but is not ready"]
    );
    assert_eq!(
        init(None, json!({"terminated": {"exitCode": 3}})),
        ["init container init ended with exit code 3"]
    );
    let not_its_turn = json!({"waiting": {"reason": "PodInitializing"}});
    assert_eq!(
        init(None, not_its_turn),
        ["container postgres is being created"]
    );
}

#[test]
fn what_else_ready_waits_for() {
    let gates = json!({"spec": {"readinessGates": [{"conditionType": "example.org/up"}]},
        "status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    assert_eq!(
        why(&pod(gates)),
        ["its readiness gate example.org/up is not True"]
    );
    let stale = json!({"metadata": {"generation": 2}, "status": {"conditions":
        [{"type": "Ready", "status": "True", "observedGeneration": 1}]}});
    assert_eq!(
        why(&pod(stale)),
        ["its condition Ready is about an older generation"]
    );
    let silent = json!({"status": {"conditions": null}});
    assert_eq!(why(&pod(silent)), ["its status does not say why"]);
}
