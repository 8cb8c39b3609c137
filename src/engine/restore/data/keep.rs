//! The data of a snapshot, and how it is saved.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::{
    assert::Cluster,
    engine::{
        restore::data::{Fingerprint, SAVE_MORE, deadline, declared, fingerprint, invocation},
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::EventKind,
    spec::Data,
    state::dumps,
    tool::Stopper,
};

/// The longest wait for data that cannot be asked for: a pod may be starting again.
const PATIENCE: Duration = Duration::from_secs(5);
/// The number of attempts to save data that changes meanwhile.
const TRIES: usize = 3;

/// Saves the data of each pod, unless the same data is saved already. Returns the fingerprints of
/// the saved data. Data that cannot be asked for or saved is named in a notice and left out:
/// `reset` will leave it as it is, rather than restore an earlier state.
pub async fn keep(
    context: &Context,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<BTreeMap<String, String>, EngineError> {
    let pods = context.lab.data.iter().flat_map(|data| &data.pods);
    let kept = join_all(pods.map(|pod| async move {
        let Some(data) = declared(context, pod) else {
            return Ok(None);
        };
        let saved = match answer(context, cluster, pod, emitter, stopper).await? {
            Fingerprint::Known(now) => {
                save(context, cluster, data, pod, now, emitter, stopper).await
            }
            Fingerprint::NoPod => return Ok(None),
            other => Ok(Err(other.why().to_owned())),
        };
        match saved {
            Ok(Ok(fingerprint)) => Ok(Some((pod.clone(), fingerprint))),
            Ok(Err(why)) => {
                emitter.emit(EventKind::Notice {
                    text: format!(
                        "the data of {pod} is not saved, so `labctl reset {}` will leave it as it is: \
                         {why}",
                        context.call()
                    ),
                });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }));
    let kept: Result<Vec<_>, EngineError> = kept.await.into_iter().collect();
    Ok(kept?.into_iter().flatten().collect())
}

/// Returns the fingerprint of the data of `pod`, and gives the pod a short time to answer.
async fn answer(
    context: &Context,
    cluster: &Cluster,
    pod: &str,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<Fingerprint, EngineError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let say = |text| emitter.notice(text);
        let answer = stopper
            .guard(fingerprint(context, cluster, pod, &say))
            .await?;
        let is_told = matches!(answer, Fingerprint::Known(_) | Fingerprint::NoPod);
        if is_told || Instant::now() > deadline {
            return Ok(answer);
        }
        stopper.guard(sleep(Duration::from_secs(1))).await?;
    }
}

/// Saves the data of `pod`, whose fingerprint is `now`. Returns the fingerprint of the saved data,
/// or the reason why it could not be saved.
async fn save(
    context: &Context,
    cluster: &Cluster,
    data: &Data,
    pod: &str,
    mut now: String,
    emitter: &Emitter,
    stopper: &Stopper,
) -> Result<Result<String, String>, EngineError> {
    for _ in 0..TRIES {
        let path = context.environment.dump(pod, &now);
        if dumps::is_kept(&path) {
            return Ok(Ok(now));
        }
        let new = context.environment.new_dump(pod)?;
        let save = invocation(context, pod, &data.save, None).stdout(new.to_path_buf());
        let save = save.at_most(data.at_most(), SAVE_MORE);
        let what = format!("save the data of {pod}");
        let limit = deadline(context, data);
        match commands::ask_within(context, &save, &what, limit, stopper).await {
            Ok(_) => {}
            Err(error) => {
                let failure = error.into_failure()?;
                let why = failure.tail.last().cloned();
                let why = why.unwrap_or_else(|| failure.causes.join(": "));
                let why = [Some(why), failure.hint].into_iter().flatten();
                return Ok(Err(why.collect::<Vec<_>>().join("; ")));
            }
        }
        // If the data changed meanwhile, the dump does not match the fingerprint.
        let say = |text| emitter.notice(text);
        match stopper
            .guard(fingerprint(context, cluster, pod, &say))
            .await?
        {
            Fingerprint::Known(after) if after == now => {
                return Ok(match dumps::keep(&new, &path, &data.ends_with) {
                    Err(error @ crate::state::StateError::Corrupt { .. }) => Err(error.to_string()),
                    result => result.map(|()| Ok(now))?,
                });
            }
            Fingerprint::Known(after) => now = after,
            other => return Ok(Err(other.why().to_owned())),
        }
    }
    Ok(Err("it changes all the while".to_owned()))
}
