//! The values of a lab's parameters: the ones on the command line, those that the environment was
//! made with, or the defaults.

use super::{args::Set, error::CliError, exit, labs::Loaded};
use crate::{
    spec::{Chosen, Lab, params::shown},
    state::Environment,
};

/// Resolves the parameters of `loaded` for bringing it up in `existing`, or in a new environment.
/// An environment keeps the values that it was made with.
pub(crate) fn settle(
    loaded: Loaded,
    set: &Set,
    existing: Option<&Environment>,
) -> Result<Loaded, CliError> {
    let asked = asked(&loaded.written, set)?;
    let existing = existing.filter(|e| e.record.lab == loaded.written.lab);
    let recorded = existing.map(|environment| of(environment, &loaded.written));
    if let Some(environment) = existing {
        keeps(environment, &asked)?;
        let recorded = recorded.clone().unwrap_or_default();
        if !loaded.written.refuses(&recorded).is_empty() {
            let what = format!(
                "the environment \"{}\" was made with {}, and lab {} has other parameters by now",
                environment.name(),
                shown(&recorded),
                loaded.written.lab
            );
            return Err(CliError::usage(anyhow::Error::msg(what)).hint(remedy(environment)));
        }
    }
    Ok(loaded.with(recorded.into_iter().flatten().chain(asked)))
}

/// Resolves the parameters of `loaded` for showing it: the values asked for, or those of
/// `existing`.
pub(crate) fn shown_with(
    loaded: Loaded,
    set: &Set,
    existing: Option<&Environment>,
) -> Result<Loaded, CliError> {
    let asked = asked(&loaded.written, set)?;
    let existing = existing.filter(|e| e.record.lab == loaded.written.lab);
    let mut recorded = existing.map_or_else(Chosen::new, |e| of(e, &loaded.written));
    recorded.retain(|name, value| loaded.written.params[name].choices.contains(value));
    Ok(loaded.with(recorded.into_iter().chain(asked)))
}

/// Gives `loaded`, which was read from `environment`, the values that the environment was made
/// with.
pub(crate) fn recorded(loaded: Loaded, environment: &Environment) -> Result<Loaded, CliError> {
    let recorded = of(environment, &loaded.written);
    let refused = loaded.written.refuses(&recorded);
    if refused.is_empty() {
        return Ok(loaded.with(recorded));
    }
    let why = anyhow::Error::msg(refused.join("\n"));
    let what = format!("the environment \"{}\" cannot be used", environment.name());
    Err(CliError::new(exit::INVALID_LAB, why.context(what)).hint(remedy(environment)))
}

/// Refuses values other than those that `environment` was made with.
pub(crate) fn keeps(environment: &Environment, chosen: &Chosen) -> Result<(), CliError> {
    let recorded = &environment.record.set;
    let differs = |(name, value): &(&String, &String)| {
        recorded
            .get(*name)
            .is_some_and(|recorded| recorded != *value)
    };
    if !chosen.iter().any(|pair| differs(&pair)) {
        return Ok(());
    }
    let error = anyhow::anyhow!(
        "the environment \"{}\" was made with {}",
        environment.name(),
        shown(recorded)
    );
    Err(CliError::usage(error).hint(remedy(environment)))
}

fn remedy(environment: &Environment) -> String {
    let call = environment.call();
    format!(
        "`labctl down {call}` removes it, and `labctl up {call}` then makes it with other values; \
         `--env NAME` makes another one beside it"
    )
}

/// Returns the values that `environment` was made with, for those parameters that `lab` has.
fn of(environment: &Environment, lab: &Lab) -> Chosen {
    let mut recorded = environment.record.set.clone();
    recorded.retain(|name, _| lab.params.contains_key(name));
    recorded
}

/// Returns the values asked for. Fails if `lab` does not have all of them.
fn asked(lab: &Lab, set: &Set) -> Result<Chosen, CliError> {
    let mut asked = Chosen::new();
    let mut faults = Vec::new();
    for (name, value) in &set.set {
        let earlier = asked.insert(name.clone(), value.clone());
        if earlier.is_some_and(|earlier| earlier != *value) {
            faults.push(format!("`{name}` is set twice"));
        }
    }
    faults.extend(lab.refuses(&asked));
    if faults.is_empty() {
        return Ok(asked);
    }
    let of = |(name, param): (&String, &crate::spec::Param)| {
        format!("{name}={}", param.choices.join("|"))
    };
    let all: Vec<String> = lab.params.iter().map(of).collect();
    let hint = if all.is_empty() {
        format!("lab {} has no parameters", lab.lab)
    } else {
        format!("what can be set: {}", all.join(", "))
    };
    let error = anyhow::Error::msg(faults.join("\n"));
    let what = format!("lab {} cannot be had with these values", lab.lab);
    Err(CliError::usage(error.context(what)).hint(hint))
}
