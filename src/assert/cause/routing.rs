//! Which way a request takes through a cluster, and why it does not arrive.

use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use serde_json::Value;

use super::{backend, dependency, entrance};
use crate::{
    assert::{Observed, Scope, observed::Missing, text::clean},
    spec::request::Request,
};

/// The scope of routes of the Gateway API. A cluster without that has none.
#[must_use]
pub(in crate::assert) fn http_routes(namespace: &str) -> Scope {
    Scope {
        api_version: "gateway.networking.k8s.io/v1".to_owned(),
        kind: "HTTPRoute".to_owned(),
        namespace: Some(namespace.to_owned()),
    }
}

/// Why `request`, through the port `node` of the node, is not answered as expected: by what opens
/// the port, the rule for its host and path, the Service behind that, and what its pods depend on.
/// `status` is that of the answer, if there is one at all.
#[must_use]
pub(in crate::assert) fn why(
    request: &Request,
    node: u16,
    status: Option<u16>,
    observed: &Observed,
    namespace: &str,
) -> Vec<String> {
    let given = status.is_some();
    let entrance = entrance::why(node, observed);
    if !given && !entrance.is_empty() {
        return entrance;
    }
    let Ok(mut rules) = rules(observed, namespace) else {
        return Vec::new();
    };
    let path = request.path.split('?').next().unwrap_or_default();
    let host = request.host.as_deref().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    if rules.is_empty() && !given {
        // A Service's node port needs no rule.
        return Vec::new();
    }
    let all: Vec<String> = rules.iter().map(Rule::shown).collect();
    rules.retain(|rule| rule.is_for(host));
    let is_host_known = !rules.is_empty();
    rules.retain(|rule| rule.takes(path));
    // The longest path decides, and of two, the exact one.
    let Some(rule) = rules
        .into_iter()
        .max_by_key(|rule| (rule.path.len(), rule.exact))
    else {
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
        return vec![format!(
            "no rule of an Ingress or HTTPRoute {lacks}: {there}"
        )];
    };
    let mut why = vec![format!("the way is {}", rule.shown())];
    why.extend(rule.trouble.clone());
    why.extend(class_trouble(&rule, observed));
    let Some(service) = &rule.service else {
        return why;
    };
    let behind = backend::why(service, observed, namespace);
    match backend::ready(service, observed, namespace) {
        Ok(0) if behind.is_empty() => {
            why.push(format!(
                "no ready endpoint behind Service {}",
                clean(service)
            ));
        }
        Ok(ready) if ready > 0 && behind.is_empty() && given && why.len() == 1 => {
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

/// A rule that leads requests to a Service.
struct Rule {
    /// `Ingress shop`
    of: String,
    /// None is for every host.
    hosts: Vec<String>,
    path: String,
    exact: bool,
    service: Option<String>,
    class: Option<String>,
    /// What its controller complains of.
    trouble: Vec<String>,
}

impl Rule {
    fn is_for(&self, host: &str) -> bool {
        let fits = |of: &String| match of.strip_prefix("*.") {
            Some(domain) => host
                .split_once('.')
                .is_some_and(|(first, rest)| !first.is_empty() && rest == domain),
            None => of == host,
        };
        self.hosts.is_empty() || self.hosts.iter().any(fits)
    }

    /// Prefixes go by whole parts of a path.
    fn takes(&self, path: &str) -> bool {
        if self.exact {
            return self.path == path;
        }
        let prefix = self.path.trim_end_matches('/');
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// `Ingress shop: shop.localhost/api → Service api`
    fn shown(&self) -> String {
        let service = match &self.service {
            Some(service) => format!("Service {service}"),
            None => "no Service".to_owned(),
        };
        let hosts = self.hosts.join(",");
        clean(&format!("{}: {hosts}{} → {service}", self.of, self.path))
    }
}

fn rules(observed: &Observed, namespace: &str) -> Result<Vec<Rule>, String> {
    let ingresses = observed.list::<Ingress>(Some(namespace))?;
    let mut rules: Vec<Rule> = ingresses.iter().flat_map(of_ingress).collect();
    let routes = observed.all(&http_routes(namespace))?;
    rules.extend(routes.values().flat_map(of_route));
    Ok(rules)
}

fn of_ingress(ingress: &Ingress) -> Vec<Rule> {
    let name = ingress.metadata.name.as_deref().unwrap_or_default();
    let Some(spec) = &ingress.spec else {
        return Vec::new();
    };
    let rule = |hosts: Vec<String>, path: &str, exact, service| Rule {
        of: format!("Ingress {name}"),
        hosts,
        path: path.to_owned(),
        exact,
        service,
        class: spec.ingress_class_name.clone(),
        trouble: Vec::new(),
    };
    let mut rules = Vec::new();
    for of in spec.rules.iter().flatten() {
        let hosts: Vec<String> = of.host.iter().cloned().collect();
        for path in of.http.iter().flat_map(|http| &http.paths) {
            let service = path.backend.service.as_ref().map(|s| s.name.clone());
            let exact = path.path_type == "Exact";
            let text = path.path.as_deref().unwrap_or("/");
            rules.push(rule(hosts.clone(), text, exact, service));
        }
    }
    if let Some(default) = &spec.default_backend {
        let service = default.service.as_ref().map(|s| s.name.clone());
        rules.push(rule(Vec::new(), "", false, service));
    }
    rules
}

fn of_route(route: &Value) -> Vec<Rule> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let hosts: Vec<String> = list(&route["spec"]["hostnames"]).iter().map(text).collect();
    let parents = list(&route["status"]["parents"]);
    let conditions = parents
        .iter()
        .flat_map(|parent| list(&parent["conditions"]));
    let trouble: Vec<String> = conditions
        .filter(|condition| condition["status"] == "False")
        .map(|c| {
            let (kind, reason, message) = (&c["type"], &c["reason"], &c["message"]);
            let said = [kind, reason, message].map(text).join(": ");
            clean(&format!("its controller says: not {said}"))
        })
        .collect();
    let mut rules = Vec::new();
    for of in list(&route["spec"]["rules"]) {
        let backends = list(&of["backendRefs"]);
        let service = backends.first().map(|backend| text(&backend["name"]));
        let mut paths: Vec<(String, bool)> = list(&of["matches"])
            .iter()
            .map(|m| {
                let path = m["path"]["value"].as_str().unwrap_or("/").to_owned();
                (path, m["path"]["type"] == "Exact")
            })
            .collect();
        if paths.is_empty() {
            paths.push(("/".to_owned(), false));
        }
        rules.extend(paths.into_iter().map(|(path, exact)| Rule {
            of: format!("HTTPRoute {}", text(&route["metadata"]["name"])),
            hosts: hosts.clone(),
            path,
            exact,
            service: service.clone(),
            class: None,
            trouble: trouble.clone(),
        }));
    }
    rules
}

/// That nobody takes care of a rule, as its class does not exist.
fn class_trouble(rule: &Rule, observed: &Observed) -> Option<String> {
    let class = rule.class.as_deref()?;
    let absent = matches!(
        observed.get::<IngressClass>(None, class),
        Err(Missing::Absent)
    );
    absent.then(|| {
        format!(
            "there is no IngressClass {}: no controller reads it",
            clean(class)
        )
    })
}

#[cfg(test)]
mod tests;
