//! The state of an environment's cluster, from the engine and the cluster, asked at the same time.

use serde::Serialize;

use super::{journal, output, session, settings::Settings, tools};
use crate::{
    assert::Cluster,
    engine::cluster::nodes::Presence,
    event::{ClusterIdentity, Port, RunState},
    state::Environment,
    tool::{Stopper, Toolbox, docker},
};

/// The state of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClusterStanding {
    /// `answers`, `stopped`, `lost`, `does not answer`, `is another one`, `none`
    pub(crate) cluster: &'static str,
    /// The containers that do not run; `None` if all run, or if the engine does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) containers: Option<Containers>,
    #[serde(skip)]
    presence: Option<Presence>,
}

/// Returns the ports of this machine that lead into the environment's cluster, if there is one.
pub(crate) fn ports(state: &RunState) -> Vec<Port> {
    if state.cluster.is_some() {
        state.ports.clone()
    } else {
        Vec::new()
    }
}

/// The numbers of a cluster's containers that do not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Containers {
    stopped: usize,
    missing: usize,
    of: usize,
}

impl ClusterStanding {
    /// Returns a word or two: `stopped (1 of 4)`.
    pub(crate) fn short(&self) -> String {
        match self.containers {
            Some(Containers { stopped, of, .. }) if stopped > 0 => {
                format!("{} ({stopped} of {of})", self.cluster)
            }
            _ => self.cluster.to_owned(),
        }
    }

    /// Returns the fault of its containers, and the remedy; `None` if there is no fault.
    pub(crate) fn trouble(&self, environment: &Environment) -> Option<String> {
        let presence = self.presence?;
        let remedy = presence.remedy(&environment.call());
        Some(format!("{presence}; {remedy}"))
    }
}

/// Returns the state of the cluster of `environment`, whose journal adds up to `state`.
pub(crate) async fn of(
    environment: &Environment,
    state: &RunState,
    settings: &Settings,
) -> ClusterStanding {
    let Some(known) = &state.cluster else {
        return ClusterStanding {
            cluster: "none",
            containers: None,
            presence: None,
        };
    };
    let bundle = session::bundle_of(environment);
    let toolbox = tools::find(settings, bundle.as_ref());
    let (uid, presence) = futures::future::join(
        uid(environment, settings),
        containers(environment, known, &toolbox),
    )
    .await;
    let (containers, by_containers) = match presence {
        Some(Presence::Stopped { stopped, of }) => {
            let missing = 0;
            (
                Some(Containers {
                    stopped,
                    missing,
                    of,
                }),
                Some("stopped"),
            )
        }
        Some(Presence::Lost { missing, of }) => {
            let stopped = 0;
            (
                Some(Containers {
                    stopped,
                    missing,
                    of,
                }),
                Some("lost"),
            )
        }
        Some(Presence::Running) | None => (None, None),
    };
    let cluster = match uid {
        Some(uid) if uid != known.uid => "is another one",
        answer => by_containers.unwrap_or(match answer {
            Some(_) => "answers",
            None => "does not answer",
        }),
    };
    ClusterStanding {
        cluster,
        containers,
        presence: presence.filter(|_| containers.is_some()),
    }
}

async fn uid(environment: &Environment, settings: &Settings) -> Option<String> {
    let (kubeconfig, context) = (environment.kubeconfig(), environment.context());
    let opened = Cluster::open(&kubeconfig, &context, settings.login_programs).await;
    let cluster = opened.ok()?;
    cluster.uid().await.ok()
}

/// Returns the state of the recorded containers; `None` if the engine does not answer.
async fn containers(
    environment: &Environment,
    known: &ClusterIdentity,
    toolbox: &Toolbox,
) -> Option<Presence> {
    let ask = docker::nodes(environment.name());
    let answer = toolbox
        .run(&ask, &mut Stopper::never(), |_| {})
        .await
        .ok()?;
    Some(Presence::of(known, &docker::containers(&answer.stdout)))
}

/// Writes a note if the journal is not whole, or if the cluster's containers do not run. It is for
/// verbs whose answer does not depend on the cluster.
pub(crate) fn tell_trouble(environment: &Environment, settings: &Settings) {
    let Ok(replayed) = journal::read(environment) else {
        return;
    };
    let of_journal = journal::trouble(environment, &replayed);
    let of_cluster = trouble(environment, &replayed.state, settings);
    for trouble in of_journal.into_iter().chain(of_cluster) {
        output::tell(&format!("note: {trouble}\n"));
    }
}

fn trouble(environment: &Environment, state: &RunState, settings: &Settings) -> Option<String> {
    let known = state.cluster.as_ref()?;
    let bundle = session::bundle_of(environment);
    let toolbox = tools::find(settings, bundle.as_ref());
    let runtime = session::runtime().ok()?;
    match runtime.block_on(containers(environment, known, &toolbox))? {
        Presence::Running => None,
        presence => Some(format!(
            "{presence}; {}",
            presence.remedy(&environment.call())
        )),
    }
}
