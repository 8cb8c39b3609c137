//! The containers that the nodes of the environment's cluster are: how the engine shows them, and
//! whether they are the ones that were made.

use super::{Context, EngineError, error::Why, tools};
use crate::{
    event::{ClusterIdentity, RunState},
    tool::{
        Stopper,
        docker::{self, Container},
    },
};

/// How the recorded containers of a cluster stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Presence {
    /// All of them run.
    #[error("the cluster's containers run, and its API server does not answer")]
    Running,
    /// They are there, and some of them do not run.
    #[error("the cluster's containers are stopped ({stopped} of {of})")]
    Stopped {
        /// How many do not run.
        stopped: usize,
        /// How many there are.
        of: usize,
    },
    /// Some of them are gone, and with them what was on those nodes.
    #[error("the cluster is lost: {missing} of its {of} containers {} gone", if *.missing == 1 { "is" } else { "are" })]
    Lost {
        /// How many are gone.
        missing: usize,
        /// How many were made.
        of: usize,
    },
}

impl Presence {
    /// How the containers of `cluster` stand, if `found` are those of its name.
    #[must_use]
    pub fn of(cluster: &ClusterIdentity, found: &[Container]) -> Self {
        let of = cluster.containers.len();
        let its: Vec<&Container> = found
            .iter()
            .filter(|c| cluster.containers.contains(&c.id))
            .collect();
        let stopped = its.iter().filter(|c| !c.runs()).count();
        match (of.saturating_sub(its.len()), stopped) {
            (0, 0) => Self::Running,
            (0, stopped) => Self::Stopped { stopped, of },
            (missing, _) => Self::Lost { missing, of },
        }
    }

    /// What to do about it, for the verbs called with `call`: a lab, and what names the environment.
    #[must_use]
    pub fn remedy(self, call: &str) -> String {
        match self {
            Self::Running | Self::Stopped { .. } => format!("`labctl start {call}` brings it back"),
            Self::Lost { .. } => {
                format!("`labctl down {call} && labctl up {call}` makes it anew")
            }
        }
    }
}

/// The containers that carry the environment's cluster name, running or not.
pub async fn list(context: &Context, stopper: &mut Stopper) -> Result<Vec<Container>, EngineError> {
    let what = "list the containers of the cluster";
    let done = tools::ask(context, &docker::nodes(context.name()), what, stopper).await?;
    Ok(docker::containers(&done.stdout))
}

/// The same; refuses `what` if there are any that the environment did not make.
pub async fn own(
    context: &Context,
    state: &RunState,
    what: &str,
    stopper: &mut Stopper,
) -> Result<Vec<Container>, EngineError> {
    let found = list(context, stopper).await?;
    let Some(foreign) = foreign(state, &found) else {
        return Ok(found);
    };
    let short = foreign.id.get(..12).unwrap_or(&foreign.id);
    let name = context.name();
    Err(EngineError::Unsafe {
        what: what.to_owned(),
        why: Why(format!(
            "the container {short} belongs to a kind cluster \"{name}\" that this environment did \
             not make"
        )),
    })
}

/// One of `found` that the environment did not make.
#[must_use]
pub fn foreign<'a>(state: &RunState, found: &'a [Container]) -> Option<&'a Container> {
    match (&state.cluster, &state.intended_cluster) {
        (Some(cluster), _) => found.iter().find(|c| !cluster.containers.contains(&c.id)),
        // Begun, and never seen to be done: what stands there is what is left of it.
        (None, Some(_)) => None,
        (None, None) => found.first(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(containers: &[&str]) -> ClusterIdentity {
        ClusterIdentity {
            name: "lab".into(),
            uid: "u".into(),
            containers: containers.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_is_gone_matters_more_than_what_is_stopped() {
        for (found, presence) in [
            ("a running\nb running", Presence::Running),
            (
                "a running\nb exited",
                Presence::Stopped { stopped: 1, of: 2 },
            ),
            (
                "a created\nb paused",
                Presence::Stopped { stopped: 2, of: 2 },
            ),
            ("a exited", Presence::Lost { missing: 1, of: 2 }),
            // One of another cluster of that name does not stand in for one of its own.
            ("a running\nc running", Presence::Lost { missing: 1, of: 2 }),
            ("", Presence::Lost { missing: 2, of: 2 }),
        ] {
            let found = docker::containers(found);
            assert_eq!(Presence::of(&cluster(&["a", "b"]), &found), presence);
        }
    }

    #[test]
    fn a_container_is_foreign_unless_it_was_recorded() {
        let found = docker::containers("a running\nb running");
        let mut state = RunState::default();
        assert_eq!(foreign(&state, &found), Some(&found[0]));
        state.cluster = Some(cluster(&["a"]));
        assert_eq!(foreign(&state, &found), Some(&found[1]));
        state.cluster = Some(cluster(&["a", "b", "c"]));
        assert_eq!(foreign(&state, &found), None);
    }

    #[test]
    fn it_is_said_in_words_with_what_to_do() {
        let lost = Presence::Lost { missing: 1, of: 4 };
        assert_eq!(
            lost.to_string(),
            "the cluster is lost: 1 of its 4 containers is gone"
        );
        assert_eq!(
            lost.remedy("10.3"),
            "`labctl down 10.3 && labctl up 10.3` makes it anew"
        );
        let stopped = Presence::Stopped { stopped: 4, of: 4 };
        assert_eq!(
            stopped.to_string(),
            "the cluster's containers are stopped (4 of 4)"
        );
        assert_eq!(
            stopped.remedy("10.3 --env mine"),
            "`labctl start 10.3 --env mine` brings it back"
        );
    }
}
