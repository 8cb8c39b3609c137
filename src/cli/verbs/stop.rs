//! `labctl stop` and `labctl start`

use crate::{
    cli::{
        args::{Changing, Start, Waiting},
        error::CliError,
        exit,
        hold::Hold,
        labs, output, preflight, session,
        settings::Settings,
        signals,
        verbs::env::no_cluster,
    },
    engine,
    event::Verb,
};

/// Stops the node containers of an environment.
pub(crate) fn stop(args: &Changing, settings: &Settings) -> Result<u8, CliError> {
    run(Verb::Stop, args.lab.as_deref(), 1.0, args.waiting, settings)
}

/// Brings the cluster of an environment back.
pub(crate) fn start(args: &Start, settings: &Settings) -> Result<u8, CliError> {
    let scale = args.scale.timeout_scale;
    run(
        Verb::Start,
        args.lab.as_deref(),
        scale,
        args.waiting,
        settings,
    )
}

fn run(
    verb: Verb,
    lab: Option<&str>,
    scale: f64,
    Waiting { wait }: Waiting,
    settings: &Settings,
) -> Result<u8, CliError> {
    let environment = session::find(settings, lab)?;
    // Whatever became of the lab's files: the containers are there without them.
    let loaded = session::applied_lab(&environment);
    let loaded = loaded.unwrap_or_else(|_| labs::unknown(&environment.record.lab));
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    session::runtime()?.block_on(async {
        let stopper = signals::listen()?;
        let hold = Hold {
            settings,
            name: &name,
            verb: &verb.to_string(),
            wait,
            exists: true,
        };
        let mut say = |text: &str| output::note(settings, text);
        let Some(_lock) = hold.take(&stopper, &mut say).await? else {
            return Ok(exit::signalled(stopper.now().signal().unwrap_or_default()));
        };
        let (journal, replayed) = session::journal(settings, &environment)?;
        if replayed.state.cluster.is_none() {
            return Err(no_cluster(&environment));
        }
        let context = session::context(settings, environment, loaded, bundle, scale);
        preflight::engine_answers(&context.toolbox, &stopper).await?;
        let work = |emitter, stopper| async {
            match verb {
                Verb::Stop => engine::stop::stop(&context, emitter, stopper).await,
                _ => engine::start::start(&context, emitter, stopper).await,
            }
        };
        session::conduct(settings, &context, (journal, replayed), stopper, work).await
    })
}
