//! Rendering of kind configurations. Templates are strict: an undefined name is an error.

use minijinja::{Environment, UndefinedBehavior, context, value::Serde};

use crate::event::Port;

/// Renders `template` to the kind configuration of the cluster `name` with these `ports`.
pub fn kind_config(template: &str, name: &str, ports: &[Port]) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let ports = Serde(ports);
    environment
        .render_str(template, context! { name, ports })
        .map_err(|error| format!("the kind template cannot be rendered: {error:#}"))
}

/// Returns the roles of the nodes in a kind configuration, in its order. Like kind, it assumes one
/// control plane if the configuration names no nodes.
pub fn roles(config: &str) -> Result<Vec<String>, String> {
    crate::spec::yaml::kind_roles(config).map(|roles| {
        if roles.is_empty() {
            vec!["control-plane".to_owned()]
        } else {
            roles
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_given_is_an_error() {
        assert_eq!(
            kind_config("name: {{ name }}", "x", &[]).unwrap(),
            "name: x"
        );
        assert!(
            kind_config("{{ nome }}", "x", &[])
                .unwrap_err()
                .contains("nome")
        );
    }

    #[test]
    fn roles_are_read_and_default_to_one_control_plane() {
        let config = "kind: Cluster\nnodes: [{role: control-plane}, {role: worker}]\n";
        assert_eq!(roles(config).unwrap(), ["control-plane", "worker"]);
        assert_eq!(roles("kind: Cluster\n").unwrap(), ["control-plane"]);
    }

    #[test]
    fn ports_are_mapped_from_this_machine_alone_to_a_labelled_node() {
        let template = include_str!("../../templates/kind/three-workers.yaml");
        let port = |name: &str, host, node| Port {
            name: name.to_owned(),
            wanted: node,
            host,
            node,
        };
        let without = kind_config(template, "x", &[]).unwrap();
        assert!(!without.contains("Mappings") && !without.contains("dev/ingress"));
        let ports = [port("http", 8080, 80), port("https", 443, 443)];
        let with = kind_config(template, "x", &ports).unwrap();
        let nodes = with.split_once("nodes:\n").unwrap().1;
        insta::assert_snapshot!(nodes, @r#"
        - role: control-plane
          # The ingress controller runs on this node, by this label: the ports below lead here, and to no
          # other node.
          labels: {labctl.dev/ingress: "true"}
          extraPortMappings:
          # http; only this machine can connect to it
          - {containerPort: 80, hostPort: 8080, listenAddress: "127.0.0.1", protocol: TCP}
          # https; only this machine can connect to it
          - {containerPort: 443, hostPort: 443, listenAddress: "127.0.0.1", protocol: TCP}
        # Workers have numbers, so that a manifest can say which one it means.
        - role: worker
          labels: {labctl.dev/worker: "1"}
        - role: worker
          labels: {labctl.dev/worker: "2"}
        - role: worker
          labels: {labctl.dev/worker: "3"}
        "#);
        assert_eq!(roles(&with).unwrap().len(), 4);
    }
}
