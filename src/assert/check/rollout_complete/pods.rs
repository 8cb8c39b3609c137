//! The pods of a workload, looked at themselves.

use k8s_openapi::api::core::v1::Pod;

use crate::{
    assert::{cause, check::Context, pod},
    event::{Clause, Status},
    spec::assertion::RolloutComplete,
};

/// The clause about the pods themselves: a status can be older than they are, and count a pod as
/// ready that was killed just now. `ready` of them are, and `why` says what is wrong with others: new ones that do not get Ready, though as
/// many old ones as are asked for still are.
pub(super) fn clause(a: &RolloutComplete, asked: i32, ready: usize, why: Trouble) -> Clause {
    let what = format!("pods of {} are Ready", a.of);
    let holds = i32::try_from(ready).is_ok_and(|ready| ready >= asked);
    let (asked, ready) = (asked.to_string(), ready.to_string());
    let clause = Clause::when(holds, Status::Pending, what, asked, ready);
    clause.because(why.because).evidence(why.evidence)
}

/// What is wrong with the pods of a workload.
#[derive(Default)]
pub(super) struct Trouble {
    pub(super) because: Vec<String>,
    pub(super) evidence: Vec<String>,
}

impl Trouble {
    /// Adds why `pod` is not ready.
    pub(super) fn add(&mut self, pod: &Pod, context: &Context<'_>) {
        let because = cause::why_not_ready(pod, context.observed, context.namespace);
        let named = |text: String| format!("pod {}: {text}", pod::name(pod));
        let evidence = cause::evidence(pod, &because);
        self.evidence.extend(evidence.into_iter().map(named));
        self.because.extend(because.into_iter().map(named));
    }
}
