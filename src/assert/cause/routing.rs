//! The way of a request through a cluster, and the causes that keep it from arriving.

use super::{
    accepted, backend, dependency, entrance, ports,
    rule::{Rule, rules},
};
use crate::{
    assert::{Observed, observed::Answer, side::is_applications, text::clean},
    spec::request::Request,
};

/// Explains why `request`, sent through the port `node` of the node, got `answer` instead of the
/// expected one. Checks, in this order, the workload that opens the port, the rule for the
/// request's host and path, the rule's acceptance by its controller, the Service behind it, and the
/// dependencies of the Service's pods.
#[must_use]
pub(in crate::assert) fn why(
    request: &Request,
    node: u16,
    answer: &Answer,
    observed: &Observed,
    namespace: &str,
) -> Vec<String> {
    let status = match answer {
        Answer::Given { status, .. } => Some(*status),
        Answer::None(..) => None,
    };
    let given = status.is_some();
    let entrance = entrance::why(node, observed);
    if !given && !entrance.is_empty() {
        return entrance;
    }
    let Ok(rules) = rules(observed, namespace) else {
        return Vec::new();
    };
    if rules.is_empty() && !given {
        // A Service's node port needs no rule.
        return Vec::new();
    }
    let host = request.host.as_deref().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let path = request.path.split('?').next().unwrap_or_default();
    let rule = match decide(rules, host, path) {
        Ok(rule) => rule,
        Err(lacking) => return vec![lacking],
    };
    let mut why = vec![format!("the way is {}", rule.shown())];
    why.extend(rule.trouble.clone());
    // An answer of the application itself came all the way.
    let came_through = is_applications(answer);
    let ingress = rule.ingress.as_ref().filter(|_| !came_through);
    why.extend(
        ingress
            .iter()
            .flat_map(|i| accepted::why(i, host, observed)),
    );
    if !came_through {
        why.extend(entrance::without_rights(node, observed));
    }
    let Some(service) = &rule.service else {
        return why;
    };
    let port = rule.port.as_ref().filter(|_| !came_through);
    why.extend(
        port.iter()
            .flat_map(|p| ports::why(service, p, observed, namespace)),
    );
    let behind = backend::why(service, observed, namespace);
    match backend::ready(service, observed, namespace) {
        Ok(0) if behind.is_empty() => {
            why.push(format!(
                "no ready endpoint behind Service {}",
                clean(service)
            ));
        }
        Ok(ready) if ready > 0 && behind.is_empty() && given && why.len() == 1 => {
            let without = ingress.and_then(|i| accepted::without_address(i, observed));
            if let Some(without) = without {
                why.push(without);
                return why;
            }
            let shown = clean(service);
            why.push(format!(
                "Service {shown} has {ready} ready endpoints: the answer is most likely its own"
            ));
            if status.is_some_and(|status| status >= 500) {
                why.extend(dependency::why(service, observed, namespace));
            }
        }
        _ => {}
    }
    why.extend(behind);
    why
}

/// Returns the rule that decides about `host` and `path`.
///
/// # Errors
///
/// Says that there is no such rule, and names those that exist.
fn decide(mut rules: Vec<Rule>, host: &str, path: &str) -> Result<Rule, String> {
    let all: Vec<String> = rules.iter().map(Rule::shown).collect();
    rules.retain(|rule| rule.is_for(host));
    let is_host_known = !rules.is_empty();
    rules.retain(|rule| rule.takes(path));
    // The longest path decides; of two equal ones, the exact rule.
    let longest = rules
        .into_iter()
        .max_by_key(|rule| (rule.path.len(), rule.exact));
    longest.ok_or_else(|| {
        let there = if all.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are {}", all.join("; "))
        };
        let host = match host {
            "" => "requests without a host".to_owned(),
            host => format!("the host {}", clean(host)),
        };
        let lacks = if is_host_known {
            format!("has the path {} for {host}", clean(path))
        } else {
            format!("is for {host}")
        };
        format!("no rule of an Ingress or HTTPRoute {lacks}: {there}")
    })
}

#[cfg(test)]
mod tests;
