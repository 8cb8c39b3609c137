//! `labctl down`

use crate::{
    cli::{
        args::Changing,
        error::CliError,
        hold::Hold,
        journal, output,
        session::{self, Kept},
        settings::Settings,
    },
    engine,
    state::journal::Replayed,
};

/// Removes an environment.
pub(crate) fn run(args: &Changing, settings: &Settings) -> Result<u8, CliError> {
    let mut environment = session::found(settings, args.lab.as_deref())?;
    // The environment can be removed without the lab's files, whatever happened to them.
    let loaded = session::applied_lab_or_unknown(&environment);
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    let hold = Hold {
        settings,
        name: &name,
        verb: "down",
        wait: args.waiting.wait,
        exists: true,
    };
    hold.alone(async |stopper| {
        // Without a journal, the engine still knows what belongs to the environment.
        let (journal, replayed) = match journal::open(settings, &mut environment) {
            Ok((journal, replayed)) => (Some(journal), replayed),
            Err(error) if journal::read(&environment).is_err() => {
                let why = error.failure();
                let why = [vec![why.summary], why.causes].concat().join(": ");
                let text = format!("{why}; the container engine is asked for what is its own");
                output::note(settings, &text);
                (None, Replayed::default())
            }
            Err(error) => return Err(error),
        };
        let context = session::context(settings, environment, loaded, bundle, 1.0);
        let kept = Kept {
            journal,
            log: None,
            secrets: context.secrets(),
        };
        let mut reporter = output::reporter(settings);
        let mut show = |event: &_| reporter.event(event);
        let asked = stopper.clone();
        let work = |emitter, stopper| engine::cluster::down::down(&context, emitter, stopper);
        let result = session::run(replayed.state, kept, &mut show, stopper, work).await;
        let finished = reporter.finish().map_err(CliError::internal);
        if result.is_ok() {
            settings.store.remove(&name)?;
        }
        let code = session::exit_code(result, &asked)?;
        finished.map(|()| code)
    })
}
