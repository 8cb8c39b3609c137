//! Causes of unready containers, for a pod that has a node.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    Pod,
};

use crate::assert::{pod, text::clean};

/// Explains why `pod`, which is bound to `node`, is not Ready.
pub(super) fn why(pod: &Pod, node: &str) -> Vec<String> {
    let (Some(spec), Some(status)) = (pod.spec.as_ref(), pod.status.as_ref()) else {
        return vec![not_started(node)];
    };
    let init = status.init_container_statuses.iter().flatten();
    let why: Vec<String> = init
        .filter_map(|c| of_init(c, find(spec.init_containers.as_deref(), &c.name)))
        .collect();
    // The other containers wait for the init containers.
    if !why.is_empty() {
        return why;
    }
    let containers = status.container_statuses.iter().flatten();
    let mut why: Vec<String> = containers
        .filter_map(|c| of_container(c, find(Some(&spec.containers), &c.name)))
        .collect();
    if status.container_statuses.is_none() {
        why.push(not_started(node));
    }
    if why.is_empty() {
        why = of_conditions(pod);
    }
    why
}

fn not_started(node: &str) -> String {
    format!("node {} has not started it yet", clean(node))
}

fn find<'a>(containers: Option<&'a [Container]>, name: &str) -> Option<&'a Container> {
    containers?.iter().find(|container| container.name == name)
}

/// Explains why an init container holds the pod up; `None` if it does not.
fn of_init(status: &ContainerStatus, spec: Option<&Container>) -> Option<String> {
    // An init container that is always restarted is a sidecar: it has to run and be ready, not to
    // end.
    let sidecar = spec.and_then(|s| s.restart_policy.as_deref()) == Some("Always");
    let state = status.state.as_ref();
    let waiting = state.and_then(|s| s.waiting.as_ref());
    if waiting.is_some_and(|w| w.reason.as_deref() == Some("PodInitializing")) {
        // It waits for the init containers before it.
        return None;
    }
    if !sidecar && state.is_some_and(|s| s.running.is_some()) {
        return Some(format!("init container {} still runs", clean(&status.name)));
    }
    of_container(status, spec).map(|text| format!("init {text}"))
}

fn of_container(status: &ContainerStatus, spec: Option<&Container>) -> Option<String> {
    if status.ready {
        return None;
    }
    let name = clean(&status.name);
    let none = ContainerState::default();
    let what = match status.state.as_ref().unwrap_or(&none) {
        ContainerState {
            waiting: Some(waiting),
            ..
        } => of_waiting(waiting, status),
        ContainerState {
            terminated: Some(ended),
            ..
        } => format!("ended with {}", exit(ended)),
        ContainerState {
            running: Some(_), ..
        } => of_running(status, spec).to_owned(),
        ContainerState { .. } => "has no state yet".to_owned(),
    };
    Some(format!("container {name} {what}"))
}

fn of_waiting(waiting: &ContainerStateWaiting, status: &ContainerStatus) -> String {
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let said = waiting
        .message
        .as_deref()
        .map(clean)
        .filter(|message| !message.is_empty());
    let said = said
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    match reason {
        "" | "ContainerCreating" | "PodInitializing" => "is being created".to_owned(),
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
            format!(
                "cannot have its image {} ({reason}){said}",
                clean(&status.image)
            )
        }
        "CrashLoopBackOff" => {
            let last = status
                .last_state
                .as_ref()
                .and_then(|s| s.terminated.as_ref());
            let last = last
                .map(|ended| format!(": {}", exit(ended)))
                .unwrap_or_default();
            format!(
                "ends again and again{last}, after {} restarts",
                status.restart_count
            )
        }
        // CreateContainerConfigError and similar.
        reason => format!("cannot start ({}){said}", clean(reason)),
    }
}

fn of_running(status: &ContainerStatus, spec: Option<&Container>) -> &'static str {
    let probes = |has: fn(&Container) -> bool| spec.is_some_and(has);
    if status.started == Some(false) && probes(|c| c.startup_probe.is_some()) {
        "runs, but its startup probe has not succeeded yet"
    } else if probes(|c| c.readiness_probe.is_some()) {
        "runs, but its readiness probe fails"
    } else {
        "runs, but is not ready"
    }
}

/// Describes the end of a container: `exit code 137 (OOMKilled)`.
fn exit(ended: &ContainerStateTerminated) -> String {
    let reason = ended.reason.as_deref().map(|r| format!(" ({})", clean(r)));
    let message = ended.message.as_deref().filter(|m| !m.trim().is_empty());
    let message = message.map(|m| format!(": {}", clean(m)));
    let said = reason.unwrap_or_default() + &message.unwrap_or_default();
    format!("exit code {}{said}", ended.exit_code)
}

/// Returns the causes that keep a pod from being Ready although all its containers are.
fn of_conditions(pod: &Pod) -> Vec<String> {
    let ready = pod::condition(pod, "Ready");
    if ready.is_some_and(|c| c.status == "True" && pod::is_stale(pod, c)) {
        return vec!["its condition Ready is about an older generation".to_owned()];
    }
    let gates = pod
        .spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten());
    gates
        .map(|gate| gate.condition_type.as_str())
        .filter(|gate| pod::condition(pod, gate).is_none_or(|c| c.status != "True"))
        .map(|gate| format!("its readiness gate {} is not True", clean(gate)))
        .collect()
}

#[cfg(test)]
mod tests;
