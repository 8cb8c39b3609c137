//! `labctl heal`

use jiff::Timestamp;

use crate::{
    cli::{
        args::OfEnvironment,
        error::CliError,
        labs, output,
        session::{self, Kept},
        settings::Settings,
        signals,
    },
    engine,
    state::Journal,
};

/// Takes back the faults that are open in an environment.
pub(crate) fn run(args: &OfEnvironment, settings: &Settings) -> Result<u8, CliError> {
    let environment = session::find(settings, args.lab.as_deref())?;
    // How a fault is taken back is in the journal: whatever became of the lab's files.
    let loaded = session::applied_lab(&environment)
        .unwrap_or_else(|_| labs::unknown(&environment.record.lab));
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    session::runtime()?.block_on(async {
        let stopper = signals::listen()?;
        let _lock = session::hold(settings, &name, "heal").await?;
        let (journal, replayed) = Journal::open(&environment.journal())?;
        let kept = Kept {
            journal: Some(journal),
            log: Some(environment.new_run(Timestamp::now())?),
        };
        let context = session::context(settings, environment, loaded, bundle, 1.0);
        let mut reporter = output::reporter(settings);
        let mut show = |event: &_| reporter.event(event);
        let asked = stopper.clone();
        // What is begun is done to its end: a signal ends it only where it would end anything.
        let work = |emitter, _| engine::heal::heal(&context, emitter);
        let result = session::run(replayed.state, kept, &mut show, stopper, work).await;
        let finished = reporter.finish().map_err(CliError::internal);
        let code = session::exit_code(result, &asked)?;
        finished.map(|()| code)
    })
}
