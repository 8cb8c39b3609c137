//! Command lines of the container engine.

use std::{collections::BTreeMap, path::Path};

use super::{Invocation, Stdin};

/// The label by which kind marks the containers of a cluster.
const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";
/// The label with kind's role of a node.
const ROLE_LABEL: &str = "io.x-k8s.kind.role";

/// The label that marks a network as labctl's; its value is the id of the environment.
const ENVIRONMENT_LABEL: &str = "labctl.dev/environment";
/// The label that names the cluster whose nodes a network of labctl's is for.
const NETWORK_OF_LABEL: &str = "labctl.dev/cluster";

/// Prints the engine's version; fails if no engine answers.
#[must_use]
pub fn version() -> Invocation {
    Invocation::new("docker", ["version", "--format", "{{.Server.Version}}"])
}

/// Prints the engine's security options.
#[must_use]
pub fn security() -> Invocation {
    Invocation::new("docker", ["info", "--format", "{{json .SecurityOptions}}"])
}

/// Tests whether the output of [`security`] is that of an engine that runs without root.
#[must_use]
pub fn is_rootless(printed: &str) -> bool {
    printed.contains("name=rootless")
}

/// kind's role of a control plane.
pub const CONTROL_PLANE: &str = "control-plane";
/// kind's role of the load balancer in front of several control planes; it is no node.
pub const LOAD_BALANCER: &str = "external-load-balancer";
/// The port of the API server inside a control plane's container.
const API_PORT: &str = "6443/tcp";

/// A container of a cluster, as the engine shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// The engine's state of it: `running`, `exited`, `paused`.
    pub state: String,
    /// kind's role of the node: `control-plane`.
    pub role: String,
    /// Its name, which is the node's name too.
    pub name: String,
    /// The names of the networks that it is attached to, running or not.
    pub networks: Vec<String>,
}

/// Lists all containers of the cluster `name`, running or not, one a line: see [`containers`].
#[must_use]
pub fn nodes(name: &str) -> Invocation {
    Invocation::new("docker", ["ps", "--all", "--no-trunc"])
        .arg("--filter")
        .arg(format!("label={CLUSTER_LABEL}={name}"))
        .arg("--format")
        .arg(format!(
            "{{{{.ID}}}} {{{{.State}}}} {{{{.Label \"{ROLE_LABEL}\"}}}} {{{{.Names}}}} {{{{.Networks}}}}"
        ))
}

/// Parses the output of [`nodes`]. Returns the containers in the order of their ids.
#[must_use]
pub fn containers(printed: &str) -> Vec<Container> {
    let container = |line: &str| {
        let mut words = line.split_whitespace().map(ToOwned::to_owned);
        Some(Container {
            id: words.next()?,
            state: words.next().unwrap_or_default(),
            role: words.next().unwrap_or_default(),
            name: words.next().unwrap_or_default(),
            networks: words.next().map_or_else(Vec::new, |networks| {
                networks.split(',').map(ToOwned::to_owned).collect()
            }),
        })
    };
    let mut containers: Vec<Container> = printed.lines().filter_map(container).collect();
    containers.sort_by(|a, b| a.id.cmp(&b.id));
    containers
}

impl Container {
    /// Returns true if its processes run. An empty state counts as running: an engine that reports
    /// no states reports none for any container.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state == "running" || self.state.is_empty()
    }

    /// Returns true if its processes are frozen.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.state == "paused"
    }
}

/// Stops containers, all at once.
#[must_use]
pub fn stop(ids: &[String]) -> Invocation {
    with_ids(["stop"], ids)
}

/// Starts containers that are stopped.
#[must_use]
pub fn start(ids: &[String]) -> Invocation {
    with_ids(["start"], ids)
}

/// Resumes the processes of paused containers.
#[must_use]
pub fn unpause(ids: &[String]) -> Invocation {
    with_ids(["unpause"], ids)
}

/// Prints the last start of containers, one a line: see [`started`].
#[must_use]
pub fn starts(ids: &[String]) -> Invocation {
    let format = "{{.Name}} {{.State.StartedAt}}";
    with_ids(["container", "inspect", "--format", format], ids)
}

