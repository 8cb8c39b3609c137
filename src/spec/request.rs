//! HTTP as labs ask it: one request and what its answer has to be, and many of them at a rate.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// How a request asks. It is asked again and again: so only what changes nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// As it stands in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// `http`: a request through a mapped port, and what its answer has to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Http {
    /// The name of a port of the step `kind-cluster`.
    pub port: String,
    /// How it asks.
    #[serde(default)]
    pub method: Method,
    /// The header `Host`, which rules of an Ingress go by; the address if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path, with its query.
    #[serde(default = "root")]
    pub path: String,
    /// The status of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers of the answer, their whole values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The fields of the answer's JSON that are looked at: maps are compared key by key, lists as a
    /// whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// What stands somewhere in the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// How often in a row it has to be answered so, each time through a new connection.
    #[serde(default = "once")]
    pub times: u32,
}

fn root() -> String {
    "/".to_owned()
}

fn ok() -> u16 {
    200
}

fn once() -> u32 {
    1
}

impl Http {
    /// What is wrong with it, where the cluster has `ports` of these names.
    pub fn faults(&self, ports: &[String]) -> Vec<String> {
        /// More would take longer than what they are asked about stays.
        const MOST: u32 = 100;
        let mut faults = Vec::new();
        if !ports.contains(&self.port) {
            let near = super::validate::nearest(&self.port, ports.iter());
            let port = &self.port;
            faults.push(format!(
                "`http`: the step `kind-cluster` maps no port `{port}`{near}"
            ));
        }
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
        if !self.path.starts_with('/') || !plain(&self.path) {
            let path = &self.path;
            faults.push(format!(
                "`http`: the path `{path}` has to begin with `/`, without spaces or other letters"
            ));
        }
        let host = self.host.as_deref();
        if host.is_some_and(|host| host.is_empty() || host.contains('/') || !plain(host)) {
            faults.push("`http`: `host` is the name of a host".to_owned());
        }
        if !(100..600).contains(&self.status) {
            faults.push(format!("`http`: {} is no status", self.status));
        }
        if self.times == 0 || self.times > MOST {
            faults.push(format!("`http`: `times` is from 1 to {MOST}"));
        }
        faults
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// How.
    pub method: Method,
    /// The header `Host`.
    pub host: Option<String>,
    /// The path, with its query.
    pub path: String,
}

impl Http {
    /// What is asked, without what the answer has to be.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            method: self.method,
            host: self.host.clone(),
            path: self.path.clone(),
        }
    }
}

impl fmt::Display for Http {
    /// `shop.localhost/api/entries`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.host.as_deref().unwrap_or_default(),
            self.path
        )
    }
}

/// Requests at a rate while a step acts: from before it acts until what it expects holds, and on
/// until there were enough of them. Each has a connection of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Load {
    /// The request. One whose answer is not like this failed.
    pub http: Http,
    /// How many are sent a second.
    pub rate: u32,
    /// How many are sent.
    #[serde(default = "once")]
    pub at_least: u32,
    /// How many may fail; none, unless `failed-at-least` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at_most: Option<u32>,
    /// How many have to fail: what is shown is an outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at_least: Option<u32>,
}

impl Load {
    /// The most that may fail, if that is limited.
    #[must_use]
    pub fn budget(&self) -> Option<u32> {
        let unless = self.failed_at_least.is_none().then_some(0);
        self.failed_at_most.or(unless)
    }

    /// What is wrong with it, where the cluster has `ports` of these names.
    pub fn faults(&self, ports: &[String]) -> Vec<String> {
        /// What one thread sends on time, beside its other work.
        const FASTEST: u32 = 200;
        let mut faults = self.http.faults(ports);
        if self.rate == 0 || self.rate > FASTEST {
            faults.push(format!("`load`: `rate` is from 1 to {FASTEST} a second"));
        }
        if self.http.times != 1 {
            faults.push("`load`: `times` says nothing here".to_owned());
        }
        if matches!((self.failed_at_least, self.failed_at_most), (Some(a), Some(b)) if a > b) {
            faults.push("`load`: more have to fail than may".to_owned());
        }
        faults
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "load on {}", self.http)
    }
}
