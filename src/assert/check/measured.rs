//! The assertions `success-rate` and `latency` about the measurement of a load. The load is over,
//! so an assertion that does not hold never will.

use super::{Context, unknown};
use crate::{
    assert::{cause::mesh, text::clean},
    event::{Clause, Status},
    spec::{
        Measurement, StepId,
        measured::{LatencyOf, Side, SuccessRate},
    },
};

/// Returns the measurement of the step `of`, or the clause that says why there is none.
pub(super) fn measurement<'a>(
    of: Option<&StepId>,
    context: &Context<'a>,
) -> Result<&'a Measurement, Box<Clause>> {
    let of = of.map_or("", StepId::as_str);
    let fact = context.facts.get(of).and_then(|fact| fact.load.as_ref());
    fact.ok_or_else(|| {
        let clause = unknown(
            format!("requests of step {of}"),
            "measured",
            "nothing was measured yet; the step has to be done first",
        );
        Box::new(clause)
    })
}

pub(super) fn success_rate(asserted: &SuccessRate, context: &Context<'_>) -> Vec<Clause> {
    let measured = match measurement(asserted.of.as_ref(), context) {
        Ok(measured) => measured,
        Err(clause) => return vec![*clause],
    };
    let what = "requests that succeeded";
    let expected = format!("{} %", asserted.range());
    let Some(rate) = measured.success() else {
        return vec![unknown(what, expected, "there were no requests")];
    };
    let side = asserted.range().side(rate);
    let actual = format!(
        "{rate:.1} %: {} of {} ({})",
        measured.succeeded,
        measured.requests,
        clean(&measured.codes())
    );
    let clause = Clause::when(side == Side::Within, Status::Failed, what, expected, actual);
    let because = mesh::of_rate(measured, side, context.observed, context.namespace);
    vec![clause.because(because)]
}

pub(super) fn latency(asserted: &LatencyOf, context: &Context<'_>) -> Vec<Clause> {
    let of = measurement(asserted.of.as_ref(), context);
    let above = asserted.above.as_ref();
    let base = above
        .map(|step| measurement(Some(step), context))
        .transpose();
    let (measured, base) = match (of, base) {
        (Ok(measured), Ok(base)) => (measured, base),
        (Err(clause), _) | (_, Err(clause)) => return vec![*clause],
    };
    let quantile = asserted.quantile;
    let time = quantile.of(&measured.latency);
    let base = base.map(|base| quantile.of(&base.latency));
    let what = match above {
        Some(step) => format!("{quantile} above that of {step}"),
        None => quantile.to_string(),
    };
    let expected = match (asserted.at_least, asserted.at_most) {
        (Some(least), Some(most)) => format!("from {least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any".to_owned(),
    };
    if measured.requests == 0 {
        return vec![unknown(what, expected, "there were no requests")];
    }
    // A time that is lower than the base is 0 above it.
    let difference = time.saturating_sub(base.unwrap_or(0));
    let side = match (asserted.at_least, asserted.at_most) {
        (Some(least), _) if difference < least.micros() => Side::Below,
        (_, Some(most)) if difference > most.micros() => Side::Above,
        _ => Side::Within,
    };
    let actual = match base {
        Some(base) => format!("{} ({} − {})", ms(difference), ms(time), ms(base)),
        None => ms(time),
    };
    let clause = Clause::when(side == Side::Within, Status::Failed, what, expected, actual);
    let because = match side {
        Side::Below => mesh::of_toxics(measured, context.observed, context.namespace),
        _ => Vec::new(),
    };
    vec![clause.because(because)]
}

#[allow(clippy::cast_precision_loss)] // microseconds of a request
fn ms(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
