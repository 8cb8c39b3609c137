//! Toxics. Toxiproxy is asked before one is added, and before one is removed.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    assert::{
        Cluster,
        toxic::{Standing, may_run, needs, standing},
    },
    engine::{
        cluster::owner,
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
        steps::heal,
    },
    event::Failure,
    plan::toxic::{proxy_path, remove},
    spec::{Action, Step, StepId, Undo, measurement::OpenToxic, toxic::PlacedToxic},
    tool::Stopper,
};

/// The time that a Toxiproxy which has just been started may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two requests meanwhile.
const PAUSE: Duration = Duration::from_millis(300);

/// Asks Toxiproxy for the state of `placed`.
async fn look(
    context: &Context,
    cluster: &Cluster,
    placed: &PlacedToxic,
) -> Result<Standing, EngineError> {
    let path = proxy_path(placed, &context.lab.namespace);
    let reply = cluster.get(&path).await;
    Ok(standing(
        &reply.map_err(owner::unreachable(context))?,
        placed,
    ))
}

/// Makes sure that the toxic of `step` does not exist yet and can be added. Heals one that this
/// step injected before. Any other one is somebody else's: the step fails before it begins, so that
/// labctl does not take it for its own.
pub async fn prepare(
    context: &Context,
    step: &Step,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let Action::Toxic(toxic) = &step.action else {
        return Ok(());
    };
    if emitter.state().faults.steps().contains(&step.id) {
        heal::of_step(context, cluster, &step.id, emitter).await?;
    }
    let placed = toxic.placed();
    let why = match answered(context, cluster, &placed, stopper).await? {
        Standing::Absent(_) => return Ok(()),
        Standing::Present(_) => {
            let failure = Failure::new(format!(
                "the {placed} is there already, and this step did not make it"
            ));
            let undo = remove(&placed, &context.target().kubectl);
            let failure = failure.hint(format!("if nobody needs it, take it back: {undo}"));
            return Err(EngineError::Step(Box::new(failure)));
        }
        Standing::NoProxy => format!("Toxiproxy has no proxy `{}`", toxic.proxy),
        Standing::NoService => format!("there is no Service `{}`", toxic.service),
        Standing::Silent(why) => format!("Toxiproxy does not answer: {why}"),
    };
    let mut failure = Failure::new("nothing was injected");
    failure.causes.push(why);
    Err(EngineError::Step(Box::new(failure)))
}

/// Returns the state of `placed` once Toxiproxy answers, or the last one if it does not.
async fn answered(
    context: &Context,
    cluster: &Cluster,
    placed: &PlacedToxic,
    stopper: &mut Stopper,
) -> Result<Standing, EngineError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let standing = look(context, cluster, placed).await?;
        if !matches!(standing, Standing::Silent(_)) || Instant::now() >= deadline {
            return Ok(standing);
        }
        stopper.guard(tokio::time::sleep(PAUSE)).await?;
    }
}

/// Removes `placed`. Counts it as removed if it is gone, or if no Toxiproxy can run any more: that
/// comes back without toxics. Fails if Toxiproxy may run but does not answer.
pub async fn take_back(
    context: &Context,
    cluster: &Cluster,
    placed: &PlacedToxic,
    what: &str,
    emitter: &Emitter,
) -> Result<(), EngineError> {
    let namespace = &context.lab.namespace;
    let deadline = Instant::now() + PATIENCE;
    let mut failed = None;
    loop {
        match look(context, cluster, placed).await? {
            Standing::Absent(_) | Standing::NoProxy | Standing::NoService => return Ok(()),
            Standing::Present(_) => {
                if Instant::now() >= deadline {
                    let still = || unanswered(what, &format!("the {placed} is still there"));
                    return Err(failed.unwrap_or_else(still));
                }
                let command = remove(placed, &context.target().kubectl);
                let mut stopper = Stopper::never();
                match commands::tell(context, &command, what, emitter, &mut stopper).await {
                    // Look again, to see that it is gone.
                    Ok(_) => continue,
                    Err(error) => failed = Some(error),
                }
            }
            Standing::Silent(why) => {
                let observed = cluster.observe(&needs(namespace), &[], namespace).await;
                let runs = may_run(placed, &observed, namespace);
                if !runs.map_err(|why| owner::silent(context, &why))? {
                    return Ok(());
                }
                if Instant::now() >= deadline {
                    return Err(unanswered(
                        what,
                        &format!("Toxiproxy does not answer: {why}"),
                    ));
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn unanswered(what: &str, why: &str) -> EngineError {
    let mut failure = Failure::new(format!("failed to {what}"));
    failure.causes.push(why.to_owned());
    EngineError::Step(Box::new(failure))
}

/// Returns the toxics that labctl has open, with their present state in Toxiproxy.
pub async fn open(
    context: &Context,
    cluster: &Cluster,
    emitter: &Emitter,
) -> Result<Vec<OpenToxic>, EngineError> {
    let state = emitter.state();
    let mut toxics = Vec::new();
    for fault in state.faults.last_first() {
        if let Undo::RemoveToxic(at) = &fault.undo {
            let standing = look(context, cluster, at).await?;
            let (Standing::Present(listens) | Standing::Absent(listens)) = standing else {
                toxics.push(toxic(&fault.step, at, None, false));
                continue;
            };
            let present = matches!(standing, Standing::Present(_));
            toxics.push(toxic(&fault.step, at, listens, present));
        }
    }
    toxics.reverse();
    Ok(toxics)
}

fn toxic(step: &StepId, at: &PlacedToxic, listens: Option<u16>, present: bool) -> OpenToxic {
    OpenToxic {
        step: step.clone(),
        at: at.clone(),
        listens,
        present,
    }
}
