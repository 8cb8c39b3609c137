//! Secrets: whatever a tool, the API server or the lab's own text says of them, nothing that
//! labctl writes or prints has one.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use labctl::event::untrusted::deceives;
use serde_json::json;

use crate::support::{Act, Answer, SMALL_LAB, Sandbox, Seeded, Server, named, rule};

/// A value with everything in it that is escaped somewhere.
const SECRET: &str = "canary \"zebra\" <&'/é";
/// A token in the kubeconfig.
const TOKEN: &str = "canarytokenwalrus";
/// A title, a link, the clipboard, a cleared screen; reordered, invisible and tagged text.
const HOSTILE: &str = "\u{1b}]0;t\u{7}\u{1b}]8;;http://x\u{1b}\\\u{1b}]52;c;Y2F0\u{7}\u{9b}2J\r\u{202e}\
                       \u{2066}\u{200b}\u{feff}\u{e0041}\u{90}q\u{9c}";
/// What is left of a value that was only escaped in another way than expected.
const TRACES: [&str; 3] = ["canary", "zebra", "walrus"];

/// The secret in each form in which a tool might print it.
fn forms() -> Vec<String> {
    let json = json!(SECRET).to_string();
    vec![
        SECRET.to_owned(),
        json!(json).to_string(),
        json.replace('<', "\\u003c").replace('&', "\\u0026"),
        json,
        "u:canary%20%22zebra%22%20%3C%26%27%2F%C3%A9@host".to_owned(),
        "q=canary+%22zebra%22+%3c%26%27%2f%c3%a9".to_owned(),
        STANDARD.encode(SECRET),
        STANDARD.encode(format!("{SECRET}\n")),
        format!("\u{1b}[1mcan\u{1b}[0mary{}", &SECRET[6..]),
        TOKEN.to_owned(),
        STANDARD.encode(TOKEN),
        format!("Basic {}", STANDARD.encode(format!("postgres:{SECRET}"))),
        STANDARD.encode(format!("me:{SECRET}\n")),
        STANDARD.encode(format!("u:{TOKEN}")),
        long(0),
        long(5),
        long(SECRET.len() - 1),
    ]
}

/// A line so long that it is cut, where of the secret so many bytes are before the cut.
fn long(before: usize) -> String {
    const CUT: usize = 8 << 10;
    format!("{}{SECRET}{}", "x".repeat(CUT - before), "y".repeat(CUT))
}

/// What is recognised of the secrets in base64, whatever stands before them.
fn middles() -> Vec<String> {
    let of = |secret: &str| {
        [0, 1, 2]
            .map(|before| STANDARD.encode(format!("{}{secret}", &"::"[..before]))[4..16].to_owned())
    };
    [SECRET, TOKEN]
        .iter()
        .flat_map(|secret| of(secret))
        .collect()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: app}}\nstringData: {{password: {}}}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: b}}\ndata: {{password: {}}}\n",
        json!(SECRET),
        STANDARD.encode("canary-in-base64-zebra"),
    );
    let teach = format!("  teach: {}\n", json!(format!("Log in with {SECRET}.")));
    let lab = SMALL_LAB
        .replace("- id: app\n", &format!("- id: app\n{teach}"))
        .replace(
            "title: Kill it",
            &format!("title: {}", json!(format!("Kill {SECRET}"))),
        );
    sandbox.write("small/lab.yaml", &lab);
    sandbox.write("small/manifests/app.yaml", &manifest);
    sandbox
}

/// An API server with nodes that are as they should be, or say the secret.
fn cluster(sound: bool) -> Server {
    Server::of_cluster(move |path| {
        let node = |n: usize| {
            let hostile = format!("{HOSTILE}{SECRET}");
            let (status, message) = if sound {
                ("True", "")
            } else {
                ("False", hostile.as_str())
            };
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": format!("n{n}"), "uid": format!("u{n}"), "resourceVersion": "1"},
                "status": {"conditions": [{
                    "type": "Ready", "status": status, "reason": SECRET, "message": message,
                }]},
            })
        };
        path.ends_with("/nodes").then(|| (0..4).map(node).collect())
    })
}

fn kubeconfig(server: &Server) -> String {
    crate::support::UNREACHABLE_KUBECONFIG
        .replace("http://127.0.0.1:1", &server.url())
        .replace("token: t", &format!("token: {TOKEN}"))
}

/// Asserts that neither what was printed nor what was written has the secret in it.
#[track_caller]
fn is_silent(sandbox: &Sandbox, printed: &[String]) {
    let mut texts: Vec<(String, String)> = Vec::new();
    for text in printed {
        texts.push(("what was printed".to_owned(), text.clone()));
    }
    for name in sandbox.files("state") {
        let path = sandbox.path("state").join(&name);
        let is_meant = !name.contains("/lab/") && !name.ends_with("/kubeconfig");
        if is_meant && path.is_file() {
            texts.push((
                name,
                String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned(),
            ));
        }
    }
    let encoded =
        [SECRET, TOKEN, "canary-in-base64-zebra"].map(|s| STANDARD.encode(s)[..12].to_owned());
    let middles = middles();
    for (name, text) in texts {
        for trace in TRACES
            .iter()
            .copied()
            .chain(encoded.iter().map(String::as_str))
            .chain(middles.iter().map(String::as_str))
        {
            assert!(!text.contains(trace), "{trace} in {name}:\n{text}");
        }
    }
}

