//! `labctl heal`

use crate::{
    cli::{
        args::Changing, error::CliError, exit, hold::Hold, labs, output, session,
        settings::Settings, signals,
    },
    engine,
};

/// Takes back the faults that are open in an environment.
pub(crate) fn run(args: &Changing, settings: &Settings) -> Result<u8, CliError> {
    let environment = session::find(settings, args.lab.as_deref())?;
    // How a fault is taken back is in the journal: whatever became of the lab's files.
    let loaded = session::applied_lab(&environment)
        .unwrap_or_else(|_| labs::unknown(&environment.record.lab));
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    session::runtime()?.block_on(async {
        let stopper = signals::listen()?;
        let hold = Hold {
            settings,
            name: &name,
            verb: "heal",
            wait: args.waiting.wait,
            exists: true,
        };
        let mut say = |text: &str| output::note(settings, text);
        let Some(_lock) = hold.take(&stopper, &mut say).await? else {
            return Ok(exit::signalled(stopper.now().signal().unwrap_or_default()));
        };
        let journal = session::journal(settings, &environment)?;
        let context = session::context(settings, environment, loaded, bundle, 1.0);
        // What is begun is done to its end: a signal ends it only where it would end anything.
        let work = |emitter, _| engine::heal::heal(&context, emitter);
        session::conduct(settings, &context, journal, stopper, work).await
    })
}
