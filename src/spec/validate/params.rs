//! Validation of parameters and of the parts that depend on them, and of a lab with each
//! combination of values.

use super::{Fault, is_label, nearest};
use crate::spec::{
    Chosen, Lab, Param,
    params::{OneOf, When, shown},
    tree::LAB_FILE,
};

/// The maximum number of combinations of values: each of them is checked.
const MOST: usize = 64;

/// Validates the parameters of `lab` and its `when`s.
pub(super) fn faults(lab: &Lab) -> Vec<Fault> {
    let mut faults: Vec<String> = Vec::new();
    for (name, param) in &lab.params {
        let of = |text: String| format!("parameter `{name}`: {text}");
        faults.extend(of_param(name, param).into_iter().map(of));
    }
    let of_steps = lab
        .steps
        .iter()
        .map(|s| (format!("step `{}`", s.id), &s.when));
    let of_images = lab
        .images
        .iter()
        .map(|i| (format!("image `{}`", i.name), &i.when));
    for (whose, when) in of_steps.chain(of_images) {
        let of = |text: String| format!("{whose}: {text}");
        faults.extend(of_when(lab, when).into_iter().map(of));
    }
    if has_too_many(lab) {
        faults.push(format!(
            "the parameters have more than {MOST} combinations of values, each of which is checked"
        ));
    }
    let placed = faults
        .into_iter()
        .map(|text| Fault::new(format!("{LAB_FILE}: {text}")));
    placed.collect()
}

/// Tests whether there are more combinations than are checked. Counts them without making them:
/// those of twelve parameters with ten values do not fit into memory.
fn has_too_many(lab: &Lab) -> bool {
    let mut choices = lab.params.values().map(|param| param.choices.len().max(1));
    let counted = choices.try_fold(1, usize::checked_mul);
    counted.is_none_or(|counted| counted > MOST)
}

fn of_param(name: &str, param: &Param) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_label(name) {
        faults.push("a name is lower-case letters, digits and `-`".to_owned());
    }
    if param.choices.is_empty() {
        faults.push("`choices` is empty".to_owned());
        return faults;
    }
    let is_value = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    for (index, choice) in param.choices.iter().enumerate() {
        if choice.is_empty() || !choice.chars().all(is_value) {
            faults.push(format!(
                "`{choice}` has to be letters, digits, `-`, `.` and `_`"
            ));
        }
        if param.choices[..index].contains(choice) {
            faults.push(format!("`{choice}` stands in `choices` twice"));
        }
    }
    if !param.choices.contains(&param.default) {
        let near = nearest(&param.default, param.choices.iter());
        faults.push(format!(
            "its default `{}` is none of its `choices`{near}",
            param.default
        ));
    }
    faults
}

fn of_when(lab: &Lab, when: &When) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, OneOf(values)) in &when.0 {
        let Some(param) = lab.params.get(name) else {
            let near = nearest(name, lab.params.keys());
            faults.push(format!("`when` names no parameter with `{name}`{near}"));
            continue;
        };
        if values.is_empty() {
            faults.push(format!(
                "`when` has no value for `{name}`: it would never be there"
            ));
        }
        for value in values.iter().filter(|value| !param.choices.contains(value)) {
            let near = nearest(value, param.choices.iter());
            faults.push(format!("`when`: `{name}` is never `{value}`{near}"));
        }
    }
    faults
}

/// Runs `check` on `lab` with each combination of values and returns all errors. An error that
/// occurs only with some combinations names them.
pub(super) fn with_each(lab: &Lab, check: impl Fn(&Lab) -> Vec<Fault>) -> Vec<Fault> {
    if has_too_many(lab) {
        return Vec::new();
    }
    let combinations = lab.combinations();
    let mut found: Vec<(Fault, Vec<&Chosen>)> = Vec::new();
    for chosen in &combinations {
        for fault in check(&lab.with(chosen)) {
            match found.iter_mut().find(|(known, _)| *known == fault) {
                Some((_, with)) if with.last() == Some(&chosen) => {}
                Some((_, with)) => with.push(chosen),
                None => found.push((fault, vec![chosen])),
            }
        }
    }
    let named = found.into_iter().map(|(mut fault, with)| {
        if with.len() < combinations.len() {
            let more = match with.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            fault.text = format!("{} (with {}{more})", fault.text, shown(with[0]));
        }
        fault
    });
    named.collect()
}
