//! Rendering of kind configurations: templates are strict, a name that is not given is an error.

use minijinja::{Environment, UndefinedBehavior, context};

/// The kind configuration that `template` gives for the cluster `name`.
pub fn kind_config(template: &str, name: &str) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
        .render_str(template, context! { name })
        .map_err(|error| format!("the kind template cannot be rendered: {error:#}"))
}

/// The roles of the nodes in a kind configuration, in its order; one control plane if it names
/// none, as kind itself does.
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
        assert_eq!(kind_config("name: {{ name }}", "x").unwrap(), "name: x");
        assert!(kind_config("{{ nome }}", "x").unwrap_err().contains("nome"));
    }

    #[test]
    fn roles_are_read_and_default_to_one_control_plane() {
        let config = "kind: Cluster\nnodes: [{role: control-plane}, {role: worker}]\n";
        assert_eq!(roles(config).unwrap(), ["control-plane", "worker"]);
        assert_eq!(roles("kind: Cluster\n").unwrap(), ["control-plane"]);
    }
}
