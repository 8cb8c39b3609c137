//! Validation of toxics, loads, and assertions about measurements.

use crate::spec::{Action, Assertion, Lab, Step, StepId, Undo, validate::nearest};

/// Validates `step` of `lab`.
pub(super) fn faults(lab: &Lab, step: &Step) -> Vec<String> {
    let mut faults = Vec::new();
    match &step.action {
        Action::Toxic(toxic) => {
            faults.extend(toxic.faults());
            if step.undo.is_some() {
                let text = "a toxic is always taken back, at `until` or at the end of its step: \
                            leave `undo` out";
                faults.push(text.to_owned());
            }
        }
        Action::Load(load) => {
            faults.extend(load.faults());
            if step.record.contains_key(step.id.as_str()) {
                let text = "what it measures is recorded under its id: no other fact can be";
                faults.push(text.to_owned());
            }
        }
        _ if matches!(step.undo, Some(Undo::RemoveToxic(_))) => {
            faults.push("`undo: remove-toxic` goes without saying, for a `toxic`".to_owned());
        }
        _ => {}
    }
    let is_once = step.expect.as_ref().is_some_and(|expect| expect.once);
    if matches!(step.action, Action::Load(_)) && step.expect.is_some() && !is_once {
        faults.push(
            "`load` is measured once and not again by `verify`: its `expect` says `once: true`"
                .to_owned(),
        );
    }
    for assertion in step.assertions() {
        faults.extend(of_assertion(lab, step, assertion));
    }
    let elsewhere = step.steady.iter().chain(step.throughout());
    for assertion in elsewhere.filter(|a| a.measured().is_some()) {
        faults.push(format!(
            "`{assertion}` is about a measurement that is over: it belongs into `expect`"
        ));
    }
    faults
}

fn of_assertion(lab: &Lab, step: &Step, assertion: &Assertion) -> Vec<String> {
    let Some(of) = assertion.measured() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if of.as_ref() == Some(&step.id) && !matches!(step.action, Action::Load(_)) {
        faults.push("it has no `load`: say of which step it is with `of`".to_owned());
    }
    faults.extend(match assertion {
        Assertion::SuccessRate(a) => a.range().faults("`success-rate`", Some(100.0)),
        Assertion::Latency(a) => a.faults(),
        Assertion::MeshRetries(a) => a.faults(),
        _ => Vec::new(),
    });
    let above = match assertion {
        Assertion::Latency(a) => a.above.as_ref(),
        _ => None,
    };
    for name in of.iter().chain(above).filter(|name| **name != step.id) {
        faults.extend(is_measured(lab, step, name));
    }
    if above.is_some() && above == of.as_ref() {
        faults.push("`latency` is `above` its own step".to_owned());
    }
    faults
}

/// Returns an error unless `name` is a `load` at `step` or before it.
fn is_measured(lab: &Lab, step: &Step, name: &StepId) -> Option<String> {
    let is_load = |step: &&Step| matches!(step.action, Action::Load(_));
    let until = lab.position(&step.id)?;
    let mut loads = lab.steps[..=until].iter().filter(is_load);
    if loads.clone().any(|load| load.id == *name) {
        return None;
    }
    let near = nearest(name, loads.by_ref().map(|load| &load.id));
    Some(format!("no `load` up to here is called `{name}`{near}"))
}

#[cfg(test)]
mod tests {
    use crate::spec::{
        LabTree,
        tree::LAB_FILE,
        validate::{Known, load},
    };

    const LOAD: &str =
        "{load: {from: deployment/client, url: 'http://api:8080/', requests: 20, rate: 10}}";

    fn faults(steps: &[&str]) -> String {
        let steps = steps.join("\n- ").replace("LOAD", LOAD);
        let text = format!("lab: t\ntitle: T\nlevel: beginner\ntime: 10m\nsteps:\n- {steps}\n");
        let tree = LabTree {
            origin: "a test".into(),
            files: [(LAB_FILE.to_owned(), text.into_bytes())].into(),
        };
        match load(&tree, &Known::default()) {
            Ok(_) => String::new(),
            Err(faults) => {
                let texts: Vec<String> = faults.into_iter().map(|fault| fault.text).collect();
                texts.join("\n")
            }
        }
    }

    #[test]
    fn the_demonstration_can_be_written() {
        let sound = faults(&[
            "{id: base, title: B, do: LOAD, expect: {within: 5s, once: true, all: [\
             {success-rate: {exactly: 100}}, {mesh-retries: {per-request: {exactly: 0}}}]}}",
            "{id: cut, title: C, do: {toxic: {service: toxiproxy, proxy: database, name: cut, \
             type: reset_peer, stream: upstream, toxicity: 0.5}}, until: half}",
            "{id: half, title: H, do: LOAD, expect: {within: 5s, once: true, all: [\
             {success-rate: {at-least: 36, at-most: 64}}, \
             {latency: {quantile: p50, at-most: 50ms, above: base}}, \
             {mesh-retries: {of: base, given-up: {at-most: 0.2}, effective: {at-least: 90}, \
             actual: {at-most: 60}}}]}}",
        ]);
        assert_eq!(sound, "");
    }

    #[test]
    fn what_could_be_forgotten_or_mistaken_is_named() {
        insta::assert_snapshot!(faults(&[
            "{id: cut, title: C, do: {toxic: {service: toxiproxy, proxy: database, name: cut, \
             type: reset_peer}}, undo: none, steady: [{success-rate: {of: x, exactly: 1}}]}",
            "{id: a, title: A, do: LOAD, record: {a: {pod: p}}, expect: {within: 5s, all: [\
             {success-rate: {}}, {latency: {quantile: p50, at-least: 2s, at-most: 1s, above: bse}}]}}",
            "{id: b, title: B, do: observe, undo: {remove-toxic: {service: s, port: 1, proxy: p}}, \
             expect: {within: 5s, all: [{mesh-retries: {}}, \
             {success-rate: {of: aa, at-least: 120}}]}}",
            "{id: c, title: C, do: {load: {from: deployment/client, url: 'https://api', \
             requests: 0, rate: 2000, workers: 0}}}",
        ]), @r"
        lab.yaml: step `cut`: a toxic is always taken back, at `until` or at the end of its step: leave `undo` out
        lab.yaml: step `cut`: `success-rate of x` is about a measurement that is over: it belongs into `expect`
        lab.yaml: step `a`: what it measures is recorded under its id: no other fact can be
        lab.yaml: step `a`: `load` is measured once and not again by `verify`: its `expect` says `once: true`
        lab.yaml: step `a`: `success-rate` needs `exactly`, `at-least` or `at-most`
        lab.yaml: step `a`: `latency` has to be more than it may
        lab.yaml: step `a`: no `load` up to here is called `bse`
        lab.yaml: step `b`: `undo: remove-toxic` goes without saying, for a `toxic`
        lab.yaml: step `b`: it has no `load`: say of which step it is with `of`
        lab.yaml: step `b`: `mesh-retries` says nothing that could fail
        lab.yaml: step `b`: `success-rate` is from 0 to 100
        lab.yaml: step `b`: no `load` up to here is called `aa`
        lab.yaml: step `c`: `load`: `url: https://api` has to be `http://SERVICE:PORT/PATH`
        lab.yaml: step `c`: `load`: `requests` is from 1 to 100000
        lab.yaml: step `c`: `load`: `rate` is from 1 to 1000 a second
        lab.yaml: step `c`: `load`: `workers` is from 1 to 256
        ");
    }
}
