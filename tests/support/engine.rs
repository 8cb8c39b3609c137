//! A make-believe container engine: containers, networks and volumes, of several users at once. What
//! is done to each is noted.

use std::collections::BTreeMap;

/// A container of a kind cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) role: String,
    pub(crate) network: String,
    pub(crate) runs: bool,
    /// The volume that only it has.
    pub(crate) volume: String,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Engine {
    pub(crate) containers: Vec<Container>,
    pub(crate) networks: Vec<Network>,
    pub(crate) volumes: Vec<String>,
    /// What was done: the verb, and the id it was done to.
    pub(crate) touched: Vec<(String, String)>,
    made: usize,
}

/// Standard output, or what is said on standard error.
type Answer = Result<String, String>;

impl Engine {
    /// Has somebody make the nodes of a cluster in this network, as kind does it.
    pub(crate) fn add(&mut self, cluster: &str, network: &str) {
        if !self.networks.iter().any(|n| n.name == network) {
            self.add_network(network, BTreeMap::new());
        }
        for node in ["control-plane", "worker", "worker2", "worker3"] {
            let id = self.next("c");
            let volume = format!("volume-of-{id}");
            self.volumes.push(volume.clone());
            self.containers.push(Container {
                id,
                name: format!("{cluster}-{node}"),
                cluster: cluster.to_owned(),
                role: node.trim_end_matches(['2', '3']).to_owned(),
                network: network.to_owned(),
                runs: true,
                volume,
            });
        }
    }

    /// Has somebody make a network.
    pub(crate) fn add_network(&mut self, name: &str, labels: BTreeMap<String, String>) {
        let id = self.next("n");
        let name = name.to_owned();
        self.networks.push(Network { id, name, labels });
    }

    /// The ids of all that is there.
    pub(crate) fn ids(&self) -> Vec<String> {
        let containers = self.containers.iter().map(|c| c.id.clone());
        let networks = self.networks.iter().map(|n| n.id.clone());
        let volumes = self.volumes.iter().cloned();
        containers.chain(networks).chain(volumes).collect()
    }

    fn next(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}{:015}", self.made)
    }

    fn touch(&mut self, verb: &str, id: &str) {
        self.touched.push((verb.to_owned(), id.to_owned()));
    }

    /// Does what `kind` is asked for, beside the cluster's contents; `network` is the variable's.
    pub(super) fn kind(&mut self, args: &[&str], network: &str) -> Answer {
        let name = after(args, "--name").ok_or("no name")?;
        let is_its = |c: &Container| c.cluster == name;
        match args {
            ["create", ..] if self.containers.iter().any(is_its) => Err(format!(
                "ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"{name}\""
            )),
            ["create", ..] => {
                self.add(name, network);
                Ok(String::new())
            }
            ["export", ..] if self.containers.iter().any(|c| is_its(c) && c.runs) => {
                Ok(String::new())
            }
            other => Err(format!("the engine's kind does not know {other:?}")),
        }
    }

    /// Does what `docker` is asked for.
    pub(super) fn docker(&mut self, args: &[&str]) -> Answer {
        match args {
            ["ps", ..] => {
                let label = after(args, "--filter").ok_or("all containers are not asked for")?;
                let cluster = label.trim_start_matches("label=io.x-k8s.kind.cluster=");
                let its = self.containers.iter().filter(|c| c.cluster == cluster);
                let line = |c: &Container| {
                    let state = if c.runs { "running" } else { "exited" };
                    format!("{} {state} {} {} {}", c.id, c.role, c.name, c.network)
                };
                Ok(its.map(line).collect::<Vec<_>>().join("\n"))
            }
            ["network", "ls", ..] => {
                let line = |n: &Network| {
                    let labels = n.labels.iter().map(|(key, value)| format!("{key}={value}"));
                    let labels = labels.collect::<Vec<_>>().join(",");
                    format!("{} {} {labels}", n.id, n.name)
                };
                Ok(self
                    .networks
                    .iter()
                    .map(line)
                    .collect::<Vec<_>>()
                    .join("\n"))
            }
            ["network", "inspect", "bridge", ..] => Ok("1500".to_owned()),
            ["network", "create", .., name] => {
                let labels = args.windows(2).filter(|pair| pair[0] == "--label");
                let labels = labels.filter_map(|pair| pair[1].split_once('='));
                let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
                self.add_network(name, labels.collect());
                Ok(String::new())
            }
            ["network", "rm", id] => self.remove_network(id),
            ["rm", "--force", "--volumes", ids @ ..] => self.each(ids, "rm", |engine, at| {
                let gone = engine.containers.remove(at);
                engine.volumes.retain(|volume| *volume != gone.volume);
            }),
            ["start", ids @ ..] => self.each(ids, "start", |engine, at| {
                engine.containers[at].runs = true;
            }),
            ["stop", ids @ ..] => self.each(ids, "stop", |engine, at| {
                engine.containers[at].runs = false;
            }),
            ["exec", "--interactive", name, ..] => self.each(&[name], "exec", |_, _| ()),
            ["container", "inspect", "--format", _, ids @ ..] => {
                let its = self
                    .containers
                    .iter()
                    .filter(|c| ids.contains(&c.id.as_str()));
                let line = |c: &Container| format!("/{} 2026-01-01T00:00:00Z", c.name);
                Ok(its.map(line).collect::<Vec<_>>().join("\n"))
            }
            other => Err(format!("the engine does not know {other:?}")),
        }
    }

    fn remove_network(&mut self, id: &str) -> Answer {
        let at = self.networks.iter().position(|n| n.id == id);
        let at = at.ok_or("Error: No such network")?;
        let name = &self.networks[at].name;
        if self.containers.iter().any(|c| c.network == *name && c.runs) {
            return Err("Error response from daemon: network has active endpoints".to_owned());
        }
        self.touch("network rm", id);
        self.networks.remove(at);
        Ok(String::new())
    }

    /// Does `what` to each of the containers that are named, by id or name.
    fn each(&mut self, named: &[&str], verb: &str, what: impl Fn(&mut Self, usize)) -> Answer {
        for named in named {
            let is_meant = |c: &Container| c.id == *named || c.name == *named;
            let at = self.containers.iter().position(is_meant);
            let at = at.ok_or(format!("Error: No such container: {named}"))?;
            let id = self.containers[at].id.clone();
            self.touch(verb, &id);
            what(self, at);
        }
        Ok(String::new())
    }
}

fn after<'a>(args: &[&'a str], flag: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| *arg == flag)?;
    args.get(at + 1).copied()
}
