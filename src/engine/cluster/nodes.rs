//! The node containers of the environment's cluster, and their state.

use crate::{
    engine::run::{commands, context::Context, error::EngineError},
    event::ClusterIdentity,
    tool::{
        Stopper,
        docker::{self, Container},
    },
};

/// The state of a cluster's recorded containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Presence {
    /// All containers run.
    #[error("the cluster's containers run, and its API server does not answer")]
    Running,
    /// All containers exist, and some do not run.
    #[error("the cluster's containers are stopped ({stopped} of {of})")]
    Stopped {
        /// The number of containers that do not run.
        stopped: usize,
        /// The number of containers.
        of: usize,
    },
    /// Some containers are gone, and with them everything on those nodes.
    #[error("the cluster is lost: {missing} of its {of} containers {} gone", if *.missing == 1 { "is" } else { "are" })]
    Lost {
        /// The number of containers that are gone.
        missing: usize,
        /// The number of containers that were made.
        of: usize,
    },
}

impl Presence {
    /// Returns the state of the containers of `cluster`, where `found` are the containers that
    /// carry its name.
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

    /// Returns a remedy in words. `call` is the lab and the other arguments that name the
    /// environment to the verbs.
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

/// Lists the containers that carry the environment's cluster name, running or not.
pub async fn list(context: &Context, stopper: &mut Stopper) -> Result<Vec<Container>, EngineError> {
    let what = "list the containers of the cluster";
    let done = commands::ask(context, &docker::nodes(context.name()), what, stopper).await?;
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
            // A container of another cluster of that name does not replace one of its own.
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