#[test]
fn a_run_that_fails_tells_no_secret() {
    for options in ["", "--verbose", "--output json"] {
        let sandbox = sandbox();
        let server = cluster(true);
        let echo = |end: Act| {
            let forms = forms().into_iter();
            let acts = forms.flat_map(|form| [Act::Out(form.clone()), Act::Err(form)]);
            acts.chain([end]).collect::<Vec<_>>()
        };
        let mut created = crate::support::created();
        created.push(Act::Write("{--kubeconfig}".into(), kubeconfig(&server)));
        created.extend(echo(Act::Exit(0)));
        sandbox.fakes.obey([
            rule("kind", "create cluster", created),
            rule(
                "kubectl",
                "--kubeconfig * --context * config",
                echo(Act::Exit(0)),
            ),
            rule("kubectl", "--kubeconfig", echo(Act::Exit(1))),
        ]);
        let up = sandbox
            .labctl(&format!("up small {options}"))
            .run()
            .exits(1);
        let mut printed = vec![up.stdout.clone(), up.stderr.clone()];
        for verb in [
            "logs",
            "logs --output json",
            "logs --all -v",
            "plan small",
            "plan small --output json",
            "show small",
            "show small --output json",
            "verify -v",
            "verify --output json",
            "status",
        ] {
            let answer = sandbox.labctl(verb).run();
            assert!([0, 1].contains(&answer.code), "{verb}: {}", answer.whole);
            printed.extend([answer.stdout, answer.stderr]);
        }
        is_silent(&sandbox, &printed);
        let all = printed.concat();
        assert!(all.contains("‹redacted›"), "{all}");
        let applied = fs::read_to_string(sandbox.environment("lab-small").join("lab/lab.yaml"));
        assert!(
            applied.unwrap().contains("canary"),
            "the lab itself is applied as it is"
        );
    }
}

#[test]
fn what_the_api_server_says_is_told_without_secrets_and_without_escapes() {
    let sandbox = sandbox();
    let server = cluster(false);
    let seeded = Seeded::new(&sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let kubeconfig = named(&kubeconfig(&server), "lab-small");
    fs::write(seeded.environment.kubeconfig(), kubeconfig).unwrap();
    for verb in ["verify", "verify -v", "verify --output json"] {
        let answer = sandbox.labctl(verb).run().exits(1);
        is_harmless(&answer);
        is_silent(&sandbox, &[answer.stdout, answer.stderr]);
    }
}

/// Asserts that a terminal would show what is written, and that a program reads the same.
#[track_caller]
fn is_harmless(answer: &Answer) {
    for text in [&answer.stdout, &answer.stderr] {
        let bad = text.chars().find(|c| *c != '\n' && deceives(*c));
        assert_eq!(bad, None, "in:\n{text:?}");
    }
    // An escape that JSON escaped is one again once it is read.
    let is_json = answer.stdout.starts_with(['{', '[']);
    let escaped = is_json && answer.stdout.replace("\\\\", "").contains("\\u00");
    assert!(!escaped, "in:\n{}", answer.stdout);
}

#[test]
fn what_a_lab_says_steers_no_terminal_whichever_command_shows_it() {
    let sandbox = Sandbox::new();
    // As YAML writes it: every character by its number, as it refuses some as they are.
    let hostile = |text: &str| {
        let escaped = HOSTILE.chars().map(|c| format!("\\U{:08x}", u32::from(c)));
        format!("\"{}{text}\"", escaped.collect::<String>())
    };
    let lab = SMALL_LAB
        .replace(
            "title: A small lab",
            &format!("title: {}\nsummary: {}", hostile("A"), hostile("B")),
        )
        .replace(
            "title: Kill it",
            &format!("title: {}\n  teach: {}", hostile("C"), hostile("D")),
        );
    sandbox.write("small/lab.yaml", &lab);
    sandbox.write("small/manifests/app.yaml", "apiVersion: v1\nkind: Pod\n");
    let fails = [
        Act::Out(HOSTILE.into()),
        Act::Err(format!("{HOSTILE}E")),
        Act::Exit(1),
    ];
    sandbox.fakes.obey([rule("kind", "create", fails)]);
    for verb in [
        "show small",
        "plan small",
        "validate small",
        "up small",
        "up small -v",
        "status",
        "logs -v",
        "logs --all",
        "verify",
    ] {
        for output in ["", "--output json"] {
            let answer = sandbox.labctl(&format!("{verb} {output}")).run();
            assert_ne!(answer.code, 3, "{}", answer.whole);
            is_harmless(&answer);
        }
    }
    for broken in [
        lab.replace("- id: kill", &format!("- id: {}", hostile("x"))),
        lab.replace("undo: none", &format!("undo: {}", hostile("x"))),
        lab.replace("lab: small", &format!("lab: {}", hostile("x"))),
        lab.replace(
            "path: manifests/app.yaml",
            &format!("path: {}", hostile("x")),
        ),
        lab.replace("undo: none", &format!("{}: none", hostile("x"))),
    ] {
        sandbox.write("small/lab.yaml", &broken);
        for verb in ["validate small", "up small", "plan small --output json"] {
            is_harmless(&sandbox.labctl(verb).run().exits(3));
        }
    }
}
