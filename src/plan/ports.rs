//! The choice of a port of this machine for a mapping.

use crate::{event::Port, spec::action::PortMapping};

/// The ports to try in place of one that is not available, in this order. They are the same each
/// time, so that students can remember them.
const INSTEAD: std::ops::RangeInclusive<u16> = 8080..=8099;
const INSTEAD_OF_TLS: std::ops::RangeInclusive<u16> = 8443..=8462;

/// A chosen port, with the reason if it is not the wished-for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The port.
    pub port: Port,
    /// The reason why the wished-for port is not available.
    pub instead: Option<String>,
}

impl Chosen {
    /// Returns the message for the user, if the port is not the wished-for one.
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

/// Chooses a port for `mapping`. `before` is the port that it had when its cluster was last
/// created, or when that was begun; it stays as long as the lab wishes for the same port. `refusal`
/// returns the reason why a port is not available, and `any` returns a free one. Returns `None` if
/// no port is free.
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

/// Returns the ports that `mappings` wish for.
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

/// Finds the port that a container engine could not open in `tail`, the last lines of `kind create
/// cluster`. Returns that one of `ports` and the line that names it.
#[must_use]
pub fn refused<'a, 'b>(ports: &'a [Port], tail: &'b [String]) -> Option<(&'a Port, &'b str)> {
    /// The messages of the engines' versions of recent years.
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
