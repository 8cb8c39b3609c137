//! A make-believe cluster: what is in it, and what the tools do to it. Each thing done is counted,
//! so that a test can tell what was done twice.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::engine::Engine;

/// What a fake tool asks for.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Ask {
    program: String,
    args: Vec<String>,
    stdin: String,
    /// The network that kind is told to use.
    network: String,
}

/// A change, as a watch tells it.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) collection: String,
    pub(super) told: Value,
}

/// The cluster's contents. Collections are named by their path.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    /// The engine on which its nodes run, where a test has one.
    pub(super) engine: Option<Engine>,
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    pub(super) changes: Vec<Change>,
    pub(super) version: u64,
    uids: u64,
    /// What was done, in order.
    pub(super) effects: Vec<String>,
    /// The output of commands that are run in pods, by pod. Those in other pods never end.
    pub(super) printed: BTreeMap<String, String>,
    pub(super) over: bool,
}

/// The node whose API server the cluster's is.
const CONTROL_PLANE: &str = "lab-crash-control-plane";
const PODS: &str = "/api/v1/namespaces/default/pods";
const NODES: &str = "/api/v1/nodes";
/// What Toxiproxy passes on, where the API server leads to it.
const PROXIES: &str = "/api/v1/namespaces/default/services/toxiproxy:8474/proxy/proxies";

impl Contents {
    /// The object or the list at `path`; `None` if there is neither.
    pub(super) fn get(&self, path: &str) -> Option<Value> {
        if let Some((collection, name)) = path.rsplit_once('/')
            && let Some(object) = self.objects.get(collection).and_then(|c| c.get(name))
        {
            return Some(object.clone());
        }
        // Without a cluster there is nobody who would answer.
        self.objects.get("/api/v1/namespaces")?;
        if matches!(path, "/api" | "/apis") {
            // No kind that a snapshot would hold.
            let groups = if path == "/apis" {
                vec![zoo()]
            } else {
                Vec::new()
            };
            return Some(json!({"kind": "APIGroupDiscoveryList",
                "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": groups}));
        }
        let of = self.objects.get(path);
        let items: Vec<&Value> = of.into_iter().flat_map(BTreeMap::values).collect();
        let version = self.version.to_string();
        Some(json!({"kind": "List", "apiVersion": "v1",
            "metadata": {"resourceVersion": version}, "items": items}))
    }

    /// Does what a tool is asked for: its standard output, standard error and exit code.
    pub(super) fn tool(&mut self, ask: &Ask) -> (String, String, u8) {
        let args: Vec<&str> = ask.args.iter().map(String::as_str).collect();
        if self.engine.is_some() && ask.program != "kubectl" {
            return self.on_engine(&ask.program, &args, &ask.network);
        }
        let done = match (ask.program.as_str(), args.as_slice()) {
            ("kind", ["create", ..]) => self.create(),
            ("docker", ["rm", ..]) => {
                self.delete();
                Ok(())
            }
            // Behind the kubeconfig and the context.
            ("kubectl", [_, _, _, _, verb @ ..]) => self.kubectl(verb, &ask.stdin),
            _ => Err(format!("{} is not to be asked for: {args:?}", ask.program)),
        };
        match done {
            Ok(()) => ("done".to_owned(), String::new(), 0),
            Err(why) => (String::new(), why, 1),
        }
    }

    /// Has the engine do what it is asked for; the cluster comes and goes with its nodes.
    fn on_engine(&mut self, program: &str, args: &[&str], network: &str) -> (String, String, u8) {
        let engine = self.engine.as_mut().unwrap();
        let done = if program == "kind" {
            engine.kind(args, network)
        } else {
            engine.docker(args)
        };
        let is_there = engine.containers.iter().any(|c| c.name == CONTROL_PLANE);
        if is_there && self.objects.is_empty() {
            self.create().unwrap();
        } else if !is_there {
            self.delete();
        }
        match done {
            Ok(out) => (out, String::new(), 0),
            Err(why) => (String::new(), why, 1),
        }
    }

