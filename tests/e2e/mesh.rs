//! Lab 10.2: without a mesh wherever these tests run, and with Linkerd where its images are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use labctl::event::{EventKind, Outcome};
use serde_json::Value;

use crate::{
    run::{Run, Verified},
    world::{World, setting, wait_for},
};

const LAB: &str = "10.2";

/// What Linkerd takes that is not there; none if it can be brought up.
pub(crate) fn missing() -> Option<String> {
    let Some(bundle) = setting("LABCTL_E2E_BUNDLE") else {
        let path = env::var_os("PATH").unwrap_or_default();
        let is_there = env::split_paths(&path).any(|dir| dir.join("linkerd").is_file());
        return (!is_there).then(|| "no `linkerd` is on PATH".to_owned());
    };
    let index = fs::read(Path::new(&bundle).join("index.json")).expect("the bundle's index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let names = |of: &str| {
        let entries = index[of].as_array().cloned().unwrap_or_default();
        let names = entries.into_iter().map(|entry| entry["name"].to_string());
        names.collect::<Vec<String>>()
    };
    let has = |of: &str, name: &str| names(of).iter().any(|n| n.contains(name));
    let wanted = [("tools", "linkerd"), ("images", "cr.l5d.io/linkerd/proxy:")];
    let lacks = wanted.iter().find(|(of, name)| !has(of, name));
    lacks.map(|(_, name)| format!("the bundle has no {}", name.trim_end_matches(':')))
}

struct Mesh<'a> {
    world: &'a World,
    name: String,
}

impl<'a> Mesh<'a> {
    fn new(world: &'a World, suffix: &str) -> Self {
        let name = format!("{}-{suffix}", world.name);
        let mesh = Self { world, name };
        // Whatever an earlier run left.
        mesh.labctl(&["down"]);
        mesh
    }

    fn labctl(&self, args: &[&str]) -> Run {
        self.world.ended(self.world.start_in(&self.name, args))
    }

    fn up(&self, lab: &str, args: &[&str]) -> Run {
        let args = [&["--output", "json"], args].concat();
        let up = self.world.start_lab(&self.name, lab, &args);
        self.world.ended(up)
    }

    fn kubectl(&self, args: &[&str]) {
        let shell = [&["shell", "--", "kubectl"], args].concat();
        self.labctl(&shell).exits(0);
    }

    /// What each load came to, as figures.
    fn figures(&self, up: &Run) {
        self.world.figure(format!("up {LAB}: {:.1?}", up.took));
        for event in up.events() {
            if let EventKind::Measured { step, measurement } = event {
                let line = labctl::report::measurement(&measurement);
                self.world.figure(format!("  {step}: {line}"));
            }
        }
    }

    /// Waits until `verify` says all of `says`.
    fn verify_says(&self, says: &[&str]) {
        let mut seen = String::new();
        let patience = Duration::from_mins(3);
        let what = format!("{says:?} in what verify says");
        wait_for(&what, patience, || {
            seen = self.labctl(&["verify"]).transcript();
            let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
            says.iter().all(|text| words.contains(text))
        });
    }

    /// A copy of the lab in which `from` is `to`.
    fn changed(&self, from: &str, to: &str) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs").join(LAB);
        let dir = self.world.place("mesh");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("manifests")).expect("a directory for the lab");
        for entry in fs::read_dir(source.join("manifests")).expect("the manifests") {
            let entry = entry.expect("a manifest");
            let to = dir.join("manifests").join(entry.file_name());
            fs::copy(entry.path(), to).expect("a manifest");
        }
        let lab = fs::read_to_string(source.join("lab.yaml")).expect("the lab");
        assert!(lab.contains(from), "{from}");
        fs::write(dir.join("lab.yaml"), lab.replace(from, to)).expect("the lab");
        dir
    }
}

/// The failures by themselves.
pub(crate) fn without(world: &World) {
    let mesh = Mesh::new(world, "bare");
    let up = mesh.up(LAB, &["--set", "mesh=none"]).exits(0);
    mesh.figures(&up);
    let verified: Verified = mesh
        .labctl(&["verify", "--output", "json"])
        .exits(0)
        .answer();
    assert!(verified.steps.iter().any(|step| step.id == "healed"));
    mesh.labctl(&["down"]).exits(0);
}

/// All of it, and what goes wrong with a mesh.
pub(crate) fn with_linkerd(world: &World) {
    let mesh = Mesh::new(world, "mesh");
    let up = mesh.up(LAB, &[]).exits(0);
    mesh.figures(&up);
    mesh.labctl(&["verify"]).exits(0);

    // Viz is blind.
    let scale = |replicas: &str| {
        let to = format!("--replicas={replicas}");
        mesh.kubectl(&["scale", "-n", "linkerd-viz", "deployment/prometheus", &to]);
    };
    scale("0");
    mesh.verify_says(&[
        "linkerd-check viz",
        "deployment/prometheus in the namespace linkerd-viz has no pod that runs",
    ]);
    scale("1");

    // The injection was forgotten, of one workload and by its namespace.
    mesh.kubectl(&["annotate", "namespace/shop", "linkerd.io/inject-"]);
    mesh.kubectl(&["rollout", "restart", "deployment/visitor"]);
    mesh.verify_says(&[
        "mesh-injected deployment/visitor",
        "neither the namespace shop nor deployment/visitor has the annotation",
    ]);
    mesh.labctl(&["reset"]).exits(0);
    mesh.labctl(&["verify"]).exits(0);

    // What Linkerd ignores without a word.
    mesh.labctl(&["reset", "--to", "unprotected"]).exits(0);
    let bogus = mesh.changed("retry.linkerd.io/http: 5xx", "retry.linkerd.io/http: bogus");
    let up = mesh.up(&bogus.to_string_lossy(), &["--to", "protected"]);
    let Some((step, Outcome::Failed(failure))) = up.exits(1).outcomes().pop() else {
        panic!("nothing failed");
    };
    assert_eq!(step, "protected");
    let because = format!("{:?}", failure.verdicts);
    assert!(
        because.contains("which Linkerd does not understand"),
        "{because}"
    );
    mesh.labctl(&["down"]).exits(0);
}
