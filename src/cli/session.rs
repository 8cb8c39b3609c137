//! The common parts of verbs about an environment: finding it, loading its lab, and the run itself.

use std::{future::Future, io};

use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::{
    args::Bundled,
    demo,
    error::CliError,
    exit,
    labs::{self, Loaded},
    output,
    settings::Settings,
    tools, trust, values,
};
use crate::{
    engine::{
        self,
        run::{
            context::Context,
            dispatcher::{Emitter, Outputs},
            error::EngineError,
            secrets::Secrets,
        },
    },
    event::{Event, RunOutcome, RunState},
    spec::EnvironmentName,
    state::{
        Bundle, Environment, Journal, Listing, StateError, environment::RunLog, journal::Replayed,
    },
    tool::{Stopper, Toolbox},
};

/// Creates the runtime of a run. One thread is enough, as labctl only waits.
pub(crate) fn runtime() -> Result<Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(CliError::internal)
}

/// Returns the name of the environment that a verb about the lab `id` means, and the environment,
/// if it exists.
pub(crate) fn of_lab(
    settings: &Settings,
    id: &str,
) -> Result<(EnvironmentName, Option<Environment>), CliError> {
    let name = match &settings.environment {
        Some(name) => name.clone(),
        None => EnvironmentName::of_lab(id),
    };
    match settings.store.get(&name) {
        Ok(environment) => Ok((name, Some(environment))),
        Err(StateError::Absent { .. }) => Ok((name, None)),
        Err(error) => Err(error.into()),
    }
}

/// Finds the environment that the user means: the named one, the lab's, or the only one.
pub(crate) fn find(settings: &Settings, lab: Option<&str>) -> Result<Environment, CliError> {
    if let Some(name) = &settings.environment {
        return Ok(settings.store.get(name)?);
    }
    let Listing {
        environments: all,
        unusable,
    } = settings.store.list()?;
    let Some(lab) = lab else {
        if let ([], Some(one)) = (&*all, unusable.into_iter().next()) {
            return Err(one.why.into());
        }
        return only(
            all,
            "there is no environment",
            "there are several environments",
        );
    };
    // An environment that cannot be used has only its own name: its lab is not known.
    let is_meant = |name: &str| name == lab || *EnvironmentName::of_lab(lab) == *name;
    if let Some(meant) = unusable.into_iter().find(|u| is_meant(&u.name)) {
        return Err(meant.why.into());
    }
    // An environment may be given by its own name instead of its lab's.
    if let Some(named) = all.iter().find(|e| e.name() == lab) {
        return Ok(named.clone());
    }
    // The environment's lab may be a directory that is somewhere else, or gone.
    let (id, loaded) = if all.iter().any(|e| e.record.lab == lab) {
        (lab.to_owned(), None)
    } else {
        let loaded = labs::load(lab, settings)?;
        (loaded.written.lab.clone(), Some(loaded))
    };
    let default = EnvironmentName::of_lab(&id);
    let found = if let Some(environment) = all.iter().find(|e| *e.name() == default) {
        environment.clone()
    } else {
        let of_lab = all.into_iter().filter(|e| e.record.lab == id).collect();
        let none = format!("there is no environment of lab {id}");
        let several = format!("there are several environments of lab {id}");
        only(of_lab, &none, &several)?
    };
    if let Some(loaded) = loaded {
        trust::same_origin(lab, &loaded, &found)?;
    }
    Ok(found)
}

/// Finds the environment that the user means, and reports an interrupted reset, for verbs that say
/// nothing else about one.
pub(crate) fn found(settings: &Settings, lab: Option<&str>) -> Result<Environment, CliError> {
    let environment = find(settings, lab)?;
    // The verb itself judges a journal that cannot be read.
    let state = Journal::read(&environment.journal()).map(|replayed| replayed.state);
    if let Some(text) = state
        .ok()
        .and_then(|state| unfinished(&environment, &state))
    {
        output::tell(&format!("{text}\n"));
    }
    Ok(environment)
}

/// Returns the message that a reset was interrupted, with the command that continues it.
pub(crate) fn unfinished(environment: &Environment, state: &RunState) -> Option<String> {
    let (name, call) = (environment.name(), environment.call());
    if let Some(step) = state.unfinished_reset() {
        return Some(format!(
            "the reset of \"{name}\" to step {step} was interrupted; `labctl reset {call}` goes on \
             with it"
        ));
    }
    let is_removed = state.deleting && !state.is_recreating();
    is_removed.then(|| {
        format!(
            "the removal of \"{name}\" was interrupted; `labctl down {call}` goes on with it; \
             `labctl up {call}` goes on with the lab instead"
        )
    })
}

fn only(mut all: Vec<Environment>, none: &str, several: &str) -> Result<Environment, CliError> {
    if all.len() > 1 {
        let names: Vec<&str> = all.iter().map(|e| e.name().as_str()).collect();
        let error = anyhow::anyhow!("{several}: {}", names.join(", "));
        return Err(CliError::usage(error).hint("choose one with --env NAME"));
    }
    all.pop().ok_or_else(|| {
        CliError::usage(anyhow::Error::msg(none.to_owned())).hint("`labctl up LAB` makes one")
    })
}

/// Opens the bundle that the user named, or the one that the environment is made from.
pub(crate) fn bundle(
    settings: &Settings,
    named: &Bundled,
    existing: Option<&Environment>,
) -> Result<Option<Bundle>, CliError> {
    let recorded = existing.and_then(|e| e.record.bundle.as_ref());
    let Some(dir) = named.bundle.as_ref().or(recorded) else {
        return Ok(None);
    };
    let opened = Bundle::open(&settings.cwd.join(dir));
    opened
        .map(Some)
        .map_err(|error| CliError::new(exit::TOOL, error))
}

