//! HTTP requests of labs: a single request with its expected answer, and traffic at a rate.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The method of a request. labctl repeats requests, so only methods that change nothing are
/// allowed.
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
    /// Returns the method as written in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// The arguments of `http`: a request through a mapped port, and its expected answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Http {
    /// The name of a port of the step `kind-cluster`.
    pub port: String,
    /// The method of the request.
    #[serde(default)]
    pub method: Method,
    /// The header `Host`, which the rules of an Ingress match; the address if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path, with its query.
    #[serde(default = "root")]
    pub path: String,
    /// The expected status.
    #[serde(default = "ok")]
    pub status: u16,
    /// Expected headers with their whole values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The fields of the JSON body to compare: maps are compared key by key, lists as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// A text that the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// The number of consecutive requests that must get the expected answer, each over a new
    /// connection.
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
    /// Validates the request for a cluster with these `ports`. Returns a message for each error.
    pub fn faults(&self, ports: &[String]) -> Vec<String> {
        /// The maximum of `times`. More requests would take longer than the state that they probe
        /// lasts.
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

/// A request without its expected answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The header `Host`.
    pub host: Option<String>,
    /// The path, with its query.
    pub path: String,
}

impl Http {
    /// Returns the request without its expected answer.
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
    /// Writes, for instance, `shop.localhost/api/entries`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.host.as_deref().unwrap_or_default(),
            self.path
        )
    }
}

/// Traffic at a rate during a step: from before the step acts until its expectations hold, and on
/// until enough requests were sent. Each request has its own connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Load {
    /// The request. A request with another answer counts as failed.
    pub http: Http,
    /// The number of requests per second.
    pub rate: u32,
    /// The minimum number of requests.
    #[serde(default = "once")]
    pub at_least: u32,
    /// The maximum number of failures; 0 if neither this nor `failed-at-least` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at_most: Option<u32>,
    /// The minimum number of failures, for a step that demonstrates an outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at_least: Option<u32>,
}

impl Load {
    /// Returns the maximum number of failures, if there is one.
    #[must_use]
    pub fn budget(&self) -> Option<u32> {
        let unless = self.failed_at_least.is_none().then_some(0);
        self.failed_at_most.or(unless)
    }

    /// Validates the traffic for a cluster with these `ports`. Returns a message for each error.
    pub fn faults(&self, ports: &[String]) -> Vec<String> {
        /// The highest rate that one thread keeps beside its other work.
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
