//! `load`: sends requests from a pod, and reads the counters of the mesh's proxy beside it.

use crate::{
    assert::{
        Cluster,
        clients::{self, ClientPod},
        counters,
        load_report::{self, LoadReport},
    },
    engine::{
        act::toxic,
        cluster::owner,
        run::{context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::{EventKind, Failure, Stream},
    plan,
    spec::{
        Action, Step,
        client_load::{self, ClientLoad},
        measurement::{Counters, Measurement, Mesh},
    },
    tool::{Progress, Stopper},
};

/// The admin port of a Linkerd proxy.
const ADMIN: u16 = 4191;

/// The client's pods at one moment, and the counters of their proxies.
struct Clients {
    pods: Vec<ClientPod>,
    counted: Result<Counters, String>,
}

/// Sends the requests of `load`, and records the measurement.
pub async fn act(
    context: &Context,
    step: &Step,
    load: &ClientLoad,
    cluster: &Cluster,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let before = clients(context, cluster, load).await?;
    let before = before.map_err(|why| failure(step, "failed to measure", why))?;
    let report = send(context, step, load, emitter, stopper).await?;
    let after = clients(context, cluster, load).await?;
    let measurement = Measurement {
        url: load.url.clone(),
        from: load.from.to_string(),
        keep_alive: load.keep_alive,
        requests: report.requests,
        succeeded: report.succeeded,
        latency: report.latency(),
        took: report.took(),
        codes: report.codes,
        series: report.series,
        toxics: toxic::open(context, cluster, emitter).await?,
        mesh: mesh(&before, after),
    };
    emitter
        .commit(EventKind::Measured {
            step: step.id.clone(),
            measurement: Box::new(measurement),
        })
        .await
}

fn failure(step: &Step, summary: &str, why: String) -> EngineError {
    let mut failure = Failure::new(format!("{summary} in step {}", step.id));
    failure.causes.push(why);
    EngineError::Step(Box::new(failure))
}

/// Sends the requests, and emits the progress. Returns the client's last report.
async fn send(
    context: &Context,
    step: &Step,
    load: &ClientLoad,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<LoadReport, EngineError> {
    let facts = emitter.state().facts;
    let action = Action::Load(load.clone());
    let requests = u64::from(load.requests);
    let mut last: Option<LoadReport> = None;
    for command in plan::commands(&action, &context.target(), &facts) {
        emitter.emit(EventKind::CommandStarted {
            line: command.to_string(),
        });
        let mut child = emitter.child();
        let report = |progress: Progress| {
            let read = match &progress {
                Progress::Line(Stream::Stdout, line) => load_report::parse(line.as_str()),
                _ => None,
            };
            let Some(report) = read else {
                return child(progress);
            };
            emitter.emit(EventKind::Measuring {
                step: step.id.clone(),
                ended: report.requests,
                succeeded: report.succeeded,
                of: requests,
            });
            last = Some(report);
        };
        let run = context.toolbox.run(&command, stopper, report);
        run.await
            .map_err(EngineError::tool(format!("do step {}", step.id)))?;
    }
    match last {
        Some(report) if report.requests == requests => Ok(report),
        Some(report) => {
            let why = format!(
                "{} of {requests} requests ended: the pod was told to stop",
                report.requests
            );
            Err(failure(step, "the measurement was cut short", why))
        }
        None => {
            let why = format!(
                "{} printed no report: its image is not the demo application's, or an older one",
                load.from
            );
            Err(failure(step, "failed to measure", why))
        }
    }
}

/// Returns the client's pods with the counters of their proxies, or the reason why the pods are
/// unknown.
async fn clients(
    context: &Context,
    cluster: &Cluster,
    load: &ClientLoad,
) -> Result<Result<Clients, String>, EngineError> {
    let namespace = &context.lab.namespace;
    let observed = cluster
        .observe(&clients::needs(namespace), &[], namespace)
        .await;
    let pods = match clients::pods(&load.from, &observed, namespace) {
        Ok(pods) => pods,
        Err(why) => return Ok(Err(why)),
    };
    let Some(service) = client_load::service(&load.url, namespace) else {
        return Ok(Err(format!("{} names no Service", load.url)));
    };
    let mut counted = Ok(Counters::default());
    for pod in pods.iter().filter(|pod| pod.meshed) {
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{}:{ADMIN}/proxy/metrics",
            pod.name
        );
        let reply = cluster
            .get(&path)
            .await
            .map_err(owner::unreachable(context))?;
        counted = match counted {
            Ok(sum) if reply.status == 200 => {
                Ok(sum.and(&counters::of_service(&reply.body, &service)))
            }
            Ok(_) => Err(format!(
                "the proxy of pod {} does not tell what it counted: {}",
                pod.name,
                reply.message()
            )),
            failed => failed,
        };
    }
    Ok(Ok(Clients { pods, counted }))
}

/// Returns what the proxies counted between `before` and `after`.
fn mesh(before: &Clients, after: Result<Clients, String>) -> Mesh {
    let after = match after {
        Ok(after) => after,
        Err(why) => return Mesh::Unknown(why),
    };
    if before.pods.iter().any(|pod| !pod.meshed) {
        return Mesh::Unmeshed;
    }
    if before.pods != after.pods {
        let why = "a pod of the client was replaced meanwhile, or its proxy started anew";
        return Mesh::Unknown(why.to_owned());
    }
    match (&before.counted, after.counted) {
        (Ok(before), Ok(after)) => Mesh::Counted {
            before: *before,
            after,
        },
        (Err(why), _) => Mesh::Unknown(why.clone()),
        (_, Err(why)) => Mesh::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(pods: &[(&str, Option<&str>)], retries: u64) -> Clients {
        let pod = |(uid, proxy): &(&str, Option<&str>)| ClientPod {
            name: "client".to_owned(),
            uid: (*uid).to_owned(),
            meshed: proxy.is_some(),
            proxy: proxy.map(ToOwned::to_owned),
        };
        let counted = Counters {
            retries,
            ..Counters::default()
        };
        Clients {
            pods: pods.iter().map(pod).collect(),
            counted: Ok(counted),
        }
    }

    #[test]
    fn only_counters_of_the_same_proxies_are_compared() {
        let before = clients(&[("u1", Some("c1"))], 3);
        let after = |pods: &[(&str, Option<&str>)]| mesh(&before, Ok(clients(pods, 9)));
        let Mesh::Counted {
            before: b,
            after: a,
        } = after(&[("u1", Some("c1"))])
        else {
            panic!("not counted");
        };
        assert_eq!(a.since(&b).unwrap().retries, 6);
        for other in [
            &[("u2", Some("c1"))][..],
            &[("u1", Some("c2"))],
            &[("u1", Some("c1")), ("u3", Some("c3"))],
        ] {
            assert!(matches!(after(other), Mesh::Unknown(_)), "{other:?}");
        }
        assert!(matches!(
            mesh(&before, Err(String::new())),
            Mesh::Unknown(_)
        ));
        let silent = Clients {
            counted: Err("404".to_owned()),
            ..clients(&[("u1", Some("c1"))], 0)
        };
        assert_eq!(mesh(&before, Ok(silent)), Mesh::Unknown("404".to_owned()));
    }

    #[test]
    fn one_pod_without_a_proxy_is_enough_to_miss_requests() {
        let half = [("u1", Some("c1")), ("u2", None)];
        let unmeshed = mesh(&clients(&half, 0), Ok(clients(&half, 0)));
        assert_eq!(unmeshed, Mesh::Unmeshed);
    }
}
