//! `labctl reset`

use serde_json::json;

use crate::{
    cli::{
        args::{Format, Reset},
        error::CliError,
        exit,
        hold::Hold,
        journal,
        labs::Loaded,
        output, session,
        settings::Settings,
    },
    engine::{self, restore::Options, run::context::Context},
    event::RunState,
    plan, report,
    spec::StepId,
    state::{Environment, journal::Replayed},
};

/// Resets an environment, or all of them.
pub(crate) fn run(args: &Reset, settings: &Settings) -> Result<u8, CliError> {
    if !args.all {
        let environment = session::find(settings, args.lab.as_deref())?;
        return one(args, environment, settings);
    }
    let mut worst = exit::OK;
    let listing = settings.store.list()?;
    for unusable in &listing.unusable {
        output::tell(&format!("note: {unusable}\n"));
    }
    for environment in listing.environments {
        let code = one(args, environment, settings).unwrap_or_else(|error| {
            // An environment that cannot be reset does not keep the others from it.
            output::error(&error, settings.colour.stderr);
            error.code
        });
        worst = worst.max(code);
        if code > 128 {
            break;
        }
    }
    Ok(worst)
}

fn one(args: &Reset, mut environment: Environment, settings: &Settings) -> Result<u8, CliError> {
    let loaded = session::applied_lab(&environment)?;
    if args.dry_run {
        return show(args, environment, loaded, settings);
    }
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    let hold = Hold {
        settings,
        name: &name,
        verb: "reset",
        wait: args.waiting.wait,
        exists: true,
    };
    hold.alone(async |stopper| {
        let (journal, replayed) = journal::open(settings, &mut environment)?;
        if let Some(text) = journal::fallen_back(&replayed.state, &loaded.lab) {
            output::note(settings, &text);
        }
        let options = options(args, &environment, &loaded, &replayed)?;
        let scale = args.scale.timeout_scale;
        let context = session::context(settings, environment, loaded, bundle, scale);
        let work = |emitter, stopper| engine::restore::reset(&context, options, emitter, stopper);
        session::conduct(settings, &context, (journal, replayed), stopper, work).await
    })
}

/// Shows what a reset would restore.
fn show(
    args: &Reset,
    environment: Environment,
    loaded: Loaded,
    settings: &Settings,
) -> Result<u8, CliError> {
    let replayed = journal::known(&environment)?;
    for text in journal::troubles(&environment, &replayed, &loaded.lab) {
        output::tell(&format!("note: {text}\n"));
    }
    let options = options(args, &environment, &loaded, &replayed)?;
    let state = replayed.state;
    let name = environment.name().to_owned();
    let to = loaded.lab.steps[options.to].id.clone();
    let context = session::context(
        settings,
        environment,
        loaded,
        None,
        args.scale.timeout_scale,
    );
    let differing = differences(&context, options, &state, settings);
    let mut differences = session::runtime()?.block_on(differing)?;
    let mut secrets = context.secrets();
    for differing in &mut differences {
        secrets.redactor().differing(differing);
    }
    match settings.output {
        Format::Json => output::json(&json!({
            "environment": name,
            "to": to,
            "differences": differences,
        }))?,
        Format::Text => {
            output::answer(&report::differences(
                &differences,
                output::answer_look(settings),
            ))?;
        }
    }
    Ok(exit::OK)
}

async fn differences(
    context: &Context,
    options: Options,
    state: &RunState,
    settings: &Settings,
) -> Result<Vec<crate::event::Differing>, CliError> {
    let say = |text: String| output::note(settings, &text);
    Ok(engine::restore::differences(context, options, state, &say).await?)
}

/// Returns the options of the reset that `args` ask for, in an environment whose journal is
/// `replayed`.
fn options(
    args: &Reset,
    environment: &Environment,
    loaded: &Loaded,
    replayed: &Replayed,
) -> Result<Options, CliError> {
    let state = &replayed.state;
    let steps = &loaded.lab.steps;
    let position = |id: &StepId| loaded.lab.position(id);
    // An interrupted reset is continued.
    let interrupted = state.reset_to.as_ref().and_then(position);
    let reached = plan::cursor(&loaded.lab, state).max(interrupted);
    // A cluster that was begun can be recreated, even if no step has held yet.
    let is_made = state.intended_cluster.is_some();
    let reached = reached.or_else(|| (args.hard && is_made).then_some(0));
    let Some(reached) = reached else {
        return Err(match journal::fallen_back(state, &loaded.lab) {
            Some(why) => CliError::new(exit::FAILED, anyhow::Error::msg(why))
                .hint(format!("`labctl up {}` does its steps", environment.call())),
            None => journal::without_cluster(environment, replayed),
        });
    };
    let to = match &args.to {
        Some(to) => session::last_step(loaded, Some(to))?,
        None => interrupted.unwrap_or(reached),
    };
    if to > reached {
        let name = environment.name();
        let at = &steps[reached].id;
        let error = anyhow::anyhow!(
            "\"{name}\" was not at step `{}` yet: it is at {at}",
            steps[to].id
        );
        let hint = format!(
            "`labctl up {} --to {}` goes there",
            loaded.lab.lab, steps[to].id
        );
        return Err(CliError::usage(error).hint(hint));
    }
    Ok(Options {
        to,
        hard: args.hard,
        data: args.data,
    })
}