    /// Whether nobody answers, as the node of the API server does not run.
    pub(super) fn is_silent(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| {
            let mut nodes = engine.containers.iter();
            !nodes.any(|c| c.name == CONTROL_PLANE && c.runs)
        })
    }

    pub(super) fn kubectl(&mut self, verb: &[&str], stdin: &str) -> Result<(), String> {
        match verb {
            ["delete", "pod", name] => {
                let pod = self.objects.get(PODS).and_then(|pods| pods.get(*name));
                let pod = pod.cloned().ok_or("Error from server (NotFound): no pod")?;
                self.replace(&pod);
            }
            ["apply", ..] => self.apply(),
            ["exec", ..] => {
                self.effects.push("exec".to_owned());
                self.put("/api/v1/namespaces/default/configmaps", written());
            }
            ["create", "--raw", path, ..] => return self.add_toxic(path, stdin),
            ["delete", "--raw", path] => return self.remove_toxic(path),
            ["delete", "--raw", path, ..] => return self.delete_pod(path, stdin),
            ["drain", node, ..] => self.cordon(node, true),
            ["uncordon", node] => self.cordon(node, false),
            other => return Err(format!("the world does not know {other:?}")),
        }
        Ok(())
    }

    fn create(&mut self) -> Result<(), String> {
        if !self.objects.is_empty() {
            return Err("ERROR: node(s) already exist for a cluster of this name".to_owned());
        }
        self.effects.push("create cluster".to_owned());
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "kube-system"}});
        self.put("/api/v1/namespaces", namespace);
        for name in ["control-plane", "worker", "worker2", "worker3"] {
            let name = format!("lab-crash-{name}");
            // Later than the engine says that the nodes were started.
            let ready = json!([{"type": "Ready", "status": "True",
                "lastHeartbeatTime": "2026-06-01T00:00:00Z"}]);
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
                "spec": {}, "status": {"conditions": ready}});
            self.put(NODES, node);
        }
        let proxy = json!({"metadata": {"name": "database"}, "listen": "[::]:5432",
            "enabled": true, "toxics": []});
        self.put(PROXIES, proxy);
        let moose = json!({"apiVersion": "example.org/v1", "kind": "Moose",
            "metadata": {"name": "bull"}});
        self.put("/apis/example.org/v1/meese", moose);
        Ok(())
    }

    /// The proxy that `path` begins with, and what follows of it.
    fn proxy(&self, path: &str) -> Result<(Value, String), String> {
        let rest = path
            .strip_prefix(PROXIES)
            .and_then(|rest| rest.strip_prefix('/'));
        let (name, rest) = rest
            .and_then(|rest| rest.split_once("/toxics"))
            .ok_or("no toxics")?;
        let proxy = self
            .objects
            .get(PROXIES)
            .and_then(|proxies| proxies.get(name));
        let proxy = proxy.ok_or("Error from server (NotFound): proxy not found")?;
        Ok((proxy.clone(), rest.trim_start_matches('/').to_owned()))
    }

    fn add_toxic(&mut self, path: &str, stdin: &str) -> Result<(), String> {
        let (mut proxy, _) = self.proxy(path)?;
        let toxic: Value = serde_json::from_str(stdin).map_err(|e| e.to_string())?;
        let toxics = proxy["toxics"].as_array_mut().unwrap();
        if toxics.iter().any(|known| known["name"] == toxic["name"]) {
            return Err("Error from server (Conflict): toxic already exists".to_owned());
        }
        toxics.push(toxic);
        self.effects.push("toxic".to_owned());
        self.change(PROXIES, proxy);
        Ok(())
    }

    fn remove_toxic(&mut self, path: &str) -> Result<(), String> {
        let (mut proxy, name) = self.proxy(path)?;
        let toxics = proxy["toxics"].as_array_mut().unwrap();
        let before = toxics.len();
        toxics.retain(|toxic| toxic["name"] != name.as_str());
        if toxics.len() == before {
            return Err("Error from server (NotFound): toxic not found".to_owned());
        }
        self.effects.push("toxic removed".to_owned());
        self.change(PROXIES, proxy);
        Ok(())
    }

    fn delete(&mut self) {
        if !self.objects.is_empty() {
            self.effects.push("delete cluster".to_owned());
        }
        self.forget();
    }

    /// All of the cluster is gone.
    pub(super) fn forget(&mut self) {
        self.objects.clear();
        self.changes.clear();
    }

    fn apply(&mut self) {
        self.effects.push("apply".to_owned());
        let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
        if self.objects.contains_key(claims) {
            return;
        }
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data-app-0", "namespace": "default"},
            "spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}});
        let claim = self.put(claims, claim);
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": "pv"}, "spec": {"claimRef": {"uid": claim}}});
        self.put("/api/v1/persistentvolumes", volume);
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "app", "namespace": "default", "generation": 1},
            "spec": {"replicas": 1, "serviceName": "app", "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1,
                "availableReplicas": 1, "updatedReplicas": 1, "currentReplicas": 1,
                "currentRevision": "r1", "updateRevision": "r1"}});
        let set = self.put("/apis/apps/v1/namespaces/default/statefulsets", set);
        self.put(PODS, pod(&set));
    }

    fn delete_pod(&mut self, path: &str, stdin: &str) -> Result<(), String> {
        let options: Value = serde_json::from_str(stdin).map_err(|e| e.to_string())?;
        let there = self
            .get(path)
            .ok_or("Error from server (NotFound): no pod")?;
        if options["preconditions"]["uid"] != there["metadata"]["uid"] {
            return Err("Error from server (Conflict): the UID in the precondition".to_owned());
        }
        self.replace(&there);
        Ok(())
    }

    /// A pod goes, and its controller makes another one.
    fn replace(&mut self, gone: &Value) {
        self.effects.push("delete pod".to_owned());
        let set = gone["metadata"]["ownerReferences"][0]["uid"].clone();
        self.put(PODS, pod(set.as_str().unwrap()));
    }

    fn cordon(&mut self, name: &str, cordoned: bool) {
        let verb = if cordoned { "drain" } else { "uncordon" };
        self.effects.push(verb.to_owned());
        let node = self.objects.get(NODES).and_then(|nodes| nodes.get(name));
        let mut node = node.cloned().unwrap();
        node["spec"]["unschedulable"] = json!(cordoned);
        self.change(NODES, node);
    }

    /// Puts a new object in the place of the one of its name; returns its uid.
    fn put(&mut self, collection: &str, mut object: Value) -> String {
        self.uids += 1;
        let uid = format!("uid-{}", self.uids);
        object["metadata"]["uid"] = json!(uid);
        self.change(collection, object);
        uid
    }

    /// Puts an object in the place of the one of its name, as it is.
    pub(super) fn change(&mut self, collection: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let objects = self.objects.entry(collection.to_owned()).or_default();
        let old = objects.insert(name, object.clone());
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        self.changes.push(Change {
            version: self.version,
            collection: collection.to_owned(),
            told: json!({"type": kind, "object": object}),
        });
    }
}

/// How long a watch is silent before it looks whether the test is over.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// The group of a kind of the whole cluster whose plural follows no rule.
fn zoo() -> Value {
    json!({"metadata": {"name": "example.org"}, "versions": [{"version": "v1", "resources": [
        {"resource": "meese", "responseKind": {"group": "example.org", "version": "v1",
            "kind": "Moose"}, "scope": "Cluster", "singularResource": "moose",
            "verbs": ["list", "watch", "get", "delete"]}]}]})
}

fn written() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "written", "namespace": "default"}, "data": {"note": "once"}})
}

fn pod(set: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "app-0", "namespace": "default",
            "labels": {"controller-revision-hash": "r1"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "app",
                "uid": set, "controller": true}]},
        "spec": {"nodeName": "lab-crash-worker2", "containers": [{"name": "app"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-app-0"}}]},
        "status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
