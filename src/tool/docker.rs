//! Command lines of the container engine.

use std::path::Path;

use super::{Invocation, Stdin};

/// The label by which kind marks the containers of a cluster.
const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";

/// The engine's version; fails if no engine answers.
#[must_use]
pub fn version() -> Invocation {
    Invocation::new("docker", ["version", "--format", "{{.Server.Version}}"])
}

/// The full ids of all containers, running or not, of the cluster `name`, a line each.
#[must_use]
pub fn node_ids(name: &str) -> Invocation {
    let filter = format!("label={CLUSTER_LABEL}={name}");
    Invocation::new("docker", ["ps", "--all", "--no-trunc", "--quiet"])
        .arg("--filter")
        .arg(filter)
}

/// A line with the container's name for each container of the cluster `name` that starts, from now
/// until it is ended.
#[must_use]
pub fn node_starts(name: &str) -> Invocation {
    Invocation::new("docker", ["events", "--filter", "event=start"])
        .arg("--filter")
        .arg(format!("label={CLUSTER_LABEL}={name}"))
        .arg("--format")
        .arg(r#"{{.Actor.Attributes.name}} {{index .Actor.Attributes "io.x-k8s.kind.role"}}"#)
}

/// The id of the image `name`; fails if the engine does not have it.
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

/// Writes an image of the engine into an archive.
#[must_use]
pub fn save(image: &str, archive: &Path) -> Invocation {
    Invocation::new("docker", ["save", "--output"])
        .arg(archive.to_string_lossy())
        .arg(image)
}

/// Imports an archive into a node's containerd, waiting for containerd to answer.
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

/// The names of the networks that match `name`, a line each.
#[must_use]
pub fn networks(name: &str) -> Invocation {
    Invocation::new("docker", ["network", "ls", "--format", "{{.Name}}"])
        .arg("--filter")
        .arg(format!("name=^{name}$"))
}

/// Removes a network.
#[must_use]
pub fn remove_network(name: &str) -> Invocation {
    Invocation::new("docker", ["network", "rm", name])
}
