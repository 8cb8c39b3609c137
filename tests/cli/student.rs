//! What students do to the kubeconfig that their shell has does not lead labctl anywhere else.

use std::{fs, os::unix::fs::PermissionsExt};

use labctl::tool::kubeconfig::{Access, current_context};

use crate::support::{Api, Sandbox};

/// What a student types, by what it does to the file.
fn tampered(text: &str) -> Vec<String> {
    let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut used = value.clone();
    used["contexts"]
        .as_array_mut()
        .unwrap()
        .push(serde_json::json!({
            "name": "kind-mine", "context": {"cluster": "kind-mine", "user": "kind-mine"},
        }));
    for (list, kind, content) in [
        (
            "clusters",
            "cluster",
            serde_json::json!({"server": "http://127.0.0.1:2"}),
        ),
        ("users", "user", serde_json::json!({"token": "mine"})),
    ] {
        let entry = serde_json::json!({"name": "kind-mine", kind: content});
        used[list].as_array_mut().unwrap().push(entry);
    }
    // `kind create cluster` switches to what it made.
    used["current-context"] = "kind-mine".into();
    value["contexts"][0]["context"]["namespace"] = "kube-system".into();
    let moved = {
        let mut moved = used.clone();
        moved["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:2".into();
        moved
    };
    [used, value, moved].map(|value| value.to_string()).to_vec()
}

#[test]
fn every_verb_works_whatever_became_of_either_kubeconfig() {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox.labctl("up crash --to app").run().exits(0);
    let dir = sandbox.environment("lab-crash");
    let (own, lent) = (dir.join("kubeconfig"), dir.join("shell/kubeconfig"));
    let told = sandbox.labctl("env crash").run().exits(0);
    told.answers(&lent.display().to_string());
    let mode = lent.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let meant = fs::read_to_string(&own).unwrap();
    // Theirs is another file, and even in labctl's own only what was recorded counts.
    for file in [&lent, &own] {
        for text in tampered(&meant) {
            fs::write(file, &text).unwrap();
            sandbox.fakes.forget();
            sandbox.labctl("verify crash --to app").run().exits(0);
            sandbox.labctl("up crash --to write").run().exits(0);
            sandbox.labctl("reset crash --to app").run().exits(0);
            for call in sandbox.fakes.calls_of("kubectl", "--kubeconfig") {
                let own = own.display().to_string();
                let named = ["--kubeconfig", &own, "--context", "kind-lab-crash"];
                assert_eq!(call.args[..4], named);
            }
            assert_eq!(fs::read_to_string(&own).unwrap(), meant);
        }
    }
    // What was chosen in the copy stays.
    let chosen = &tampered(&meant)[0];
    fs::write(&lent, chosen).unwrap();
    sandbox.labctl("env crash").run().exits(0);
    assert_eq!(fs::read_to_string(&lent).unwrap(), *chosen);
    for lost in ["", "garbled: [", "{}"] {
        fs::write(&lent, lost).unwrap();
        sandbox.labctl("env crash").run().exits(0);
        let text = fs::read_to_string(&lent).unwrap();
        assert_eq!(current_context(&text).as_deref(), Some("kind-lab-crash"));
        let access = Access::of(&text, "kind-lab-crash").unwrap();
        assert_eq!(access.server(), format!("http://{}", api.address()));
    }
    sandbox.labctl("down crash").run().exits(0);
}

#[test]
fn a_cluster_that_is_made_anew_is_followed_by_the_copy_of_an_open_shell() {
    let api = Api::start();
    let sandbox = Sandbox::in_memory().with_crash_lab(&api);
    sandbox.labctl("up crash --to app").run().exits(0);
    let lent = sandbox.environment("lab-crash").join("shell/kubeconfig");
    sandbox.labctl("env crash").run().exits(0);
    let text = fs::read_to_string(&lent).unwrap();
    fs::write(&lent, text.replace(&api.address(), "127.0.0.1:3")).unwrap();
    sandbox.labctl("reset crash --hard").run().exits(0);
    let text = fs::read_to_string(&lent).unwrap();
    assert!(text.contains(&api.address()), "{text}");
}
