//! The Docker network of the nodes. It is made before them, and proves to which environment they
//! belong.

use crate::{
    engine::{
        cluster::proof,
        run::{
            commands,
            context::Context,
            dispatcher::Emitter,
            error::{EngineError, Why},
        },
    },
    plan,
    state::Identity,
    tool::{Stopper, ToolError, docker},
};

/// The number of subnets to try; kind tries as many.
const SUBNETS: u32 = 5;

/// Creates the environment's network, unless it exists. Refuses if another environment has one for
/// a cluster of this name. Of two environments that begin at once, at least one sees the other's
/// network.
pub async fn ensure(
    context: &Context,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let what = format!("create the cluster \"{}\"", context.name());
    let Some(id) = &context.environment.record.id else {
        let why = "the environment has no id that would prove what is its own".to_owned();
        return Err(EngineError::Unsafe {
            what,
            why: Why(why),
        });
    };
    let state = emitter.state();
    let survey = proof::survey(context, &state, stopper).await?;
    if survey.networks.is_empty() {
        create(context, id, emitter, stopper).await?;
    }
    let survey = proof::survey(context, &state, stopper).await?;
    survey.unshared(&what).map(drop)
}

async fn create(
    context: &Context,
    id: &Identity,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let network = context.environment.network();
    let what = format!("create the network \"{network}\"");
    let asked = commands::ask(context, &docker::default_mtu(), "ask for the MTU", stopper).await;
    let mtu = asked.ok().and_then(|done| done.stdout.trim().parse().ok());
    let target = context.target();
    let mut attempt = 0;
    loop {
        let subnet = (attempt < SUBNETS).then(|| plan::network::subnet(&network, attempt));
        let create = plan::network::create(&target, id.as_str(), subnet.as_deref(), mtu);
        attempt = match commands::tell(context, &create, &what, emitter, stopper).await {
            Ok(_) => return Ok(()),
            Err(error) if attempt < SUBNETS && is_without_ipv6(&error) => SUBNETS,
            Err(error) if attempt + 1 < SUBNETS && is_overlapping(&error) => attempt + 1,
            Err(error) => return Err(error),
        };
    }
}

/// Returns true if the container engine cannot do IPv6. Recognizes the same messages as kind, which
/// then goes on without it (`isIPv6UnavailableError`).
fn is_without_ipv6(error: &EngineError) -> bool {
    says(error, |line| {
        line.contains("Cannot read IPv6 setup for bridge") || line.contains("ip6tables")
    })
}

/// Returns true if another network has the subnet (kind's `isPoolOverlapError`).
fn is_overlapping(error: &EngineError) -> bool {
    says(error, |line| {
        line.contains("Pool overlaps with other one") || line.contains("networks have overlapping")
    })
}

fn says(error: &EngineError, what: impl Fn(&str) -> bool) -> bool {
    match error {
        EngineError::Tool {
            source: ToolError::Exit { tail, .. },
            ..
        } => tail.iter().any(|line| what(line.as_str())),
        _ => false,
    }
}
