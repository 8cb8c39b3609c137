//! `labctl stop` and `labctl start`

use crate::{
    cli::{
        args::{Changing, Start, Waiting},
        error::CliError,
        hold::Hold,
        journal, preflight, session,
        settings::Settings,
    },
    engine,
    event::Verb,
};

/// Stops the node containers of an environment.
pub(crate) fn stop(args: &Changing, settings: &Settings) -> Result<u8, CliError> {
    run(Verb::Stop, args.lab.as_deref(), 1.0, args.waiting, settings)
}

/// Starts the cluster of an environment again.
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
    let mut environment = session::found(settings, lab)?;
    // The containers exist without the lab's files, whatever happened to them.
    let loaded = session::applied_lab_or_unknown(&environment);
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    let hold = Hold {
        settings,
        name: &name,
        verb: &verb.to_string(),
        wait,
        exists: true,
    };
    hold.alone(async |stopper| {
        let (journal, replayed) = journal::open(settings, &mut environment)?;
        if replayed.state.cluster.is_none() {
            return Err(journal::without_cluster(&environment, &replayed));
        }
        let context = session::context(settings, environment, loaded, bundle, scale);
        preflight::engine_answers(&context.toolbox, &stopper).await?;
        let work = |emitter, stopper| async {
            match verb {
                Verb::Stop => engine::cluster::stop::stop(&context, emitter, stopper).await,
                _ => engine::cluster::start::start(&context, emitter, stopper).await,
            }
        };
        session::conduct(settings, &context, (journal, replayed), stopper, work).await
    })
}
