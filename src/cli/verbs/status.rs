//! `labctl status`

use std::{fmt::Write, path::PathBuf};

use comfy_table::{Table, presets::NOTHING};
use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::{
        args::{Format, OfEnvironment},
        error::CliError,
        exit, journal, output, session,
        settings::Settings,
        standing::{self, ClusterStanding},
    },
    event::Port,
    plan, report,
    spec::{Chosen, Facts, Lab, Measurement, Step, StepId, params},
    state::{self, Environment, Listing, journal::Replayed},
};

/// The state of one environment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Standing {
    /// The arguments that name it to the verbs.
    #[serde(skip)]
    call: String,
    environment: String,
    lab: String,
    /// The values that it was made with.
    #[serde(skip_serializing_if = "Chosen::is_empty")]
    set: Chosen,
    /// The last step that was seen to hold.
    cursor: Option<StepId>,
    /// The number of steps up to the cursor.
    reached: usize,
    /// The number of all steps.
    steps: usize,
    /// The reached steps that expect nothing: it is only known that they were done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_checked: Vec<StepId>,
    #[serde(flatten)]
    cluster: ClusterStanding,
    /// The time at which `labctl stop` stopped it, if it is still stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_since: Option<Timestamp>,
    /// The fault of its containers, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// The ports of this machine that lead into it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<Port>,
    /// The steps whose faults are open.
    open_faults: Vec<StepId>,
    /// The measurements of requests, by step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    measured: Vec<Measured>,
    /// The step to which a reset was begun and not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_to: Option<String>,
    /// The message that the reset was interrupted, with the command that continues it.
    #[serde(skip)]
    unfinished: Option<String>,
    /// True if the last run is under way, or was interrupted.
    interrupted: bool,
    /// The fault of its journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    journal: Option<String>,
    /// The message that the lab no longer has the step at the cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallen_back: Option<String>,
    /// The damaged parts of its journal that were kept aside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept_aside: Vec<PathBuf>,
    /// The reason why its copy of the lab cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<String>,
}

/// An environment whose record cannot be used.
#[derive(Debug, Serialize)]
struct Unusable {
    environment: String,
    /// The reason.
    unusable: String,
}

impl Unusable {
    fn of(unusable: &state::Unusable) -> Self {
        Self {
            environment: unusable.name.clone(),
            unusable: unusable.to_string(),
        }
    }
}

/// A row of the answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Standing(&'a Standing),
    Unusable(&'a Unusable),
}

/// The measurement of a step's requests.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Measured {
    step: StepId,
    measurement: Measurement,
}

/// Returns the measurements, in the order of the lab's steps.
fn measured(facts: &Facts, lab: Option<&Lab>) -> Vec<Measured> {
    let steps = lab.map_or(&[][..], |lab| &lab.steps);
    let of = |step: &Step| {
        Some(Measured {
            step: step.id.clone(),
            measurement: facts.get(step.id.as_str())?.load.clone()?,
        })
    };
    steps.iter().filter_map(of).collect()
}

/// Returns the steps of `lab` up to the one at `reached` that expect nothing.
fn not_checked(lab: Option<&Lab>, reached: Option<usize>) -> Vec<StepId> {
    let (Some(lab), Some(reached)) = (lab, reached) else {
        return Vec::new();
    };
    let unchecked = lab.steps[..=reached].iter().filter(|s| !s.is_checked());
    unchecked.map(|step| step.id.clone()).collect()
}

/// Shows the state of the environments.
pub(crate) fn run(args: &OfEnvironment, settings: &Settings) -> Result<u8, CliError> {
    let chosen = args.lab.is_some() || settings.environment.is_some();
    let Listing {
        environments,
        unusable,
    } = if chosen {
        Listing {
            environments: vec![session::find(settings, args.lab.as_deref())?],
            unusable: Vec::new(),
        }
    } else {
        settings.store.list()?
    };
    let runtime = session::runtime()?;
    let standings = runtime.block_on(join_all(environments.iter().map(|e| standing(e, settings))));
    let unusable: Vec<Unusable> = unusable.iter().map(Unusable::of).collect();
    match settings.output {
        Format::Json => {
            let standings = standings.iter().map(Row::Standing);
            let rows: Vec<Row> = standings
                .chain(unusable.iter().map(Row::Unusable))
                .collect();
            output::json(&rows)?;
        }
        Format::Text if standings.is_empty() && unusable.is_empty() => {
            output::tell("there is no environment; `labctl up LAB` makes one\n");
        }
        Format::Text => output::answer(&text(&standings, &unusable))?,
    }
    Ok(exit::OK)
}

