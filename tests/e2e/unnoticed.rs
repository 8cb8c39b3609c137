//! Nothing that a lab applied goes unnoticed: each of its objects is taken away or emptied, one at a
//! time, and `verify` fails or names it.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    run::{Run, Verified},
    world::{LAB, World, setting, wait_for},
};

/// Who writes what a lab applies.
const APPLIERS: [&str; 3] = ["helm", "kubectl", "kubectl-client-side-apply"];
/// Namespaces of the cluster itself.
const OF_THE_CLUSTER: [&str; 4] = [
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "local-path-storage",
];

/// Lab 10.3: without `LABCTL_E2E_FULL`, what is put back in a moment.
pub(crate) fn of_the_database(world: &World) {
    world.at_the_end();
    let proof = Proof::of(world, &world.name, LAB);
    proof.holds(setting("LABCTL_E2E_FULL").is_some());
}

/// Lab 10.1, by Traefik's Ingress.
pub(crate) fn of_the_shop(world: &World) {
    let args = ["--set", "ingress=traefik"];
    let up = world.start_lab(&world.name, "10.1", &args);
    world.ended(up).exits(0);
    Proof::of(world, &world.name, "10.1").holds(true);
}

/// Lab 10.2, without a mesh.
pub(crate) fn of_the_mesh(world: &World) {
    let name = format!("{}-unnoticed", world.name);
    let up = world.start_lab(&name, "10.2", &["--set", "mesh=none"]);
    world.ended(up).exits(0);
    Proof::of(world, &name, "10.2").holds(true);
    world.ended(world.start_in(&name, &["down"])).exits(0);
}

struct Proof<'a> {
    world: &'a World,
    environment: &'a str,
    lab: &'a str,
}

/// What is done to an object.
#[derive(Debug)]
struct Harm {
    /// As `verify` names the object.
    object: String,
    /// How kubectl does it.
    how: Vec<String>,
    /// Whether `reset` takes more than a moment to put it back.
    is_slow: bool,
}

impl<'a> Proof<'a> {
    fn of(world: &'a World, environment: &'a str, lab: &'a str) -> Self {
        Self {
            world,
            environment,
            lab,
        }
    }

    fn holds(&self, thorough: bool) {
        let began = Instant::now();
        self.is_whole();
        let harms = self.harms();
        let mut unnoticed = Vec::new();
        let mut count = 0;
        for harm in harms.iter().filter(|harm| thorough || !harm.is_slow) {
            count += 1;
            let how: Vec<&str> = harm.how.iter().map(String::as_str).collect();
            self.kubectl(&how);
            if !self.is_noticed(harm) {
                unnoticed.push(format!("kubectl {}", how.join(" ")));
            }
            self.labctl(&["reset"]).exits(0);
            self.is_whole();
        }
        let all = harms.len();
        let took = began.elapsed();
        self.world.figure(format!(
            "{}: {count} of {all} ways to take something away, none unnoticed: {took:.1?}",
            self.lab
        ));
        assert!(count > 0, "nothing was taken away");
        assert_eq!(unnoticed, [""; 0], "nobody noticed");
    }

    /// Everything holds, and nothing differs; what was put back may take a moment to answer again.
    fn is_whole(&self) {
        wait_for("everything is as it was", Duration::from_secs(90), || {
            let run = self.labctl(&["verify", "--output", "json"]);
            run.code() == Some(0) && run.answer::<Verified>().differences.is_empty()
        });
    }

    fn is_noticed(&self, harm: &Harm) -> bool {
        let run = self.labctl(&["verify", "--output", "json"]);
        let verified: Verified = run.answer();
        let names = |object: &str| object.starts_with(&harm.object);
        match run.code() {
            Some(0) => verified.differences.iter().any(|d| names(&d.object)),
            Some(1) => true,
            _ => panic!("{}", run.transcript()),
        }
    }

    /// All ways to take something away; a namespace, with which everything goes, is the last.
    fn harms(&self) -> Vec<Harm> {
        let mut objects = self.applied();
        objects.sort_by_key(|object| object["kind"] == "Namespace");
        let mut harms = vec![cordoned()];
        harms.extend(objects.iter().flat_map(harms_of));
        harms
    }

