//! The action `kind-cluster`: the cluster, its images, and its identity.

use crate::{
    engine::{
        cluster::{images, kubeconfig, network, owner, ports, proof, removal},
        run::{
            commands,
            context::Context,
            dispatcher::Emitter,
            error::{EngineError, Why},
        },
    },
    event::{ClusterIdentity, EventKind, Failure, Port},
    plan::{self, template},
    spec::{Action, Facts, action::KindCluster},
    state::files,
    tool::{Stop, Stopper},
};

/// Creates the cluster. Leaves nothing of it behind on failure or if the run is stopped.
pub async fn create(
    context: &Context,
    cluster: &KindCluster,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    refuse_existing(context, emitter, stopper).await?;
    let ports = ports::choose(context, &cluster.ports, emitter, stopper).await?;
    let roles = write_config(context, cluster, &ports)?;
    if let Some(image) = &cluster.image {
        images::ensure_node_image(context, image, emitter, stopper).await?;
    }
    emitter
        .commit(EventKind::ClusterIntended {
            name: context.name().to_owned(),
        })
        .await?;
    let made = make(context, cluster, &roles, emitter, stopper).await;
    if made.is_err() {
        // Remove it even while the run is being stopped. If that fails, the journal still says that
        // a cluster was begun, and the next command removes it.
        let mut stopper = Stopper::never();
        let removed = removal::remove_cluster(context, emitter, &mut stopper).await;
        if let Err(error) = removed {
            emitter.emit(EventKind::Notice {
                text: format!("the half-made cluster could not be removed: {error}"),
            });
        }
    }
    match made {
        Err(error) => {
            let error = or_name_taken(context, emitter, error).await;
            Err(ports::explained(context, error, &ports, emitter).await?)
        }
        Ok(()) => Ok(()),
    }
}

async fn refuse_existing(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let state = emitter.state();
    let what = format!("create the cluster \"{}\"", context.name());
    let survey = proof::survey(context, &state, stopper).await?;
    let own = survey.unshared(&what)?;
    if own.is_empty() {
        return Ok(());
    }
    let name = context.name();
    let why = format!("a cluster \"{name}\" of this environment exists already");
    Err(EngineError::Unsafe {
        what,
        why: Why(why),
    })
}

/// Returns the error of a cluster that could not be made. If somebody else took its name since the
/// check, that is the error.
async fn or_name_taken(context: &Context, emitter: &Emitter, error: EngineError) -> EngineError {
    let what = format!("create the cluster \"{}\"", context.name());
    let survey = proof::survey(context, &emitter.state(), &mut Stopper::never()).await;
    match (error, survey.and_then(|survey| survey.unshared(&what))) {
        (error @ EngineError::Tool { .. }, Err(taken @ EngineError::Unsafe { .. })) => {
            // The tool's own message is already among the run's events.
            drop(error);
            taken
        }
        (error, _) => error,
    }
}

/// Writes the rendered kind configuration, and returns the roles of its nodes.
fn write_config(
    context: &Context,
    cluster: &KindCluster,
    ports: &[Port],
) -> Result<Vec<String>, EngineError> {
    let failed = |why: String| {
        let summary = format!("failed to prepare the cluster \"{}\"", context.name());
        let mut failure = Failure::new(summary);
        failure.causes.push(why);
        EngineError::Step(Box::new(failure))
    };
    let name = &cluster.template;
    let known = context.kind_templates.get(name);
    let text = known.ok_or_else(|| failed(format!("there is no kind template `{name}`")))?;
    let config = template::kind_config(text, context.name(), ports).map_err(failed)?;
    let roles = template::roles(&config).map_err(failed)?;
    files::write(&context.environment.kind_config(), config.as_bytes())?;
    Ok(roles)
}

async fn make(
    context: &Context,
    cluster: &KindCluster,
    roles: &[String],
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    network::ensure(context, emitter, stopper).await?;
    let action = Action::KindCluster(cluster.clone());
    let mut commands = plan::commands(&action, &context.target(), &Facts::new()).into_iter();
    let name = context.name();
    let what = format!("create cluster \"{name}\"");
    if let Some(create) = commands.next() {
        // Each of the two ends the other when it fails. Wait for both, so that nothing still runs
        // when the cluster is removed.
        let (fail, shared) = stopper.fork();
        let (mut for_kind, for_images) = (shared.clone(), shared);
        let boot = async {
            let result = commands::tell(context, &create, &what, emitter, &mut for_kind).await;
            result.inspect_err(|_| {
                fail.send_replace(Stop::Term(0));
            })
        };
        let provide = async {
            let result = images::provide(context, roles, emitter, &for_images).await;
            result.inspect_err(|_| {
                fail.send_replace(Stop::Term(0));
            })
        };
        let (booted, provided) = futures::future::join(boot, provide).await;
        // If one was only told to stop, the error of the other one is the reason.
        match booted {
            Err(EngineError::Stopped) => provided.and(Err(EngineError::Stopped))?,
            booted => booted.and(provided)?,
        }
    }
    identify(context, emitter, stopper).await
}

/// Records the cluster's identity.
async fn identify(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let (_, uid) = owner::connect(context).await?;
    let survey = proof::survey(context, &emitter.state(), stopper).await?;
    let name = context.name().to_owned();
    let cluster = ClusterIdentity {
        name,
        uid,
        containers: survey.own.into_iter().map(|found| found.id).collect(),
        server: kubeconfig::server(&context.environment),
    };
    emitter
        .commit(EventKind::ClusterCreated { cluster })
        .await?;
    kubeconfig::keep(context, &emitter.state())?;
    Ok(kubeconfig::renew(context)?)
}
