//! Parameters of a lab: chosen when an environment is made, kept by it, and told.

use crate::support::{Act, Sandbox, rule};

const LAB: &str = "\
lab: small
title: A lab with a parameter
level: beginner
time: 5m
params:
  ingress: {about: How traffic comes in, choices: [nginx, traefik, gateway], default: nginx}
images:
- {image: 'docker.io/library/traefik:3', when: {ingress: [traefik, gateway]}}
steps:
- {id: cluster, title: Create a cluster, do: {kind-cluster: {template: three-workers}}}
- {id: nginx, title: Look at nginx, do: observe, when: {ingress: nginx}}
- {id: traefik, title: Look at Traefik, do: observe, when: {ingress: [traefik, gateway]}}
";

/// A sandbox with the lab, in which a cluster cannot be made.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("small/lab.yaml", LAB);
    let fails = rule("kind", "create", [Act::Exit(1)]);
    sandbox.fakes.obey([fails]);
    sandbox
}

/// The ids of the steps that `plan` shows.
fn planned(sandbox: &Sandbox, args: &str) -> Vec<String> {
    let plan = format!("plan small --output json {args}");
    let steps = sandbox.labctl(&plan).run().exits(0).json();
    let ids = steps.as_array().unwrap().iter();
    ids.map(|s| s["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_lab_shows_what_can_be_chosen_and_the_steps_of_what_is() {
    let sandbox = sandbox();
    let shown = sandbox.labctl("show small --set ingress=gateway").run();
    insta::assert_snapshot!(shown.whole, @r"
    exit 0
    --- stdout
    small  A lab with a parameter
    beginner, 5m

    --set ingress=gateway: How traffic comes in
      one of nginx, traefik, gateway; nginx by default

    1. cluster — Create a cluster [kind-cluster]

    2. traefik — Look at Traefik [observe]
    ");
    let json = sandbox.labctl("show small --output json").run().exits(0);
    let json = json.json();
    assert_eq!(json["set"]["ingress"], "nginx");
    assert_eq!(json["params"]["ingress"]["choices"][2], "gateway");
    assert_eq!(planned(&sandbox, ""), ["cluster", "nginx"]);
    assert_eq!(
        planned(&sandbox, "--set ingress=gateway"),
        ["cluster", "traefik"]
    );
    sandbox.is_untouched();
}

#[test]
fn an_environment_keeps_what_it_was_made_with() {
    let sandbox = sandbox();
    sandbox
        .labctl("up small --set ingress=traefik")
        .run()
        .exits(1);
    let pulled = sandbox.fakes.calls_of("docker", "pull");
    let kind = sandbox.fakes.calls_of("kind", "create").len();
    assert_eq!(kind, 1, "{pulled:?}");
    let status = sandbox.labctl("status --output json").run().exits(0).json();
    assert_eq!(status[0]["set"]["ingress"], "traefik");
    assert_eq!(status[0]["steps"], 2);
    // Whatever is said or not said from now on.
    assert_eq!(planned(&sandbox, ""), ["cluster", "traefik"]);
    sandbox.labctl("up small").run().exits(1);
    sandbox.labctl("next").run().exits(1);
    sandbox
        .labctl("up small --set ingress=traefik")
        .run()
        .exits(1);
    let status = sandbox.labctl("status").run().exits(0);
    status.answers("small (ingress=traefik)");
    sandbox.fakes.forget();
    for verb in ["up small --set ingress=gateway", "next --set ingress=nginx"] {
        let refused = sandbox.labctl(verb).run().exits(2).answers_nothing();
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused.whole, @r#"
            exit 2
            --- stderr
            error: the environment "lab-small" was made with ingress=traefik

            hint: `labctl down small` removes it, and `labctl up small` then makes it with other values;
                  `--env NAME` makes another one beside it
            "#);
        }
    }
    assert_eq!(sandbox.fakes.calls(), []);
    // Another one beside it, and this one made anew.
    sandbox
        .labctl("up small --env other --set ingress=nginx")
        .run()
        .exits(1);
    sandbox.labctl("down small").run().exits(0);
    sandbox
        .labctl("up small --set ingress=gateway")
        .run()
        .exits(1);
    let status = sandbox.labctl("status small --output json").run().json();
    assert_eq!(status[0]["set"]["ingress"], "gateway");
}

#[test]
fn an_environment_whose_lab_has_other_choices_by_now_says_so() {
    let sandbox = sandbox();
    sandbox
        .labctl("up small --set ingress=traefik")
        .run()
        .exits(1);
    let other = LAB.replace("traefik, gateway]", "caddy, gateway]");
    sandbox.write("small/lab.yaml", &other);
    let refused = sandbox.labctl("up small").run().exits(2);
    insta::assert_snapshot!(refused.whole, @r#"
    exit 2
    --- stderr
    error: the environment "lab-small" was made with ingress=traefik, and lab small has other parameters
           by now

    hint: `labctl down small` removes it, and `labctl up small` then makes it with other values;
          `--env NAME` makes another one beside it
    "#);
    // One more parameter is as good as its default.
    let more = "params:\n  size: {about: How large, choices: [s, l], default: s}\n";
    sandbox.write("small/lab.yaml", &LAB.replace("params:\n", more));
    sandbox.labctl("up small").run().exits(1);
    let status = sandbox.labctl("status small").run().exits(0);
    status.answers("small (ingress=traefik, size=s)");
}

#[test]
fn what_cannot_be_set_is_a_wrong_command_line() {
    let sandbox = sandbox();
    let wrong = sandbox.labctl("up small --set ingres=nginx --set ingress=trafik");
    insta::assert_snapshot!(wrong.run().whole, @r"
    exit 2
    --- stderr
    error: lab small cannot be had with these values
      caused by: lab small has no parameter `ingres`; did you mean `ingress`?
                 `ingress` cannot be `trafik`; did you mean `traefik`?

    hint: what can be set: ingress=nginx|traefik|gateway
    ");
    sandbox
        .labctl("plan 10.3 --set a=b")
        .run()
        .exits(2)
        .tells("has no parameter");
    sandbox
        .labctl("show small --set ingress")
        .run()
        .exits(2)
        .tells("NAME=VALUE");
    let twice = "plan small --set ingress=nginx --set ingress=traefik";
    sandbox
        .labctl(twice)
        .run()
        .exits(2)
        .tells("`ingress` is set twice");
    let absent = sandbox.labctl("up small --to traefik").run().exits(2);
    insta::assert_snapshot!(absent.whole, @r"
    exit 2
    --- stderr
    error: step `traefik` is there only with ingress=traefik or gateway

    hint: here it is ingress=nginx
    ");
    sandbox.is_untouched();
}

#[test]
fn the_question_before_a_lab_from_elsewhere_shows_the_steps_of_every_value() {
    let sandbox = sandbox();
    let lab = LAB.replace(
        "do: observe, when: {ingress: nginx}",
        "do: {helm: {release: r, chart: 'oci://r.org/c', version: 1.0.0}}, when: {ingress: nginx}",
    );
    sandbox.write("small/lab.yaml", &lab);
    let up = sandbox.untrusting("up ./small --set ingress=traefik");
    let asked = up.on_a_terminal("n\n").exits(7);
    for line in [
        "docker pull --quiet docker.io/library/traefik:3   # with ingress=traefik or gateway",
        "nginx: helm upgrade --install r oci://r.org/c --version 1.0.0 --server-side=true \
         --force-conflicts --create-namespace --namespace default   # with ingress=nginx",
    ] {
        let unfolded = asked.stderr.replace("\n      … ", "");
        assert!(unfolded.contains(line), "{}", asked.whole);
    }
}
