//! Access to a cluster: lists, probes and its identity. I/O, with a private kubeconfig.

use std::{fmt::Debug, path::Path, sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{
        ApiResource, AttachParams, DeleteParams, DynamicObject, EvictParams, GroupVersionKind,
        ListParams, PostParams,
    },
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::de::DeserializeOwned;
use tokio::{io::AsyncReadExt, sync::Mutex};

use super::{
    Needs, Observed, Probe, ProbeResult, Scope,
    ask::ask,
    needs::probes,
    observed::{Answer, InPod, Seen},
    pod,
    served::{Asked, unserved},
    text::innermost,
};
use crate::{
    event::Port,
    spec::{Assertion, ToolName, request::Request},
};

/// The time limit for an answer of the API server, which is on this machine.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// The time limit for a command in a pod.
const EXEC: Duration = Duration::from_secs(10);
/// The maximum output of a command in a pod that is read, in bytes.
const OUTPUT: u64 = 64 << 10;

/// An error that keeps labctl from talking to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig cannot be read.
    #[error("the kubeconfig {path} cannot be used")]
    Kubeconfig {
        /// The kubeconfig's path.
        path: String,
        /// The error behind it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The kubeconfig runs a program to log in, which labctl does not do unless the user allows it.
    #[error("the kubeconfig {path} runs a program to log in, which labctl refuses")]
    Plugin {
        /// The kubeconfig's path.
        path: String,
    },
    /// The API server does not answer.
    #[error("the cluster's API server does not answer: {why}")]
    Unreachable {
        /// The error instead of an answer.
        why: String,
    },
}

/// The permission for a kubeconfig to run a program to log in (`exec`, `auth-provider`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginPrograms {
    /// Refused: labctl runs no program that a file names unless the user allows it.
    #[default]
    Refused,
    /// The user allowed it.
    Allowed,
}

/// A client of one cluster.
#[derive(Clone)]
pub struct Cluster {
    /// A client that retries when the API server is busy.
    client: Client,
    /// A client that does not retry: a refused eviction is a 429, which is the answer that the
    /// probe wants.
    prober: Client,
    address: String,
    /// The ports of this machine that lead into the cluster.
    ports: Vec<Port>,
    /// The tools that the lab brings.
    tools: Option<Arc<dyn LabTools>>,
    /// The kinds that the cluster serves, and the time of that discovery; filled on first need.
    pub(super) served: Arc<Mutex<Option<Asked>>>,
}

/// Runs the tools that a lab brings, which alone can answer some probes.
pub trait LabTools: Send + Sync {
    /// Runs the tool `name` with `arguments`.
    fn run<'a>(&'a self, name: &'a ToolName, arguments: &'a [String])
    -> BoxFuture<'a, ProbeResult>;
}

impl Cluster {
    /// Opens the cluster of the context `context` in the kubeconfig at `path`, whichever context is
    /// the current one. Sends nothing yet.
    pub async fn open(
        path: &Path,
        context: &str,
        programs: LoginPrograms,
    ) -> Result<Self, ClusterError> {
        let shown = path.display().to_string();
        let unusable = |source: Box<dyn std::error::Error + Send + Sync>| {
            let path = shown.clone();
            ClusterError::Kubeconfig { path, source }
        };
        let kubeconfig = Kubeconfig::read_from(path).map_err(|e| unusable(e.into()))?;
        let runs_a_program = kubeconfig.auth_infos.iter().any(|named| {
            let auth = named.auth_info.as_ref();
            auth.is_some_and(|auth| auth.exec.is_some() || auth.auth_provider.is_some())
        });
        if runs_a_program && programs == LoginPrograms::Refused {
            return Err(ClusterError::Plugin { path: shown });
        }
        let mut clusters = kubeconfig
            .clusters
            .iter()
            .filter_map(|c| c.cluster.as_ref());
        let names_a_proxy = clusters.any(|cluster| cluster.proxy_url.is_some());
        let named = KubeConfigOptions {
            context: Some(context.to_owned()),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &named)
            .await
            .map_err(|e| unusable(e.into()))?;
        config.connect_timeout = Some(ANSWER);
        if !names_a_proxy {
            // The user's environment variables name a proxy for hosts beyond this machine, but the
            // library applies them to loopback, too.
            config.proxy_url = None;
        }
        let client = Client::try_from(config.clone()).map_err(|e| unusable(e.into()))?;
        let address = config.cluster_url.authority().map(ToString::to_string);
        config.default_retry = false;
        let prober = Client::try_from(config).map_err(|e| unusable(e.into()))?;
        Ok(Self {
            client,
            prober,
            address: address.unwrap_or_default(),
            ports: Vec::new(),
            tools: None,
            served: Arc::default(),
        })
    }

