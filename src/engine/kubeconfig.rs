//! The two kubeconfigs of an environment: labctl's own, which leads where the journal says, and the
//! copy that a student works with.

use std::{fs, path::PathBuf};

use super::Context;
use crate::{
    event::RunState,
    state::{Environment, StateError, files},
    tool::kubeconfig::Access,
};

/// Has labctl's own kubeconfig lead to the environment's cluster and to nothing else, at the address
/// that was recorded, whatever became of it. One that does not know the cluster any more stays as it
/// is, and is told by whoever uses it.
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

/// The address of the API server by labctl's own kubeconfig.
#[must_use]
pub fn server(environment: &Environment) -> Option<String> {
    let text = fs::read_to_string(environment.kubeconfig()).ok()?;
    let access = Access::of(&text, &environment.context())?;
    Some(access.server().to_owned())
}

/// The kubeconfig for a student in `environment`, whose lab has this namespace: made, or brought up
/// to date, if need be. `None` if there is no cluster to lead to.
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
        // Where nothing can be written, nobody will write into labctl's own.
        Err(error) if error.is_of_permission() => Ok(Some(environment.kubeconfig())),
        Err(error) => Err(error),
    }
}

/// Brings a student's kubeconfig up to date, if there is one: their shell may be open while the
/// cluster is made anew, or comes back at another port.
pub fn renew(context: &Context) -> Result<(), StateError> {
    let environment = &context.environment;
    if environment.lent_kubeconfig().exists() {
        lend(environment, &context.lab.namespace)?;
    }
    Ok(())
}
