//! The containers and networks in the engine that are provably the environment's.
//!
//! A name proves nothing: another user, another state directory or the student may have made a
//! cluster of the same name. A network is proved by the environment's id in its label. A container
//! is proved by its attachment to such a network, or by its id, if that was recorded when the
//! cluster was made.

use crate::{
    engine::run::{
        commands,
        context::Context,
        error::{EngineError, Why},
    },
    event::RunState,
    state::Environment,
    tool::{
        Stopper,
        docker::{self, Container, Network},
    },
};

/// The containers and networks in the engine that carry the name of the environment's cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// The name.
    pub cluster: String,
    /// The containers that are provably the environment's.
    pub own: Vec<Container>,
    /// The other containers of a cluster of that name.
    pub foreign: Vec<Container>,
    /// The networks that are provably the environment's.
    pub networks: Vec<Network>,
    /// The networks that another environment has made for a cluster of that name.
    pub rivals: Vec<Network>,
}

/// Asks the engine for the containers and networks of the environment's cluster, and of others of
/// its name.
pub async fn survey(
    context: &Context,
    state: &RunState,
    stopper: &mut Stopper,
) -> Result<Survey, EngineError> {
    let what = "list the containers of the cluster";
    let containers = commands::ask(context, &docker::nodes(context.name()), what, stopper).await?;
    let networks = commands::ask(context, &docker::networks(), "list networks", stopper).await?;
    Ok(sort(
        &context.environment,
        state,
        docker::containers(&containers.stdout),
        docker::read_networks(&networks.stdout),
    ))
}

/// Sorts `containers`, all of which carry the cluster's name, and all `networks` of the engine by
/// ownership.
#[must_use]
pub fn sort(
    environment: &Environment,
    state: &RunState,
    containers: Vec<Container>,
    networks: Vec<Network>,
) -> Survey {
    let id = environment.record.id.as_ref();
    let is_marked =
        |n: &Network| id.is_some_and(|id| n.environment.as_deref() == Some(id.as_str()));
    let (mut own_networks, others): (Vec<_>, Vec<_>) = networks.into_iter().partition(is_marked);
    let is_recorded = |c: &Container| {
        let known = state.cluster.as_ref();
        known.is_some_and(|known| known.containers.contains(&c.id))
    };
    let is_attached = |c: &Container| own_networks.iter().any(|n| c.networks.contains(&n.name));
    let (own, foreign): (Vec<_>, Vec<_>) = containers
        .into_iter()
        .partition(|c| is_recorded(c) || is_attached(c));
    // Networks of an older labctl, which set no label, and of an environment whose record was lost,
    // are own, too.
    let former = environment.former_network();
    let is_of_own = |n: &Network| {
        let is_labctls = n.name == former || n.cluster.as_deref() == Some(environment.name());
        is_labctls && own.iter().any(|c| c.networks.contains(&n.name))
    };
    let (former, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_of_own);
    own_networks.extend(former);
    let is_rival = |n: &Network| n.cluster.as_deref() == Some(environment.name());
    Survey {
        cluster: environment.name().to_string(),
        own,
        foreign,
        networks: own_networks,
        rivals: others.into_iter().filter(is_rival).collect(),
    }
}

impl Survey {
    /// Describes, in words, what carries the name of the environment's cluster and is not its own.
    #[must_use]
    pub fn others(&self) -> Vec<String> {
        let short = |id: &str| id.get(..12).unwrap_or(id).to_owned();
        let containers = self.foreign.iter().map(|c| {
            format!(
                "the container {} belongs to a kind cluster \"{}\" that this environment did not make",
                short(&c.id),
                self.cluster
            )
        });
        let networks = self.rivals.iter().map(|n| {
            format!(
                "the Docker network \"{}\" was made for a cluster \"{}\" of another environment",
                n.name, self.cluster
            )
        });
        containers.chain(networks).collect()
    }

    /// Returns the containers if all that carry the cluster's name are the environment's. Refuses
    /// `what` otherwise.
    pub fn unshared(self, what: &str) -> Result<Vec<Container>, EngineError> {
        match self.others().into_iter().next() {
            Some(other) => Err(EngineError::Unsafe {
                what: what.to_owned(),
                why: Why(other),
            }),
            None => Ok(self.own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::ClusterIdentity,
        state::{Identity, Record},
    };

    const MINE: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    fn environment(id: Option<&str>) -> Environment {
        let mut record = Record::new(&"lab".into(), "lab", None, jiff::Timestamp::UNIX_EPOCH);
        record.id = id.map(|id| Identity::try_from(id.to_owned()).unwrap());
        Environment {
            dir: "/nowhere".into(),
            record,
        }
    }

    fn knowing(containers: &[&str]) -> RunState {
        RunState {
            cluster: Some(ClusterIdentity {
                name: "lab".into(),
                uid: "u".into(),
                containers: containers.iter().map(ToString::to_string).collect(),
                server: None,
            }),
            ..RunState::default()
        }
    }

    fn network(name: &str, environment: &str) -> String {
        format!("id-of-{name} {name} labctl.dev/cluster=lab,labctl.dev/environment={environment}\n")
    }

    /// Returns the ids of the own and the foreign containers, and the names of the own and the
    /// rival networks.
    fn told(
        id: Option<&str>,
        state: &RunState,
        containers: &str,
        networks: &str,
    ) -> [Vec<String>; 4] {
        let survey = sort(
            &environment(id),
            state,
            docker::containers(containers),
            docker::read_networks(networks),
        );
        let ids = |of: Vec<Container>| of.into_iter().map(|c| c.id).collect();
        let names = |of: Vec<Network>| of.into_iter().map(|n| n.name).collect();
        [
            ids(survey.own),
            ids(survey.foreign),
            names(survey.networks),
            names(survey.rivals),
        ]
    }

    fn lists(of: [&[&str]; 4]) -> [Vec<String>; 4] {
        of.map(|list| list.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_id_of_the_network_proves_whose_a_container_is() {
        let networks = network("mine", MINE) + &network("theirs", OTHER) + "x bridge \n";
        let containers = "a running worker lab-worker mine\n\
                          b exited worker lab-worker2 bridge,mine\n\
                          c running worker lab-worker3 theirs\n\
                          d running worker lab-worker4 bridge\n\
                          e running worker lab-worker5\n";
        let nothing = RunState::default();
        assert_eq!(
            told(Some(MINE), &nothing, containers, &networks),
            lists([&["a", "b"], &["c", "d", "e"], &["mine"], &["theirs"]])
        );
        // Without an id, the label proves nothing.
        assert_eq!(
            told(None, &nothing, containers, &networks)[0],
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_intent_proves_nothing() {
        let intended = RunState {
            intended_cluster: Some("lab".into()),
            ..RunState::default()
        };
        let containers = "a running worker lab-worker labctl-lab\n";
        assert_eq!(
            told(Some(MINE), &intended, containers, "n labctl-lab \n"),
            lists([&[], &["a"], &[], &[]])
        );
    }

    #[test]
    fn what_was_recorded_is_own_and_so_is_its_former_network() {
        let containers = "a exited worker lab-worker labctl-lab\nb running worker w labctl-lab\n";
        let networks = "n labctl-lab \nm labctl-lab-2 \n";
        assert_eq!(
            told(None, &knowing(&["a"]), containers, networks),
            lists([&["a"], &["b"], &["labctl-lab"], &[]])
        );
        // A name alone is no proof, as long as no own container is in the network.
        assert_eq!(
            told(None, &knowing(&["a"]), "", networks),
            lists([&[], &[], &[], &[]])
        );
    }
}
