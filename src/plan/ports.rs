//! Which port of this machine a mapping gets.

use crate::{event::Port, spec::action::PortMapping};

/// What is tried in the place of a port that cannot be had, in this order: the same ones each time,
/// so that they can be remembered.
const INSTEAD: std::ops::RangeInclusive<u16> = 8080..=8099;
const INSTEAD_OF_TLS: std::ops::RangeInclusive<u16> = 8443..=8462;

/// A port that was chosen, and why it is not the one that was wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The port.
    pub port: Port,
    /// Why the wished-for one cannot be had.
    pub instead: Option<String>,
}

impl Chosen {
    /// What the user is told, unless there is nothing to tell.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let Port { name, wanted, .. } = &self.port;
        let why = self.instead.as_ref()?;
        Some(format!(
            "port {wanted} of 127.0.0.1, for {name}, is not used: {why}; this environment answers \
             at {}",
            self.port
        ))
    }
}

/// Chooses a port for `mapping`. `before` is the one that it had when its cluster was last made, or
/// begun: it stays, as long as the lab wishes for the same one. `refusal` says why a port cannot be
/// had, and `any` gives one that is free. `None` if there is none.
pub fn choose(
    mapping: &PortMapping,
    before: Option<&Port>,
    mut refusal: impl FnMut(u16) -> Option<String>,
    any: impl FnOnce() -> Option<u16>,
) -> Option<Chosen> {
    let PortMapping { name, host, node } = mapping;
    let wanted = *host;
    let chosen = |host, instead| Chosen {
        port: Port {
            name: name.clone(),
            wanted,
            host,
            node: *node,
        },
        instead,
    };
    let before = before.filter(|port| port.wanted == wanted && port.host != wanted);
    if let Some(before) = before.filter(|port| refusal(port.host).is_none()) {
        let why = "this environment had another one before".to_owned();
        return Some(chosen(before.host, Some(why)));
    }
    let Some(why) = refusal(wanted) else {
        return Some(chosen(wanted, None));
    };
    let mut instead = if wanted == 443 || name == "https" {
        INSTEAD_OF_TLS
    } else {
        INSTEAD
    };
    let free = instead.find(|port| *port != wanted && refusal(*port).is_none());
    let free = free.or_else(any)?;
    Some(chosen(free, Some(why)))
}

/// The ports of `mappings` as they are wished for.
#[must_use]
pub fn wished(mappings: &[PortMapping]) -> Vec<Port> {
    let wished = |mapping: &PortMapping| Port {
        name: mapping.name.clone(),
        wanted: mapping.host,
        host: mapping.host,
        node: mapping.node,
    };
    mappings.iter().map(wished).collect()
}

/// Which of `ports` an engine could not open, by the last lines that `kind create cluster` printed,
/// and the line that says so.
#[must_use]
pub fn refused<'a, 'b>(ports: &'a [Port], tail: &'b [String]) -> Option<(&'a Port, &'b str)> {
    /// What engines say, in the versions of the last years.
    const SAID: [&str; 5] = [
        "already allocated",
        "address already in use",
        "permission denied",
        "ports are not available",
        "cannot expose privileged port",
    ];
    let mut complaints = tail
        .iter()
        .filter(|line| SAID.iter().any(|said| line.contains(said)));
    let names = |line: &str, port: u16| {
        let mut numbers = line.split(|c: char| !c.is_ascii_digit());
        numbers.any(|number| number.parse() == Ok(port))
    };
    complaints.find_map(|line| {
        let port = ports.iter().find(|port| names(line, port.host))?;
        Some((port, line.as_str()))
    })
}

#[cfg(test)]
mod tests;
