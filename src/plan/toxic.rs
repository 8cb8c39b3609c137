//! Commands for Toxiproxy's API. They go through the API server, which forwards requests to
//! Services: a student needs only kubectl, and nothing has to listen on this machine.

use serde_json::json;

use crate::{
    spec::toxic::{PlacedToxic, Stream, Toxic, ToxicKind},
    tool::{Invocation, kubectl::Kubectl},
};

/// Returns the path of the proxy of `placed` in Toxiproxy's API, in `namespace`.
#[must_use]
pub fn proxy_path(placed: &PlacedToxic, namespace: &str) -> String {
    let PlacedToxic {
        service,
        port,
        proxy,
        name: _,
    } = placed;
    format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/proxies/{proxy}")
}

/// Returns the command that adds the toxic or disables the proxy.
pub(super) fn inject(toxic: &Toxic, kubectl: &Kubectl) -> Invocation {
    let path = proxy_path(&toxic.placed(), &kubectl.namespace);
    if toxic.kind == ToxicKind::Down {
        return kubectl.create_raw(&path, &json!({"enabled": false}));
    }
    let body = json!({
        "name": toxic.name,
        "type": toxic.kind.as_str(),
        "stream": toxic.stream.unwrap_or(Stream::Downstream).as_str(),
        "toxicity": toxic.toxicity.unwrap_or(1.0),
        "attributes": toxic.attributes,
    });
    kubectl.create_raw(&format!("{path}/toxics"), &body)
}

/// Returns the command that removes the toxic or enables the proxy.
#[must_use]
pub fn remove(placed: &PlacedToxic, kubectl: &Kubectl) -> Invocation {
    let path = proxy_path(placed, &kubectl.namespace);
    match &placed.name {
        Some(name) => kubectl.delete_raw(&format!("{path}/toxics/{name}")),
        None => kubectl.create_raw(&path, &json!({"enabled": true})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(yaml: &str) -> [String; 2] {
        let kubectl = Kubectl {
            kubeconfig: "/k".into(),
            context: "c".into(),
            namespace: "shop".into(),
        };
        let toxic: Toxic =
            serde_saphyr::from_str(&format!("{{service: toxiproxy, proxy: database, {yaml}}}"))
                .unwrap();
        let lines = [inject(&toxic, &kubectl), remove(&toxic.placed(), &kubectl)];
        lines.map(|line| line.to_string().replace("--kubeconfig /k --context c ", ""))
    }

    #[test]
    fn a_toxic_is_added_and_removed_through_the_api_server() {
        let yaml = "name: cut, type: reset_peer, stream: upstream, toxicity: 0.5";
        insta::assert_snapshot!(lines(yaml).join("\n"), @r#"
        kubectl create --raw /api/v1/namespaces/shop/services/toxiproxy:8474/proxy/proxies/database/toxics --filename - <<<'{"attributes":{},"name":"cut","stream":"upstream","toxicity":0.5,"type":"reset_peer"}'
        kubectl delete --raw /api/v1/namespaces/shop/services/toxiproxy:8474/proxy/proxies/database/toxics/cut
        "#);
    }

    #[test]
    fn a_proxy_is_disabled_and_enabled() {
        insta::assert_snapshot!(lines("type: down").join("\n"), @r#"
        kubectl create --raw /api/v1/namespaces/shop/services/toxiproxy:8474/proxy/proxies/database --filename - <<<'{"enabled":false}'
        kubectl create --raw /api/v1/namespaces/shop/services/toxiproxy:8474/proxy/proxies/database --filename - <<<'{"enabled":true}'
        "#);
    }
}
