//! The two kubeconfigs of an environment: labctl's own, which leads to the cluster in the journal,
//! and the copy that a student works with.

use std::{fs, path::PathBuf};

use crate::{
    engine::run::context::Context,
    event::RunState,
    state::{Environment, StateError, files},
    tool::kubeconfig::Access,
};

/// Makes labctl's own kubeconfig lead to the environment's cluster only, at the recorded address,
/// whatever its content has become. A kubeconfig that does not know the cluster any more stays as
/// it is: whoever uses it reports that.
pub fn keep(context: &Context, state: &RunState) -> Result<(), StateError> {
    let path = context.environment.kubeconfig();
    let text = fs::read_to_string(&path).unwrap_or_default();
    let Some(access) = Access::of(&text, &context.environment.context()) else {
        return Ok(());
    };
    let recorded = state.cluster.as_ref().and_then(|c| c.server.as_deref());
    let access = match recorded {
        Some(server) => access.at(server),
        None => access,
    };
    let meant = access.alone(&context.lab.namespace);
    if meant == text {
        return Ok(());
    }
    files::write(&path, meant.as_bytes())
}

/// Returns the address of the API server in labctl's own kubeconfig.
#[must_use]
pub fn server(environment: &Environment) -> Option<String> {
    let text = fs::read_to_string(environment.kubeconfig()).ok()?;
    let access = Access::of(&text, &environment.context())?;
    Some(access.server().to_owned())
}

/// Returns the student's kubeconfig of `environment`, whose lab has this namespace, and makes or
/// updates it if necessary. Returns `None` if there is no cluster to lead to.
pub fn lend(environment: &Environment, namespace: &str) -> Result<Option<PathBuf>, StateError> {
    let own = fs::read_to_string(environment.kubeconfig()).unwrap_or_default();
    let Some(access) = Access::of(&own, &environment.context()) else {
        return Ok(None);
    };
    let path = environment.lent_kubeconfig();
    let known = fs::read_to_string(&path).unwrap_or_default();
    let Some(text) = access.within(&known, namespace) else {
        return Ok(Some(path));
    };
    let dir = path.parent().unwrap_or(&environment.dir);
    let written = files::create_dir(dir).and_then(|()| files::write(&path, text.as_bytes()));
    match written {
        Ok(()) => Ok(Some(path)),
        // In a directory that is not writable, nobody can change labctl's own file either.
        Err(error) if error.is_of_permission() => Ok(Some(environment.kubeconfig())),
        Err(error) => Err(error),
    }
}

/// Updates the student's kubeconfig, if there is one: the student's shell may be open while the
/// cluster is made anew, or comes back at another port.
pub fn renew(context: &Context) -> Result<(), StateError> {
    let environment = &context.environment;
    if environment.lent_kubeconfig().exists() {
        lend(environment, &context.lab.namespace)?;
    }
    Ok(())
}
