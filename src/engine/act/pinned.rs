//! Files that a lab names by URL and digest. Each is taken from the bundle, or fetched once.

use std::path::{Path, PathBuf};

use crate::{
    digest, download,
    engine::run::{context::Context, dispatcher::Emitter, error::EngineError},
    event::{EventKind, Failure},
    plan,
    spec::action::Pinned,
    state::{Bundle, archive::LARGEST, files},
    tool::Stopper,
};

/// Makes sure that the file is where the plan expects it, and has the digest that the lab, or the
/// bundle, names.
pub async fn provide(
    context: &Context,
    pinned: &Pinned<'_>,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let url = download::shown(pinned.url);
    if let Some(bundle) = &context.bundle {
        let Some(entry) = bundle.file(pinned.url) else {
            let summary = format!("the bundle {} has no {url}", bundle.dir.display());
            let hint = "add it to the bundle, or leave --bundle away";
            return Err(failed(Failure::new(summary).hint(hint)));
        };
        let taken = verified(bundle, url, &entry.path, &entry.digest).await;
        return taken.map(drop);
    }
    let file = plan::pinned(pinned, &context.target());
    if digest::hex_of_file(&file).is_ok_and(|actual| actual == pinned.sha256) {
        return Ok(());
    }
    let text = format!("fetching {url}");
    emitter.emit(EventKind::Notice { text });
    let fetched = stopper.guard(download::fetch(pinned.url, LARGEST)).await?;
    let bytes = fetched.map_err(|error| failed(Failure::of(&error)))?;
    let actual = digest::hex(&bytes);
    if actual != pinned.sha256 {
        return Err(failed(another(url, &actual, pinned.sha256)));
    }
    if let Some(dir) = file.parent() {
        files::create_dir(dir)?;
    }
    Ok(files::write(&file, &bytes)?)
}

/// Returns the failure for a file at `url` whose digest is not the one that the lab names.
#[must_use]
pub fn another(url: &str, actual: &str, pinned: &str) -> Failure {
    let mut failure = Failure::new(format!("{url} is not what the lab names"));
    failure.causes.push(format!(
        "it has the SHA-256 {actual}, the lab says {pinned}"
    ));
    failure
}

/// Returns the path of the bundle's file `path`, after checking its digest. `what` names the file
/// in errors. Runs on a thread of its own, as the file may be large.
pub async fn verified(
    bundle: &Bundle,
    what: &str,
    path: &Path,
    digest: &str,
) -> Result<PathBuf, EngineError> {
    let (held, path, digest) = (bundle.clone(), path.to_owned(), digest.to_owned());
    let checked = tokio::task::spawn_blocking(move || held.verified(&path, &digest)).await;
    let refused = |error: &dyn std::error::Error| {
        failed(Failure::by(
            format!("failed to take {what} from the bundle"),
            error,
        ))
    };
    match checked {
        Ok(Ok(path)) => Ok(path),
        Ok(Err(error)) => Err(refused(&error)),
        Err(error) => Err(refused(&error)),
    }
}

fn failed(failure: Failure) -> EngineError {
    EngineError::Step(Box::new(failure))
}