    /// What the lab applied, by whatever program.
    fn applied(&self) -> Vec<Value> {
        let kinds = self.kubectl(&["api-resources", "--verbs=list,delete", "--output=name"]);
        let kinds: Vec<String> = kinds.text().lines().map(ToOwned::to_owned).collect();
        let kinds = kinds.join(",");
        let get = ["get", &kinds, "--all-namespaces", "--output=json"];
        let all = self.kubectl(&[&get[..], &["--show-managed-fields"]].concat());
        let mut all: Value = all.answer();
        let before = self.there_before();
        let Value::Array(items) = all["items"].take() else {
            panic!("a list has items");
        };
        let is_applied = |object: &Value| {
            let fields = object["metadata"]["managedFields"].as_array();
            let mut whole = fields.into_iter().flatten();
            whole.any(|of| {
                let manager = of["manager"].as_str().unwrap_or_default();
                APPLIERS.contains(&manager) && of.get("subresource").is_none()
            })
        };
        let is_of_lab = |object: &Value| {
            let (_, namespace, _) = key(object);
            !OF_THE_CLUSTER.contains(&namespace.as_str()) && !before.contains(&key(object))
        };
        let items = items.into_iter();
        items.filter(|o| is_applied(o) && is_of_lab(o)).collect()
    }

    /// What was there before the lab applied anything.
    fn there_before(&self) -> BTreeSet<(String, String, String)> {
        let file = format!("envs/{}/snapshots/cluster.json", self.environment);
        let text = fs::read(self.world.state().join(file)).expect("the first step's snapshot");
        let snapshot: Value = serde_json::from_slice(&text).expect("JSON");
        let objects = snapshot["objects"].as_array().expect("objects");
        objects.iter().map(key).collect()
    }

    fn labctl(&self, args: &[&str]) -> Run {
        self.world
            .ended(self.world.start_in(self.environment, args))
    }

    fn kubectl(&self, args: &[&str]) -> Run {
        let shell = [&["shell", "--", "kubectl"], args].concat();
        self.labctl(&shell).exits(0)
    }
}

/// No worker takes pods.
fn cordoned() -> Harm {
    let workers = "--selector=!node-role.kubernetes.io/control-plane";
    Harm {
        object: "node/".to_owned(),
        how: vec!["cordon".to_owned(), workers.to_owned()],
        is_slow: false,
    }
}

fn key(object: &Value) -> (String, String, String) {
    let text = |pointer: &str| {
        let text = object.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    (
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name"),
    )
}

/// Deleted; and emptied, where it can be: no replicas, no selector, no data, no rules.
fn harms_of(object: &Value) -> Vec<Harm> {
    let (kind, namespace, name) = key(object);
    let group = object["apiVersion"].as_str().unwrap_or_default();
    let group = group.rsplit_once('/').map_or("", |(group, _)| group);
    let resource = match group {
        "" => kind.to_lowercase(),
        group => format!("{}.{group}", kind.to_lowercase()),
    };
    let named = format!("{resource}/{name}");
    let harm = |verb: &[&str]| {
        let mut how: Vec<String> = verb.iter().map(ToString::to_string).collect();
        how.insert(1, named.clone());
        if !namespace.is_empty() {
            how.push(format!("--namespace={namespace}"));
        }
        Harm {
            object: format!("{}/{name}", kind.to_lowercase()),
            how,
            is_slow: matches!(
                (kind.as_str(), verb[0]),
                ("Namespace" | "Deployment" | "StatefulSet", _)
                    // A name that was not found is remembered for a while.
                    | ("Service", "delete")
            ),
        }
    };
    let without = |key: &str| {
        let patch = json!({ key: null }).to_string();
        harm(&["patch", "--type=merge", "--patch", &patch])
    };
    let emptied = match kind.as_str() {
        "Deployment" | "StatefulSet" => Some(harm(&["scale", "--replicas=0"])),
        "Service" => {
            let patch = r#"{"spec":{"selector":null}}"#;
            Some(harm(&["patch", "--type=merge", "--patch", patch]))
        }
        "Secret" if name.starts_with("sh.helm.") => None,
        "Secret" | "ConfigMap" => Some(without("data")),
        "Role" | "ClusterRole" => Some(without("rules")),
        "RoleBinding" | "ClusterRoleBinding" => Some(without("subjects")),
        _ => None,
    };
    let deleted = harm(&["delete", "--wait=false"]);
    emptied.into_iter().chain([deleted]).collect()
}
