//! A lab's data: identified by its fingerprint, saved for snapshots, restored by a reset.

mod keep;
mod replaced;
mod restore;
mod told;

use std::{collections::BTreeMap, path::Path, time::Duration};

use futures::future::join_all;
use tokio::time::timeout;

use crate::{
    assert::{Cluster, InPod},
    digest,
    engine::run::context::Context,
    spec::{Command, Data},
    tool::Invocation,
};

pub use keep::keep;
pub use replaced::save_before;
pub use restore::{Restore, restore};
pub use told::differing;

/// The name of the field that allows `save` to print more.
const SAVE_MORE: &str = "`at-most` of the lab's `data`";

/// The longest time for a fingerprint: that of a million rows takes seconds.
const FINGERPRINT: Duration = Duration::from_mins(1);

/// The longest wait of which nothing is said: silence looks like a hang.
const SILENCE: Duration = Duration::from_millis(1500);

/// The fingerprints of the data, by pod.
pub type Fingerprints = BTreeMap<String, Fingerprint>;

/// The fingerprint of the data of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fingerprint {
    /// The fingerprint.
    Known(String),
    /// The fingerprint is unknown, for this reason.
    Unknown(String),
    /// The fingerprint cannot be asked for any more: the pod is being deleted.
    Going,
    /// The pod does not exist.
    NoPod,
}

impl Fingerprint {
    /// Returns the fingerprint, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Unknown(_) | Self::Going | Self::NoPod => None,
        }
    }

    /// Returns the reason why the fingerprint is unknown; empty if it is known.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Known(_) => "",
            Self::Unknown(why) => why,
            Self::Going => "the pod is being deleted",
            Self::NoPod => "there is no such pod",
        }
    }
}

/// Says something to whoever waits.
pub type Say<'a> = &'a (dyn Fn(String) + Sync);

/// Asks for the fingerprint of the data of each pod.
pub async fn fingerprints(context: &Context, cluster: &Cluster, say: Say<'_>) -> Fingerprints {
    let pods = context.lab.data.iter().flat_map(|data| &data.pods);
    let asked = pods.map(|pod| async move {
        let fingerprint = fingerprint(context, cluster, pod, say).await;
        (pod.clone(), fingerprint)
    });
    join_all(asked).await.into_iter().collect()
}

/// Asks for the fingerprint of the data of `pod`. Says so if the answer is long in coming: a command
/// in a pod may be blocked by whoever works there.
pub async fn fingerprint(
    context: &Context,
    cluster: &Cluster,
    pod: &str,
    say: Say<'_>,
) -> Fingerprint {
    let Some(data) = declared(context, pod) else {
        return Fingerprint::Unknown("the lab declares no data in it".to_owned());
    };
    let command = data.fingerprint.words(&context.tree);
    let limit = FINGERPRINT.mul_f64(context.timeout_scale.max(1.0));
    let namespace = &context.lab.namespace;
    let mut ran = std::pin::pin!(cluster.run_in(namespace, pod, &command, limit));
    let ran = if let Ok(ran) = timeout(SILENCE, &mut ran).await {
        ran
    } else {
        let seconds = limit.as_secs();
        say(format!(
            "waiting for {pod} to say what data it has, for at most {seconds} s"
        ));
        ran.await
    };
    match ran {
        InPod::Printed(text) if text.trim().is_empty() => {
            Fingerprint::Unknown("its fingerprint is empty".to_owned())
        }
        InPod::Printed(text) => Fingerprint::Known(text),
        InPod::Failed(why) => Fingerprint::Unknown(why),
        InPod::Going => Fingerprint::Going,
        InPod::Absent => Fingerprint::NoPod,
    }
}

/// Returns the digest of the commands that fingerprint, save and restore the lab's data.
#[must_use]
pub fn commands(context: &Context) -> String {
    let words = context.lab.data.iter().flat_map(|data| {
        let commands = [&data.fingerprint, &data.save, &data.restore];
        let words = commands.map(|command| command.words(&context.tree));
        words.map(|words| (data.pods.join(" "), words.join("\0").into_bytes()))
    });
    let words: Vec<(String, Vec<u8>)> = words.collect();
    digest::hex_of_tree(words.iter().map(|(pods, words)| (pods, words)))
}

/// Returns how long saving or restoring `data` may take, and how a lab gives it more time.
fn deadline(context: &Context, data: &Data) -> (Duration, &'static str) {
    let longer = "`within` of the lab's `data` gives it more time, as --timeout-scale does";
    (context.scaled(data.within()), longer)
}

/// Returns the lab's declaration of the data in `pod`.
fn declared<'a>(context: &'a Context, pod: &str) -> Option<&'a Data> {
    let mut data = context.lab.data.iter();
    data.find(|data| data.pods.iter().any(|name| name == pod))
}

/// Returns the pods whose data has another fingerprint in `now` than in `wanted`; with `force`, all
/// pods. A pod whose data cannot be asked for does not count as changed.
#[must_use]
pub fn changed(wanted: &BTreeMap<String, String>, now: &Fingerprints, force: bool) -> Vec<String> {
    let is_other = |pod: &str, was: &str| {
        let now = now.get(pod).and_then(Fingerprint::known);
        force || now.is_some_and(|now| now != was)
    };
    let other = wanted.iter().filter(|(pod, was)| is_other(pod, was));
    other.map(|(pod, _)| pod.clone()).collect()
}

/// Returns the pods of `wanted` whose fingerprint is unknown in `now`.
#[must_use]
pub fn unknown(wanted: &BTreeMap<String, String>, now: &Fingerprints) -> Vec<String> {
    let is_known = |pod: &str| now.get(pod).is_some_and(|now| now.known().is_some());
    let pods = wanted.keys().filter(|pod| !is_known(pod));
    pods.cloned().collect()
}

/// Returns the command line that runs `command` in `pod`, with `file` as its input if given.
fn invocation(context: &Context, pod: &str, command: &Command, file: Option<&Path>) -> Invocation {
    let words = command.words(&context.tree);
    let kubectl = &context.target().kubectl;
    let invocation = match file {
        Some(file) => kubectl.feed(pod, &words, file),
        None => kubectl.exec(pod, None, &words),
    };
    shown(context, command, invocation)
}

/// Makes `invocation` show the names of the lab's files instead of their contents.
fn shown(context: &Context, command: &Command, invocation: Invocation) -> Invocation {
    command.files().fold(invocation, |invocation, file| {
        let text = context.tree.text(file).unwrap_or_default().to_owned();
        invocation.text_of(text, context.environment.lab_dir().join(file))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_cannot_be_asked_for_is_not_taken_for_another() {
        let wanted: BTreeMap<String, String> = ["a", "b", "c", "d"]
            .map(|pod| (pod.to_owned(), "was".to_owned()))
            .into();
        let now: Fingerprints = [
            ("a".to_owned(), Fingerprint::Known("was".to_owned())),
            ("b".to_owned(), Fingerprint::Known("is".to_owned())),
            ("c".to_owned(), Fingerprint::Unknown("it starts".to_owned())),
        ]
        .into();
        assert_eq!(changed(&wanted, &now, false), ["b"]);
        assert_eq!(changed(&wanted, &now, true), ["a", "b", "c", "d"]);
        assert_eq!(unknown(&wanted, &now), ["c", "d"]);
    }
}
