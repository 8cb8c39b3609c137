//! `labctl up`

use jiff::Timestamp;

use crate::{
    cli::{
        args::{Bundled, Scale, Up, Wait},
        error::CliError,
        exit,
        hold::Hold,
        journal,
        labs::{self, Loaded},
        output, preflight, session,
        settings::Settings,
        signals, tools, trust, values,
        verbs::plan,
    },
    engine::{self, run::context::Context, steps::up::Goal},
    spec::EnvironmentName,
    state::{Bundle, Environment, Journal, Record, StateError},
    tool::Stopper,
};

/// Brings a lab up.
pub(crate) fn run(args: &Up, settings: &Settings) -> Result<u8, CliError> {
    let loaded = labs::load(&args.lab, settings)?;
    let (name, existing) = session::of_lab(settings, &loaded.lab.lab)?;
    if let Some(existing) = &existing {
        trust::same_origin(&args.lab, &loaded, existing)?;
    }
    let loaded = values::settle(loaded, &args.set, existing.as_ref())?;
    let last = session::last_step(&loaded, args.to.as_deref())?;
    let run = Bringing {
        verb: "up",
        goal: Goal::Step(last),
        name,
        existing,
        bundled: &args.bundled,
        scale: &args.scale,
        wait: args.waiting.wait,
        called: &args.lab,
        asks: !args.trust,
    };
    bring(run, loaded, settings)
}

/// The parameters of bringing a lab up.
pub(super) struct Bringing<'a> {
    pub(super) verb: &'static str,
    pub(super) goal: Goal,
    /// The environment's name.
    pub(super) name: EnvironmentName,
    /// The environment, if it exists.
    pub(super) existing: Option<Environment>,
    pub(super) bundled: &'a Bundled,
    pub(super) scale: &'a Scale,
    pub(super) wait: Option<Wait>,
    /// The lab, as the user called it.
    pub(super) called: &'a str,
    /// True if the lab needs the user's trust.
    pub(super) asks: bool,
}

/// Brings the environment of a lab up. Creates it first if it does not exist.
pub(super) fn bring(
    run: Bringing<'_>,
    loaded: Loaded,
    settings: &Settings,
) -> Result<u8, CliError> {
    let Bringing {
        verb,
        goal,
        name,
        existing,
        bundled,
        scale,
        wait,
        called,
        asks,
    } = run;
    if let Some(other) = existing.as_ref().filter(|e| e.record.lab != loaded.lab.lab) {
        let error = anyhow::anyhow!("the environment \"{name}\" is of lab {}", other.record.lab);
        return Err(CliError::usage(error).hint("choose another name with --env NAME"));
    }
    let bundle = session::bundle(settings, bundled, existing.as_ref())?;
    if asks {
        let would_run = plan::context(settings, &name, &loaded, bundle.clone());
        trust::ensure(called, &loaded, &would_run, existing.as_ref(), settings)?;
    }
    let mut toolbox = tools::find(settings, bundle.as_ref());
    let kept = existing.as_ref().map(Environment::tools);
    tools::add_of(
        &loaded.lab,
        &mut toolbox,
        settings,
        bundle.as_ref(),
        kept.as_deref(),
    );
    session::runtime()?.block_on(async {
        let stopper = signals::listen()?;
        let checked = preflight::check(&loaded.lab, &toolbox, bundle.as_ref(), &stopper).await;
        if let Some(signal) = stopper.now().signal() {
            return Ok(exit::signalled(signal));
        }
        checked?;
        let hold = Hold {
            settings,
            name: &name,
            verb,
            wait,
            exists: false,
        };
        hold.held(stopper, async |stopper| {
            let is_new = matches!(settings.store.get(&name), Err(StateError::Absent { .. }));
            let result = match make(settings, &name, called, &loaded, bundle.as_ref()) {
                Ok(environment) => {
                    let scale = scale.timeout_scale;
                    let mut context =
                        session::context(settings, environment, loaded, bundle, scale);
                    bring_up(settings, &mut context, goal, stopper).await
                }
                Err(error) => Err(error),
            };
            if is_new && result.as_ref().is_err_and(CliError::is_of_files) {
                forget(settings, &name);
            }
            result
        })
        .await
    })
}

/// Removes a new environment whose files cannot be written, if nothing was begun in it.
fn forget(settings: &Settings, name: &EnvironmentName) {
    let journal = settings.store.path(name).join("journal.jsonl");
    let state = Journal::read(&journal).map(|replayed| replayed.state);
    if state.is_ok_and(|state| state.intended_cluster.is_none()) {
        // The user hears why the environment could not be begun, not why it could not be removed.
        let _ = settings.store.remove(name);
    }
}

/// Returns the environment `name` with the lab's files in it. Creates it if it does not exist.
fn make(
    settings: &Settings,
    name: &EnvironmentName,
    called: &str,
    loaded: &Loaded,
    bundle: Option<&Bundle>,
) -> Result<Environment, CliError> {
    let bundle = bundle.map(|bundle| bundle.dir.clone());
    let environment = match settings.store.get(name) {
        Ok(mut environment) => {
            // Refuses an environment in which a later labctl works, before anything is written.
            journal::known(&environment)?;
            trust::same_origin(called, loaded, &environment)?;
            values::keeps(&environment, &loaded.chosen)?;
            let mut record = environment.record.clone();
            record.bundle = bundle;
            record.set.clone_from(&loaded.chosen);
            record.origin = record.origin.or(loaded.recorded_origin());
            if record != environment.record {
                environment.record = record;
                environment.save()?;
            }
            environment
        }
        Err(StateError::Absent { .. }) => {
            let mut record = Record::new(name, &loaded.lab.lab, bundle, Timestamp::now());
            record.set.clone_from(&loaded.chosen);
            record.origin = loaded.recorded_origin();
            settings.store.create(record)?
        }
        Err(error) => return Err(error.into()),
    };
    // An unfinished reset continues with the lab that it was begun with: another version may have
    // other commands for the data.
    let state = Journal::read(&environment.journal()).map(|replayed| replayed.state);
    if state.is_ok_and(|state| state.unfinished_reset().is_some()) {
        return Ok(environment);
    }
    for kept in environment.put_lab(&loaded.tree)? {
        output::note(settings, &kept.to_string());
    }
    Ok(environment)
}

async fn bring_up(
    settings: &Settings,
    context: &mut Context,
    goal: Goal,
    stopper: Stopper,
) -> Result<u8, CliError> {
    let (journal, replayed) = journal::open(settings, &mut context.environment)?;
    if let Some(text) = journal::fallen_back(&replayed.state, &context.lab) {
        output::note(settings, &text);
    }
    if replayed.state.cluster.is_none() {
        for shortage in preflight::inotify(context, settings) {
            output::note(settings, &shortage);
        }
    }
    let context = &*context;
    let work = |emitter, stopper| engine::steps::up::up(context, goal, emitter, stopper);
    session::conduct(settings, context, (journal, replayed), stopper, work).await
}
