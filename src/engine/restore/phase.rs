//! The part of `reset` that restores the lab's data.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::{
    assert::Cluster,
    engine::{
        restore::{
            asks::{Asks, Came},
            critical::Critical,
            data::{self, Fingerprint, Fingerprints, Restore},
        },
        run::{context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::{EventKind, Failure},
    snapshot::{Difference, Key, Live, LiveObject},
    spec::{Assertion, StepId},
    tool::{Stop, Stopper},
};

/// The pause before data that could not be asked for is asked for again.
const AGAIN: Duration = Duration::from_millis(500);

/// The restore of data during a reset.
pub(super) struct Phase<'a> {
    pub(super) context: &'a Context,
    pub(super) cluster: &'a Cluster,
    /// The wanted fingerprints of the data, by pod.
    pub(super) wanted: &'a BTreeMap<String, String>,
    /// Restores data that does not differ, too.
    pub(super) force: bool,
    /// The lasting expectations. They show early that a pod will not answer, and limit the wait for
    /// it.
    pub(super) asks: &'a Asks<'a>,
    pub(super) critical: &'a Critical,
    pub(super) emitter: &'a Emitter,
}

/// The result of restoring the data.
pub(super) enum Put {
    /// The data did not differ.
    Same,
    /// The data is restored.
    Back,
    /// A pod does not answer, because an assertion does not hold. The first such assertion is this
    /// step's.
    Fails(StepId, Box<Failure>),
}

impl Phase<'_> {
    /// Restores the data that differs. `known` are the fingerprints that were asked for before.
    pub(super) async fn put_back(
        &self,
        known: Fingerprints,
        stopper: &mut Stopper,
    ) -> Result<Put, EngineError> {
        let now = if data::unknown(self.wanted, &known).is_empty() {
            known
        } else {
            let mut own = stopper.clone();
            tokio::select! {
                biased;
                now = self.answers(known) => now?,
                failed = self.fails(stopper) => {
                    let (step, failure) = failed?;
                    return Ok(Put::Fails(step, failure));
                }
                _ = own.beyond(Stop::Run) => return Err(EngineError::Stopped),
            }
        };
        let pods = data::changed(self.wanted, &now, self.force);
        if pods.is_empty() {
            return Ok(Put::Same);
        }
        for pod in &pods {
            let differing = data::differing(pod, self.wanted, &now);
            self.emitter.emit(EventKind::Differs { differing });
        }
        // From here on, the first signal waits until the data is known to be restored.
        let _inside = self.critical.enter();
        let with = Restore {
            context: self.context,
            cluster: self.cluster,
            emitter: self.emitter,
        };
        data::restore(&with, self.wanted, &pods).await?;
        Ok(Put::Back)
    }

    /// Returns once it is known that a lasting assertion, of those that do not need the data, will
    /// not hold. Never returns if they all hold.
    async fn fails(&self, stopper: &mut Stopper) -> Result<(StepId, Box<Failure>), EngineError> {
        let of_pods = |assertion: &Assertion| {
            matches!(
                assertion,
                Assertion::NodesReady(_)
                    | Assertion::PvcBound(_)
                    | Assertion::PvcReattached(_)
                    | Assertion::RolloutComplete(_)
            )
        };
        match self.asks.hold(of_pods, self.emitter, stopper).await? {
            Came::Fails(step, failure) => Ok((step, failure)),
            // Lost facts are recorded anew once the data is restored.
            Came::Holds(_) | Came::Lost(_) => std::future::pending().await,
        }
    }

    /// Returns the fingerprints of all wanted data. Asks a pod that does not answer yet again until
    /// it does, or until the deadline.
    async fn answers(&self, mut known: Fingerprints) -> Result<Fingerprints, EngineError> {
        let deadline = Instant::now() + self.asks.within();
        let answers = join_all(self.wanted.keys().map(|pod| {
            let known = known.remove(pod);
            async move { (pod.clone(), self.answer(pod, known, deadline).await) }
        }));
        let answers: Fingerprints = answers.await.into_iter().collect();
        let silent = data::unknown(self.wanted, &answers);
        if silent.is_empty() {
            return Ok(answers);
        }
        let why =
            |pod: &String| format!("{pod}: {}", answers.get(pod).map_or("", Fingerprint::why));
        let mut failure = Failure::new(format!(
            "the data of {} could not be asked for within {} s, and was left as it is",
            silent.join(", "),
            self.asks.within().as_secs()
        ));
        failure.causes = silent.iter().map(why).collect();
        let call = self.context.call();
        failure.hint = Some(format!(
            "`labctl verify {call}` says what is wrong with its pod; `labctl reset {call}` then goes on"
        ));
        Err(EngineError::Step(Box::new(failure)))
    }

    async fn answer(
        &self,
        pod: &str,
        known: Option<Fingerprint>,
        deadline: Instant,
    ) -> Fingerprint {
        let mut told = String::new();
        let mut known = known.filter(|known| known.known().is_some());
        loop {
            let now = if let Some(known) = known.take() {
                known
            } else {
                let say = |text| self.emitter.notice(text);
                data::fingerprint(self.context, self.cluster, pod, &say).await
            };
            if now.known().is_some() || Instant::now() > deadline {
                return now;
            }
            if now.why() != told {
                now.why().clone_into(&mut told);
                self.emitter.emit(EventKind::Notice {
                    text: format!("the data of {pod} cannot be asked for yet: {told}"),
                });
            }
            sleep(AGAIN).await;
        }
    }
}

