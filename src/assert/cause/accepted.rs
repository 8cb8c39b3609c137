//! The check that a controller accepted an Ingress. The object has no field for that, so the signs
//! are its class, an event, another Ingress with the same host, and a missing address.

use jiff::Timestamp;
use k8s_openapi::api::{
    core::v1::Event,
    networking::v1::{Ingress, IngressClass},
};

use super::rule::fits;
use crate::assert::{Observed, observed::Missing, text::clean};

/// The controller of the F5 NGINX Ingress Controller's class: it gives a host to one Ingress, the
/// oldest (`Resource.Wins` in its sources), whereas others merge them.
const ONE_INGRESS_PER_HOST: &str = "nginx.org/ingress-controller";

/// Explains why the controller of `ingress` does not serve `host`.
pub(super) fn why(ingress: &Ingress, host: &str, observed: &Observed) -> Vec<String> {
    let mut why: Vec<String> = class_trouble(ingress, observed).into_iter().collect();
    why.extend(taken(ingress, host, observed));
    why.extend(complaint(ingress, observed));
    why
}

/// Explains that `ingress` has no address, which its controller assigns after accepting it.
pub(super) fn without_address(ingress: &Ingress, observed: &Observed) -> Option<String> {
    let status = ingress
        .status
        .as_ref()
        .and_then(|s| s.load_balancer.as_ref());
    let addresses = status.and_then(|status| status.ingress.as_ref());
    let controller = class(ingress).and_then(|class| controller(class, observed));
    let controller = controller
        .map(|name| format!(" {}", clean(&name)))
        .unwrap_or_default();
    addresses.is_none_or(Vec::is_empty).then(|| {
        format!(
            "its status.loadBalancer is empty: the controller{controller} did not accept it, or gives \
             no addresses"
        )
    })
}

fn class(ingress: &Ingress) -> Option<&str> {
    ingress.spec.as_ref()?.ingress_class_name.as_deref()
}

/// Returns the controller of the class called `name`.
fn controller(name: &str, observed: &Observed) -> Option<String> {
    let class = observed.get::<IngressClass>(None, name).ok()?;
    class.spec?.controller
}

/// Explains that no controller reads `ingress`, because its class does not exist.
fn class_trouble(ingress: &Ingress, observed: &Observed) -> Option<String> {
    let class = class(ingress)?;
    let absent = matches!(
        observed.get::<IngressClass>(None, class),
        Err(Missing::Absent)
    );
    absent.then(|| {
        let class = clean(class);
        format!("there is no IngressClass {class}: no controller reads it")
    })
}

/// Explains that an older Ingress of the same class has `host`, if the controller gives a host to
/// one Ingress only.
fn taken(ingress: &Ingress, host: &str, observed: &Observed) -> Option<String> {
    let class = class(ingress)?;
    if controller(class, observed).as_deref() != Some(ONE_INGRESS_PER_HOST) || host.is_empty() {
        return None;
    }
    let made = |of: &Ingress| of.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let is_other = |of: &&Ingress| of.metadata.uid != ingress.metadata.uid;
    let has_host = |of: &&Ingress| {
        let spec = of
            .spec
            .iter()
            .filter(|s| s.ingress_class_name.as_deref() == Some(class));
        let mut rules = spec.flat_map(|spec| spec.rules.iter().flatten());
        rules.any(|rule| rule.host.as_deref().is_some_and(|of| fits(of, host)))
    };
    let all = observed.list::<Ingress>(None).ok()?;
    let others = all.iter().filter(is_other).filter(has_host);
    let older = others
        .min_by_key(|of| made(of))
        .filter(|of| made(of) <= made(ingress))?;
    let text = |text: &Option<String>| clean(text.as_deref().unwrap_or_default());
    Some(format!(
        "Ingress {} of namespace {} has the host {} and is older: {ONE_INGRESS_PER_HOST} gives a host \
         to one Ingress",
        text(&older.metadata.name),
        text(&older.metadata.namespace),
        clean(host)
    ))
}

/// Returns the last event about `ingress`, if it is a complaint.
fn complaint(ingress: &Ingress, observed: &Observed) -> Option<String> {
    let namespace = ingress.metadata.namespace.as_deref();
    let mut events = observed.list::<Event>(namespace).ok()?;
    events.retain(|event| {
        let of = &event.involved_object;
        of.kind.as_deref() == Some("Ingress")
            && of.name == ingress.metadata.name
            && (of.uid.is_none() || of.uid == ingress.metadata.uid)
    });
    // Of two events in the same second, the complaint is the later one.
    let is_complaint = |event: &Event| event.type_.as_deref() == Some("Warning");
    let last = events
        .into_iter()
        .max_by_key(|event| (at(event), is_complaint(event)))?;
    if !is_complaint(&last) {
        return None;
    }
    let reason = clean(last.reason.as_deref().unwrap_or_default());
    let message = clean(last.message.as_deref().unwrap_or_default());
    Some(if reason.starts_with("Rejected") {
        format!("its controller rejected it: {message}")
    } else {
        format!("its controller says: {reason}: {message}")
    })
}

fn at(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|s| s.last_observed_time.as_ref());
    let last = series.or(event.event_time.as_ref()).map(|time| time.0);
    event.last_timestamp.as_ref().map(|time| time.0).max(last)
}
