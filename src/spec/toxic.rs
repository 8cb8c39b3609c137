//! `toxic`: a connection fault that Toxiproxy injects.
//!
//! Names, kinds and attributes are Toxiproxy's own, units included: its documentation explains the
//! text in `lab.yaml`, and labctl sends that text on unchanged.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{name::is_label, validate::nearest};

/// A toxic of a proxy, or a disabled proxy. It is always healed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Toxic {
    /// The Service of Toxiproxy, in the lab's namespace.
    pub service: String,
    /// The port of that Service that leads to Toxiproxy's API.
    #[serde(default = "api_port")]
    pub port: u16,
    /// The proxy's name.
    pub proxy: String,
    /// The name of the toxic; absent for `down`, which is not a toxic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind of fault.
    #[serde(rename = "type")]
    pub kind: ToxicKind,
    /// The direction that the toxic affects; `downstream` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// The share of connections that the toxic affects, from 0 to 1; all if absent. Toxiproxy draws
    /// once for each connection, not for each request on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<f64>,
    /// The strength of the toxic, by Toxiproxy's names of the attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, u64>,
}

fn api_port() -> u16 {
    8474
}

/// A kind of toxic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToxicKind {
    /// Data arrives later: `latency`, give or take `jitter`, in milliseconds.
    Latency,
    /// Data passes slowly: `rate`, in KB a second.
    Bandwidth,
    /// A connection that is closed stays open for `delay` milliseconds.
    SlowClose,
    /// No data passes. The connection is closed after `timeout` milliseconds, or never if that
    /// is 0.
    Timeout,
    /// The connection is reset, `timeout` milliseconds after its first data.
    ResetPeer,
    /// Data arrives in slices of `average_size` bytes, give or take `size_variation`, with `delay`
    /// microseconds between them.
    Slicer,
    /// The connection is closed after `bytes`.
    LimitData,
    /// The proxy is disabled: it accepts no connections, and ends those that it has.
    Down,
}

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

/// The place of a toxic: everything that is needed to remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlacedToxic {
    /// The Service of Toxiproxy, in the lab's namespace.
    pub service: String,
    /// The port of that Service that leads to Toxiproxy's API.
    pub port: u16,
    /// The proxy's name.
    pub proxy: String,
    /// The name of the toxic; absent if the proxy is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Display for PlacedToxic {
    /// Writes, for instance, `toxic cut of proxy database`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "toxic {name} of proxy {}", self.proxy),
            None => write!(f, "disabled proxy {}", self.proxy),
        }
    }
}

impl ToxicKind {
    /// Returns Toxiproxy's name of the kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Bandwidth => "bandwidth",
            Self::SlowClose => "slow_close",
            Self::Timeout => "timeout",
            Self::ResetPeer => "reset_peer",
            Self::Slicer => "slicer",
            Self::LimitData => "limit_data",
            Self::Down => "down",
        }
    }

    /// Returns the attributes of the kind: the name, the minimum, and whether the attribute is
    /// required.
    fn attributes(self) -> &'static [(&'static str, u64, bool)] {
        match self {
            Self::Latency => &[("latency", 1, true), ("jitter", 0, false)],
            Self::Bandwidth => &[("rate", 1, true)],
            Self::SlowClose => &[("delay", 1, true)],
            Self::Timeout => &[("timeout", 0, true)],
            Self::ResetPeer => &[("timeout", 0, false)],
            Self::Slicer => &[
                ("average_size", 1, true),
                ("size_variation", 0, false),
                ("delay", 0, false),
            ],
            Self::LimitData => &[("bytes", 1, true)],
            Self::Down => &[],
        }
    }
}

impl Stream {
    /// Returns Toxiproxy's name of the direction.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

impl Toxic {
    /// Returns the place of the toxic.
    #[must_use]
    pub fn placed(&self) -> PlacedToxic {
        PlacedToxic {
            service: self.service.clone(),
            port: self.port,
            proxy: self.proxy.clone(),
            name: self.name.clone(),
        }
    }

