//! `labctl list`

use comfy_table::{Table, presets::NOTHING};
use futures::future::join_all;
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::{
        args::Format,
        error::CliError,
        exit, journal,
        labs::{self, Loaded},
        output, session,
        settings::Settings,
        standing::{self, ClusterStanding},
    },
    event::RunState,
    state::Listing,
};

/// Lists the built-in labs, each with its environments.
pub(crate) fn run(settings: &Settings) -> Result<u8, CliError> {
    let ids = labs::built_in();
    let labs: Result<Vec<Loaded>, CliError> =
        ids.iter().map(|id| labs::load(id, settings)).collect();
    let labs = labs?;
    let environments = environments(settings)?;
    match settings.output {
        Format::Json => {
            let labs: Vec<_> = labs.iter().map(|l| summary(l, &environments)).collect();
            output::json(&labs)?;
        }
        Format::Text => {
            let mut table = Table::new();
            table.load_style(NOTHING).set_header([
                "LAB",
                "TITLE",
                "LEVEL",
                "TIME",
                "STEPS",
                "ENVIRONMENTS",
            ]);
            for Loaded { lab, .. } in &labs {
                table.add_row([
                    lab.lab.clone(),
                    lab.title.clone(),
                    lab.level.to_string(),
                    lab.time.to_string(),
                    lab.steps.len().to_string(),
                    names(&environments, &lab.lab),
                ]);
            }
            output::answer(&format!("{}\n", table.trim_fmt()))?;
        }
    }
    Ok(exit::OK)
}

/// An environment in the list.
#[derive(Debug, Serialize)]
struct Listed {
    environment: String,
    #[serde(skip)]
    lab: String,
    #[serde(flatten)]
    cluster: ClusterStanding,
}

fn environments(settings: &Settings) -> Result<Vec<Listed>, CliError> {
    let Listing {
        environments,
        unusable,
    } = settings.store.list()?;
    for unusable in unusable {
        output::tell(&format!("note: {unusable}\n"));
    }
    let listed = environments.iter().map(|environment| async {
        let state = match journal::read(environment) {
            Ok(replayed) => {
                if let Some(trouble) = journal::trouble(environment, &replayed) {
                    output::tell(&format!("note: {trouble}\n"));
                }
                replayed.state
            }
            Err(error) => {
                output::tell(&format!("note: {}\n", error.failure().summary));
                RunState::default()
            }
        };
        Listed {
            environment: environment.name().to_string(),
            lab: environment.record.lab.clone(),
            cluster: standing::of(environment, &state, settings).await,
        }
    });
    Ok(session::runtime()?.block_on(join_all(listed)))
}

/// Returns the environments of `lab`: `lab-10-3, mine (stopped)`. Only a cluster that does not
/// answer needs a word.
fn names(environments: &[Listed], lab: &str) -> String {
    let name = |listed: &Listed| match listed.cluster.cluster {
        "answers" => listed.environment.clone(),
        "none" => format!("{} (no cluster yet)", listed.environment),
        cluster => format!("{} ({cluster})", listed.environment),
    };
    let names: Vec<String> = of(environments, lab).map(name).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn of<'a>(environments: &'a [Listed], lab: &'a str) -> impl Iterator<Item = &'a Listed> {
    environments.iter().filter(move |listed| listed.lab == lab)
}

fn summary(loaded: &Loaded, environments: &[Listed]) -> serde_json::Value {
    let lab = &loaded.lab;
    json!({
        "lab": lab.lab,
        "title": lab.title,
        "summary": lab.summary,
        "level": lab.level,
        "time": lab.time,
        "environments": of(environments, &lab.lab).collect::<Vec<_>>(),
        "steps": lab.steps.iter().map(|s| &s.id).collect::<Vec<_>>(),
    })
}
