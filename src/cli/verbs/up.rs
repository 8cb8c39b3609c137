//! `labctl up`

use jiff::Timestamp;

use crate::{
    cli::{
        args::Up,
        error::CliError,
        exit,
        labs::{self, Loaded},
        output, preflight,
        session::{self, Kept},
        settings::Settings,
        signals, tools, trust,
        verbs::plan,
    },
    engine,
    state::{Bundle, Environment, Journal, Record, StateError},
    tool::Stopper,
};

/// Brings a lab up.
pub(crate) fn run(args: &Up, settings: &Settings) -> Result<u8, CliError> {
    let loaded = labs::load(&args.lab, settings)?;
    let last = session::last_step(&loaded, args.to.as_deref())?;
    let (name, existing) = session::of_lab(settings, &loaded.lab.lab)?;
    if let Some(other) = existing.as_ref().filter(|e| e.record.lab != loaded.lab.lab) {
        let error = anyhow::anyhow!("the environment \"{name}\" is of lab {}", other.record.lab);
        return Err(CliError::usage(error).hint("choose another name with --env NAME"));
    }
    let bundle = session::bundle(settings, &args.bundled, existing.as_ref())?;
    if !args.trust {
        let would_run = plan::context(settings, &name, &loaded, bundle.clone());
        trust::ensure(&args.lab, &loaded, &would_run, existing.as_ref(), settings)?;
    }
    let toolbox = tools::find(settings, bundle.as_ref());
    session::runtime()?.block_on(async {
        let stopper = signals::listen()?;
        let checked = preflight::check(&loaded.lab, &toolbox, bundle.as_ref(), &stopper).await;
        if let Some(signal) = stopper.now().signal() {
            return Ok(exit::signalled(signal));
        }
        checked?;
        let _lock = session::hold(settings, &name, "up").await?;
        let is_new = matches!(settings.store.get(&name), Err(StateError::Absent { .. }));
        let result = match make(settings, &name, &loaded, bundle.as_ref()) {
            Ok(environment) => {
                bring_up(args, settings, environment, loaded, bundle, last, stopper).await
            }
            Err(error) => Err(error),
        };
        if is_new && result.as_ref().is_err_and(CliError::is_of_files) {
            forget(settings, &name);
        }
        result
    })
}

/// Removes a new environment whose files cannot be written, if nothing was begun in it.
fn forget(settings: &Settings, name: &str) {
    let journal = settings.store.path(name).join("journal.jsonl");
    let state = Journal::read(&journal).map(|replayed| replayed.state);
    if state.is_ok_and(|state| state.intended_cluster.is_none()) {
        // Why it could not be begun is what the user is told.
        let _ = settings.store.remove(name);
    }
}

/// The environment `name`, made if it is not there, with the lab's files in it.
fn make(
    settings: &Settings,
    name: &str,
    loaded: &Loaded,
    bundle: Option<&Bundle>,
) -> Result<Environment, CliError> {
    let bundle = bundle.map(|bundle| bundle.dir.clone());
    let environment = match settings.store.get(name) {
        Ok(mut environment) => {
            if environment.record.bundle != bundle {
                environment.record.bundle = bundle;
                environment.save()?;
            }
            environment
        }
        Err(StateError::Absent { .. }) => {
            let record = Record::new(name, &loaded.lab.lab, bundle, Timestamp::now());
            settings.store.create(record)?
        }
        Err(error) => return Err(error.into()),
    };
    environment.put_lab(&loaded.tree)?;
    Ok(environment)
}

async fn bring_up(
    args: &Up,
    settings: &Settings,
    environment: Environment,
    loaded: Loaded,
    bundle: Option<Bundle>,
    last: usize,
    stopper: Stopper,
) -> Result<u8, CliError> {
    let (journal, replayed) = Journal::open(&environment.journal())?;
    if replayed.damaged > 0 {
        output::tell(&format!(
            "the journal's last {} bytes were damaged; what they said is looked at anew\n",
            replayed.damaged
        ));
    }
    let log = environment.new_run(Timestamp::now())?;
    let scale = args.scale.timeout_scale;
    let context = session::context(settings, environment, loaded, bundle, scale);
    let kept = Kept {
        journal: Some(journal),
        log: Some(log),
        secrets: context.secrets(),
    };
    let mut reporter = output::reporter(settings);
    let mut show = |event: &_| reporter.event(event);
    let asked = stopper.clone();
    let work = |emitter, stopper| engine::up::up(&context, last, emitter, stopper);
    let result = session::run(replayed.state, kept, &mut show, stopper, work).await;
    let finished = reporter.finish().map_err(CliError::internal);
    let code = session::exit_code(result, &asked)?;
    finished.map(|()| code)
}