    /// Sets the ports of this machine that lead into the cluster.
    #[must_use]
    pub fn with_ports(mut self, ports: &[Port]) -> Self {
        ports.clone_into(&mut self.ports);
        self
    }

    /// Sets the tools that the lab brings.
    #[must_use]
    pub fn with_tools(mut self, tools: Arc<dyn LabTools>) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Returns the host and port of the API server: `127.0.0.1:40123`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns a client for work that is not an observation: the lists and restores of `snapshot`.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns the client that takes every answer as final and never retries.
    pub(super) fn prober(&self) -> Client {
        self.prober.clone()
    }

    /// Returns the uid of the namespace `kube-system`, which identifies the cluster.
    pub async fn uid(&self) -> Result<String, ClusterError> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let unreachable = |why: String| ClusterError::Unreachable { why };
        let answer = tokio::time::timeout(ANSWER, namespaces.get("kube-system")).await;
        let namespace = answer
            .map_err(|_| unreachable(no_answer()))?
            .map_err(|e| unreachable(innermost(&e)))?;
        namespace
            .uid()
            .ok_or_else(|| unreachable("it knows no kube-system namespace".to_owned()))
    }

    /// Lists all objects of the kind `K`, in every namespace.
    pub async fn every<K>(&self) -> Result<Vec<K>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let unreachable = |why: String| ClusterError::Unreachable { why };
        let api: Api<K> = Api::all(self.client.clone());
        let answer = tokio::time::timeout(ANSWER, api.list(&ListParams::default())).await;
        let list = answer
            .map_err(|_| unreachable(no_answer()))?
            .map_err(|e| unreachable(innermost(&e)))?;
        Ok(list.items)
    }

    /// Lists the objects of `needs` once, then runs the probes of `assertions` once.
    pub async fn observe(
        &self,
        needs: &Needs,
        assertions: &[Assertion],
        namespace: &str,
    ) -> Observed {
        let lists = join_all(needs.scopes.iter().map(|scope| self.list(scope))).await;
        let mut observed = Observed {
            objects: needs.scopes.iter().cloned().zip(lists).collect(),
            ..Observed::default()
        };
        // The probes depend on the pods: only their list shows which of them can run a command.
        let asked = probes(assertions, namespace, &observed);
        let answers = join_all(asked.iter().map(|probe| self.ask(probe))).await;
        observed.probes = asked.into_iter().zip(answers).collect();
        observed
    }

    /// Lists all objects of `scope`.
    async fn list(&self, scope: &Scope) -> Seen {
        let listed = match self.place(scope).await {
            Ok(api) => api,
            Err(seen) => return seen,
        };
        match tokio::time::timeout(ANSWER, listed.list(&ListParams::default())).await {
            Ok(Ok(list)) => {
                let entries = list.items.iter().filter_map(|object| entry(scope, object));
                Seen::Objects(entries.collect())
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => unserved(scope),
            Ok(Err(error)) => Seen::Unreachable(innermost(&error)),
            Err(_) => Seen::Unreachable(no_answer()),
        }
    }

    /// Returns the untyped API of `scope`.
    pub(super) fn api(&self, scope: &Scope) -> Api<DynamicObject> {
        let (group, version) = scope
            .api_version
            .split_once('/')
            .unwrap_or(("", &scope.api_version));
        let gvk = GroupVersionKind::gvk(group, version, &scope.kind);
        let resource = ApiResource::from_gvk(&gvk);
        match &scope.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Runs `probe` once.
    pub async fn ask(&self, probe: &Probe) -> ProbeResult {
        let (limit, answer) = match probe {
            Probe::Exec {
                namespace,
                pod,
                command,
            } => {
                let exec = self.exec(namespace, pod, command);
                (EXEC, tokio::time::timeout(EXEC, exec).await)
            }
            Probe::Evict { namespace, pod } => {
                let evict = self.evict(namespace, pod);
                (ANSWER, tokio::time::timeout(ANSWER, evict).await)
            }
            Probe::Http {
                port,
                request,
                times,
            } => return self.in_a_row(port, request, *times).await,
            Probe::Tool { name, arguments } => {
                let Some(tools) = &self.tools else {
                    let message = format!("{name} cannot be run here");
                    return ProbeResult::Refused { message };
                };
                return tools.run(name, arguments).await;
            }
        };
        match answer {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => refused_or_unreachable(&error),
            Err(_) => ProbeResult::Refused {
                message: format!("no answer within {} s", limit.as_secs()),
            },
        }
    }

    /// Sends `request` through the port called `name`; `None` if there is no such port.
    pub async fn request(&self, name: &str, request: &Request) -> Option<Answer> {
        let port = self.ports.iter().find(|port| port.name == name)?;
        Some(ask(port.host, request).await)
    }

    async fn in_a_row(&self, name: &str, request: &Request, times: u32) -> ProbeResult {
        let Some(port) = self.ports.iter().find(|port| port.name == name) else {
            let message = format!("the environment was made without a port `{name}`");
            return ProbeResult::Refused { message };
        };
        let mut answers = Vec::new();
        for _ in 0..times {
            answers.push(ask(port.host, request).await);
            if matches!(answers.last(), Some(Answer::None(..))) {
                break;
            }
        }
        let port = port.clone();
        ProbeResult::Http { port, answers }
    }

    /// Runs a command in a pod that is not being deleted, for no longer than `limit`, and returns
    /// its standard output. A command that prints more than 1 MiB fails.
    pub async fn run_in(
        &self,
        namespace: &str,
        pod: &str,
        command: &[String],
        limit: Duration,
    ) -> InPod {
        const MOST: u64 = 1 << 20;
        let pods: Api<Pod> = Api::namespaced(self.prober.clone(), namespace);
        match tokio::time::timeout(ANSWER, pods.get_opt(pod)).await {
            Ok(Ok(Some(pod))) if pod.metadata.deletion_timestamp.is_some() => {
                return InPod::Going;
            }
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return InPod::Absent,
            Ok(Err(error)) => return InPod::Failed(innermost(&error)),
            Err(_) => return InPod::Failed(no_answer()),
        }
        let ran = self.exec_reading(namespace, pod, command, MOST);
        match tokio::time::timeout(limit, ran).await {
            Err(_) => InPod::Failed(format!("no answer within {} s", limit.as_secs())),
            Ok(Err(error)) => InPod::Failed(innermost(&error)),
            Ok(Ok(ProbeResult::Ran { stdout, .. })) if stdout.len() as u64 >= MOST => {
                InPod::Failed(format!("it prints more than {} KiB", MOST >> 10))
            }
            Ok(Ok(ProbeResult::Ran {
                code: 0, stdout, ..
            })) => InPod::Printed(stdout),
            Ok(Ok(ProbeResult::Ran { code, stderr, .. })) => {
                let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
                InPod::Failed(last.map_or_else(|| format!("exit code {code}"), ToOwned::to_owned))
            }
            Ok(Ok(ProbeResult::Refused { message })) => InPod::Failed(message),
            Ok(Ok(_)) => InPod::Failed(no_answer()),
        }
    }

    async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        command: &[String],
    ) -> kube::Result<ProbeResult> {
        self.exec_reading(namespace, pod, command, OUTPUT).await
    }

    /// Runs a command in a pod and reads no more than `most` bytes of each of its outputs.
    async fn exec_reading(
        &self,
        namespace: &str,
        pod: &str,
        command: &[String],
        most: u64,
    ) -> kube::Result<ProbeResult> {
        let pods: Api<Pod> = Api::namespaced(self.prober.clone(), namespace);
        let mut params = AttachParams::default()
            .stdout(true)
            .stderr(true)
            .stdin(false);
        params.container = pod::default_container(&pods.get(pod).await?);
        let mut process = pods.exec(pod, command, &params).await?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (stdout, stderr, status) = (process.stdout(), process.stderr(), process.take_status());
        let read_out = async {
            if let Some(stdout) = stdout {
                let _ = stdout.take(most).read_to_end(&mut out).await;
            }
        };
        let read_err = async {
            if let Some(stderr) = stderr {
                let _ = stderr.take(most).read_to_end(&mut err).await;
            }
        };
        let status = async {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        let ((), (), status) = futures::future::join3(read_out, read_err, status).await;
        let Some(status) = status else {
            return Ok(ProbeResult::Refused {
                message: "the connection to the pod was lost".to_owned(),
            });
        };
        // The API server reports `Success`, or a failure with the exit code among its causes.
        // Without an exit code the command did not run at all.
        let succeeded = status.status.as_deref() == Some("Success");
        let causes = status
            .details
            .iter()
            .flat_map(|d| d.causes.iter().flatten());
        let mut exit_codes = causes.filter(|c| c.reason.as_deref() == Some("ExitCode"));
        let code = match (succeeded, exit_codes.next()) {
            (true, _) => Some(0),
            (false, Some(cause)) => cause.message.as_ref().and_then(|m| m.parse().ok()),
            (false, None) => None,
        };
        let Some(code) = code else {
            let message = status.message.unwrap_or_default();
            return Ok(ProbeResult::Refused { message });
        };
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            // Line breaks at which the output was cut are not its last ones.
            if bytes.len() as u64 >= most {
                text.into_owned()
            } else {
                text.trim_end_matches(['\n', '\r']).to_owned()
            }
        };
        Ok(ProbeResult::Ran {
            code,
            stdout: text(&out),
            stderr: text(&err),
        })
    }

    /// Requests an eviction as a dry run: a disruption budget answers as for a real one, and
    /// nothing is evicted.
    async fn evict(&self, namespace: &str, pod: &str) -> kube::Result<ProbeResult> {
        let pods: Api<Pod> = Api::namespaced(self.prober.clone(), namespace);
        let params = EvictParams {
            delete_options: Some(DeleteParams {
                dry_run: true,
                ..DeleteParams::default()
            }),
            post_options: PostParams {
                dry_run: true,
                ..PostParams::default()
            },
        };
        match pods.evict(pod, &params).await {
            Ok(_) => Ok(ProbeResult::EvictionGranted),
            Err(kube::Error::Api(status)) if status.code == 429 => {
                // The causes name the budget that refuses; the message does not.
                let causes = status.details.iter().flat_map(|d| &d.causes);
                let causes = causes.map(|cause| cause.message.as_str());
                let said = std::iter::once(status.message.as_str()).chain(causes);
                let message = said.collect::<Vec<_>>().join(" ");
                Ok(ProbeResult::EvictionRefused { message })
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns the name of `object` among those of `scope`, and the object without `managedFields`,
/// which are large and which no assertion looks at.
pub(super) fn entry(scope: &Scope, object: &DynamicObject) -> Option<(String, serde_json::Value)> {
    let mut value = serde_json::to_value(object).ok()?;
    if let Some(metadata) = value.get_mut("metadata").and_then(|m| m.as_object_mut()) {
        metadata.remove("managedFields");
    }
    // Objects of different namespaces can have the same name.
    let name = match (&scope.namespace, object.namespace()) {
        (None, Some(namespace)) => format!("{namespace}/{}", object.name_any()),
        _ => object.name_any(),
    };
    Some((name, value))
}

fn refused_or_unreachable(error: &kube::Error) -> ProbeResult {
    match error {
        kube::Error::Api(status) => ProbeResult::Refused {
            message: status.message.clone(),
        },
        kube::Error::UpgradeConnection(error) => ProbeResult::Refused {
            message: error.to_string(),
        },
        error => ProbeResult::Unreachable(innermost(error)),
    }
}

pub(super) fn no_answer() -> String {
    format!("no answer within {} s", ANSWER.as_secs())
}