    /// Validates the toxic. Returns a message for each error.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let kind = self.kind.as_str();
        if !is_label(&self.service) {
            faults.push(format!(
                "`toxic`: `service: {}` is no name of a Service",
                self.service
            ));
        }
        if self.port == 0 {
            faults.push("`toxic`: `port` cannot be 0".to_owned());
        }
        let named = [("proxy", Some(&self.proxy)), ("name", self.name.as_ref())];
        for (key, name) in named.into_iter().filter_map(|(k, n)| Some((k, n?))) {
            if !is_in_a_path(name) {
                faults.push(format!(
                    "`toxic`: `{key}: {name}` has to be letters, digits, `.`, `_` and `-`"
                ));
            }
        }
        if self.kind == ToxicKind::Down {
            let given = [
                ("name", self.name.is_some()),
                ("stream", self.stream.is_some()),
                ("toxicity", self.toxicity.is_some()),
            ];
            for (key, _) in given.iter().filter(|(_, given)| *given) {
                faults.push(format!(
                    "`toxic`: `{key}` says nothing of `type: down`, which disables the whole proxy"
                ));
            }
        } else if self.name.is_none() {
            faults.push("`toxic`: a `name` is missing".to_owned());
        }
        if self.toxicity.is_some_and(|t| !(0.0..=1.0).contains(&t)) {
            faults.push("`toxic`: `toxicity` is from 0 to 1".to_owned());
        }
        let known = self.kind.attributes();
        for (name, value) in &self.attributes {
            let Some((_, least, _)) = known.iter().find(|(known, ..)| known == name) else {
                let near = nearest(name, known.iter().map(|(known, ..)| known));
                faults.push(format!(
                    "`toxic`: `type: {kind}` has no attribute `{name}`{near}"
                ));
                continue;
            };
            if value < least {
                faults.push(format!("`toxic`: `{name}` is {least} at least"));
            }
        }
        for (name, ..) in known.iter().filter(|(.., demanded)| *demanded) {
            if !self.attributes.contains_key(*name) {
                faults.push(format!(
                    "`toxic`: `type: {kind}` needs the attribute `{name}`"
                ));
            }
        }
        let of = |name: &str| self.attributes.get(name).copied();
        if matches!((of("average_size"), of("size_variation")), (Some(a), Some(v)) if v >= a) {
            faults.push("`toxic`: `size_variation` is less than `average_size`".to_owned());
        }
        faults
    }
}

/// Tests whether `name` can be part of a URL's path without escaping.
fn is_in_a_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && name.chars().all(plain) && !name.chars().all(|c| c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(yaml: &str) -> Vec<String> {
        let toxic: Toxic =
            serde_saphyr::from_str(&format!("{{service: toxiproxy, proxy: database, {yaml}}}"))
                .unwrap();
        toxic.faults()
    }

    #[test]
    fn each_kind_knows_its_attributes() {
        for sound in [
            "name: t, type: latency, attributes: {latency: 500, jitter: 0}",
            "name: t, type: bandwidth, attributes: {rate: 1}",
            "name: t, type: slow_close, attributes: {delay: 500}",
            "name: t, type: timeout, attributes: {timeout: 0}",
            "name: t, type: reset_peer, stream: upstream, toxicity: 0.5",
            "name: t, type: slicer, attributes: {average_size: 8, size_variation: 2, delay: 10}",
            "name: t, type: limit_data, attributes: {bytes: 10}",
            "type: down",
        ] {
            assert_eq!(faults(sound), [""; 0], "{sound}");
        }
    }

    #[test]
    fn all_faults_at_once() {
        let yaml = "type: latency, toxicity: 1.5, attributes: {latncy: 3, jitter: 1}";
        insta::assert_snapshot!(faults(yaml).join("\n"), @r"
        `toxic`: a `name` is missing
        `toxic`: `toxicity` is from 0 to 1
        `toxic`: `type: latency` has no attribute `latncy`; did you mean `latency`?
        `toxic`: `type: latency` needs the attribute `latency`
        ");
        let yaml = "name: a/b, type: slicer, attributes: {average_size: 0, size_variation: 2}";
        insta::assert_snapshot!(faults(yaml).join("\n"), @r"
        `toxic`: `name: a/b` has to be letters, digits, `.`, `_` and `-`
        `toxic`: `average_size` is 1 at least
        `toxic`: `size_variation` is less than `average_size`
        ");
        let yaml = "name: x, type: down, stream: upstream, attributes: {rate: 1}";
        insta::assert_snapshot!(faults(yaml).join("\n"), @r"
        `toxic`: `name` says nothing of `type: down`, which disables the whole proxy
        `toxic`: `stream` says nothing of `type: down`, which disables the whole proxy
        `toxic`: `type: down` has no attribute `rate`
        ");
    }
}
