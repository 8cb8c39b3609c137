//! The observed state of a cluster: objects by kind, answers to probes, and failures to get them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Probe;
use crate::event::Port;

/// One kind of object in one namespace or in the whole cluster: the range of one watch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The API version: `v1`, `apps/v1`.
    pub api_version: String,
    /// The kind: `Pod`.
    pub kind: String,
    /// The namespace; `None` for kinds that have none.
    pub namespace: Option<String>,
}

/// The objects of one scope, by name.
pub type Objects = BTreeMap<String, Value>;

/// The observed objects of one scope.
#[derive(Debug, Clone)]
pub enum Seen {
    /// The objects could not be listed, for this reason.
    Unreachable(String),
    /// All objects of the scope, by name.
    Objects(Objects),
    /// The cluster does not serve the kind. The text says so, and may name a kind that it serves.
    Unserved(String),
}

/// The objects of a kind that is not served.
static NONE: Objects = Objects::new();

/// The outcome of a command in a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InPod {
    /// The command exited with 0 and printed this.
    Printed(String),
    /// The command could not be run or failed, for this reason.
    Failed(String),
    /// The pod is being deleted.
    Going,
    /// There is no such pod.
    Absent,
}

/// The answer to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeResult {
    /// A command that ran in a pod, or a tool.
    Ran {
        /// The exit code.
        code: i32,
        /// The standard output, without the last line break.
        stdout: String,
        /// The standard error.
        stderr: String,
    },
    /// An eviction that would be granted, according to a dry run.
    EvictionGranted,
    /// An eviction that a disruption budget refuses, according to a dry run.
    EvictionRefused {
        /// The API server's message.
        message: String,
    },
    /// The answers to HTTP requests that were made in a row.
    Http {
        /// The port of this machine that the requests went through.
        port: Port,
        /// One answer for each request. The first request without an answer ends the row.
        answers: Vec<Answer>,
    },
    /// A refusal by the API server: no such pod, no such container.
    Refused {
        /// The message of the refusal.
        message: String,
    },
    /// The API server did not answer.
    Unreachable(String),
}

/// The result of one HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer.
    Given {
        /// The status.
        status: u16,
        /// The headers, by their names in lower case.
        headers: BTreeMap<String, String>,
        /// The body, as far as it was read.
        body: String,
    },
    /// No answer: the reason, and a message.
    None(NoAnswer, String),
}

/// The reason why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing listens on the port of this machine.
    Refused,
    /// The connection was closed before the answer was complete. The container engine opens the
    /// port of this machine, so this is also all that a client sees if nothing listens on the
    /// node's port.
    Closed,
    /// The answer took too long.
    Late,
    /// This machine could not send the request: it has no port or descriptor left, or was too busy
    /// to notice the answer in time.
    Local,
}

/// Everything that was observed of a cluster at one moment.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The objects, by scope.
    pub objects: BTreeMap<Scope, Seen>,
    /// The answers, by probe. A probe without an answer is still under way.
    pub probes: BTreeMap<Probe, ProbeResult>,
}

/// The reason why an object is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The object does not exist.
    Absent,
    /// The object's existence cannot be told, for this reason.
    Unknown(String),
}

impl Scope {
    /// Returns the scope of the kind `K` in `namespace`, or in the whole cluster.
    #[must_use]
    pub fn of<K: k8s_openapi::Resource>(namespace: Option<&str>) -> Self {
        Self {
            api_version: K::API_VERSION.to_owned(),
            kind: K::KIND.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
        }
    }
}

impl Observed {
    /// Returns all objects of `scope`, or the reason why they are not known. A kind that the
    /// cluster does not serve has no objects.
    pub fn all(&self, scope: &Scope) -> Result<&BTreeMap<String, Value>, String> {
        match self.objects.get(scope) {
            Some(Seen::Objects(objects)) => Ok(objects),
            Some(Seen::Unserved(_)) => Ok(&NONE),
            Some(Seen::Unreachable(why)) => Err(why.clone()),
            None => Err(format!("{} objects were not asked for yet", scope.kind)),
        }
    }

    /// Returns the object `name` of `scope`. For a kind that the cluster does not serve the result
    /// is Unknown: the kind may be mistyped.
    pub fn object(&self, scope: &Scope, name: &str) -> Result<&Value, Missing> {
        if let Some(Seen::Unserved(why)) = self.objects.get(scope) {
            return Err(Missing::Unknown(why.clone()));
        }
        let objects = self.all(scope).map_err(Missing::Unknown)?;
        objects.get(name).ok_or(Missing::Absent)
    }

    /// Returns all objects of the kind `K` in `namespace`, typed. Objects that do not parse are
    /// left out.
    pub fn list<K>(&self, namespace: Option<&str>) -> Result<Vec<K>, String>
    where
        K: k8s_openapi::Resource + DeserializeOwned,
    {
        let objects = self.all(&Scope::of::<K>(namespace))?;
        Ok(objects.values().filter_map(parse).collect())
    }

    /// Returns the object `name` of the kind `K` in `namespace`, typed.
    pub fn get<K>(&self, namespace: Option<&str>, name: &str) -> Result<K, Missing>
    where
        K: k8s_openapi::Resource + DeserializeOwned,
    {
        let object = self.object(&Scope::of::<K>(namespace), name)?;
        parse(object).ok_or_else(|| {
            Missing::Unknown(format!(
                "{} {name} is not readable as {}",
                K::KIND,
                K::API_VERSION
            ))
        })
    }

    /// Returns the answer to `probe`; `None` while the probe is under way.
    #[must_use]
    pub fn probe(&self, probe: &Probe) -> Option<&ProbeResult> {
        self.probes.get(probe)
    }

    /// Returns the reason why the cluster is unreachable, if no kind at all could be listed.
    #[must_use]
    pub fn unreachable(&self) -> Option<&str> {
        let mut why = None;
        for seen in self.objects.values() {
            match seen {
                Seen::Objects(_) | Seen::Unserved(_) => return None,
                Seen::Unreachable(text) => why = Some(text.as_str()),
            }
        }
        why
    }
}

fn parse<K: DeserializeOwned>(object: &Value) -> Option<K> {
    K::deserialize(object).ok()
}