/// Returns true if undoing `differences` destroys claims, and the data in them: strangers, and
/// claims that somebody has deleted already and that only their pods still hold.
pub(super) fn destroys(differences: &[Difference]) -> bool {
    destroyed(differences).next().is_some()
}

/// Returns the claims, and the namespaces of claims, that undoing `differences` destroys.
fn destroyed(differences: &[Difference]) -> impl Iterator<Item = Key> {
    let goes = differences.iter().filter(|difference| {
        matches!(
            difference,
            Difference::Stranger { .. } | Difference::Missing { going: Some(_), .. }
        )
    });
    let keys = goes.map(Difference::key);
    keys.filter(|key| matches!(key.kind.as_str(), "PersistentVolumeClaim" | "Namespace"))
}

/// Returns the names of the running pods that lose a claim by undoing `differences`.
pub(super) fn losing(differences: &[Difference], live: &Live) -> BTreeSet<String> {
    let destroyed: Vec<Key> = destroyed(differences).collect();
    let loses = |object: &LiveObject| {
        let volumes = object.object["spec"]["volumes"].as_array();
        let mut claims = volumes
            .into_iter()
            .flatten()
            .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
        claims.any(|claim| {
            destroyed.iter().any(|key| match key.kind.as_str() {
                "Namespace" => key.name == object.key.namespace,
                _ => key.name == claim && key.namespace == object.key.namespace,
            })
        })
    };
    let pods = live.objects.iter().filter(|object| {
        object.key.kind == "Pod" && object.object["status"]["phase"] == "Running" && loses(object)
    });
    pods.map(|object| object.key.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: &str, name: &str, object: Value) -> LiveObject {
        LiveObject {
            key: Key {
                group: String::new(),
                kind: kind.to_owned(),
                namespace: "lab".to_owned(),
                name: name.to_owned(),
            },
            object,
            clean: Value::Null,
            is_kept: true,
        }
    }

    #[test]
    fn pods_that_run_and_lose_their_claim_are_found() {
        let pod = |name: &str, phase: &str, claim: &str| {
            let volume = json!({"persistentVolumeClaim": {"claimName": claim}});
            let spec = json!({"volumes": [{"emptyDir": {}}, volume]});
            object(
                "Pod",
                name,
                json!({"spec": spec, "status": {"phase": phase}}),
            )
        };
        let live = Live {
            objects: vec![
                pod("a", "Running", "gone"),
                pod("b", "Pending", "gone"),
                pod("c", "Running", "stays"),
            ],
            ..Live::default()
        };
        let going = |kind, name| Difference::Missing {
            wanted: json!({"apiVersion": "v1", "kind": kind,
                "metadata": {"name": name, "namespace": "lab"}}),
            going: Some(object(kind, name, Value::Null)),
        };
        let names = |differences: &[Difference]| losing(differences, &live);
        assert_eq!(
            names(&[going("PersistentVolumeClaim", "gone")]),
            ["a".to_owned()].into()
        );
        assert_eq!(names(&[going("ConfigMap", "gone")]), BTreeSet::new());
        let mut namespace = object("Namespace", "lab", Value::Null);
        namespace.key.namespace = String::new();
        let namespace = Difference::Stranger {
            live: namespace,
            contents: 3,
        };
        assert_eq!(names(&[namespace]), ["a".to_owned(), "c".to_owned()].into());
    }
}
