//! Images: fetched onto this machine once, and imported into each node as soon as it runs, while
//! the control plane still boots.

use std::{path::PathBuf, time::Duration};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    engine::{
        act::pinned,
        cluster::{build::build, proof},
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::{EventKind, Failure, ImageState},
    spec::{
        ImageRef,
        params::{Image, ImageOn},
    },
    state::{
        Bundle,
        bundle::{ImageEntry, Role},
        files,
    },
    tool::{Progress, Stop, Stopper, ToolError, docker},
};

/// The time that a node's containerd may take until it listens, and the pause between two tries.
const LISTENING: Duration = Duration::from_mins(2);
const REST: Duration = Duration::from_millis(300);

/// Loads the node image from the bundle, if the bundle has it and the container engine does not.
pub async fn ensure_node_image(
    context: &Context,
    wanted: &ImageRef,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let bundled = context.bundle.as_ref();
    let Some((bundle, image)) = bundled.and_then(|b| Some((b, b.image(Role::Node, wanted)?)))
    else {
        return Ok(());
    };
    let reference = image.id.as_deref().unwrap_or(&image.name);
    let inspect = docker::image_id(reference);
    if commands::ask(context, &inspect, "look for the node image", stopper)
        .await
        .is_ok()
    {
        return Ok(());
    }
    let archive = archive(bundle, image).await?;
    let what = format!("load the node image {}", image.name);
    commands::tell(context, &docker::load(&archive), &what, emitter, stopper).await?;
    Ok(())
}

