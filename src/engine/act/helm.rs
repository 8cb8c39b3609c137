//! Releases. Each is checked before it is touched: an interrupted helm leaves a release that helm
//! itself refuses to touch again.

use std::path::Path;

use crate::{
    digest,
    engine::{
        act::pinned,
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::{EventKind, Failure},
    plan::{
        self,
        helm::{
            Unfinished, fetched, release, revisions, unfinished, unloaded_schema, without_schema,
        },
    },
    spec::{Action, Step, helm::Helm},
    state::files,
    tool::{Done, Stopper, ToolError},
};

/// Returns the unfinished state in which an interrupted run of `step` left its release. `ours` says
/// that, according to the journal, such a run began the action and did not finish it. An unfinished
/// release that is not ours is somebody else's: then the step fails before it begins.
pub async fn left_behind(
    context: &Context,
    step: &Step,
    ours: bool,
    stopper: &mut Stopper,
) -> Result<Option<Unfinished>, EngineError> {
    let Action::Helm(helm) = &step.action else {
        return Ok(None);
    };
    let target = context.target();
    let release = release(helm, &target);
    let what = format!("look for the release \"{}\"", helm.release);
    let history = match commands::ask(context, &release.history(), &what, stopper).await {
        Ok(history) => history.stdout,
        Err(EngineError::Tool {
            source: ToolError::Exit { tail, .. },
            ..
        }) if tail.iter().any(|line| line.contains("release: not found")) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(revisions) = revisions(&history) else {
        let mut failure = Failure::new(format!("failed to {what}"));
        failure
            .causes
            .push("helm answered something else than a history".to_owned());
        failure.tail = history.lines().take(3).map(ToOwned::to_owned).collect();
        return Err(EngineError::Step(Box::new(failure)));
    };
    let unfinished = unfinished(&revisions);
    if let Some(unfinished) = unfinished.as_ref().filter(|_| !ours) {
        let failure = foreign(context, helm, release.namespace, unfinished);
        return Err(EngineError::Step(Box::new(failure)));
    }
    Ok(unfinished)
}

/// Returns the failure for somebody else's unfinished release, with a hint for them.
fn foreign(context: &Context, helm: &Helm, namespace: &str, left: &Unfinished) -> Failure {
    let name = &helm.release;
    let shell = format!("labctl shell {} -- helm", context.call());
    let remedy = match left.whole {
        Some(revision) => format!("rollback {name} {revision} --namespace {namespace}"),
        None => format!("uninstall {name} --namespace {namespace}"),
    };
    let mut failure = Failure::new(format!(
        "the release \"{name}\" in the namespace {namespace} is {}, and this step did not begin that",
        left.status
    ));
    let why = "somebody's helm is at work on it, or was interrupted; it is not touched";
    failure.causes.push(why.to_owned());
    failure.hint(format!(
        "wait for that helm to end; if there is none, `{shell} history {name} --namespace \
         {namespace}` shows what happened, and `{shell} {remedy}` puts it in order"
    ))
}

/// Makes the release, after repairing an unfinished one.
pub async fn act(
    context: &Context,
    helm: &Helm,
    left: Option<Unfinished>,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let target = context.target();
    let name = &helm.release;
    verify_bundled(context, helm).await?;
    if let Some(left) = left {
        let how = match left.whole {
            Some(revision) => format!("rolled back to revision {revision}"),
            None => "uninstalled".to_owned(),
        };
        let text = format!(
            "the release \"{name}\" was left {} by an interrupted run; it is {how} first",
            left.status
        );
        emitter.emit(EventKind::Notice { text });
        let what = format!("put the release \"{name}\" in order");
        let remedy = left.remedy(release(helm, &target));
        commands::tell(context, &remedy, &what, emitter, stopper).await?;
    }
    let fetched = fetched(helm, &target);
    if let Some(dir) = fetched.as_ref().and_then(|f| f.file.parent()) {
        files::create_dir(dir)?;
    }
    let what = format!("make the release \"{name}\"");
    let facts = emitter.state().facts;
    for command in plan::commands(&Action::Helm(helm.clone()), &target, &facts) {
        let done = commands::tell(context, &command, &what, emitter, stopper).await;
        if let Some(address) = unloaded(&done) {
            let text = of_schema(context, address);
            emitter.emit(EventKind::Notice { text });
            let command = without_schema(&command);
            commands::tell(context, &command, &what, emitter, stopper).await?;
        } else {
            done?;
        }
        if let Some(fetched) = fetched.as_ref().filter(|f| f.pull == command) {
            is_pinned(&fetched.file, &fetched.digest)?;
        }
    }
    Ok(())
}

/// Returns the address of the schema that helm could not load, if that is why it failed.
fn unloaded(done: &Result<Done, EngineError>) -> Option<&str> {
    match done {
        Err(EngineError::Tool {
            source: ToolError::Exit { tail, .. },
            ..
        }) => unloaded_schema(tail),
        _ => None,
    }
}

/// Returns the notice that the values are used without a comparison with their schema.
fn of_schema(context: &Context, address: &str) -> String {
    let why = match context.bundle {
        Some(_) => "is outside of the bundle",
        None => "does not answer",
    };
    format!(
        "the schema of the chart's values refers to {address}, which {why}: the values are not \
         compared with the schema"
    )
}

/// Fails unless the fetched file has the digest that the lab names.
fn is_pinned(file: &Path, pinned: &str) -> Result<(), EngineError> {
    let cause = match digest::hex_of_file(file) {
        Ok(actual) if pinned == format!("sha256:{actual}") => return Ok(()),
        Ok(actual) => format!("it has the digest sha256:{actual}, the lab says {pinned}"),
        Err(error) => format!("it cannot be read: {error}"),
    };
    let mut failure = Failure::new(format!("{} is not what the lab names", file.display()));
    failure.causes.push(cause);
    Err(EngineError::Step(Box::new(failure)))
}

/// Checks the digest of the chart, if it is taken from the bundle.
async fn verify_bundled(context: &Context, helm: &Helm) -> Result<(), EngineError> {
    let (Some(bundle), Some(reference)) = (&context.bundle, helm.chart.reference()) else {
        return Ok(());
    };
    let version = helm.version.as_deref().unwrap_or_default();
    match bundle.chart(&reference, version) {
        Some(chart) => {
            let what = format!("the chart {reference}");
            let taken = pinned::verified(bundle, &what, &chart.path, &chart.digest).await;
            taken.map(drop)
        }
        None => Ok(()),
    }
}
