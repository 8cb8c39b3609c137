//! The containers that the nodes of the environment's cluster are, and how they stand.

use super::{Context, EngineError, tools};
use crate::{
    event::ClusterIdentity,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(containers: &[&str]) -> ClusterIdentity {
        ClusterIdentity {
            name: "lab".into(),
            uid: "u".into(),
            containers: containers.iter().map(ToString::to_string).collect(),
            server: None,
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
