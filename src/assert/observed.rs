//! What was seen of a cluster: objects by kind, answers to probes, and what could not be asked.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Probe;
use crate::event::Port;

/// One kind of object in one namespace, or of the whole cluster: what one watch covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// `v1`, `apps/v1`
    pub api_version: String,
    /// `Pod`
    pub kind: String,
    /// The namespace; `None` for kinds that have none.
    pub namespace: Option<String>,
}

/// The objects of one scope, by name.
pub type Objects = BTreeMap<String, Value>;

/// What is known of the objects of one scope.
#[derive(Debug, Clone)]
pub enum Seen {
    /// They could not be listed, and why.
    Unreachable(String),
    /// All of them, by name.
    Objects(Objects),
    /// The cluster does not serve the kind, and what it serves instead.
    Unserved(String),
}

/// The objects of a kind that is not served.
static NONE: Objects = Objects::new();

/// The outcome of a command in a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InPod {
    /// It ended with 0, and printed this.
    Printed(String),
    /// It could not be run, or failed: why.
    Failed(String),
    /// The pod is being deleted.
    Going,
    /// There is no such pod.
    Absent,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeResult {
    /// A command ran in a pod.
    Ran {
        /// Its exit code.
        code: i32,
        /// What it printed on standard output, without the last line break.
        stdout: String,
        /// What it printed on standard error.
        stderr: String,
    },
    /// An eviction, asked for as a dry run, would be granted.
    EvictionGranted,
    /// An eviction, asked for as a dry run, is refused by a disruption budget.
    EvictionRefused {
        /// What the API server said.
        message: String,
    },
    /// Requests over HTTP were made, in a row.
    Http {
        /// Where: a port of this machine.
        port: Port,
        /// What came of each. They end with the first that was not answered at all.
        answers: Vec<Answer>,
    },
    /// The API server answered that it cannot be done: no such pod, no such container.
    Refused {
        /// What it said.
        message: String,
    },
    /// The API server did not answer.
    Unreachable(String),
}

/// What came of one request over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was answered.
    Given {
        /// The status.
        status: u16,
        /// The headers, by their names in lower case.
        headers: BTreeMap<String, String>,
        /// The body, as far as it is read.
        body: String,
    },
    /// It was not: how, and what was said instead.
    None(NoAnswer, String),
}

/// How a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing listens on the port of this machine.
    Refused,
    /// The connection was closed before the answer was whole. The engine opens the port of this
    /// machine; that is all one sees if nothing listens on the node's.
    Closed,
    /// It took too long.
    Late,
    /// This machine could not ask: it has no port or descriptor left, or was too busy to notice in time
    /// what came.
    Local,
}

/// All that was seen of a cluster at one moment.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Objects, by scope.
    pub objects: BTreeMap<Scope, Seen>,
    /// Answers, by probe. A probe that is still under way has none.
    pub probes: BTreeMap<Probe, ProbeResult>,
}

/// Why an object could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// It does not exist.
    Absent,
    /// It cannot be told whether it exists.
    Unknown(String),
}

impl Scope {
    /// The scope of the kind `K` in `namespace`, or in the whole cluster.
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
    /// All objects of `scope`, or why they are not known. There are none of a kind that the cluster
    /// does not serve.
    pub fn all(&self, scope: &Scope) -> Result<&BTreeMap<String, Value>, String> {
        match self.objects.get(scope) {
            Some(Seen::Objects(objects)) => Ok(objects),
            Some(Seen::Unserved(_)) => Ok(&NONE),
            Some(Seen::Unreachable(why)) => Err(why.clone()),
            None => Err(format!("{} objects were not asked for yet", scope.kind)),
        }
    }

    /// The object `name` of `scope`. Of a kind that the cluster does not serve, nothing can be told:
    /// it may be mistyped.
    pub fn object(&self, scope: &Scope, name: &str) -> Result<&Value, Missing> {
        if let Some(Seen::Unserved(why)) = self.objects.get(scope) {
            return Err(Missing::Unknown(why.clone()));
        }
        let objects = self.all(scope).map_err(Missing::Unknown)?;
        objects.get(name).ok_or(Missing::Absent)
    }

    /// All objects of the kind `K` in `namespace`, typed. Objects that do not parse are left out.
    pub fn list<K>(&self, namespace: Option<&str>) -> Result<Vec<K>, String>
    where
        K: k8s_openapi::Resource + DeserializeOwned,
    {
        let objects = self.all(&Scope::of::<K>(namespace))?;
        Ok(objects.values().filter_map(parse).collect())
    }

    /// The object `name` of the kind `K` in `namespace`, typed.
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

    /// What came of `probe`; `None` while it is under way.
    #[must_use]
    pub fn probe(&self, probe: &Probe) -> Option<&ProbeResult> {
        self.probes.get(probe)
    }

    /// Why the cluster cannot be asked, if nothing at all could be.
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
