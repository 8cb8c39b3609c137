//! The ports of this machine for a cluster that is about to be made.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use crate::{
    engine::run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    event::{EventKind, Failure, Port},
    plan::ports,
    spec::action::PortMapping,
    state::Journal,
    tool::{Stopper, ToolError, docker},
};

/// The longest time for a connection within this machine.
const CONNECT: Duration = Duration::from_millis(500);

/// Chooses a port for each of `mappings`, records them, and says where one is not the wanted one.
pub async fn choose(
    context: &Context,
    mappings: &[PortMapping],
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<Vec<Port>, EngineError> {
    if mappings.is_empty() {
        return Ok(Vec::new());
    }
    let state = emitter.state();
    let mut search = Search {
        taken: of_others(context),
        engine_is_root: false,
    };
    if mappings.iter().any(|mapping| takes_a_right(mapping.host)) {
        search.engine_is_root = engine_is_root(context, stopper).await;
    }
    for port in &state.refused_ports {
        let why = "the container engine could not open it the last time".to_owned();
        search.taken.insert(*port, why);
    }
    let mut ports = Vec::new();
    for mapping in mappings {
        let before = state.ports.iter().find(|port| port.name == mapping.name);
        let chosen = ports::choose(mapping, before, |port| search.refusal(port), any_free);
        let Some(chosen) = chosen else {
            let summary = format!("there is no free port of 127.0.0.1 for `{}`", mapping.name);
            return Err(EngineError::Step(Box::new(Failure::new(summary))));
        };
        if let Some(text) = chosen.notice() {
            emitter.emit(EventKind::Notice { text });
        }
        let why = format!("this environment uses it for {}", mapping.name);
        search.taken.insert(chosen.port.host, why);
        ports.push(chosen.port);
    }
    let chosen = EventKind::PortsChosen {
        ports: ports.clone(),
    };
    emitter.commit(chosen).await?;
    Ok(ports)
}

/// The conditions that are known before a port is tried.
struct Search {
    /// The ports that must not be used, and why.
    taken: BTreeMap<u16, String>,
    engine_is_root: bool,
}

impl Search {
    /// Returns the reason why `port` cannot be used, if there is one.
    fn refusal(&self, port: u16) -> Option<String> {
        if let Some(why) = self.taken.get(&port) {
            return Some(why.clone());
        }
        let in_use = || Some("another program has it".to_owned());
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => None,
            // The port is below 1024, and this user may not open those. That says nothing about the
            // engine, which is the one to open it: the usual engine runs as root and may, a
            // rootless one may not. A connection shows if the port is in use.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                if TcpStream::connect_timeout(&at, CONNECT).is_ok() {
                    in_use()
                } else if self.engine_is_root {
                    None
                } else {
                    let why = "opening a port below 1024 takes a right that neither this user nor \
                        a container engine that runs without root has";
                    Some(why.to_owned())
                }
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => in_use(),
            Err(error) => Some(format!("it cannot be opened ({error})")),
        }
    }
}

/// Returns true if this user lacks the right to open `port`.
fn takes_a_right(port: u16) -> bool {
    let opened = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Returns a free port of the kernel's choice.
fn any_free() -> Option<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    listener.local_addr().ok().map(|at| at.port())
}

/// Returns true if the engine runs as root. An engine that does not say so is taken for rootless.
async fn engine_is_root(context: &Context, stopper: &mut Stopper) -> bool {
    let what = "ask the container engine whether it is root";
    let answer = commands::ask(context, &docker::security(), what, stopper).await;
    answer.is_ok_and(|done| !docker::is_rootless(&done.stdout))
}

/// Returns the ports of the other environments. Stopped ones count: they need their ports when they
/// are started.
fn of_others(context: &Context) -> BTreeMap<u16, String> {
    let mut taken = BTreeMap::new();
    for other in context.environment.others() {
        // An environment whose journal cannot be read must not keep others from being made.
        let Ok(replayed) = Journal::read(&other.journal()) else {
            continue;
        };
        let state = replayed.state;
        let has_cluster = state.cluster.is_some() || state.intended_cluster.is_some();
        for port in state.ports.iter().filter(|_| has_cluster) {
            let why = format!("the environment \"{}\" has it", other.name());
            taken.insert(port.host, why);
        }
    }
    taken
}

/// Explains `error`, with which kind ended, if the engine could not open one of `ports`. Then
/// records the refused port, so that the next try chooses another one. Returns any other error as
/// it is.
pub async fn explained(
    context: &Context,
    error: EngineError,
    ports: &[Port],
    emitter: &Emitter,
) -> Result<EngineError, EngineError> {
    let EngineError::Tool {
        what,
        source: ToolError::Exit { tail, .. },
    } = &error
    else {
        return Ok(error);
    };
    let Some((port, said)) = ports::refused(ports, tail) else {
        return Ok(error);
    };
    let mut failure = Failure::new(format!("failed to {what}"));
    let (host, name) = (port.host, &port.name);
    failure.causes = vec![
        format!("the container engine could not open port {host} of 127.0.0.1, for {name}"),
        said.to_owned(),
    ];
    failure.tail.clone_from(tail);
    let hint = format!("`labctl up {}` again chooses another port", context.call());
    emitter.commit(EventKind::PortRefused { host }).await?;
    Ok(EngineError::Step(Box::new(failure.hint(hint))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> Search {
        Search {
            taken: [(8080, "the environment \"a\" has it".to_owned())].into(),
            engine_is_root: true,
        }
    }

    #[test]
    fn what_is_in_use_is_refused_and_what_is_free_is_not() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let why = search().refusal(port).unwrap();
        assert_eq!(why, "another program has it");
        drop(held);
        assert_eq!(search().refusal(port), None);
        // A listener on all addresses occupies this one, too.
        let held = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        assert!(search().refusal(port).is_some());
        drop(held);
        assert_eq!(
            search().refusal(8080).unwrap(),
            "the environment \"a\" has it"
        );
    }

    #[test]
    fn some_port_is_free() {
        let port = any_free().unwrap();
        assert_eq!(search().refusal(port), None);
    }
}
