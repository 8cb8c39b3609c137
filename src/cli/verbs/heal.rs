//! `labctl heal`

use crate::{
    cli::{args::Changing, error::CliError, hold::Hold, journal, session, settings::Settings},
    engine,
};

/// Takes back the faults that are open in an environment.
pub(crate) fn run(args: &Changing, settings: &Settings) -> Result<u8, CliError> {
    let mut environment = session::found(settings, args.lab.as_deref())?;
    // How a fault is taken back is in the journal: whatever became of the lab's files.
    let loaded = session::applied_lab_or_unknown(&environment);
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    let hold = Hold {
        settings,
        name: &name,
        verb: "heal",
        wait: args.waiting.wait,
        exists: true,
    };
    hold.alone(async |stopper| {
        let journal = journal::open(settings, &mut environment)?;
        let context = session::context(settings, environment, loaded, bundle, 1.0);
        // What is begun is done to its end: a signal ends it only where it would end anything.
        let work = |emitter, _| engine::steps::heal::heal(&context, emitter);
        session::conduct(settings, &context, journal, stopper, work).await
    })
}
