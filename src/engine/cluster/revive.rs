//! The recovery of a cluster whose containers were stopped, by `labctl stop` or by a restart of the
//! container engine, or whose API server does not answer although they run.

use tokio::time::Instant;

use crate::{
    assert::{
        Cluster,
        back::{self, Starts},
        watch::Watch,
    },
    engine::{
        cluster::{kubeconfig, nodes::Presence, owner, proof},
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
        steps::settle::Unmet,
    },
    event::{EventKind, Failure, Outcome, RunState, Status, Verdict},
    spec::{Action, Step, StepId, Within},
    tool::{
        Stop, Stopper, ToolError,
        docker::{self, Container},
        kind,
    },
};

/// The time that a cluster may take to come back, and the time after which its kubelets are
/// restarted, once. `FROM_STOPPED` applies if its containers were stopped, `FROM_RUNNING` if they
/// ran and yet nothing answered.
const FROM_STOPPED: (Within, Within) = (Within::seconds(180), Within::seconds(45));
const FROM_RUNNING: (Within, Within) = (Within::seconds(60), Within::seconds(15));

/// Returns the environment's cluster. Brings it back first if it does not answer, or if some of its
/// containers do not run, and returns true in that case.
pub async fn ensure(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(Cluster, bool), EngineError> {
    let state = emitter.state();
    let what = format!("use the cluster \"{}\"", context.name());
    let opened = owner::open(context, &state);
    let (answer, survey) =
        futures::future::join(opened, proof::survey(context, &state, stopper)).await;
    if let Err(error) = answer.as_ref()
        && !owner::is_unreachable(error)
    {
        return answer.map(|cluster| (cluster, false));
    }
    let found = survey?.unshared(&what)?;
    let Some(known) = &state.cluster else {
        return answer.map(|cluster| (cluster, false));
    };
    let presence = Presence::of(known, &found);
    let text = match (presence, answer) {
        (Presence::Running, Ok(cluster)) if !never_joined(context, &state) => {
            return Ok((cluster, false));
        }
        (Presence::Lost { .. }, _) => return Err(owner::down(context, presence)),
        (Presence::Running, Ok(_)) => {
            "the cluster was made, and not all of its nodes joined it; that is looked at first"
                .to_owned()
        }
        _ => format!("{presence}; it is brought back first"),
    };
    emitter.emit(EventKind::Notice { text });
    match bring_back(context, found, emitter, stopper).await {
        Ok(_) => Ok((owner::open(context, &emitter.state()).await?, true)),
        Err(EngineError::Step(failure)) if never_joined(context, &state) => {
            let call = context.call();
            let hint = format!(
                "restarting their kubelets did not help; only `labctl reset {call} --hard`, which \
                 makes the cluster anew, does"
            );
            Err(EngineError::Step(Box::new(failure.hint(hint))))
        }
        Err(error) => Err(error),
    }
}

/// Returns true if the cluster was made, but the step that makes it failed: its nodes did not
/// become what they have to be, although that step waited for them.
fn never_joined(context: &Context, state: &RunState) -> bool {
    let step = state.steps.get(&step(context));
    step.is_some_and(|step| {
        step.verified.is_none() && matches!(step.outcome, Some(Outcome::Failed(_)))
    })
}

/// Starts those of the environment's own containers `found` that do not run. Then waits until the
/// API server answers, and all nodes are Ready and have reported since. Returns true if anything
/// had to be done.
pub async fn bring_back(
    context: &Context,
    found: Vec<Container>,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<bool, EngineError> {
    let began = Instant::now();
    let were_stopped = start(context, &found, emitter, stopper).await?;
    let was_moved = follow_port(context, &found, emitter, stopper).await?;
    let nodes: Vec<Container> = found.into_iter().filter(is_node).collect();
    let (within, patience) = if were_stopped {
        FROM_STOPPED
    } else {
        FROM_RUNNING
    };
    let mut wait = Wait {
        context,
        step: step(context),
        starts: starts(context, &nodes, stopper).await?,
        nodes,
        within: context.scaled(within),
        patience: Some(context.scaled(patience)),
    };
    let waited = wait.until_back(emitter, stopper).await?;
    let is_news = were_stopped || was_moved || waited || emitter.state().stopped.is_some();
    if is_news {
        emitter
            .commit(EventKind::ClusterStarted {
                nodes: wait.nodes.len(),
                took: began.elapsed(),
                server: kubeconfig::server(&context.environment).filter(|_| was_moved),
            })
            .await?;
    }
    Ok(is_news)
}

/// Returns true unless the container is the load balancer of several control planes.
fn is_node(container: &Container) -> bool {
    container.role != docker::LOAD_BALANCER
}

/// Returns the step under which the wait for the cluster is reported: the one that made it.
pub fn step(context: &Context) -> StepId {
    let makes = |step: &&Step| matches!(step.action, Action::KindCluster(_));
    let step = context.lab.steps.iter().find(makes);
    step.map_or_else(StepId::of_cluster, |step| step.id.clone())
}

/// Starts those of the environment's own containers `found` that do not run. Returns true if there
/// were any.
pub async fn start(
    context: &Context,
    found: &[Container],
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<bool, EngineError> {
    let what = format!("start the containers of the cluster \"{}\"", context.name());
    let ids = |of: fn(&Container) -> bool| -> Vec<String> {
        found
            .iter()
            .filter(|c| of(c))
            .map(|c| c.id.clone())
            .collect()
    };
    let paused = ids(Container::is_paused);
    let ended = ids(|c| !c.runs() && !c.is_paused());
    if !paused.is_empty() {
        let unpause = docker::unpause(&paused);
        commands::tell(context, &unpause, &what, emitter, stopper).await?;
    }
    if !ended.is_empty() {
        let start = docker::start(&ended);
        let started = commands::tell(context, &start, &what, emitter, stopper).await;
        started.map_err(|error| port_taken(context, error))?;
    }
    Ok(!paused.is_empty() || !ended.is_empty())
}

/// Adds a hint to `error` if another program has taken a port of the cluster: the ports of an
/// existing cluster cannot be changed.
fn port_taken(context: &Context, error: EngineError) -> EngineError {
    let is_taken = match &error {
        EngineError::Tool {
            source: ToolError::Exit { tail, .. },
            ..
        } => tail
            .iter()
            .any(|l| l.contains("already allocated") || l.contains("already in use")),
        _ => false,
    };
    if !is_taken {
        return error;
    }
    let call = context.call();
    let hint = format!(
        "end what uses the port and call `labctl start {call}` again; or \
         `labctl down {call} && labctl up {call}` makes the cluster anew, with another port"
    );
    match error.into_failure() {
        Ok(failure) => EngineError::Step(Box::new(failure.hint(hint))),
        Err(error) => error,
    }
}

/// Writes the kubeconfig anew if the API server is at another port than the kubeconfig says.
/// Returns true if so.
async fn follow_port(
    context: &Context,
    found: &[Container],
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<bool, EngineError> {
    let with_role = |role| found.iter().find(|c| c.role == role);
    let door = with_role(docker::LOAD_BALANCER).or_else(|| with_role(docker::CONTROL_PLANE));
    let Some(door) = door else { return Ok(false) };
    let what = "find the port of the API server";
    let printed = commands::ask(context, &docker::api_address(&door.id), what, stopper).await;
    // Without an answer of the engine, assume that the port has not changed.
    let Ok(printed) = printed else {
        return Ok(false);
    };
    let cluster = owner::unasked(context).await?;
    let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned());
    let known = port(cluster.address());
    let ports: Vec<String> = printed.stdout.lines().filter_map(port).collect();
    if ports.is_empty() || known.is_some_and(|known| ports.contains(&known)) {
        return Ok(false);
    }
    emitter.emit(EventKind::Notice {
        text: format!(
            "the API server is at port {} now, and not where the kubeconfig says; that is written \
             anew",
            ports[0]
        ),
    });
    let target = context.target();
    let kubeconfig = context.environment.kubeconfig();
    let export = kind::export_kubeconfig(context.name(), &target.network, &kubeconfig);
    let what = "write the kubeconfig anew";
    commands::tell(context, &export, what, emitter, stopper).await?;
    kubeconfig::renew(context)?;
    Ok(true)
}

/// Returns the start times of the containers of `nodes`.
async fn starts(
    context: &Context,
    nodes: &[Container],
    stopper: &mut Stopper,
) -> Result<Starts, EngineError> {
    let ids: Vec<String> = nodes.iter().map(|node| node.id.clone()).collect();
    let what = "see when the nodes were started";
    let printed = commands::ask(context, &docker::starts(&ids), what, stopper)
        .await?
        .stdout;
    let pairs = docker::started(&printed).into_iter();
    let read = pairs.filter_map(|(name, at)| Some((name, at.parse().ok()?)));
    let starts: Starts = read.collect();
    if starts.len() == nodes.len() {
        return Ok(starts);
    }
    let mut failure = Failure::new(format!("failed to {what}"));
    failure.causes.push(format!("the engine says `{printed}`"));
    Err(EngineError::Step(Box::new(failure)))
}

/// A wait for the nodes.
struct Wait<'a> {
    context: &'a Context,
    step: StepId,
    starts: Starts,
    nodes: Vec<Container>,
    within: std::time::Duration,
    /// The time after which the kubelets are restarted; `None` once they were.
    patience: Option<std::time::Duration>,
}

impl Wait<'_> {
    /// Waits until the nodes are back. Returns true if it had to wait for them.
    async fn until_back(
        &mut self,
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<bool, EngineError> {
        /// The time without reports: before the first complete observation, a verdict says more
        /// about labctl than about the cluster.
        const QUIET: std::time::Duration = std::time::Duration::from_secs(2);
        let namespace = self.context.lab.namespace.clone();
        let cluster = owner::unasked(self.context).await?;
        let mut watch = Watch::start(&cluster, &back::needs(&namespace));
        let began = Instant::now();
        let deadline = began + self.within;
        let mut told: Option<Verdict> = None;
        let mut is_first = true;
        loop {
            let observed = watch.observed();
            let verdict = back::back(&self.starts, &observed, &namespace);
            if verdict.status == Status::Pass {
                return Ok(!is_first);
            }
            let worth_telling = watch.is_complete() || began.elapsed() > QUIET;
            is_first &= !worth_telling;
            if worth_telling && told.as_ref() != Some(&verdict) {
                emitter.emit(EventKind::Waiting {
                    step: self.step.clone(),
                    within: self.within,
                    verdicts: vec![verdict.clone()],
                });
                told = Some(verdict.clone());
            }
            let nudge = self.patience.map(|patience| began + patience);
            tokio::select! {
                () = watch.changed() => {}
                () = at(nudge) => {
                    self.patience = None;
                    let late = back::late(&self.starts, &observed);
                    self.restart_kubelets(&late, emitter, stopper).await?;
                }
                _ = stopper.beyond(Stop::Run) => return Err(EngineError::Stopped),
                () = tokio::time::sleep_until(deadline) => return Err(self.late(verdict)),
            }
        }
    }

    /// Restarts the kubelets of the `late` nodes: a kubelet may have given up, or may run without
    /// what it needs of its node.
    async fn restart_kubelets(
        &self,
        late: &[String],
        emitter: &Emitter,
        stopper: &mut Stopper,
    ) -> Result<(), EngineError> {
        for node in self.nodes.iter().filter(|node| late.contains(&node.name)) {
            let what = format!("restart the kubelet of {}", node.name);
            let restart = docker::restart_kubelet(&node.id);
            commands::tell(self.context, &restart, &what, emitter, stopper).await?;
        }
        Ok(())
    }

    fn late(&self, verdict: Verdict) -> EngineError {
        let call = self.context.call();
        if verdict.status == Status::Unknown {
            let why = format!("nothing within {} s", self.within.as_secs());
            return owner::silent(self.context, &why);
        }
        let mut failure = Failure::from(Unmet {
            verdicts: vec![verdict],
            within: self.within,
            lacking: Vec::new(),
        });
        let evidence = failure.verdicts.iter().flat_map(|v| &v.clauses);
        let evidence: Vec<String> = evidence.flat_map(|c| c.evidence.clone()).collect();
        failure.causes = evidence;
        failure.summary = format!(
            "the cluster \"{}\" did not come back within {} s",
            self.context.name(),
            self.within.as_secs()
        );
        let hint = format!("`labctl down {call} && labctl up {call}` makes it anew");
        EngineError::Step(Box::new(failure.hint(hint)))
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
