//! Images that are in no registry: built from sources inside labctl, or from the lab's files.

use std::collections::BTreeMap;

use crate::{
    engine::run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    event::{EventKind, Failure},
    plan,
    spec::{Build, ImageRef},
    state::build_context,
    tool::Stopper,
};

/// Builds `image` in the container engine.
pub async fn build(
    context: &Context,
    image: &ImageRef,
    build: &Build,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let target = context.target();
    build_context::put(
        &plan::build::sources(image, &target),
        &sources(context, build)?,
    )?;
    let text = format!("building the image {image}, which the container engine does not have");
    emitter.emit(EventKind::Notice { text });
    let command = plan::build::command(image, build, &target);
    let what = format!("build the image {image}");
    commands::tell(context, &command, &what, emitter, stopper).await?;
    Ok(())
}

/// Returns the files of the build context.
fn sources(context: &Context, build: &Build) -> Result<BTreeMap<String, Vec<u8>>, EngineError> {
    let Build {
        sources,
        context: dir,
        ..
    } = build;
    if let Some(name) = sources {
        let known = context.image_sources.get(name);
        return known.cloned().ok_or_else(|| {
            let summary = format!("there are no sources `{name}` in this labctl");
            EngineError::Step(Box::new(Failure::new(summary)))
        });
    }
    let dir = dir.as_deref().unwrap_or_default().trim_end_matches('/');
    let files = context.tree.under(dir).filter_map(|(name, bytes)| {
        let inside = name.strip_prefix(dir)?.trim_start_matches('/');
        Some((inside.to_owned(), bytes.to_vec()))
    });
    Ok(files.collect())
}
