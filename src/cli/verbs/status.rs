//! `labctl status`

use std::fmt::Write;

use comfy_table::{Table, presets::NOTHING};
use futures::future::join_all;
use serde::Serialize;

use crate::{
    assert::Cluster,
    cli::{
        args::{Format, OfEnvironment},
        error::CliError,
        exit, output, session,
        settings::Settings,
    },
    event::RunState,
    spec::{Lab, Undo},
    state::{Environment, Journal},
};

/// How one environment stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Standing {
    environment: String,
    lab: String,
    /// The last step that was seen to hold.
    cursor: Option<String>,
    /// How many steps that is, and of how many.
    reached: usize,
    steps: usize,
    /// `answers`, `does not answer`, `none`
    cluster: &'static str,
    /// The steps whose fault is open.
    open_faults: Vec<String>,
    /// Who is at work in it, or was when it ended.
    interrupted: bool,
    /// Why the lab's files in it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<String>,
}

/// Shows how environments stand.
pub(crate) fn run(args: &OfEnvironment, settings: &Settings) -> Result<u8, CliError> {
    let chosen = args.lab.is_some() || settings.environment.is_some();
    let environments = if chosen {
        vec![session::find(settings, args.lab.as_deref())?]
    } else {
        settings.store.list()?
    };
    let runtime = session::runtime()?;
    let standings = runtime.block_on(join_all(environments.iter().map(|e| standing(e, settings))));
    let standings: Result<Vec<Standing>, CliError> = standings.into_iter().collect();
    let standings = standings?;
    match settings.output {
        Format::Json => output::json(&standings)?,
        Format::Text if standings.is_empty() => {
            output::tell("there is no environment; `labctl up LAB` makes one\n");
        }
        Format::Text => output::answer(&text(&standings))?,
    }
    Ok(exit::OK)
}

async fn standing(environment: &Environment, settings: &Settings) -> Result<Standing, CliError> {
    let state = Journal::read(&environment.journal())?.state;
    // One whose files are damaged does not hide the others.
    let loaded = session::applied_lab(environment);
    let lab = loaded.as_ref().ok().map(|loaded| &loaded.lab);
    let reached = state.cursor.as_ref().zip(lab);
    let reached = reached.and_then(|(id, lab)| lab.position(id));
    let interrupted = state
        .last_run
        .as_ref()
        .is_some_and(|(_, _, ended)| ended.is_none());
    Ok(Standing {
        environment: environment.name().to_owned(),
        lab: environment.record.lab.clone(),
        cluster: cluster(environment, &state, settings).await,
        open_faults: lab.map_or_else(Vec::new, |lab| open_faults(lab, &state)),
        reached: reached.map_or(0, |at| at + 1),
        steps: lab.map_or(0, |lab| lab.steps.len()),
        cursor: state.cursor,
        interrupted,
        damaged: loaded.err().map(|error| error.failure().summary),
    })
}

async fn cluster(environment: &Environment, state: &RunState, settings: &Settings) -> &'static str {
    let Some(known) = &state.cluster else {
        return "none";
    };
    let uid = match Cluster::open(&environment.kubeconfig(), settings.login_programs).await {
        Ok(cluster) => cluster.uid().await,
        Err(error) => Err(error),
    };
    match uid {
        Ok(uid) if uid == known.uid => "answers",
        Ok(_) => "is another one",
        Err(_) => "does not answer",
    }
}

fn open_faults(lab: &Lab, state: &RunState) -> Vec<String> {
    let is_open = |id: &String| state.steps.get(id).is_some_and(|s| s.open);
    let faults = lab.steps.iter().filter(|step| {
        let undo = step.undo.as_ref();
        undo.is_some_and(|undo| *undo != Undo::None) && is_open(&step.id)
    });
    faults.map(|step| step.id.clone()).collect()
}

fn text(standings: &[Standing]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["ENVIRONMENT", "LAB", "STEP", "CLUSTER", "OPEN FAULTS"]);
    for s in standings {
        let step = match &s.cursor {
            Some(cursor) => format!("{}/{} {cursor}", s.reached, s.steps),
            None => format!("0/{}", s.steps),
        };
        let faults = if s.damaged.is_some() {
            "unknown".to_owned()
        } else if s.open_faults.is_empty() {
            "none".to_owned()
        } else {
            s.open_faults.join(", ")
        };
        table.add_row([
            s.environment.clone(),
            s.lab.clone(),
            step,
            s.cluster.to_owned(),
            faults,
        ]);
    }
    let mut text = format!("{}\n", table.trim_fmt());
    for s in standings.iter().filter(|s| s.interrupted) {
        let _ = writeln!(
            text,
            "\nthe last run in {} is under way, or was interrupted; `labctl up {}` goes on",
            s.environment, s.lab
        );
    }
    for s in standings {
        if let Some(why) = &s.damaged {
            let name = &s.environment;
            let _ = writeln!(
                text,
                "\n{why}; `labctl down {name}` removes the environment"
            );
        }
    }
    text
}
