//! The journal of an environment as verbs use it, and their messages about one that is not whole.

use super::{error::CliError, exit, output, settings::Settings, verbs::env::no_cluster};
use crate::{
    event::RunState,
    plan,
    spec::Lab,
    state::{
        Environment, Journal, StateError,
        journal::{Opened, Replayed, Tail},
    },
};

/// Opens the journal of `environment`, which the caller holds, for writing, and replays it. An
/// environment that an older labctl made first gets the id that proves things to be its own.
/// Reports the fault of a journal that is not whole.
pub(crate) fn open(
    settings: &Settings,
    environment: &mut Environment,
) -> Result<(Journal, Replayed), CliError> {
    // Where a later labctl wrote, nothing is written, not even beside the journal.
    known(environment)?;
    environment.upgrade()?;
    let (journal, Opened { replayed, aside }) = Journal::open(&environment.journal())?;
    let rest = match (&replayed.tail, aside) {
        (_, Some(aside)) => Some(format!(
            "the rest is kept in {}, and what it said is looked at anew",
            aside.display()
        )),
        (Tail::Torn { .. }, None) => Some("what that said is looked at anew".to_owned()),
        _ => None,
    };
    if let Some(rest) = rest {
        output::note(settings, &told(environment, &replayed, &rest));
    }
    #[cfg(feature = "failpoints")]
    let journal = journal.dying_at(settings.failpoint.clone());
    Ok((journal, replayed))
}

/// Opens the journal of `environment` for writing, if the caller may write and the journal is
/// whole. Otherwise only replays it: writes nothing into it, and cuts nothing off.
pub(crate) fn open_if(
    settings: &Settings,
    environment: &mut Environment,
    may_write: bool,
) -> Result<(Option<Journal>, Replayed), CliError> {
    let replayed = known(environment)?;
    if !may_write || replayed.tail != Tail::None {
        return Ok((None, replayed));
    }
    let (journal, replayed) = open(settings, environment)?;
    Ok((Some(journal), replayed))
}

/// Replays the journal of `environment` for a verb that does not write to it.
pub(crate) fn read(environment: &Environment) -> Result<Replayed, CliError> {
    Ok(Journal::read(&environment.journal())?)
}

/// Replays the journal of `environment`. Refuses one with lines of a later labctl, which may say
/// anything.
pub(crate) fn known(environment: &Environment) -> Result<Replayed, CliError> {
    let replayed = read(environment)?;
    match &replayed.tail {
        Tail::Later { line, labctl } => Err(StateError::Later {
            path: environment.journal(),
            what: format!("its line {line}"),
            labctl: labctl.clone(),
        }
        .into()),
        _ => Ok(replayed),
    }
}

/// Returns a message about the fault of the journal of `environment`, for a verb that does not
/// write to it.
pub(crate) fn trouble(environment: &Environment, replayed: &Replayed) -> Option<String> {
    let rest = match &replayed.tail {
        Tail::None => return None,
        Tail::Later { labctl, .. } => {
            let version = labctl.as_deref().unwrap_or("a later one");
            format!("what that says is known to labctl {version} only, which is needed to go on")
        }
        Tail::Torn { .. } | Tail::Damaged { .. } => format!(
            "`labctl up {}` keeps what can be read and looks at the rest anew",
            environment.call()
        ),
    };
    Some(told(environment, replayed, &rest))
}

/// Returns all messages about the journal of `environment`, for a verb that does not write to it.
pub(crate) fn troubles(environment: &Environment, replayed: &Replayed, lab: &Lab) -> Vec<String> {
    let fallen_back = fallen_back(&replayed.state, lab);
    let trouble = trouble(environment, replayed);
    trouble.into_iter().chain(fallen_back).collect()
}

fn told(environment: &Environment, replayed: &Replayed, rest: &str) -> String {
    let name = environment.name();
    let until = match &replayed.state.cursor {
        Some(cursor) => format!("until there the environment was at step {cursor}"),
        None => "until there no step was seen to hold".to_owned(),
    };
    let tail = &replayed.tail;
    format!("the journal of \"{name}\" {tail}; {until}; {rest}")
}

/// Returns the error that the environment has no cluster or, if its journal is damaged, that this
/// is not known.
pub(crate) fn without_cluster(environment: &Environment, replayed: &Replayed) -> CliError {
    if replayed.tail == Tail::None && !replayed.state.damaged {
        return no_cluster(environment);
    }
    let name = environment.name();
    let error = anyhow::anyhow!(
        "whether the environment \"{name}\" has a cluster is not known: its journal {}",
        if replayed.tail == Tail::None {
            "was damaged".to_owned()
        } else {
            replayed.tail.to_string()
        }
    );
    let call = environment.call();
    CliError::new(exit::UNREACHABLE, error).hint(format!(
        "`labctl up {call}` asks the container engine and goes on with what is there; `labctl down \
         {call}` removes what is the environment's"
    ))
}

/// Returns a message if the cursor of `state` is at a step that `lab` no longer has.
pub(crate) fn fallen_back(state: &RunState, lab: &Lab) -> Option<String> {
    let lost = state
        .cursor
        .as_ref()
        .filter(|id| lab.position(id).is_none())?;
    let at = plan::cursor(lab, state);
    Some(match at {
        Some(at) => format!(
            "the lab no longer has the step {lost}, at which the environment was; it counts from the \
             last one that the lab still has: {}",
            lab.steps[at].id
        ),
        None => format!(
            "the lab no longer has the step {lost}, at which the environment was, nor any other that \
             was seen to hold"
        ),
    })
}