async fn standing(environment: &Environment, settings: &Settings) -> Standing {
    let (replayed, unreadable) = match journal::read(environment) {
        Ok(replayed) => (replayed, None),
        Err(error) => {
            let why = error.failure();
            let why = [vec![why.summary], why.causes].concat().join(": ");
            let call = environment.call();
            let rest = format!("`labctl down {call}` removes what is the environment's");
            (Replayed::default(), Some(format!("{why}; {rest}")))
        }
    };
    let of_journal = unreadable.or_else(|| journal::trouble(environment, &replayed));
    let state = replayed.state;
    let kept_aside = state::journal::kept_aside(&environment.journal());
    // An environment whose files are damaged does not hide the others.
    let loaded = session::applied_lab(environment);
    let lab = loaded.as_ref().ok().map(|loaded| &loaded.lab);
    let reached = lab.and_then(|lab| plan::cursor(lab, &state));
    let fallen_back = lab.and_then(|lab| journal::fallen_back(&state, lab));
    let cursor = match (lab, reached) {
        (Some(lab), reached) => reached.map(|at| lab.steps[at].id.clone()),
        (None, _) => state.cursor.clone(),
    };
    let interrupted = state
        .last_run
        .as_ref()
        .is_some_and(|(_, _, ended)| ended.is_none());
    let cluster = standing::of(environment, &state, settings).await;
    Standing {
        journal: of_journal,
        fallen_back,
        kept_aside,
        call: environment.call(),
        environment: environment.name().to_string(),
        lab: environment.record.lab.clone(),
        set: environment.record.set.clone(),
        trouble: cluster.trouble(environment),
        stopped_since: state.stopped.filter(|_| cluster.containers.is_some()),
        cluster,
        ports: standing::ports(&state),
        open_faults: state.faults.steps(),
        reset_to: state.unfinished_reset().map(ToString::to_string),
        unfinished: session::unfinished(environment, &state),
        measured: measured(&state.facts, lab),
        reached: reached.map_or(0, |at| at + 1),
        not_checked: not_checked(lab, reached),
        steps: lab.map_or(0, |lab| lab.steps.len()),
        cursor,
        interrupted,
        damaged: loaded.err().map(|error| error.failure().summary),
    }
}

fn text(standings: &[Standing], unusable: &[Unusable]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["ENVIRONMENT", "LAB", "STEP", "CLUSTER", "OPEN FAULTS"]);
    for s in standings {
        let step = match &s.cursor {
            Some(cursor) => match s.not_checked.len() {
                0 => format!("{}/{} {cursor}", s.reached, s.steps),
                not => format!("{}/{} {cursor}, {not} not checked", s.reached, s.steps),
            },
            None => format!("0/{}", s.steps),
        };
        let lab = if s.set.is_empty() {
            s.lab.clone()
        } else {
            format!("{} ({})", s.lab, params::shown(&s.set))
        };
        let faults = if s.open_faults.is_empty() {
            "none".to_owned()
        } else {
            s.open_faults.join(", ")
        };
        table.add_row([s.environment.clone(), lab, step, s.cluster.short(), faults]);
    }
    for Unusable { environment, .. } in unusable {
        let unknown = || "?".to_owned();
        let row = [
            environment.clone(),
            unknown(),
            unknown(),
            "unusable".to_owned(),
            unknown(),
        ];
        table.add_row(row);
    }
    let mut text = format!("{}\n", table.trim_fmt());
    for Unusable { unusable, .. } in unusable {
        let _ = writeln!(text, "\n{unusable}");
    }
    for s in standings.iter().filter(|s| !s.ports.is_empty()) {
        let ports = s
            .ports
            .iter()
            .map(|port| format!("{} at {port}", port.name));
        let ports = ports.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\n{} answers: {ports}", s.environment);
    }
    for s in standings.iter().filter(|s| !s.measured.is_empty()) {
        let _ = writeln!(text, "\n{} measured:", s.environment);
        for of in &s.measured {
            let _ = writeln!(
                text,
                "  {:<24} {}",
                of.step,
                report::measurement(&of.measurement)
            );
        }
    }
    for s in standings {
        if let Some(trouble) = &s.trouble {
            let _ = writeln!(text, "\n{}: {trouble}", s.environment);
        }
    }
    for s in standings {
        for trouble in s.journal.iter().chain(&s.fallen_back) {
            let _ = writeln!(text, "\n{}: {trouble}", s.environment);
        }
        for path in &s.kept_aside {
            let (name, path) = (&s.environment, path.display());
            let _ = writeln!(
                text,
                "\n{name}: a damaged part of its journal is kept in {path}"
            );
        }
    }
    for unfinished in standings.iter().filter_map(|s| s.unfinished.as_ref()) {
        let _ = writeln!(text, "\n{unfinished}");
    }
    let interrupted = |s: &&Standing| s.interrupted && s.unfinished.is_none();
    for s in standings.iter().filter(interrupted) {
        let _ = writeln!(
            text,
            "\nthe last run in {} is under way, or was interrupted; `labctl up {}` goes on",
            s.environment, s.call
        );
    }
    for s in standings {
        if let Some(why) = &s.damaged {
            let call = &s.call;
            let _ = writeln!(
                text,
                "\n{why}; `labctl down {call}` removes the environment"
            );
        }
    }
    text
}
