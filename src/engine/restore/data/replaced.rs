//! The data that a reset replaces, which is saved first.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use futures::future::join_all;

use crate::{
    assert::Cluster,
    engine::{
        restore::data::{
            Fingerprint, SAVE_MORE, deadline, declared, fingerprint, invocation, shown,
        },
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::Failure,
    tool::{Invocation, Stopper},
};

/// Saves the data of the lab's pods before claims of the lab are destroyed. Fails if a pod that
/// answers cannot be saved, or if one of the pods that `lose` their claims does not answer. Skips
/// other pods that do not answer.
pub async fn save_before(
    context: &Context,
    cluster: &Cluster,
    lose: &BTreeSet<String>,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let pods = context.lab.data.iter().flat_map(|data| &data.pods);
    let saved = join_all(pods.map(|pod| async move {
        let say = |text| emitter.notice(text);
        let mut now = fingerprint(context, cluster, pod, &say).await;
        if matches!(now, Fingerprint::Unknown(_)) {
            // A pod that ends during the request gives another reason at first.
            now = fingerprint(context, cluster, pod, &say).await;
        }
        match now {
            Fingerprint::Known(_) => {}
            Fingerprint::Unknown(why) if lose.contains(pod) => {
                return Err(unsaved(context, pod, why));
            }
            Fingerprint::Unknown(_) | Fingerprint::Going | Fingerprint::NoPod => return Ok(()),
        }
        let saved = save(context, pod, None, emitter).await.map(drop);
        let Err(error) = saved else { return Ok(()) };
        match fingerprint(context, cluster, pod, &say).await {
            // Somebody deleted the pod, or everything around it, so it ended during the save.
            now @ (Fingerprint::Going | Fingerprint::NoPod) => {
                let why = now.why();
                let text = format!("what {pod} held could not be saved: {why}");
                emitter.notice(text);
                Ok(())
            }
            Fingerprint::Known(_) | Fingerprint::Unknown(_) => Err(error),
        }
    }));
    saved.await.into_iter().collect()
}

/// Returns the error for data of `pod` that cannot be saved, and would be lost with its claim.
fn unsaved(context: &Context, pod: &str, why: String) -> EngineError {
    let summary = format!("the claim of {pod} would go with data that cannot be saved");
    let mut failure = Failure::new(summary);
    failure.causes.push(why);
    let call = context.call();
    failure.hint = Some(format!(
        "once {pod} answers, `labctl reset {call}` saves it and goes on; `labctl reset {call} --hard` \
         recreates the cluster without it"
    ));
    EngineError::Step(Box::new(failure))
}

/// Saves the data of `pod`, emits the path, and returns it. Returns `None` if the dump `wanted` has
/// the same data already.
pub(super) async fn save(
    context: &Context,
    pod: &str,
    wanted: Option<&Path>,
    emitter: &Emitter,
) -> Result<Option<PathBuf>, EngineError> {
    let Some(data) = declared(context, pod) else {
        return Ok(None);
    };
    let new = context.environment.new_dump(pod)?;
    let save = invocation(context, pod, &data.save, None).stdout(new.to_path_buf());
    let save = save.at_most(data.at_most(), SAVE_MORE);
    let what = format!("save the data of {pod} before it is replaced, and so replaced nothing");
    let limit = deadline(context, data);
    commands::ask_within(context, &save, &what, limit, &Stopper::never()).await?;
    let environment = &context.environment;
    let Some(path) = environment.keep_replaced(pod, &new, &data.ends_with, wanted)? else {
        return Ok(None);
    };
    let words = data.restore.words(&context.tree);
    let lead = [
        "shell",
        &context.call(),
        "--",
        "kubectl",
        "exec",
        "--stdin",
        pod,
        "--",
    ];
    let lead = lead
        .iter()
        .flat_map(|word| word.split(' '))
        .map(ToOwned::to_owned);
    let restore =
        Invocation::new("labctl", lead.chain(words)).stdin(crate::tool::Stdin::File(path.clone()));
    emitter.notice(format!(
        "what {pod} holds now is kept in {}; to have it back: {}",
        path.display(),
        shown(context, &data.restore, restore)
    ));
    Ok(Some(path))
}
