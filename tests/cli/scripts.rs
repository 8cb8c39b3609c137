//! The scripts: what they refuse before they touch anything.

use std::{fs, path::Path};

use crate::support::{Answer, Sandbox};

/// The repository's scripts.
fn scripts() -> String {
    format!("{}/scripts", env!("CARGO_MANIFEST_DIR"))
}

/// bash with these arguments, and with this machine's own programs.
fn bash(sandbox: &Sandbox, args: &[&str]) -> Answer {
    let path = std::env::var_os("PATH").unwrap();
    sandbox.program("bash", args).env("PATH", path).run()
}

#[test]
fn a_bundle_is_not_built_into_a_directory_with_other_things_in_it() {
    let sandbox = Sandbox::new();
    let build = |dir: &Path| {
        let script = format!("{}/bundle", scripts());
        bash(&sandbox, &[&script, &dir.to_string_lossy()])
    };
    let mine = sandbox.path("work/mine");
    sandbox.write("mine/images/holiday.jpg", "irreplaceable");
    build(&mine)
        .exits(1)
        .tells("is not a bundle and not empty: there are images")
        .tells("name a folder that is not there yet, or is empty");
    // An index of something else does not make it one.
    sandbox.write("mine/index.json", r#"{"version": 1, "pages": []}"#);
    build(&mine).exits(1).tells("is not a bundle");
    assert_eq!(
        sandbox.files("work/mine"),
        ["images", "images/holiday.jpg", "index.json"]
    );
    build(&mine.join("index.json"))
        .exits(1)
        .tells("is not a folder");
}

#[test]
fn of_a_bundle_only_what_it_named_before_is_removed() {
    let sandbox = Sandbox::new();
    let index = |tools: &[&str]| {
        let tools = tools.iter().map(|path| format!(r#"{{"path": "{path}"}}"#));
        let tools = tools.collect::<Vec<_>>().join(",");
        format!("{{\n  \"version\": 1,\n  \"platform\": \"p\",\n  \"tools\": [{tools}]\n}}")
    };
    for file in [
        "tools/kind",
        "tools/old",
        "tools/mine",
        "images/mine",
        "beside",
    ] {
        sandbox.write(&format!("bundle/{file}"), "");
    }
    sandbox.write(
        "bundle/index.json",
        &index(&["tools/kind", "tools/old", "../beside"]),
    );
    sandbox.write("new", &index(&["tools/kind"]));
    sandbox.write("source", "what it was made from");
    // What is published, without what is built.
    let publish = "set -euo pipefail
        . SCRIPTS/lib.sh
        . SCRIPTS/build/index.sh
        here=SCRIPTS
        module_version() { echo v1; }
        stage_path() { echo .; }
        stage_done() { false; }
        tool() { jq -c '.tools[0]' new; }
        image() { :; }
        publish bundle";
    let publish = publish.replace("SCRIPTS", &scripts());
    bash(&sandbox, &["-c", &publish]).exits(0);
    let mut left = sandbox.files("work/bundle");
    left.retain(|name| !["tools", "images", "index.json"].contains(&&**name));
    assert_eq!(left, ["beside", "images/mine", "tools/kind", "tools/mine"]);
}

#[test]
fn an_old_bash_is_named_and_asked_for_nothing_before() {
    let sandbox = Sandbox::new();
    let lib = fs::read_to_string(format!("{}/lib.sh", scripts())).unwrap();
    let mut code = lib.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    assert!(code.next().unwrap().contains("BASH_VERSINFO"));
    for (major, minor, code) in [(3, 2, 1), (5, 0, 1), (5, 1, 0), (6, 0, 0)] {
        let other = lib
            .replace("BASH_VERSINFO[0]", &major.to_string())
            .replace("BASH_VERSINFO[1]", &minor.to_string());
        sandbox.write("lib.sh", &other);
        let answer = bash(&sandbox, &["-c", ". ./lib.sh"]).exits(code);
        let is_told = answer.stderr.contains("need bash 5.1 or later");
        assert_eq!(is_told, code == 1, "{}", answer.whole);
    }
    // Whoever uses what only newer ones have is past that line.
    for entry in fs::read_dir(scripts()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        if !text.starts_with("#!") || !text.contains("lib.sh") {
            continue;
        }
        let before = text.split(". \"$here/lib.sh\"").next().unwrap();
        for word in [
            "mapfile",
            "declare -A",
            "EPOCH",
            "wait -n",
            "^^}",
            ",,}",
            "&>>",
            "|&",
        ] {
            assert!(!before.contains(word), "{word} in {}", path.display());
        }
    }
}
