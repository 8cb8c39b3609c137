//! `labctl stop` and `labctl start`

use jiff::Timestamp;

use crate::{
    cli::{
        args::{OfEnvironment, Start},
        error::CliError,
        labs, output, preflight,
        session::{self, Kept},
        settings::Settings,
        signals,
        verbs::env::no_cluster,
    },
    engine,
    event::Verb,
    state::Journal,
};

/// Stops the node containers of an environment.
pub(crate) fn stop(args: &OfEnvironment, settings: &Settings) -> Result<u8, CliError> {
    run(Verb::Stop, args.lab.as_deref(), 1.0, settings)
}

/// Brings the cluster of an environment back.
pub(crate) fn start(args: &Start, settings: &Settings) -> Result<u8, CliError> {
    let scale = args.scale.timeout_scale;
    run(Verb::Start, args.lab.as_deref(), scale, settings)
}

fn run(verb: Verb, lab: Option<&str>, scale: f64, settings: &Settings) -> Result<u8, CliError> {
    let environment = session::find(settings, lab)?;
    // Whatever became of the lab's files: the containers are there without them.
    let loaded = session::applied_lab(&environment);
    let loaded = loaded.unwrap_or_else(|_| labs::unknown(&environment.record.lab));
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    session::runtime()?.block_on(async {
        let stopper = signals::listen()?;
        let _lock = session::hold(settings, &name, &verb.to_string()).await?;
        let (journal, replayed) = Journal::open(&environment.journal())?;
        if replayed.state.cluster.is_none() {
            return Err(no_cluster(&environment));
        }
        let log = Some(environment.new_run(Timestamp::now())?);
        let journal = Some(journal);
        let kept = Kept { journal, log };
        let context = session::context(settings, environment, loaded, bundle, scale);
        preflight::engine_answers(&context.toolbox, &stopper).await?;
        let mut reporter = output::reporter(settings);
        let mut show = |event: &_| reporter.event(event);
        let asked = stopper.clone();
        let work = |emitter, stopper| async {
            match verb {
                Verb::Stop => engine::stop::stop(&context, emitter, stopper).await,
                _ => engine::start::start(&context, emitter, stopper).await,
            }
        };
        let result = session::run(replayed.state, kept, &mut show, stopper, work).await;
        let finished = reporter.finish().map_err(CliError::internal);
        let code = session::exit_code(result, &asked)?;
        finished.map(|()| code)
    })
}
