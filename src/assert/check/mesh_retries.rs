//! The assertion `mesh-retries`: the counts of the client's Linkerd proxy during a load. Its
//! counters start at 0 with the pod, so only differences count.

use super::{Context, measured::measurement, unknown};
use crate::{
    assert::cause::mesh,
    event::{Clause, Status},
    spec::{
        Measurement,
        measured::{MeshRetries, Range, Side},
        measurement::{Counters, Mesh, ratio},
    },
};

pub(super) fn check(asserted: &MeshRetries, context: &Context<'_>) -> Vec<Clause> {
    let measured = match measurement(asserted.of.as_ref(), context) {
        Ok(measured) => measured,
        Err(clause) => return vec![*clause],
    };
    let counted = "the client's proxy counts";
    let (before, after) = match &measured.mesh {
        Mesh::Counted { before, after } => (before, after),
        Mesh::Unknown(why) => return vec![unknown(counted, "requests and retries", why)],
        Mesh::Unmeshed => {
            let clause = Clause::new(Status::Failed, counted, "requests and retries", "no proxy");
            let because = mesh::of_retries(measured, context.observed, context.namespace);
            return vec![clause.because(because)];
        }
    };
    let Some(counters) = after.since(before) else {
        let why = "a counter fell meanwhile: the proxy was started anew";
        return vec![unknown(counted, "requests and retries", why)];
    };
    let requests = counters.effective.all();
    if requests == 0 {
        let actual = format!("none of {}", measured.requests);
        let clause = Clause::new(Status::Failed, counted, "the requests", actual);
        let why = format!(
            "requests to {} did not pass it as requests of a Service over HTTP: a port that is \
             opaque or skipped, or another address than the Service's",
            crate::assert::text::clean(&measured.url)
        );
        return vec![clause.because(vec![why])];
    }
    let judge = Judge {
        measured,
        counters: &counters,
        context,
    };
    let per_request = ratio(counters.retries, requests).unwrap_or(0.0);
    let given_up = ratio(counters.given_up, requests).unwrap_or(0.0);
    let (retries, gave_up) = (counters.retries, counters.given_up);
    let mut clauses = Vec::new();
    clauses.extend(judge.clause(
        "retries per request",
        asserted.per_request,
        per_request,
        format!("{per_request:.2}: {retries} for {requests} requests"),
    ));
    clauses.extend(judge.clause(
        "requests given up at the limit",
        asserted.given_up,
        given_up,
        format!("{given_up:.2}: {gave_up} of {requests}"),
    ));
    for (what, range, answers) in [
        ("effective success", asserted.effective, counters.effective),
        ("actual success", asserted.actual, counters.actual),
    ] {
        let actual = format!("{} of {} answers", answers.good, answers.all());
        match answers.success() {
            Some(rate) => {
                let actual = format!("{rate:.1} %: {actual}");
                clauses.extend(judge.clause(what, range, rate, actual));
            }
            None if !range.is_any() => {
                clauses.push(unknown(what, range.to_string(), "there was no answer"));
            }
            None => {}
        }
    }
    clauses
}

struct Judge<'a> {
    measured: &'a Measurement,
    counters: &'a Counters,
    context: &'a Context<'a>,
}

impl Judge<'_> {
    /// Makes the clause about a number; `None` if the lab asserts nothing about it.
    fn clause(&self, what: &str, range: Range, number: f64, actual: String) -> Option<Clause> {
        if range.is_any() {
            return None;
        }
        let side = range.side(number);
        let holds = side == Side::Within;
        let clause = Clause::when(holds, Status::Failed, what, range.to_string(), actual);
        let (observed, namespace) = (self.context.observed, self.context.namespace);
        // Too few retries have two causes: the mesh makes none, or no request fails.
        let because = if holds {
            Vec::new()
        } else if self.counters.retries == 0 && self.counters.effective.bad == 0 {
            mesh::of_toxics(self.measured, observed, namespace)
        } else if side == Side::Below || what == "effective success" {
            mesh::of_retries(self.measured, observed, namespace)
        } else {
            mesh::of_rate(self.measured, side, observed, namespace)
        };
        Some(clause.because(because))
    }
}

#[cfg(test)]
mod tests;
