//! Which lab is meant; what `list` and `show` say of it.

use crate::support::{SMALL_LAB, Sandbox};

/// The ids of the built-in labs.
fn ids(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.labctl("list --output json").run().exits(0).json();
    let id = |lab: &serde_json::Value| lab["lab"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(id).collect()
}

#[test]
fn an_unknown_lab_is_a_wrong_command_line() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.labctl("up 10,3").run().whole, @r#"
    exit 2
    --- stderr
    error: there is no lab `10,3`; did you mean `10.3`?

    hint: `labctl list` lists the labs
    "#);
    let far = sandbox.labctl("up chess").run().exits(2).answers_nothing();
    assert!(!far.stderr.contains("did you mean"), "{}", far.whole);
    sandbox.is_untouched();
}

#[test]
fn the_beginning_of_an_id_is_enough_if_it_is_of_one_lab_only() {
    let sandbox = Sandbox::new();
    let ids = ids(&sandbox);
    assert!(ids.contains(&"10.3".to_owned()));
    for id in &ids {
        for (end, _) in id.char_indices().skip(1).chain([(id.len(), ' ')]) {
            let prefix = &id[..end];
            let mut meant: Vec<&String> = ids.iter().filter(|i| i.starts_with(prefix)).collect();
            meant.retain(|i| !ids.iter().any(|i| i == prefix) || *i == prefix);
            let shown = sandbox
                .labctl(&format!("show {prefix} --output json"))
                .run();
            if let [one] = meant.as_slice() {
                assert_eq!(shown.exits(0).json()["lab"], one.as_str(), "for {prefix}");
            } else {
                let refused = shown.exits(2).answers_nothing();
                for one in meant {
                    assert!(refused.stderr.contains(one.as_str()), "{}", refused.whole);
                }
            }
        }
    }
    sandbox.labctl("show").arg("").run().exits(2);
}

