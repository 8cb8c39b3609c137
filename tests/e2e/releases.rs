//! Releases, by a real helm that is killed in the middle; and an image that is built.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    remains::docker,
    run::Run,
    world::{World, wait_for},
};

/// The lab, in a place where its files can be changed.
fn lab(world: &World) -> PathBuf {
    let dir = world.place("release");
    let _ = fs::remove_dir_all(&dir);
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/release");
    for name in [
        "lab.yaml",
        "values.yaml",
        "image/Dockerfile",
        "image/note.txt",
        "charts/app/Chart.yaml",
        "charts/app/values.yaml",
        "charts/app/templates/objects.yaml",
    ] {
        let to = dir.join(name);
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory for the lab");
        fs::copy(from.join(name), to).expect("a file of the lab");
    }
    dir
}

struct Release<'a> {
    world: &'a World,
    name: String,
    lab: PathBuf,
}

impl Release<'_> {
    /// What the hook does from now on.
    fn hook(&self, values: &str) {
        fs::write(self.lab.join("values.yaml"), values).expect("values");
    }

    fn up(&self, args: &[&str]) -> Run {
        let lab = self.lab.to_string_lossy();
        self.world
            .ended(self.world.start_lab(&self.name, &lab, args))
    }

    /// Runs a tool as a student does.
    fn shell(&self, command: &[&str]) -> Run {
        let shell = [&["shell", "--"], command].concat();
        self.world.ended(self.world.start_in(&self.name, &shell))
    }

    /// How each revision stands, the oldest first.
    fn history(&self) -> Vec<String> {
        let history = self.shell(&["helm", "history", "app", "--output", "json"]);
        let revisions: Vec<serde_json::Value> = history.exits(0).answer();
        let status = |r: &serde_json::Value| r["status"].as_str().map(ToOwned::to_owned);
        revisions.iter().filter_map(status).collect()
    }

    /// Waits until the hook runs, and kills the helm that waits for it.
    fn kill_helm(&self, job: &str) {
        let exists = || {
            let pods = format!("--selector=job-name={job}");
            let path = "--output=jsonpath={.items[*].status.phase}";
            let get = ["kubectl", "get", "pods", pods.as_str(), path];
            self.shell(&get).answered().contains("Running")
        };
        wait_for("the hook to run", Duration::from_secs(90), exists);
        let processes = self.world.processes();
        let is_helm =
            |line: &&String| line.contains("/helm upgrade ") && !line.contains("labctl --env");
        let line = processes.iter().find(is_helm).expect("helm runs");
        let pid = line.split(' ').next().and_then(|pid| pid.parse().ok());
        let pid = pid.and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::KILL).expect("helm can be killed");
    }
}

/// The image that the lab says how to build.
const IMAGE: &str = "docker.io/e2e/built:1";

/// It was built, from nothing, and the nodes have it.
#[track_caller]
fn is_built(name: &str) {
    let format = "{{.Config.Labels.note}}";
    assert_eq!(
        docker(&["image", "inspect", "--format", format, IMAGE]),
        ["built"]
    );
    let worker = format!("{name}-worker");
    let images = docker(&[
        "exec",
        &worker,
        "ctr",
        "--namespace=k8s.io",
        "images",
        "ls",
        "--quiet",
    ]);
    assert!(images.iter().any(|image| image == IMAGE), "{images:?}");
    remove_image().expect("docker can be run");
}

fn remove_image() -> std::io::Result<Output> {
    Command::new("docker")
        .args(["image", "rm", "--force", IMAGE])
        .output()
}

/// A release left pending by our own helm is put in order and made anew, one left by a student's is
/// not touched; `reset` puts back what a release made, and takes releases away that came later.
pub(crate) fn cut_short(world: &World) {
    world.remove();
    let name = world.name.clone();
    let release = Release {
        world,
        name: name.clone(),
        lab: lab(world),
    };
    let _ = remove_image();
    // The first install.
    let mut up = world.start_lab(&name, &release.lab.to_string_lossy(), &[]);
    wait_for("the cluster", Duration::from_mins(5), || {
        assert!(!up.is_over(), "`up` ended before the cluster was there");
        let status = world.ended(world.start_in(&name, &["status"])).text();
        status.contains("1/2 cluster")
    });
    is_built(&name);
    release.kill_helm("app-hook");
    world.ended(up).exits(1).says("was ended by signal 9");
    assert_eq!(release.history(), ["pending-install"]);
    release.hook("hook: ['true']\n");
    let up = release.up(&[]).exits(0);
    up.says("was left pending-install by an interrupted run; it is uninstalled first");
    assert_eq!(release.history(), ["deployed"]);
    // An upgrade.
    release.hook("hook: [sleep, '3601']\n");
    let up = world.start_lab(&name, &release.lab.to_string_lossy(), &[]);
    release.kill_helm("app-hook");
    world.ended(up).exits(1);
    assert_eq!(release.history(), ["deployed", "pending-upgrade"]);
    release.hook("hook: [echo, again]\n");
    let up = release.up(&[]).exits(0);
    up.says("it is rolled back to revision 1 first");
    assert_eq!(
        release.history().last().map(String::as_str),
        Some("deployed")
    );
    // A student's.
    let chart = release
        .lab
        .join("charts/app")
        .to_string_lossy()
        .into_owned();
    let hang = [
        "helm",
        "upgrade",
        "app",
        &chart,
        "--set-json",
        "hook=[\"sleep\",\"3602\"]",
    ];
    let shell = [&["shell", "--"], &hang[..]].concat();
    let theirs = world.start_in(&name, &shell);
    release.kill_helm("app-hook");
    world.ended(theirs);
    let before = release.history();
    assert_eq!(before.last().map(String::as_str), Some("pending-upgrade"));
    release.hook("hook: [echo, more]\n");
    release
        .up(&[])
        .exits(1)
        .says("is pending-upgrade, and this step did not begin that");
    assert_eq!(release.history(), before);
    let whole = before.iter().rposition(|s| s == "deployed").expect("one") + 1;
    let whole = whole.to_string();
    release
        .shell(&["helm", "rollback", "app", &whole, "--no-hooks"])
        .exits(0);
    release.up(&[]).exits(0);
    // Reset.
    let delete = ["kubectl", "delete", "configmap", "app"];
    release.shell(&delete).exits(0);
    let mine = [
        "helm",
        "install",
        "mine",
        &chart,
        "--set",
        "name=mine",
        "--no-hooks",
    ];
    release.shell(&mine).exits(0);
    let revisions = release.history().len();
    world.ended(world.start_in(&name, &["reset"])).exits(0);
    let note = [
        "kubectl",
        "get",
        "configmap",
        "app",
        "--output=jsonpath={.data.note}",
    ];
    assert_eq!(release.shell(&note).answered(), "from the chart");
    assert_eq!(release.history().len(), revisions);
    let list = ["helm", "list", "--short", "--all-namespaces"];
    assert_eq!(release.shell(&list).exits(0).answered(), "app");
    world
        .ended(world.start_in(&name, &["reset", "--to", "cluster"]))
        .exits(0);
    assert_eq!(release.shell(&list).exits(0).answered(), "");
    release.up(&[]).exits(0);
    assert_eq!(release.history(), ["deployed"]);
    world.ended(world.start_in(&name, &["down"])).exits(0);
}