/// Parses the output of [`starts`] into names, and times as text.
#[must_use]
pub fn started(printed: &str) -> Vec<(String, String)> {
    let pairs = printed.lines().filter_map(|line| line.split_once(' '));
    // The engine writes a container's name as a path.
    let pair = |(name, at): (&str, &str)| (name.trim_start_matches('/').to_owned(), at.to_owned());
    pairs.map(pair).collect()
}

/// Prints the address on this machine of the API server of a control plane's container.
#[must_use]
pub fn api_address(id: &str) -> Invocation {
    Invocation::new("docker", ["port", id, API_PORT])
}

/// Restarts the kubelet of a node.
#[must_use]
pub fn restart_kubelet(id: &str) -> Invocation {
    Invocation::new("docker", ["exec", id, "systemctl", "restart", "kubelet"])
}

fn with_ids<'a>(args: impl IntoIterator<Item = &'a str>, ids: &[String]) -> Invocation {
    let mut invocation = Invocation::new("docker", args);
    invocation.args.extend(ids.iter().cloned());
    invocation
}

/// Prints a line with name and role for each container of the cluster `name` that starts, until the
/// command is ended.
#[must_use]
pub fn node_starts(name: &str) -> Invocation {
    Invocation::new("docker", ["events", "--filter", "event=start"])
        .arg("--filter")
        .arg(format!("label={CLUSTER_LABEL}={name}"))
        .arg("--format")
        .arg(format!(
            "{{{{.Actor.Attributes.name}}}} {{{{index .Actor.Attributes \"{ROLE_LABEL}\"}}}}"
        ))
}

/// Prints the id of the image `name`; fails if the engine does not have it.
#[must_use]
pub fn image_id(name: &str) -> Invocation {
    Invocation::new("docker", ["image", "inspect", "--format", "{{.Id}}", name])
}

/// Loads an image archive into the engine.
#[must_use]
pub fn load(archive: &Path) -> Invocation {
    Invocation::new("docker", ["load", "--quiet", "--input"]).arg(archive.to_string_lossy())
}

/// Fetches an image from its registry.
#[must_use]
pub fn pull(image: &str) -> Invocation {
    Invocation::new("docker", ["pull", "--quiet", image])
}

/// Builds the image `name` from the directory `dir`, with these values for the Dockerfile's `ARG`s.
#[must_use]
pub fn build(name: &str, args: &BTreeMap<String, String>, dir: &Path) -> Invocation {
    let build = Invocation::new("docker", ["build", "--tag", name]);
    let args = args.iter().map(|(name, value)| format!("{name}={value}"));
    let build = args.fold(build, |build, arg| build.arg("--build-arg").arg(arg));
    build.arg(dir.to_string_lossy())
}

/// Writes an image of the engine into an archive.
#[must_use]
pub fn save(image: &str, archive: &Path) -> Invocation {
    Invocation::new("docker", ["save", "--output"])
        .arg(archive.to_string_lossy())
        .arg(image)
}

/// Imports an archive into a node's containerd. Waits for containerd to answer.
#[must_use]
pub fn import(node: &str, archive: &Path) -> Invocation {
    Invocation::new(
        "docker",
        [
            "exec",
            "--interactive",
            node,
            "ctr",
            "--connect-timeout=120s",
            "--namespace=k8s.io",
            "images",
            "import",
            "--all-platforms",
            "-",
        ],
    )
    .stdin(Stdin::File(archive.to_owned()))
}

/// Removes containers, running or not, and their anonymous volumes.
#[must_use]
pub fn remove(ids: &[String]) -> Invocation {
    with_ids(["rm", "--force", "--volumes"], ids)
}

/// A network of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its full id.
    pub id: String,
    /// Its name; the engine may have several networks of one name.
    pub name: String,
    /// The id of the environment that it is for, if labctl created it.
    pub environment: Option<String>,
    /// The cluster whose nodes it is for, if labctl created it.
    pub cluster: Option<String>,
}

/// Lists all networks of the engine, one a line: see [`read_networks`].
#[must_use]
pub fn networks() -> Invocation {
    let format = "{{.ID}} {{.Name}} {{.Labels}}";
    Invocation::new(
        "docker",
        ["network", "ls", "--no-trunc", "--format", format],
    )
}

