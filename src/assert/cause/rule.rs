//! The rules that lead requests to Services: from Ingresses, and from `HTTPRoute`s of the Gateway
//! API.

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use serde_json::Value;

use super::ports::Port;
use crate::assert::{Observed, Scope, text::clean};

/// Returns the scope of `HTTPRoute`s. A cluster without the Gateway API has none.
#[must_use]
pub(in crate::assert) fn http_routes(namespace: &str) -> Scope {
    Scope {
        api_version: "gateway.networking.k8s.io/v1".to_owned(),
        kind: "HTTPRoute".to_owned(),
        namespace: Some(namespace.to_owned()),
    }
}

/// A rule that leads requests to a Service.
pub(super) struct Rule {
    /// The object of the rule: `Ingress shop`.
    of: String,
    /// The hosts; an empty list matches every host.
    pub(super) hosts: Vec<String>,
    pub(super) path: String,
    pub(super) exact: bool,
    pub(super) service: Option<String>,
    /// The Service's port.
    pub(super) port: Option<Port>,
    /// The Ingress of the rule; `None` for a rule of an `HTTPRoute`.
    pub(super) ingress: Option<Ingress>,
    /// The complaints of the rule's controller.
    pub(super) trouble: Vec<String>,
}

impl Rule {
    pub(super) fn is_for(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|of| fits(of, host))
    }

    /// Returns true if the rule matches `path`. A prefix matches whole segments of a path.
    pub(super) fn takes(&self, path: &str) -> bool {
        if self.exact {
            return self.path == path;
        }
        let prefix = self.path.trim_end_matches('/');
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Formats the rule: `Ingress shop: shop.localhost/api → Service api`.
    pub(super) fn shown(&self) -> String {
        let service = match &self.service {
            Some(service) => format!("Service {service}"),
            None => "no Service".to_owned(),
        };
        let hosts = self.hosts.join(",");
        clean(&format!("{}: {hosts}{} → {service}", self.of, self.path))
    }
}

/// Returns true if `of`, the host of a rule, matches `host`.
pub(super) fn fits(of: &str, host: &str) -> bool {
    match of.strip_prefix("*.") {
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(first, rest)| !first.is_empty() && rest == domain),
        None => of == host,
    }
}

/// Returns all rules of `namespace`.
pub(super) fn rules(observed: &Observed, namespace: &str) -> Result<Vec<Rule>, String> {
    let mut ingresses = observed.list::<Ingress>(None)?;
    ingresses.retain(|ingress| ingress.metadata.namespace.as_deref() == Some(namespace));
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
    let rule = |hosts: Vec<String>, path: &str, exact, backend: &IngressBackend| {
        let service = backend.service.as_ref();
        let port = service.and_then(|s| s.port.as_ref());
        Rule {
            of: format!("Ingress {name}"),
            hosts,
            path: path.to_owned(),
            exact,
            service: service.map(|s| s.name.clone()),
            port: port.and_then(|p| match (&p.name, p.number) {
                (Some(name), _) => Some(Port::Named(name.clone())),
                (None, number) => Some(Port::Number(number?)),
            }),
            ingress: Some(ingress.clone()),
            trouble: Vec::new(),
        }
    };
    let mut rules = Vec::new();
    for of in spec.rules.iter().flatten() {
        let hosts: Vec<String> = of.host.iter().cloned().collect();
        for path in of.http.iter().flat_map(|http| &http.paths) {
            let exact = path.path_type == "Exact";
            let text = path.path.as_deref().unwrap_or("/");
            rules.push(rule(hosts.clone(), text, exact, &path.backend));
        }
    }
    if let Some(default) = &spec.default_backend {
        rules.push(rule(Vec::new(), "", false, default));
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
        let backend = backends.first();
        let number = backend.and_then(|backend| backend["port"].as_i64());
        let number = number.and_then(|number| i32::try_from(number).ok());
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
            service: backend.map(|backend| text(&backend["name"])),
            port: number.map(Port::Number),
            ingress: None,
            trouble: trouble.clone(),
        }));
    }
    rules
}
