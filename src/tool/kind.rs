//! Command lines of kind.

use std::path::Path;

use super::Invocation;

/// The variable that makes kind put the nodes into another Docker network than its own.
const NETWORK: &str = "KIND_EXPERIMENTAL_DOCKER_NETWORK";

/// `kind version`
#[must_use]
pub fn version() -> Invocation {
    Invocation::new("kind", ["version"])
}

/// `kind create cluster`. It does not wait for nodes to be Ready: the assertions do, for all of
/// them, while kind's own `--wait` looks at control planes only. If it fails, it removes nothing:
/// it would remove whatever carries the cluster's name, which may be somebody else's.
#[must_use]
pub fn create(
    name: &str,
    network: &str,
    image: Option<&str>,
    config: &Path,
    kubeconfig: &Path,
) -> Invocation {
    let mut create = Invocation::new("kind", ["create", "cluster", "--name", name, "--retain"]);
    if let Some(image) = image {
        create = create.arg("--image").arg(image);
    }
    create
        .arg("--config")
        .arg(config.to_string_lossy())
        .arg("--kubeconfig")
        .arg(kubeconfig.to_string_lossy())
        .env(NETWORK, network)
}

/// `kind export kubeconfig`: writes the access to the cluster anew.
#[must_use]
pub fn export_kubeconfig(name: &str, network: &str, kubeconfig: &Path) -> Invocation {
    Invocation::new("kind", ["export", "kubeconfig", "--name", name])
        .arg("--kubeconfig")
        .arg(kubeconfig.to_string_lossy())
        .env(NETWORK, network)
}
