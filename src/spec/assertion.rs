//! Assertions: conditions that must hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    StepId, Workload,
    measured::{LatencyOf, MeshRetries, SuccessRate},
    mesh::{LinkerdCheck, MeshInjected, MeshMtls},
    request::Http,
};

/// A condition that must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assertion {
    /// The required number of nodes is Ready.
    NodesReady(NodesReady),
    /// Every replica of a workload runs its newest revision and is ready.
    RolloutComplete(RolloutComplete),
    /// Every claim of a `StatefulSet` is bound.
    PvcBound(PvcBound),
    /// A Pod was replaced, and its claim and volume are the same as recorded.
    PvcReattached(PvcReattached),
    /// A Pod keeps its hostname, its ordinal and its DNS name.
    StableIdentity(StableIdentity),
    /// A query in a Pod's Postgres returns the expected answer.
    Sql(Sql),
    /// An object exists, and its fields match.
    Object(ObjectMatch),
    /// An object does not exist.
    Absent(ObjectRef),
    /// A request through a mapped port gets the expected answer.
    Http(Http),
    /// A Service has ready endpoints.
    EndpointsReady(EndpointsReady),
    /// The ready Pods of a workload are on several nodes.
    SpreadOverNodes(SpreadOverNodes),
    /// All ready Pods of a workload run an image.
    ImageRunning(ImageRunning),
    /// A disruption budget would refuse the eviction of a Pod (probed with a dry run).
    EvictedRefused(EvictedRefused),
    /// Linkerd's own checks pass.
    LinkerdCheck(LinkerdCheck),
    /// Every Pod of a workload has a proxy of the mesh.
    MeshInjected(MeshInjected),
    /// Two workloads communicate over mutual TLS.
    MeshMtls(MeshMtls),
    /// The share of a step's requests that succeeded is in a range.
    SuccessRate(SuccessRate),
    /// The latency of a step's requests is in a range.
    Latency(LatencyOf),
    /// The retries of the client's mesh proxy are in a range.
    MeshRetries(MeshRetries),
}

/// The arguments of `nodes-ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodesReady {
    /// The number of nodes.
    pub count: usize,
    /// True if cordoned nodes do not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub schedulable: bool,
}

/// The arguments of `rollout-complete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RolloutComplete {
    /// The workload.
    pub of: Workload,
    /// Its namespace; the lab's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The number of replicas that the workload must ask for; any number if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
}

/// The arguments of `pvc-bound`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PvcBound {
    /// The `StatefulSet` whose claim templates are checked.
    pub of: Workload,
}

/// The arguments of `pvc-reattached`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PvcReattached {
    /// The Pod.
    pub pod: String,
    /// The fact that holds the Pod and its claim as they were.
    pub since: String,
}

/// The arguments of `stable-identity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StableIdentity {
    /// The Pod.
    pub pod: String,
    /// The headless Service that governs its `StatefulSet`.
    pub service: String,
}

/// The arguments of `sql`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sql {
    /// The Pod in which `psql` runs.
    #[serde(rename = "in")]
    pub pod: String,
    /// The query.
    pub query: String,
    /// The whole answer, as `psql -At` prints it.
    pub equals: String,
}

/// The arguments of `object`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObjectMatch {
    /// Its API version, such as `v1` or `policy/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The fields to compare: maps are compared key by key, lists as a whole.
    #[serde(default, rename = "match")]
    pub fields: serde_json::Value,
}

/// A reference to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObjectRef {
    /// Its API version, such as `v1` or `policy/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The arguments of `endpoints-ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EndpointsReady {
    /// The Service.
    pub service: String,
    /// The minimum number of ready endpoints.
    pub at_least: usize,
}

/// The arguments of `spread-over-nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SpreadOverNodes {
    /// The workload.
    pub of: Workload,
    /// The minimum number of nodes that have a ready Pod of the workload.
    pub nodes: usize,
}

/// The arguments of `image-running`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageRunning {
    /// The workload.
    pub of: Workload,
    /// The image, as the workload names it.
    pub image: String,
    /// The container; the first one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// The arguments of `evicted-refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EvictedRefused {
    /// The Pod to evict.
    pub pod: String,
    /// The `PodDisruptionBudget` that must refuse the eviction.
    pub budget: String,
}

impl Assertion {
    /// Returns the step whose measurement this is about, if it is about one. The inner `None` is
    /// the assertion's own step.
    #[must_use]
    pub fn measured(&self) -> Option<&Option<StepId>> {
        match self {
            Self::SuccessRate(a) => Some(&a.of),
            Self::Latency(a) => Some(&a.of),
            Self::MeshRetries(a) => Some(&a.of),
            _ => None,
        }
    }

    /// Returns a mutable reference to the step whose measurement this is about.
    pub fn measured_mut(&mut self) -> Option<&mut Option<StepId>> {
        match self {
            Self::SuccessRate(a) => Some(&mut a.of),
            Self::Latency(a) => Some(&mut a.of),
            Self::MeshRetries(a) => Some(&mut a.of),
            _ => None,
        }
    }

    /// Returns the fact that this compares with, if any.
    #[must_use]
    pub fn since(&self) -> Option<&str> {
        match self {
            Self::PvcReattached(a) => Some(&a.since),
            _ => None,
        }
    }
}

fn step(of: Option<&StepId>) -> &str {
    of.map_or("this step", StepId::as_str)
}

impl fmt::Display for Assertion {
    /// Writes the assertion and its subject, as reports name it: `pvc-reattached postgres-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodesReady(a) if a.schedulable => {
                write!(f, "nodes-ready {}, schedulable", a.count)
            }
            Self::NodesReady(a) => write!(f, "nodes-ready {}", a.count),
            Self::RolloutComplete(a) => {
                write!(f, "rollout-complete {}", a.of)?;
                a.namespace
                    .iter()
                    .try_for_each(|name| write!(f, " in {name}"))
            }
            Self::PvcBound(a) => write!(f, "pvc-bound {}", a.of),
            Self::PvcReattached(a) => write!(f, "pvc-reattached {}", a.pod),
            Self::StableIdentity(a) => write!(f, "stable-identity {}", a.pod),
            Self::Sql(a) => write!(f, "sql in {}", a.pod),
            Self::Object(a) => write!(f, "object {}/{}", a.kind.to_lowercase(), a.name),
            Self::Absent(a) => write!(f, "absent {}/{}", a.kind.to_lowercase(), a.name),
            Self::Http(a) => write!(f, "http {a}"),
            Self::EndpointsReady(a) => write!(f, "endpoints-ready {}", a.service),
            Self::SpreadOverNodes(a) => write!(f, "spread-over-nodes {}", a.of),
            Self::ImageRunning(a) => write!(f, "image-running {}", a.of),
            Self::EvictedRefused(a) => write!(f, "evicted-refused {}", a.pod),
            Self::LinkerdCheck(a) => write!(f, "linkerd-check {}", a.of),
            Self::MeshInjected(a) => write!(f, "mesh-injected {}", a.of),
            Self::MeshMtls(a) => write!(f, "mesh-mtls {} to {}", a.from, a.to),
            Self::SuccessRate(a) => write!(f, "success-rate of {}", step(a.of.as_ref())),
            Self::Latency(a) => write!(f, "latency {} of {}", a.quantile, step(a.of.as_ref())),
            Self::MeshRetries(a) => write!(f, "mesh-retries of {}", step(a.of.as_ref())),
        }
    }
}
