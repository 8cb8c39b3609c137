//! The state of a toxic, from an answer of Toxiproxy, or of the API server in its place.

use k8s_openapi::api::core::v1::{Pod, Service};
use serde_json::Value;

use super::{Needs, Observed, Scope, cause::backend, observed::Missing, pod, proxied::Reply};
use crate::spec::toxic::PlacedToxic;

/// The state of a toxic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The toxic is there; the proxy listens on this port.
    Present(Option<u16>),
    /// The proxy is there without the toxic; the proxy listens on this port.
    Absent(Option<u16>),
    /// Toxiproxy has no such proxy.
    NoProxy,
    /// No Service leads to Toxiproxy.
    NoService,
    /// Toxiproxy does not answer, for this reason.
    Silent(String),
}

/// Returns the state of the toxic `placed` from `reply`, the answer to a request for its proxy.
#[must_use]
pub fn standing(reply: &Reply, placed: &PlacedToxic) -> Standing {
    if reply.status == 404 {
        return if reply.is_api_server() {
            Standing::NoService
        } else {
            Standing::NoProxy
        };
    }
    let silent = || Standing::Silent(reply.message());
    if reply.status != 200 {
        return silent();
    }
    let Ok(proxy) = serde_json::from_str::<Value>(&reply.body) else {
        return silent();
    };
    let (Some(enabled), Some(toxics)) = (proxy["enabled"].as_bool(), proxy["toxics"].as_array())
    else {
        return silent();
    };
    let listens = proxy["listen"].as_str().and_then(|address| {
        let (_, port) = address.rsplit_once(':')?;
        port.parse().ok()
    });
    let is_there = match &placed.name {
        Some(name) => toxics.iter().any(|toxic| toxic["name"] == name.as_str()),
        None => !enabled,
    };
    if is_there {
        Standing::Present(listens)
    } else {
        Standing::Absent(listens)
    }
}

/// Returns the objects from which [`may_run`] decides.
#[must_use]
pub fn needs(namespace: &str) -> Needs {
    let namespace = Some(namespace);
    let scopes = [Scope::of::<Pod>(namespace), Scope::of::<Service>(namespace)];
    Needs {
        scopes: scopes.into(),
    }
}

/// Returns true if a container behind the Service of `placed` runs. Without one its toxics are
/// gone: a Toxiproxy starts without any.
pub fn may_run(placed: &PlacedToxic, observed: &Observed, namespace: &str) -> Result<bool, String> {
    let service: Service = match observed.get(Some(namespace), &placed.service) {
        Ok(service) => service,
        Err(Missing::Absent) => return Ok(false),
        Err(Missing::Unknown(why)) => return Err(why),
    };
    observed.list::<Pod>(Some(namespace))?;
    let selector = service.spec.and_then(|spec| spec.selector);
    let pods = backend::pods(&selector.unwrap_or_default(), observed, Some(namespace));
    Ok(pods.iter().any(pod::has_a_running_container))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::assert::fixture::{NS, World};

    const PROXY: &str = r#"{"name":"database","listen":"[::]:5432","upstream":"database:5432",
        "enabled":true,"toxics":[{"attributes":{"timeout":0},"name":"cut","type":"reset_peer",
        "stream":"upstream","toxicity":0.5}]}"#;

    fn of(status: u16, body: &str, name: Option<&str>) -> Standing {
        let placed = PlacedToxic {
            service: "api".to_owned(),
            port: 8474,
            proxy: "database".to_owned(),
            name: name.map(ToOwned::to_owned),
        };
        let body = body.to_owned();
        standing(&Reply { status, body }, &placed)
    }

    #[test]
    fn a_toxic_is_there_or_not() {
        let listens = Some(5432);
        assert_eq!(of(200, PROXY, Some("cut")), Standing::Present(listens));
        assert_eq!(of(200, PROXY, Some("cu")), Standing::Absent(listens));
        assert_eq!(of(200, PROXY, None), Standing::Absent(listens));
        let disabled = PROXY.replace("\"enabled\":true", "\"enabled\":false");
        assert_eq!(of(200, &disabled, None), Standing::Present(listens));
    }

    #[test]
    fn who_is_not_there_is_told_apart_from_who_does_not_answer() {
        let unknown = r#"{"error":"proxy not found","status":404}"#;
        assert_eq!(of(404, unknown, None), Standing::NoProxy);
        let api = |message: &str, code: u16| {
            json!({"kind": "Status", "apiVersion": "v1", "message": message, "code": code})
                .to_string()
        };
        let absent = api("services \"toxiproxy\" not found", 404);
        assert_eq!(of(404, &absent, None), Standing::NoService);
        let none = api("no endpoints available for service \"toxiproxy\"", 503);
        for (status, body) in [
            (503, none.as_str()),
            (502, "bad gateway"),
            (200, "<html>"),
            (200, "{}"),
        ] {
            assert!(
                matches!(of(status, body, None), Standing::Silent(_)),
                "{body}"
            );
        }
    }

    #[test]
    fn a_toxiproxy_that_does_not_run_has_no_toxics() {
        let placed = PlacedToxic {
            service: "api".to_owned(),
            port: 8474,
            proxy: "database".to_owned(),
            name: None,
        };
        let runs = |world: &World| may_run(&placed, &world.observed, NS);
        let world = World::shop();
        assert_eq!(runs(&world), Ok(true));
        let starting = json!({"status": {"containerStatuses": [{"name": "api", "ready": false,
            "restartCount": 0, "image": "", "imageID": "", "state": {"waiting": {}}}]}});
        let starting = ["api-0", "api-1"].iter().fold(world.clone(), |world, pod| {
            world.with("Pod", pod, starting.clone())
        });
        assert_eq!(runs(&starting), Ok(false));
        assert_eq!(runs(&world.clone().without("Service", "api")), Ok(false));
        for kind in ["Pod", "Service"] {
            assert!(runs(&world.clone().lost(kind)).is_err());
        }
    }
}
