//! Ports of this machine that lead into a cluster.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A port of 127.0.0.1 that leads to a port of the control-plane node, as chosen for an
/// environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Port {
    /// The name that the lab gives the port.
    pub name: String,
    /// The port that the lab prefers.
    pub wanted: u16,
    /// The port of 127.0.0.1 that was chosen.
    pub host: u16,
    /// The port of the node.
    pub node: u16,
}

impl Port {
    /// Returns the address: `127.0.0.1:8080`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.host)
    }
}

impl fmt::Display for Port {
    /// Writes the address as a user types it: as a URL if the port is named after a scheme, without
    /// the port if it is the scheme's default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), self.host) {
            ("http", 80) => f.pad("http://127.0.0.1"),
            ("https", 443) => f.pad("https://127.0.0.1"),
            ("http" | "https", _) => f.pad(&format!("{}://{}", self.name, self.address())),
            _ => f.pad(&self.address()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_shown_as_it_is_typed() {
        let shown = |name: &str, host| {
            let (wanted, node) = (80, 80);
            let name = name.to_owned();
            Port {
                name,
                wanted,
                host,
                node,
            }
            .to_string()
        };
        assert_eq!(shown("http", 80), "http://127.0.0.1");
        assert_eq!(shown("http", 8080), "http://127.0.0.1:8080");
        assert_eq!(shown("https", 443), "https://127.0.0.1");
        assert_eq!(shown("https", 80), "https://127.0.0.1:80");
        assert_eq!(shown("database", 5432), "127.0.0.1:5432");
    }
}
