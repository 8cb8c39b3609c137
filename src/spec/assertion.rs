//! Assertions: what must be true.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    StepId, Workload,
    measured::{LatencyOf, MeshRetries, SuccessRate},
    mesh::{LinkerdCheck, MeshInjected, MeshMtls},
    request::Http,
};

/// What must be true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assertion {
    /// So many nodes are Ready.
    NodesReady(NodesReady),
    /// Every replica of a workload runs its newest revision and is ready.
    RolloutComplete(RolloutComplete),
    /// Every claim of a `StatefulSet` is bound.
    PvcBound(PvcBound),
    /// A pod was replaced, and its claim and volume are the same as recorded.
    PvcReattached(PvcReattached),
    /// A pod keeps its hostname, its ordinal and its DNS name.
    StableIdentity(StableIdentity),
    /// A query in a pod's Postgres answers as expected.
    Sql(Sql),
    /// An object exists, and its fields match.
    Object(ObjectMatch),
    /// An object does not exist.
    Absent(ObjectRef),
    /// A request through a mapped port is answered as expected.
    Http(Http),
    /// A Service has ready endpoints.
    EndpointsReady(EndpointsReady),
    /// The ready pods of a workload are on several nodes.
    SpreadOverNodes(SpreadOverNodes),
    /// All ready pods of a workload run an image.
    ImageRunning(ImageRunning),
    /// A pod's eviction would be refused by a disruption budget (asked as a dry run).
    EvictedRefused(EvictedRefused),
    /// Linkerd's own checks pass.
    LinkerdCheck(LinkerdCheck),
    /// Every pod of a workload has a proxy of the mesh.
    MeshInjected(MeshInjected),
    /// Two workloads talk over mutual TLS.
    MeshMtls(MeshMtls),
    /// So many of the requests that a step sent succeeded.
    SuccessRate(SuccessRate),
    /// The requests that a step sent took so long.
    Latency(LatencyOf),
    /// The client's mesh proxy sent so many of them again.
    MeshRetries(MeshRetries),
}

/// `nodes-ready`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodesReady {
    /// How many.
    pub count: usize,
    /// A node that is cordoned does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub schedulable: bool,
}

/// `rollout-complete`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RolloutComplete {
    /// The workload.
    pub of: Workload,
    /// Its namespace; the lab's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many replicas it has to ask for; as many as it does if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
}

/// `pvc-bound`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PvcBound {
    /// The `StatefulSet` whose claim templates are meant.
    pub of: Workload,
}

/// `pvc-reattached`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PvcReattached {
    /// The pod.
    pub pod: String,
    /// The fact that holds the pod and its claim as they were.
    pub since: String,
}

/// `stable-identity`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StableIdentity {
    /// The pod.
    pub pod: String,
    /// The headless Service that governs its `StatefulSet`.
    pub service: String,
}

/// `sql`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sql {
    /// The pod in which `psql` is run.
    #[serde(rename = "in")]
    pub pod: String,
    /// The query.
    pub query: String,
    /// The whole answer, as `psql -At` prints it.
    pub equals: String,
}

/// `object`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObjectMatch {
    /// Its API version, such as `v1` or `policy/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The fields that are looked at: maps are compared key by key, lists as a whole.
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

/// `endpoints-ready`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EndpointsReady {
    /// The Service.
    pub service: String,
    /// How many.
    pub at_least: usize,
}

/// `spread-over-nodes`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SpreadOverNodes {
    /// The workload.
    pub of: Workload,
    /// On how many nodes there is a ready pod of it, at least.
    pub nodes: usize,
}

/// `image-running`
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

/// `evicted-refused`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EvictedRefused {
    /// The pod whose eviction is asked for.
    pub pod: String,
    /// The `PodDisruptionBudget` that has to refuse it.
    pub budget: String,
}

impl Assertion {
    /// The step whose measurement this is about, if it is about one; its own if none is named.
    #[must_use]
    pub fn measured(&self) -> Option<&Option<StepId>> {
        match self {
            Self::SuccessRate(a) => Some(&a.of),
            Self::Latency(a) => Some(&a.of),
            Self::MeshRetries(a) => Some(&a.of),
            _ => None,
        }
    }

    /// The same, to name it.
    pub fn measured_mut(&mut self) -> Option<&mut Option<StepId>> {
        match self {
            Self::SuccessRate(a) => Some(&mut a.of),
            Self::Latency(a) => Some(&mut a.of),
            Self::MeshRetries(a) => Some(&mut a.of),
            _ => None,
        }
    }

    /// The fact that this compares with, if it does with one.
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
    /// The assertion and its subject, as reports name it: `pvc-reattached postgres-0`.
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
