//! `labctl heal`

use crate::{
    cli::{args::Changing, error::CliError, hold::Hold, journal, session, settings::Settings},
    engine,
};

/// Heals the open faults of an environment.
pub(crate) fn run(args: &Changing, settings: &Settings) -> Result<u8, CliError> {
    let mut environment = session::found(settings, args.lab.as_deref())?;
    // The journal records how to heal a fault, so the lab's files are not needed.
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
        // Healing is completed once it has begun: only the signal that ends labctl itself ends it.
        let work = |emitter, _| engine::steps::heal::heal(&context, emitter);
        session::conduct(settings, &context, journal, stopper, work).await
    })
}