/// Opens the bundle that the environment is made from, if it can still be used.
pub(crate) fn bundle_of(environment: &Environment) -> Option<Bundle> {
    let dir = environment.record.bundle.as_ref()?;
    Bundle::open(dir).ok()
}

/// Reads the lab that the environment was made from, as it was applied.
pub(crate) fn applied_lab(environment: &Environment) -> Result<Loaded, CliError> {
    values::recorded(labs::check(environment.lab()?)?, environment)
}

/// Reads the applied lab of the environment. If its files cannot be used, returns a placeholder
/// with its id.
pub(crate) fn applied_lab_or_unknown(environment: &Environment) -> Loaded {
    applied_lab(environment).unwrap_or_else(|_| labs::unknown(&environment.record.lab))
}

/// Returns the context of a run in `environment`.
pub(crate) fn context(
    settings: &Settings,
    environment: Environment,
    loaded: Loaded,
    bundle: Option<Bundle>,
    timeout_scale: f64,
) -> Context {
    let mut toolbox = tools::find(settings, bundle.as_ref());
    let (lab, kept) = (&loaded.lab, environment.tools());
    tools::add_of(lab, &mut toolbox, settings, bundle.as_ref(), Some(&kept));
    toolbox.kubectl_cache = Some(environment.kubectl_cache());
    toolbox.helm_home = Some(environment.helm_home());
    Context {
        toolbox,
        timeout_scale,
        ..without_tools(settings, environment, loaded, bundle)
    }
}

/// Returns the context for showing what a run would do. No program is searched for, or copied.
pub(crate) fn without_tools(
    settings: &Settings,
    environment: Environment,
    loaded: Loaded,
    bundle: Option<Bundle>,
) -> Context {
    let Loaded { lab, tree, .. } = loaded;
    Context {
        toolbox: Toolbox::default(),
        environment,
        lab,
        tree,
        kind_templates: labs::kind_templates(),
        image_sources: demo::image_sources(),
        bundle,
        timeout_scale: 1.0,
        login_programs: settings.login_programs,
    }
}

/// Returns the position of the step `to`, or of the last step.
pub(crate) fn last_step(loaded: &Loaded, to: Option<&str>) -> Result<usize, CliError> {
    let steps = &loaded.lab.steps;
    let Some(to) = to else {
        return Ok(steps.len() - 1);
    };
    loaded.lab.position(to).ok_or_else(|| {
        let near = crate::spec::validate::nearest(to, steps.iter().map(|s| &s.id));
        if let Some(step) = loaded.written.steps.iter().find(|step| step.id == to) {
            let error = anyhow::anyhow!("step `{to}` is there only with {}", step.when);
            let now = crate::spec::params::shown(&loaded.chosen);
            return CliError::usage(error).hint(format!("here it is {now}"));
        }
        let ids: Vec<&str> = steps.iter().map(|s| s.id.as_str()).collect();
        let error = anyhow::anyhow!("lab {} has no step `{to}`{near}", loaded.lab.lab);
        CliError::usage(error).hint(format!("its steps are {}", ids.join(", ")))
    })
}

/// The destinations of a run's events besides the reporter, and the secrets that none of them gets.
pub(crate) struct Kept {
    /// The journal, if the run may change the environment.
    pub(crate) journal: Option<Journal>,
    /// The file of all events of the run.
    pub(crate) log: Option<RunLog>,
    /// The values that are redacted in both files and in the shown events.
    pub(crate) secrets: Secrets,
}

/// Runs `work`, and passes its events to `show`.
pub(crate) async fn run<T, F>(
    state: RunState,
    kept: Kept,
    show: &mut dyn FnMut(&Event) -> io::Result<()>,
    stopper: Stopper,
    work: impl FnOnce(Emitter, Stopper) -> F,
) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let outputs = Outputs {
        journal: kept.journal,
        begun: None,
        log: kept.log,
        sink: Some(show),
        secrets: kept.secrets,
    };
    engine::run::dispatcher::run(state, outputs, stopper, work).await
}

/// Runs `work`, which changes the environment of `context`, and shows it. Returns the exit code.
pub(crate) async fn conduct<F>(
    settings: &Settings,
    context: &Context,
    (journal, replayed): (Journal, Replayed),
    stopper: Stopper,
    work: impl FnOnce(Emitter, Stopper) -> F,
) -> Result<u8, CliError>
where
    F: Future<Output = Result<RunOutcome, EngineError>>,
{
    let kept = Kept {
        journal: Some(journal),
        log: Some(context.environment.new_run(Timestamp::now())?),
        secrets: context.secrets(),
    };
    let mut reporter = output::reporter(settings);
    let mut show = |event: &_| reporter.event(event);
    let asked = stopper.clone();
    // On the heap: the future is large, and would be part of every future that waits for it.
    let result = Box::pin(run(replayed.state, kept, &mut show, stopper, work)).await;
    let finished = reporter.finish().map_err(CliError::internal);
    let code = exit_code(result, &asked)?;
    finished.map(|()| code)
}

/// Maps the result of a run to an exit code. A signal that `asked` for its end is no error.
pub(crate) fn exit_code(
    result: Result<RunOutcome, EngineError>,
    asked: &Stopper,
) -> Result<u8, CliError> {
    match (result, asked.now().signal()) {
        (Ok(outcome), _) => Ok(exit::of(outcome)),
        (Err(EngineError::Stopped), Some(signal)) => Ok(exit::signalled(signal)),
        (Err(error), _) => Err(error.into()),
    }
}
