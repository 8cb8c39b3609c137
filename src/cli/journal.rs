//! The journal of an environment as verbs use it, and what they say of one that is not whole.

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

/// The journal of `environment`, open for writing, and what it said, which the caller holds. An
/// environment that an older labctl made gets what proves things to be its own first. What is wrong
/// with the journal is said.
pub(crate) fn open(
    settings: &Settings,
    environment: &mut Environment,
) -> Result<(Journal, Replayed), CliError> {
    // Where a later labctl wrote, nothing is written, not even beside it.
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

/// The same where the caller may write, if the journal is whole: otherwise nothing is written into
/// it, and nothing of it is cut off.
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

/// What the journal of `environment` says, for what writes nothing into it.
pub(crate) fn read(environment: &Environment) -> Result<Replayed, CliError> {
    Ok(Journal::read(&environment.journal())?)
}

/// The same; refuses one with lines of a later labctl, which may say anything.
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

/// What is wrong with the journal of `environment`, which said `replayed` to somebody who writes
/// nothing into it.
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

/// All that is to be said of a journal that said `replayed` to somebody who writes nothing into it.
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

/// That the environment has no cluster, as far as is known: the journal said `replayed`.
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

/// Says of an environment that stands at `state`, whose lab is `lab`, that its cursor is at a step
/// that the lab no longer has.
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