/// Fetches the lab's images, and imports each into the nodes that need it, as soon as both exist.
/// Returns when every node has its images. `roles` are the roles of the cluster's nodes.
pub async fn provide(
    context: &Context,
    roles: &[String],
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<(), EngineError> {
    if context.lab.images.is_empty() {
        return Ok(());
    }
    let (found, names) = mpsc::unbounded_channel();
    let (enough, mut watching) = stopper.fork();
    let events = docker::node_starts(context.name());
    let mut pass_on = emitter.child();
    let look = context.toolbox.run(&events, &mut watching, |progress| {
        let Progress::Line(_, line) = &progress else {
            return pass_on(progress);
        };
        if let Some((name, role)) = line.as_str().split_once(' ')
            && is_needed_on(role, &context.lab.images, roles)
        {
            drop(found.send((name.to_owned(), role.to_owned())));
        }
    });
    let mut look = std::pin::pin!(look);
    let result = tokio::select! {
        result = import_all(context, roles, names, emitter, stopper) => result,
        ended = &mut look => {
            let watched = "watch the nodes' containers start";
            return Err(ended.map_or_else(EngineError::tool(watched), |_| EngineError::Stopped));
        }
    };
    enough.send_replace(Stop::Kill(0));
    // It was ended on purpose, so its result does not matter.
    let _ = look.await;
    result
}

/// Imports the lab's images into those of the running nodes `own` that need them.
pub async fn provide_to(
    context: &Context,
    own: &[docker::Container],
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<(), EngineError> {
    let roles: Vec<String> = own.iter().map(|node| node.role.clone()).collect();
    let needy = own
        .iter()
        .filter(|node| is_needed_on(&node.role, &context.lab.images, &roles));
    let (found, names) = mpsc::unbounded_channel();
    for node in needy {
        drop(found.send((node.name.clone(), node.role.clone())));
    }
    import_all(context, &roles, names, emitter, stopper).await
}

async fn import_all(
    context: &Context,
    roles: &[String],
    mut found: mpsc::UnboundedReceiver<(String, String)>,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<(), EngineError> {
    // After a failure, still wait for whatever runs beside it: no child may be left unobserved.
    let (fail, stopper) = stopper.fork();
    let images = &context.lab.images;
    let fetched = join_all(
        images
            .iter()
            .map(|image| fetch(context, image, emitter, &stopper)),
    )
    .await;
    let archives: Vec<Archive> = fetched.into_iter().collect::<Result<_, _>>()?;
    let nodes = roles
        .iter()
        .filter(|role| is_needed_on(role, images, roles));
    let nodes = nodes.count();
    let mut imports = FuturesUnordered::new();
    let mut asked = stopper.clone();
    let mut first = Ok(());
    let mut started = 0;
    while first.is_ok() && started < nodes || !imports.is_empty() {
        tokio::select! {
            Some((node, role)) = found.recv(), if first.is_ok() && started < nodes => {
                started += 1;
                let wanted = archives.iter().zip(images);
                let wanted = wanted.filter(|(_, image)| runs_on(image.on, roles) == role);
                let wanted: Vec<&Archive> = wanted.map(|(archive, _)| archive).collect();
                imports.push(import(context, node, wanted, emitter, &stopper));
            }
            Some(result) = imports.next() => match result {
                Ok(Imported::Foreign) => started -= 1,
                Err(error) if first.is_ok() => {
                    first = Err(error);
                    fail.send_replace(Stop::Term(0));
                }
                Ok(Imported::All) | Err(_) => {}
            },
            _ = asked.beyond(Stop::Run), if first.is_ok() => first = Err(EngineError::Stopped),
        }
    }
    first
}

/// Returns true if nodes of this role need any of `images`, in a cluster with nodes of `roles`.
fn is_needed_on(role: &str, images: &[Image], roles: &[String]) -> bool {
    images.iter().any(|image| runs_on(image.on, roles) == role)
}

/// Returns the role of the nodes that need an image, in a cluster with nodes of `roles`.
fn runs_on(on: ImageOn, roles: &[String]) -> &'static str {
    const WORKER: &str = "worker";
    match on {
        ImageOn::Workers if roles.iter().any(|role| role == WORKER) => WORKER,
        _ => docker::CONTROL_PLANE,
    }
}

/// The archive of an image, on this machine.
struct Archive {
    image: ImageRef,
    path: PathBuf,
}

async fn fetch(
    context: &Context,
    image: &Image,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<Archive, EngineError> {
    let name = &image.name;
    let bundle = context.bundle.as_ref();
    let path = match bundle.map(|bundle| (bundle, bundle.image(Role::Workload, name))) {
        Some((bundle, Some(entry))) => archive(bundle, entry).await?,
        // With a bundle, fetch nothing from elsewhere. Only an image that the lab builds may be
        // missing.
        Some((bundle, None)) if image.build.is_none() => {
            let summary = format!("the bundle {} has no image {name}", bundle.dir.display());
            let hint = "add it to the bundle, or leave --bundle away";
            let failure = Failure::new(summary).hint(hint);
            return Err(EngineError::Step(Box::new(failure)));
        }
        _ => of_engine(context, image, emitter, stopper).await?,
    };
    emitter.emit(EventKind::Image {
        image: name.to_string(),
        node: None,
        state: ImageState::Fetched,
    });
    let image = name.clone();
    Ok(Archive { image, path })
}

/// Saves the container engine's `image` as an archive. Fetches or builds the image if the engine
/// does not have it.
async fn of_engine(
    context: &Context,
    image: &Image,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<PathBuf, EngineError> {
    let mut stopper = stopper.clone();
    let name = &image.name;
    let what = format!("fetch the image {name}");
    let present = commands::ask(context, &docker::image_id(name), &what, &mut stopper).await;
    match (present, &image.build) {
        (Ok(_), _) => {}
        (Err(EngineError::Stopped), _) => return Err(EngineError::Stopped),
        (Err(_), Some(how)) => build(context, name, how, emitter, &mut stopper).await?,
        (Err(_), None) => {
            commands::tell(context, &docker::pull(name), &what, emitter, &mut stopper).await?;
        }
    }
    let dir = context.environment.images_dir();
    files::create_dir(&dir)?;
    let archive = dir.join(format!("{}.tar", name.file_name()));
    let what = format!("save the image {name}");
    let save = docker::save(name, &archive);
    commands::tell(context, &save, &what, emitter, &mut stopper).await?;
    Ok(archive)
}

/// Returns true if nothing listened on the socket of the node's containerd. `ctr` waits only until
/// the socket exists. While a node boots, kind starts containerd a second time: then the socket
/// exists before that containerd listens.
fn is_refused(error: &ToolError) -> bool {
    let ToolError::Exit { tail, .. } = error else {
        return false;
    };
    let says = |line: &String| line.contains("containerd.sock") && line.contains("refused");
    tail.iter().any(says)
}

/// The result of an import into one node.
enum Imported {
    /// The node has all the images that it needs.
    All,
    /// The node belongs to another cluster of the same name.
    Foreign,
}

async fn import(
    context: &Context,
    node: String,
    archives: Vec<&Archive>,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<Imported, EngineError> {
    // The engine reports every container that carries the cluster's name, even another cluster's.
    let survey = proof::survey(context, &emitter.state(), &mut stopper.clone()).await?;
    if survey
        .foreign
        .iter()
        .any(|container| container.name == node)
    {
        return Ok(Imported::Foreign);
    }
    for Archive { image, path } in archives {
        let what = format!("import {image} into {node}");
        let command = docker::import(&node, path);
        let mut stopper = stopper.clone();
        let deadline = Instant::now() + LISTENING;
        loop {
            let told = commands::tell(context, &command, &what, emitter, &mut stopper).await;
            match told {
                Err(EngineError::Tool { source, .. })
                    if is_refused(&source) && Instant::now() < deadline => {}
                told => break drop(told?),
            }
            stopper.guard(tokio::time::sleep(REST)).await?;
        }
        emitter.emit(EventKind::Image {
            image: image.to_string(),
            node: Some(node.clone()),
            state: ImageState::Imported,
        });
    }
    Ok(Imported::All)
}

/// Returns the path of the archive of `image`, after checking its digest.
async fn archive(bundle: &Bundle, image: &ImageEntry) -> Result<PathBuf, EngineError> {
    let what = format!("the image {}", image.name);
    pinned::verified(bundle, &what, &image.path, &image.digest).await
}
