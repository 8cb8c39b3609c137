//! `load`: requests that a Pod of the lab sends and counts.

use serde::{Deserialize, Serialize};

use super::{Workload, span::Span};

/// The arguments of `load`: requests at a rate, sent by the demo application's load generator in a
/// Pod of `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientLoad {
    /// The workload whose Pod sends the requests.
    pub from: Workload,
    /// The container; the Pod's default one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The URL of a Service of the cluster, over plain HTTP.
    pub url: String,
    /// The number of requests.
    pub requests: u32,
    /// The number of requests per second.
    pub rate: u32,
    /// True to keep connections for the next request. Toxiproxy draws once for each connection
    /// whether a toxic applies.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_alive: bool,
    /// The maximum number of concurrent requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u16>,
    /// The time limit of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// The Service to which a load is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its port.
    pub port: u16,
}

/// Returns the Service that a Pod in `namespace` reaches at `url`, or `None` if `url` is not one of
/// a Service.
#[must_use]
pub fn service(url: &str, namespace: &str) -> Option<ServicePort> {
    let rest = url.strip_prefix("http://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    let mut labels = host.split('.');
    let name = labels.next().filter(|name| super::name::is_label(name))?;
    let namespace = labels.next().unwrap_or(namespace);
    let domain: Vec<&str> = labels.collect();
    matches!(
        domain.as_slice(),
        [] | ["svc"] | ["svc", "cluster", "local" | "local."]
    )
    .then(|| ServicePort {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        port,
    })
}

impl ClientLoad {
    /// Validates the load. Returns a message for each error.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        /// The highest rate that a timer with a resolution of a millisecond can keep.
        const FASTEST: u32 = 1000;
        /// The maximum number of requests: an hour at 25 per second. More show nothing new.
        const MOST: u32 = 100_000;
        /// The maximum that the load generator allows.
        const WORKERS: u16 = 256;
        let mut faults = Vec::new();
        if service(&self.url, "default").is_none()
            || !self.url.chars().all(|c| c.is_ascii_graphic())
        {
            faults.push(format!(
                "`load`: `url: {}` has to be `http://SERVICE:PORT/PATH`",
                self.url
            ));
        }
        if self.requests == 0 || self.requests > MOST {
            faults.push(format!("`load`: `requests` is from 1 to {MOST}"));
        }
        if self.rate == 0 || self.rate > FASTEST {
            faults.push(format!("`load`: `rate` is from 1 to {FASTEST} a second"));
        }
        if self.workers.is_some_and(|n| n == 0 || n > WORKERS) {
            faults.push(format!("`load`: `workers` is from 1 to {WORKERS}"));
        }
        faults
    }

    /// Returns the command to run in the Pod.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let mut command = vec![
            "/demo".to_owned(),
            "load".to_owned(),
            "--url".to_owned(),
            self.url.clone(),
            format!("--requests={}", self.requests),
            format!("--rate={}", self.rate),
        ];
        if let Some(workers) = self.workers {
            command.push(format!("--workers={workers}"));
        }
        if let Some(timeout) = self.timeout {
            command.push(format!("--timeout={timeout}"));
        }
        if self.keep_alive {
            command.push("--keep-alive".to_owned());
        }
        // The load generator would go on if nobody reads its output any more. Writing the next
        // report ends it then.
        command.push("--report-every=1s".to_owned());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_service_as_a_pod_would() {
        let of =
            |url| service(url, "shop").map(|s| format!("{}.{}:{}", s.name, s.namespace, s.port));
        for (url, expected) in [
            ("http://api:8080/api/entries", "api.shop:8080"),
            ("http://api", "api.shop:80"),
            ("http://api.other/x", "api.other:80"),
            ("http://api.other.svc.cluster.local:81/x", "api.other:81"),
        ] {
            assert_eq!(of(url).as_deref(), Some(expected), "{url}");
        }
        for url in [
            "https://api/",
            "api:80",
            "http://",
            "http://a.b.example.org/",
            "http://a:b/",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    #[test]
    fn the_command_can_be_typed_by_hand() {
        let load: ClientLoad = serde_saphyr::from_str(
            "{from: deployment/client, url: 'http://api:8080/', requests: 200, rate: 20, \
             keep-alive: true, timeout: 500ms, workers: 8}",
        )
        .unwrap();
        assert_eq!(load.faults(), [""; 0]);
        assert_eq!(
            load.command().join(" "),
            "/demo load --url http://api:8080/ --requests=200 --rate=20 --workers=8 \
             --timeout=500ms --keep-alive --report-every=1s"
        );
    }
}
