//! Toxics between an API and its database: what each does, measured from a pod, and that none stays,
//! however a run ends.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use labctl::event::{EventKind, Outcome};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    run::{Run, Running},
    world::{World, wait_for},
};

/// Where the API server leads to Toxiproxy.
const TOXIPROXY: &str = "/api/v1/namespaces/shop/services/toxiproxy:8474/proxy/proxies";

/// Lab 10.2's application, with a second proxy before the API.
struct Toxics<'a> {
    world: &'a World,
    name: String,
    lab: PathBuf,
}

impl<'a> Toxics<'a> {
    fn new(world: &'a World) -> Self {
        let dir = world.place("toxics");
        let manifests = dir.join("manifests");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&manifests).expect("a directory for the lab");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(root.join("tests/e2e/toxics/lab.yaml"), dir.join("lab.yaml")).expect("the lab");
        for name in ["database", "api", "toxiproxy", "client"] {
            let from = root.join(format!("labs/10.2/manifests/{name}.yaml"));
            let text = fs::read_to_string(from).expect("a manifest of lab 10.2");
            let text = text
                .replace(
                    r#""enabled": true}]"#,
                    r#""enabled": true}, {"name": "api", "listen": "[::]:8080", "upstream": "api:8080", "enabled": true}]"#,
                )
                .replace("  - name: toxics\n    port: 8474\n", "  - name: http\n    port: 8080\n  - name: toxics\n    port: 8474\n");
            // The namespace is made by the first of them.
            let order = if name == "database" { "0" } else { "1" };
            fs::write(manifests.join(format!("{order}-{name}.yaml")), text).expect("a manifest");
        }
        Self {
            world,
            name: world.other(),
            lab: dir,
        }
    }

    fn start(&self, args: &[&str]) -> Running {
        let lab = self.lab.to_string_lossy().into_owned();
        let args = [&["--output", "json"], args].concat();
        self.world.start_lab(&self.name, &lab, &args)
    }

    fn up(&self, last: &str) -> Run {
        self.world.ended(self.start(&["--to", last]))
    }

    fn labctl(&self, args: &[&str]) -> Run {
        self.world.ended(self.world.start_in(&self.name, args))
    }

    fn kubectl(&self, args: &[&str]) -> Run {
        self.labctl(&[&["shell", "--", "kubectl"], args].concat())
    }

    /// The toxics of both proxies, and which of these is disabled.
    fn toxics(&self) -> Vec<String> {
        let proxies: Value = self.kubectl(&["get", "--raw", TOXIPROXY]).exits(0).answer();
        let proxies = proxies.as_object().expect("proxies by name");
        assert_eq!(proxies.len(), 2, "{proxies:?}");
        let mut found = Vec::new();
        for (name, proxy) in proxies {
            if proxy["enabled"] != json!(true) {
                found.push(format!("{name} is disabled"));
            }
            let toxics = proxy["toxics"].as_array().expect("toxics");
            found.extend(toxics.iter().map(|t| format!("{name}: {}", t["name"])));
        }
        found
    }

    /// Starts what measures with a toxic in place, and returns in the middle of it.
    fn in_the_middle(&self) -> Running {
        let mut running = self.start(&["--to", "hidden-load"]);
        let is_measuring = |event: &EventKind| matches!(event, EventKind::Measuring { step, .. } if step == "hidden-load");
        running.until("requests", is_measuring);
        assert_eq!(self.toxics(), ["api: \"hidden\""]);
        running
    }
}

/// What each toxic does, as the lab expects it; afterwards none is left. Then one that is hidden by
/// kept connections: interrupted, killed, and failing, with its cause.
pub(crate) fn each(world: &World) {
    let toxics = Toxics::new(world);
    // Whatever an earlier run left.
    toxics.labctl(&["down"]);
    let run = toxics.up("removed").exits(0);
    world.figure(format!("up with every toxic: {:.1?}", run.took));
    for event in run.events() {
        if let EventKind::Measured { step, measurement } = event {
            let line = labctl::report::measurement(&measurement);
            world.figure(format!("  {step}: {line} ({})", measurement.codes()));
            let under_a_toxic = !["baseline", "removed"].contains(&step.as_str());
            assert_eq!(
                measurement.toxics.len(),
                usize::from(under_a_toxic),
                "{step}"
            );
            assert!(
                measurement.toxics.iter().all(|toxic| toxic.present),
                "{step}"
            );
        }
    }
    assert_eq!(toxics.toxics(), [""; 0]);
    toxics.labctl(&["verify"]);
    let status = toxics.labctl(&["status"]).exits(0);
    status.says("cut-load").says("0.0 % of 40");

    stranger(&toxics);
    ctrl_c(&toxics);
    killed(&toxics);
    restarted(&toxics);
    hidden(&toxics);
    toxics.labctl(&["down"]).exits(0);
}

