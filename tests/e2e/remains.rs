//! What is left on the machine of an environment: containers, networks, processes.

use std::{fs, process::Command};

/// The output of `docker`, a line each.
#[track_caller]
pub(crate) fn docker(args: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(args).output();
    let output = output.expect("docker can be run");
    assert!(output.status.success(), "docker {args:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("docker prints UTF-8");
    text.lines().map(ToOwned::to_owned).collect()
}

/// The names of the node containers of the cluster `name`, running or not.
pub(crate) fn containers(name: &str) -> Vec<String> {
    let label = format!("label=io.x-k8s.kind.cluster={name}");
    docker(&["ps", "--all", "--format", "{{.Names}}", "--filter", &label])
}

/// The networks of the environment `name`.
pub(crate) fn networks(name: &str) -> Vec<String> {
    let filter = format!("label=labctl.dev/cluster={name}");
    docker(&[
        "network",
        "ls",
        "--format",
        "{{.Name}}",
        "--filter",
        &filter,
    ])
}

/// The processes with `mark` in their environment: labctl's, and all that it started. The ones in
/// containers are not among them, as the engine starts those.
pub(crate) fn processes(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("there is /proc").flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if !pid.chars().all(|c| c.is_ascii_digit()) {
            continue;
        }
        // A process may end while it is looked at; one that ended has neither.
        let read = |what: &str| fs::read(entry.path().join(what)).unwrap_or_default();
        let environ = String::from_utf8_lossy(&read("environ")).into_owned();
        if environ.split('\0').any(|variable| variable == mark) {
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            found.push(format!("{pid} {command}"));
        }
    }
    found
}