#[test]
fn a_directory_is_a_lab_if_it_has_a_lab_yaml() {
    let sandbox = Sandbox::new().with_small_lab();
    let absolute = sandbox.path("work/small").display().to_string();
    for path in ["small", "./small", "small/", "../work/small", &absolute] {
        let shown = sandbox
            .labctl(&format!("show {path} --output json"))
            .run()
            .exits(0);
        assert_eq!(shown.json()["lab"], "small", "{path}");
    }
    sandbox.write("empty/readme", "");
    insta::assert_snapshot!(sandbox.labctl("show ./empty").run().whole, @r#"
    exit 3
    --- stderr
    error: <TMP>/work/./empty has no lab.yaml
    "#);
    // Without a slash it is taken for an id, unless there is such a lab.
    sandbox
        .labctl("show empty")
        .run()
        .exits(2)
        .tells("there is no lab `empty`");
    sandbox.is_untouched();
}

#[test]
fn a_built_in_lab_is_not_hidden_by_a_directory_of_its_name() {
    let sandbox = Sandbox::new();
    sandbox.write("10.3/lab.yaml", SMALL_LAB);
    sandbox.write("10.3/manifests/app.yaml", "apiVersion: v1\nkind: Pod\n");
    let id = |name: &str| {
        let shown = sandbox.labctl(&format!("show {name} --output json")).run();
        shown.exits(0).json()["lab"].as_str().unwrap().to_owned()
    };
    assert_eq!(id("10.3"), "10.3");
    assert_eq!(id("./10.3"), "small");
}

#[test]
fn all_labs_know_save_and_restore_a_server_by_the_same_script() {
    let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    let script =
        |lab: &str| std::fs::read_to_string(labs.join(lab).join("data/postgres.sh")).unwrap();
    assert_eq!(script("10.1"), script("10.3"));
    assert_eq!(script("10.2"), script("10.3"));
}

#[test]
fn files_outside_of_a_lab_are_no_part_of_it() {
    let sandbox = Sandbox::new().with_small_lab();
    std::os::unix::fs::symlink("/etc/passwd", sandbox.path("work/small/manifests/passwd")).unwrap();
    let refused = sandbox.labctl("validate small").run().exits(3);
    refused.tells("`manifests/passwd` is not a plain file");
}

#[test]
fn list_names_every_lab() {
    let sandbox = Sandbox::new();
    let text = sandbox.labctl("list").run().exits(0).tells_nothing().stdout;
    assert!(text.trim_start().starts_with("LAB"), "{text}");
    for id in ids(&sandbox) {
        let listed = text
            .lines()
            .filter(|line| line.split_whitespace().next() == Some(&id));
        assert_eq!(listed.count(), 1, "{id} in\n{text}");
    }
    let json = sandbox
        .labctl("list --output json")
        .run()
        .exits(0)
        .tells_nothing()
        .json();
    let statefulset = &json
        .as_array()
        .unwrap()
        .iter()
        .find(|l| l["lab"] == "10.3")
        .unwrap();
    assert_eq!(statefulset["title"], "StatefulSet for a database");
    assert_eq!(statefulset["level"], "intermediate");
    assert!(
        statefulset["steps"]
            .as_array()
            .unwrap()
            .contains(&"kill-pod".into())
    );
}

#[test]
fn show_tells_the_steps_what_they_teach_and_what_they_expect() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "small/lab.yaml",
        &SMALL_LAB.replace(
            "- id: kill\n",
            "- id: kill\n  teach: |\n    Pods are mortal.\n\n    Watch.\n",
        ),
    );
    sandbox.write("small/manifests/app.yaml", "apiVersion: v1\nkind: Pod\n");
    insta::assert_snapshot!(sandbox.labctl("show small").run().whole, @r#"
    exit 0
    --- stdout
    small  A small lab
    beginner, 5m

    1. cluster — Create a cluster [kind-cluster]
       expects nodes-ready 4

    2. app — Start the application [apply]
       expects rollout-complete deployment/app

    3. kill — Kill it [delete-pod]

       Pods are mortal.

       Watch.

       expects pvc-reattached app-0
    "#);
    let json = sandbox
        .labctl("show small --output json")
        .run()
        .exits(0)
        .tells_nothing()
        .json();
    assert_eq!(json["steps"][2]["do"]["delete-pod"]["since"], "before");
    sandbox.is_untouched();
}

/// A Service that names its pods' port by name has an ingress controller look the number up in a pod; the
/// one of lab 10.1 does so by a selector that it may have from before.
#[test]
fn the_way_into_lab_10_1_goes_by_numbers_and_a_new_controller_waits_for_the_old_ones_port() {
    let lab = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("labs/10.1");
    let read = |path: &str| std::fs::read_to_string(lab.join(path)).unwrap();
    let mut services = 0;
    for entry in std::fs::read_dir(lab.join("manifests")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for object in labctl::spec::yaml::documents(&text) {
            // A headless one is no way in.
            if object["kind"] != "Service" || object["spec"]["clusterIP"] == "None" {
                continue;
            }
            for port in object["spec"]["ports"].as_array().unwrap() {
                let name = &object["metadata"]["name"];
                assert!(port["targetPort"].is_u64(), "Service {name}: {port}");
                services += 1;
            }
        }
    }
    assert_eq!(services, 3);
    let values = labctl::spec::yaml::documents(&read("values/nginx-ingress.yaml"));
    assert_eq!(values[0]["controller"]["strategy"]["type"], "Recreate");
    let lab = labctl::spec::yaml::documents(&read("lab.yaml"));
    for step in ["nginx", "traefik", "gateway"] {
        let steps = lab[0]["steps"].as_array().unwrap();
        let expect = &steps.iter().find(|s| s["id"] == step).unwrap()["expect"];
        let first = &expect["all"][0]["rollout-complete"];
        assert_eq!(
            (&first["namespace"], &first["replicas"]),
            (&"ingress".into(), &1.into())
        );
        // It lasts.
        assert!(
            expect.get("until").is_none() && expect.get("once").is_none(),
            "{expect}"
        );
    }
}
