//! `labctl plan`: everything that would be run, and nothing is.

use crate::support::Sandbox;

/// What `plan` shows of lab 10.3, without the manifests' own lines.
fn commands(text: &str) -> String {
    let is_content = |line: &&str| !line.starts_with("  ") && !line.is_empty();
    text.lines()
        .filter(is_content)
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn every_command_of_lab_10_3_is_shown_and_none_is_run() {
    let sandbox = Sandbox::new();
    let plan = sandbox.labctl("plan 10.3").run().exits(0).tells_nothing();
    insta::assert_snapshot!("plan-10.3", commands(&sandbox.normal(&plan.stdout)));
    sandbox.is_untouched();
}

#[test]
fn lab_10_1_is_planned_for_the_controller_that_is_chosen() {
    let sandbox = Sandbox::new();
    let plan = sandbox.labctl("plan 10.1").run().exits(0).tells_nothing();
    insta::assert_snapshot!("plan-10.1", commands(&sandbox.normal(&plan.stdout)));
    let gateway = sandbox.labctl("plan 10.1 --set ingress=gateway");
    let gateway = commands(&sandbox.normal(&gateway.run().exits(0).stdout));
    assert!(!gateway.contains("nginx-ingress"), "{gateway}");
    assert!(
        gateway.contains("gateway-api/releases/download"),
        "{gateway}"
    );
    sandbox.is_untouched();
}

#[test]
fn lab_10_2_is_planned_with_a_mesh_and_without() {
    let sandbox = Sandbox::new();
    let plan = sandbox.labctl("plan 10.2").run().exits(0).tells_nothing();
    insta::assert_snapshot!("plan-10.2", commands(&sandbox.normal(&plan.stdout)));
    let alone = sandbox.labctl("plan 10.2 --set mesh=none");
    let alone = commands(&sandbox.normal(&alone.run().exits(0).stdout));
    assert!(!alone.contains("linkerd"), "{alone}");
    assert!(alone.contains("toxics/cut-all"), "{alone}");
    sandbox.is_untouched();
}

#[test]
fn the_manifests_and_the_kind_configuration_are_shown_as_they_are_used() {
    let sandbox = Sandbox::new().with_small_lab();
    let template = include_str!("../../templates/kind/three-workers.yaml");
    let config = template.replace("{{ name }}", "lab-small");
    // The lab maps no ports.
    let (before, rest) = config.split_once("\n{%- if ports %}").unwrap();
    let after = rest.rsplit_once("{%- endif %}").unwrap().1;
    let config = format!("{before}{after}");
    let config: Vec<String> = config
        .trim_end()
        .lines()
        .map(|l| format!("  {l}"))
        .collect();
    let plan = sandbox.labctl("plan small").run().whole;
    let plan = plan.replace(&config.join("\n"), "  <the template>");
    insta::assert_snapshot!(plan, @r#"
    exit 0
    --- stdout
    # 1. cluster: Create a cluster

    # <TMP>/state/labctl/envs/lab-small/kind.yaml
      <the template>

    # the nodes' image: the one that kind chooses
    $ docker network create --driver bridge --label 'labctl.dev/environment=<id>' --label labctl.dev/cluster=lab-small --opt com.docker.network.bridge.enable_ip_masquerade=true --ipv6 --subnet '<subnet>' 'labctl-lab-small-<id>'
    $ KIND_EXPERIMENTAL_DOCKER_NETWORK='labctl-lab-small-<id>' kind create cluster --name lab-small --retain --config <TMP>/state/labctl/envs/lab-small/kind.yaml --kubeconfig <TMP>/state/labctl/envs/lab-small/kubeconfig
    # expects nodes-ready 4

    # 2. app: Start the application

    # <TMP>/state/labctl/envs/lab-small/lab/manifests/app.yaml
      apiVersion: v1
      kind: Service
      metadata: {name: app}

    $ kubectl --kubeconfig <TMP>/state/labctl/envs/lab-small/kubeconfig --context kind-lab-small apply --filename <TMP>/state/labctl/envs/lab-small/lab/manifests/app.yaml
    # expects rollout-complete deployment/app

    # 3. kill: Kill it
    $ kubectl --kubeconfig <TMP>/state/labctl/envs/lab-small/kubeconfig --context kind-lab-small delete --raw /api/v1/namespaces/default/pods/app-0 --filename - <<<'{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"<uid of the pod recorded as before>"}}'
    # expects pvc-reattached app-0

    # a kind node is a privileged container: a privileged pod, and one that has its node's files, reaches as far as the container engine does
    "#);
    sandbox.is_untouched();
}

#[test]
fn as_json_the_plan_has_the_same_commands() {
    let sandbox = Sandbox::new();
    let text = sandbox.labctl("plan 10.3").run().exits(0).stdout;
    let json = sandbox
        .labctl("plan 10.3 --output json")
        .run()
        .exits(0)
        .tells_nothing()
        .json();
    let steps = json.as_array().unwrap();
    let ids: Vec<&str> = steps.iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(ids.first(), Some(&"cluster"));
    let mut commands = 0;
    for step in steps {
        for command in step["commands"].as_array().unwrap() {
            commands += 1;
            let line = format!("\n$ {}\n", command.as_str().unwrap());
            assert!(text.contains(&line), "{line} is not in:\n{text}");
        }
    }
    assert!(commands >= 6, "{json:#}");
    let drain = steps.iter().find(|s| s["id"] == "drain").unwrap();
    assert!(
        drain["undo"][0].as_str().unwrap().contains("uncordon"),
        "{drain:#}"
    );
    sandbox.is_untouched();
}

#[test]
fn another_environment_has_other_names_and_files() {
    let sandbox = Sandbox::new().with_small_lab();
    let plan = sandbox.labctl("plan small --env mine").run().exits(0);
    let state = sandbox.environment("mine").display().to_string();
    plan.answers("kind create cluster --name mine ")
        .answers("KIND_EXPERIMENTAL_DOCKER_NETWORK='labctl-mine-<id>' ")
        .answers("--context kind-mine ")
        .answers(&format!("--kubeconfig {state}/kubeconfig"));
    sandbox.is_untouched();
}

#[test]
fn a_path_with_a_space_stays_one_word_of_the_command() {
    let sandbox = Sandbox::new().with_small_lab();
    let plan = sandbox
        .labctl("plan small --state-dir")
        .arg("a b")
        .run()
        .exits(0);
    let kubeconfig = sandbox.path("work/a b/envs/lab-small/kubeconfig");
    plan.answers(&format!("--kubeconfig '{}'", kubeconfig.display()));
}