/// Parses the output of [`networks`].
#[must_use]
pub fn read_networks(printed: &str) -> Vec<Network> {
    let network = |line: &str| {
        let mut words = line.splitn(3, ' ').map(str::trim);
        let (id, name) = (words.next()?, words.next()?);
        let labels = words.next().unwrap_or_default();
        let label = |name: &str| {
            let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(key, _)| *key == name)?;
            Some(value.to_owned())
        };
        Some(Network {
            id: id.to_owned(),
            name: name.to_owned(),
            environment: label(ENVIRONMENT_LABEL),
            cluster: label(NETWORK_OF_LABEL),
        })
    };
    printed.lines().filter_map(network).collect()
}

/// Creates the network `name` for the nodes of `cluster`, labelled with the id of the environment.
/// Its options are those of the network that kind itself would create (`createNetwork` in kind's
/// `pkg/cluster/internal/providers/docker/network.go`), so that the cluster behaves the same: kind
/// uses an existing network as it is.
#[must_use]
pub fn create_network(
    name: &str,
    cluster: &str,
    environment: &str,
    ipv6_subnet: Option<&str>,
    mtu: Option<u32>,
) -> Invocation {
    let masquerade = "com.docker.network.bridge.enable_ip_masquerade=true";
    let mut create = Invocation::new("docker", ["network", "create", "--driver", "bridge"])
        .arg("--label")
        .arg(format!("{ENVIRONMENT_LABEL}={environment}"))
        .arg("--label")
        .arg(format!("{NETWORK_OF_LABEL}={cluster}"))
        .arg("--opt")
        .arg(masquerade);
    if let Some(mtu) = mtu {
        create = create
            .arg("--opt")
            .arg(format!("com.docker.network.driver.mtu={mtu}"));
    }
    if let Some(subnet) = ipv6_subnet {
        create = create.arg("--ipv6").arg("--subnet").arg(subnet);
    }
    create.arg(name)
}

/// Prints the MTU of the engine's default network; kind gives its own network the same.
#[must_use]
pub fn default_mtu() -> Invocation {
    let format = "{{ index .Options \"com.docker.network.driver.mtu\" }}";
    Invocation::new(
        "docker",
        ["network", "inspect", "bridge", "--format", format],
    )
}

/// Removes a network, by its id or its name.
#[must_use]
pub fn remove_network(network: &str) -> Invocation {
    Invocation::new("docker", ["network", "rm", network])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_read_as_the_engine_shows_them() {
        let printed = "b2 exited worker lab-worker\na1 running control-plane lab-control-plane\n";
        let read = containers(printed);
        let short: Vec<_> = read.iter().map(|c| (c.id.as_str(), c.runs())).collect();
        assert_eq!(short, [("a1", true), ("b2", false)]);
        assert_eq!(read[0].role, "control-plane");
        assert_eq!(read[1].name, "lab-worker");
        assert_eq!(containers("\n"), []);
        assert_eq!(read[0].networks, [""; 0]);
        let attached = containers("a1 exited worker lab-worker bridge,labctl-lab-0123\n");
        assert_eq!(attached[0].networks, ["bridge", "labctl-lab-0123"]);
    }

    #[test]
    fn networks_are_read_as_the_engine_shows_them() {
        let printed =
            "f5 bridge \n9a labctl-lab-01 labctl.dev/cluster=lab,labctl.dev/environment=01\n";
        let read = read_networks(printed);
        let short = |n: &Network| (n.name.clone(), n.environment.clone(), n.cluster.clone());
        assert_eq!(short(&read[0]), ("bridge".into(), None, None));
        let of = (Some("01".into()), Some("lab".into()));
        assert_eq!(short(&read[1]), ("labctl-lab-01".into(), of.0, of.1));
        assert_eq!(read_networks("\n"), []);
    }

    #[test]
    fn starts_are_read_as_the_engine_shows_them() {
        assert_eq!(
            started("/lab-worker 2026-11-21T10:00:00.5Z\n"),
            [("lab-worker".to_owned(), "2026-11-21T10:00:00.5Z".to_owned())]
        );
    }
}