/// A toxic of the same name that is somebody else's is left alone.
fn stranger(toxics: &Toxics<'_>) {
    let path = format!("{TOXIPROXY}/api/toxics");
    let file = toxics.world.place("toxics/theirs.json");
    let theirs = json!({"name": "hidden", "type": "latency", "attributes": {"latency": 1}});
    fs::write(&file, theirs.to_string()).expect("a file");
    let file = file.to_string_lossy();
    toxics
        .kubectl(&["create", "--raw", &path, "-f", &file])
        .exits(0);
    let run = toxics.up("hidden-load").exits(1);
    let Some((step, Outcome::Failed(failure))) = run.outcomes().pop() else {
        panic!("nothing failed\n{}", run.transcript());
    };
    assert_eq!(step, "hidden");
    assert!(failure.summary.contains("is there already"), "{failure:?}");
    assert_eq!(toxics.toxics(), ["api: \"hidden\""]);
    toxics
        .kubectl(&["delete", "--raw", &format!("{path}/hidden")])
        .exits(0);
}

fn ctrl_c(toxics: &Toxics<'_>) {
    let mut running = toxics.in_the_middle();
    running.signal(Signal::INT);
    toxics.world.ended(running).exits(130);
    assert_eq!(toxics.toxics(), [""; 0]);
    no_load_runs(toxics);
}

/// What was sent from the pod ends although nobody told it to.
fn no_load_runs(toxics: &Toxics<'_>) {
    let requests = || {
        let selector = "--selector=app.kubernetes.io/name=api";
        let pods = [
            "get",
            "pods",
            selector,
            "--output=jsonpath={.items[*].metadata.name}",
        ];
        let pods = toxics.kubectl(&pods).exits(0).answered();
        let metrics = |pod: &str| {
            let path = format!("/api/v1/namespaces/shop/pods/{pod}:8080/proxy/metrics");
            let text = toxics.kubectl(&["get", "--raw", &path]).exits(0).text();
            let entries = text.lines().filter(|line| line.contains("/api/entries"));
            entries.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        pods.split(' ').flat_map(metrics).collect::<Vec<_>>()
    };
    wait_for("the load to end", Duration::from_secs(20), || {
        requests() == requests()
    });
}

fn killed(toxics: &Toxics<'_>) {
    let mut running = toxics.in_the_middle();
    running.signal(Signal::KILL);
    toxics.world.ended(running);
    // It is reported, and what only looks leaves it.
    toxics.labctl(&["status"]).exits(0).says("hidden");
    assert_eq!(toxics.toxics(), ["api: \"hidden\""]);
    toxics
        .labctl(&["heal"])
        .exits(0)
        .says("hidden  fault taken back");
    assert_eq!(toxics.toxics(), [""; 0]);
}

/// A Toxiproxy whose pod was deleted comes back without toxics: there is nothing to take back.
fn restarted(toxics: &Toxics<'_>) {
    let mut running = toxics.in_the_middle();
    running.signal(Signal::KILL);
    toxics.world.ended(running);
    let selector = "--selector=app.kubernetes.io/name=toxiproxy";
    toxics
        .kubectl(&["delete", "pod", selector, "--wait=false"])
        .exits(0);
    toxics
        .labctl(&["heal"])
        .exits(0)
        .says("hidden  fault taken back");
    let rollout = ["rollout", "status", "deployment/toxiproxy", "--timeout=60s"];
    toxics.kubectl(&rollout).exits(0);
    assert_eq!(toxics.toxics(), [""; 0]);
}

/// A failing step: the cause is named, and the toxic taken back.
fn hidden(toxics: &Toxics<'_>) {
    let run = toxics.up("hidden-load").exits(1);
    let Some((step, Outcome::Failed(failure))) = run.outcomes().pop() else {
        panic!("nothing failed\n{}", run.transcript());
    };
    assert_eq!(step, "hidden-load");
    let clause = &failure.verdicts[0].clauses[0];
    toxics
        .world
        .figure(format!("  hidden by kept connections: {}", clause.actual));
    assert!(clause.because[0].contains("keep-alive: true"), "{clause:?}");
    let healed =
        |event: &EventKind| matches!(event, EventKind::Undone { step, .. } if step == "hidden");
    assert!(run.events().iter().any(healed), "{}", run.transcript());
    assert_eq!(toxics.toxics(), [""; 0]);
}
