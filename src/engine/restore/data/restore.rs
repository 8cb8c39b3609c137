//! The restore of data from a dump.

use std::{collections::BTreeMap, path::Path};

use futures::future::join_all;

use crate::{
    assert::Cluster,
    engine::{
        restore::data::{Fingerprint, deadline, declared, fingerprint, invocation, replaced, told},
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::Failure,
    state::{StateError, dumps},
    tool::Stopper,
};

/// The number of attempts to restore data. Somebody may write to it at once, so that it differs
/// again.
const TRIES: usize = 2;

/// The context of a restore.
pub struct Restore<'a> {
    /// The context of the run.
    pub context: &'a Context,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The emitter of the run.
    pub emitter: &'a Emitter,
}

/// Restores the data of `pods` to the fingerprints in `wanted`. Saves the present data first, and
/// compares the fingerprints afterwards. On failure, the error says where the saved data is. The
/// restore ends early only if it is dropped.
pub async fn restore(
    with: &Restore<'_>,
    wanted: &BTreeMap<String, String>,
    pods: &[String],
) -> Result<(), EngineError> {
    let restored = pods.iter().filter_map(|pod| {
        let was = wanted.get(pod)?;
        Some(with.pod(pod, was))
    });
    join_all(restored).await.into_iter().collect()
}

impl Restore<'_> {
    async fn pod(&self, pod: &str, was: &str) -> Result<(), EngineError> {
        let context = self.context;
        let Some(data) = declared(context, pod) else {
            return Ok(());
        };
        let dump = context.environment.dump(pod, was);
        dumps::check(&dump).map_err(|error| self.damaged(pod, &error))?;
        let saved = replaced::save(context, pod, Some(&dump), self.emitter).await?;
        let command = invocation(context, pod, &data.restore, Some(&dump));
        let what = format!("restore the data of {pod}");
        let mut parts = Vec::new();
        for _ in 0..TRIES {
            let mut stopper = Stopper::never();
            let limit = deadline(context, data);
            let told =
                commands::tell_within(context, &command, &what, limit, self.emitter, &mut stopper);
            let told = told.await;
            told.map_err(|error| with_saved(error, saved.as_deref()))?;
            let say = |text| self.emitter.notice(text);
            match fingerprint(context, self.cluster, pod, &say).await {
                Fingerprint::Known(now) if now == was => return Ok(()),
                Fingerprint::Known(now) => parts = told::parts(was, &now),
                other => parts = vec![other.why().to_owned()],
            }
        }
        let mut failure = Failure::new(format!(
            "the data of {pod} was restored, and is not what it was"
        ));
        failure.causes = parts;
        failure.hint = Some(format!(
            "it was restored from {}; `labctl reset {}` tries again",
            dump.display(),
            context.call()
        ));
        let error = EngineError::Step(Box::new(failure));
        Err(with_saved(error, saved.as_deref()))
    }

    fn damaged(&self, pod: &str, error: &StateError) -> EngineError {
        let mut failure = Failure::by(
            format!("failed to restore the data of {pod}, of which nothing was replaced"),
            error,
        );
        failure.hint = Some(format!(
            "`labctl reset --hard {}` recreates the cluster and does the steps again",
            self.context.call()
        ));
        EngineError::Step(Box::new(failure))
    }
}

/// Adds to `error` the path of the data that was there before.
fn with_saved(error: EngineError, saved: Option<&Path>) -> EngineError {
    let Some(saved) = saved else {
        return error;
    };
    match error.into_failure() {
        Ok(mut failure) => {
            failure
                .causes
                .push(format!("what was there before is in {}", saved.display()));
            EngineError::Step(Box::new(failure))
        }
        Err(error) => error,
    }
}
