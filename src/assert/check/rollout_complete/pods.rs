//! The pods of a workload, checked directly and not by the workload's status.

use k8s_openapi::api::core::v1::Pod;

use crate::{
    assert::{cause, check::Context, pod},
    event::{Clause, Status},
    spec::assertion::RolloutComplete,
};

/// Makes the clause about the pods themselves. A status can be older than the pods, and count a pod
/// as ready that was killed just now. `ready` is the number of ready pods. `why` explains the
/// others: new pods may not get ready although as many old ones as asked for still are.
pub(super) fn clause(a: &RolloutComplete, asked: i32, ready: usize, why: Trouble) -> Clause {
    let what = format!("pods of {} are Ready", a.of);
    let holds = i32::try_from(ready).is_ok_and(|ready| ready >= asked);
    let (asked, ready) = (asked.to_string(), ready.to_string());
    let clause = Clause::when(holds, Status::Pending, what, asked, ready);
    clause.because(why.because).evidence(why.evidence)
}

/// The causes and the evidence for the unready pods of a workload.
#[derive(Default)]
pub(super) struct Trouble {
    pub(super) because: Vec<String>,
    pub(super) evidence: Vec<String>,
}

impl Trouble {
    /// Adds the causes and the evidence of the unready `pod`.
    pub(super) fn add(&mut self, pod: &Pod, context: &Context<'_>) {
        let because = cause::why_not_ready(pod, context.observed, context.namespace);
        let named = |text: String| format!("pod {}: {text}", pod::name(pod));
        let evidence = cause::evidence(pod, &because);
        self.evidence.extend(evidence.into_iter().map(named));
        self.because.extend(because.into_iter().map(named));
    }
}
