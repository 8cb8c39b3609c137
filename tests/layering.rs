//! The directions of ARCHITECTURE.md: which module of `src` may use which, which are pure, and which
//! file alone may use a crate. Read from the sources' tokens, macros and nested `use` included.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What each module may use of the others. `cli` may use everything.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("digest", &[]),
    ("download", &[]),
    ("spec", &["digest"]),
    ("event", &["spec"]),
    ("tool", &["spec", "event"]),
    ("plan", &["spec", "event", "tool", "digest"]),
    ("assert", &["spec", "event", "tool"]),
    ("snapshot", &["assert", "digest"]),
    ("state", &["spec", "event", "digest", "snapshot"]),
    (
        "engine",
        &[
            "spec", "event", "tool", "plan", "assert", "state", "digest", "download", "snapshot",
        ],
    ),
    ("report", &["spec", "event"]),
];
/// Modules that use nothing of `spec` but these.
const ONLY_OF_SPEC: [(&str, &[&str]); 2] = [
    (
        "event",
        &[
            "StepId",
            "Fact",
            "Facts",
            "Measurement",
            "measurement",
            "Undo",
        ],
    ),
    (
        "report",
        &["StepId", "Facts", "Measurement", "measurement", "toxic"],
    ),
];
/// Pure: what is not handed in is not there.
const PURE: [&str; 6] = ["spec", "plan", "event", "assert", "tool", "snapshot"];
/// The parts of pure modules that do the I/O for them.
const IMPURE: [&str; 10] = [
    "assert/cluster.rs",
    "assert/proxied.rs",
    "assert/served.rs",
    "assert/ask.rs",
    "assert/watch.rs",
    "snapshot/live.rs",
    "tool/process.rs",
    "tool/stop.rs",
    "tool/output.rs",
    "tool/survivor.rs",
];
/// What nothing pure uses: I/O, and the time, which is handed in as well.
const NOT_PURE: [&str; 12] = [
    "tokio",
    "duct",
    "kube",
    "os_pipe",
    "rustix",
    "std::fs",
    "std::process",
    "std::env",
    "std::net",
    "std::thread",
    "std::time::SystemTime",
    "Timestamp::now",
];
/// What only these files and directories use.
const CONFINED: [(&str, &[&str]); 12] = [
    ("anyhow", &["cli/"]),
    ("clap", &["cli/"]),
    ("std::env", &["cli/"]),
    ("duct", &["tool/process.rs"]),
    ("serde_saphyr", &["spec/yaml.rs", "spec/yaml/"]),
    (
        "kube",
        &[
            "assert/cluster.rs",
            "assert/proxied.rs",
            "assert/served.rs",
            "assert/watch.rs",
            "snapshot/live.rs",
        ],
    ),
    ("indicatif", &["report/"]),
    ("tar", &["state/archive.rs"]),
    ("flate2", &["state/archive.rs"]),
    (
        "http",
        &["download.rs", "assert/ask.rs", "assert/proxied.rs"],
    ),
    ("hyper_util", &["download.rs", "assert/ask.rs"]),
    ("hyper_rustls", &["download.rs"]),
];
/// The most lines of a file, and of the file in the middle.
const LONGEST: usize = 500;
const MEDIAN: usize = 150;

#[test]
fn modules_use_only_what_is_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into();
    let of_spec: BTreeMap<&str, &[&str]> = ONLY_OF_SPEC.into();
    let mut faults = String::new();
    for source in sources() {
        let module = source.module();
        if module == "cli" || module == "main" || module == "lib" {
            continue;
        }
        let may = allowed.get(module);
        let may = may.unwrap_or_else(|| panic!("{}: say in MAY_USE what it may use", source.name));
        for used in &source.uses {
            let Some(path) = used.path.strip_prefix("crate::") else {
                continue;
            };
            let mut parts = path.split("::");
            let (other, item) = (parts.next().unwrap(), parts.next().unwrap_or("*"));
            let is_item = other.starts_with(char::is_uppercase);
            let limited = of_spec.get(module).filter(|_| other == "spec");
            let is_fine = other == module
                || (may.contains(&other) && limited.is_none_or(|items| items.contains(&item)));
            if is_item || !is_fine {
                let _ = writeln!(faults, "{source} uses {}", used.at());
            }
        }
    }
    assert_eq!(faults, "", "uses against the directions of ARCHITECTURE.md");
}

#[test]
fn pure_modules_do_nothing_but_compute() {
    let mut faults = String::new();
    let mut seen = BTreeSet::new();
    for source in sources() {
        if IMPURE.contains(&source.name.as_str()) {
            seen.insert(source.name.clone());
        } else if PURE.contains(&source.module()) {
            for used in source
                .uses
                .iter()
                .filter(|u| NOT_PURE.iter().any(|n| u.is_of(n)))
            {
                let _ = writeln!(faults, "{source} uses {}", used.at());
            }
        }
    }
    assert_eq!(faults, "", "I/O or the time in pure modules");
    assert_eq!(
        seen.len(),
        IMPURE.len(),
        "an exception that is no file any more"
    );
}

#[test]
fn crates_stay_in_the_files_they_are_confined_to() {
    let mut faults = String::new();
    let mut found = BTreeSet::new();
    for source in sources() {
        for used in &source.uses {
            for (what, places) in CONFINED.iter().filter(|(what, _)| used.is_of(what)) {
                found.insert(*what);
                if !places.iter().any(|place| source.name.starts_with(place)) {
                    let _ = writeln!(faults, "{source} uses {}", used.at());
                }
            }
        }
    }
    assert_eq!(
        faults, "",
        "crates outside of the files they are confined to"
    );
    assert_eq!(
        found.len(),
        CONFINED.len(),
        "only {found:?} are used at all"
    );
}

/// Each test that ARCHITECTURE.md names as the proof of a promise is there: `module::name`, or the name
/// of a scenario on the real cluster.
#[test]
fn promises_have_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, page) = page.split_once("## What labctl promises").unwrap();
    let (page, _) = page.split_once("\n## ").unwrap();
    let files = ["src", "tests"].into_iter().flat_map(files_of);
    let all: String = files
        .map(|(path, _)| fs::read_to_string(path).unwrap())
        .collect();
    let named: Vec<&str> = page
        .split('`')
        .filter(|text| text.contains("::") && !text.ends_with("::"))
        .collect();
    let is_there = |name: &&str| match name.strip_prefix("e2e::") {
        Some(scenario) => all.contains(&format!("\"{scenario}\"")),
        None => name
            .rsplit("::")
            .next()
            .is_some_and(|test| all.contains(&format!("fn {test}("))),
    };
    let gone: Vec<&&str> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(gone.is_empty(), "promised, and tested by nothing: {gone:?}");
    assert!(named.len() > 40, "only {} tests are named", named.len());
}

/// A command that a message of labctl names says which environment it is for: without, it would be
/// about another one, or about none.
#[test]
fn hints_name_the_environment() {
    const VERBS: &str = "up|next|verify|heal|reset|down|start|stop|env|shell|logs";
    // Filled in, said of any lab, or with an option before what is filled in.
    let named = regex::Regex::new(&format!(
        r"`labctl ({VERBS})\b( --?[a-z]+)*(?P<named> \{{| LAB| \\\n| NAME)?"
    ))
    .unwrap();
    let mut seen = 0;
    let mut without = Vec::new();
    for (path, name) in files() {
        let text = fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        // Help texts are about no environment; tests have files of their own.
        if name == "cli/args.rs" || name.ends_with("tests.rs") {
            continue;
        }
        let code: Vec<&str> = text
            .split_inclusive('\n')
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.concat();
        for hint in named.captures_iter(&code) {
            seen += 1;
            if hint.name("named").is_none() {
                without.push(format!("{name}: {}", &hint[0]));
            }
        }
    }
    assert!(without.is_empty(), "{without:#?}");
    assert!(seen > 30, "only {seen} were found");
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, String)> = files()
        .iter()
        .map(|(path, name)| {
            (
                fs::read_to_string(path).unwrap().lines().count(),
                name.clone(),
            )
        })
        .collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(n, _)| *n > LONGEST).collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
    let (median, _) = lengths[lengths.len() / 2];
    assert!(median <= MEDIAN, "the median file has {median} lines");
}

#[test]
fn main_only_starts_the_command_line() {
    let main = sources().into_iter().find(|s| s.name == "main.rs").unwrap();
    let paths: Vec<&str> = main.uses.iter().map(|u| u.path.as_str()).collect();
    assert_eq!(paths, ["std::process::ExitCode", "labctl::cli::main"]);
}

/// The scanner itself: a rule that sees nothing holds for ever.
#[test]
fn uses_are_found_wherever_they_stand() {
    let text = r#"
        //! std::env in a comment
        use std::{env, io::{self, Write}};
        use super::super::report::Look;
        use crate::{event::{Event, Status as S}, cli::*};
        use duct;
        fn f() { tokio::select! { x = crate::report::text() => {} } }
        #[derive(serde::Serialize)]
        struct A { a: kube::Client, b: self::inner::B, c: &'static str }
        const T: &str = "anyhow::Error";
        #[cfg(test)]
        mod tests { use crate::cli::main; }
        #[cfg(test)]
        use std::fs;
        fn g() { x.y::<serde_json::Value>(); <anyhow::Error as T>::z() }
    "#;
    let source = Source::read("engine/deep/file.rs".into(), text);
    let found: Vec<&str> = source.uses.iter().map(|u| u.path.as_str()).collect();
    assert_eq!(
        found,
        [
            "std::env",
            "std::io",
            "std::io::Write",
            "crate::engine::report::Look",
            "crate::event::Event",
            "crate::event::Status",
            "crate::cli::*",
            "duct",
            "tokio::select",
            "crate::report::text",
            "serde::Serialize",
            "kube::Client",
            "crate::engine::deep::file::inner::B",
            "serde_json::Value",
            "anyhow::Error",
        ]
    );
    assert!(source.uses[0].is_of("std::env") && !source.uses[0].is_of("std::en"));
    assert_eq!(source.uses[0].line, 3);
}

/// One file of `src`.
#[derive(Debug)]
struct Source {
    /// Its path below `src`.
    name: String,
    /// What it uses outside of its tests.
    uses: Vec<Use>,
}

/// A path that a source names.
#[derive(Debug)]
struct Use {
    /// The path from its root: a crate's name, or `crate`.
    path: String,
    line: usize,
}

impl Use {
    fn is_of(&self, what: &str) -> bool {
        let rest = self.path.strip_prefix(what);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }

    fn at(&self) -> String {
        format!("{} in line {}", self.path, self.line)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "src/{}", self.name)
    }
}

impl Source {
    fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn read(name: String, text: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap();
        let mut scanner = Scanner {
            module: module_path(&name),
            uses: Vec::new(),
            test_modules: Vec::new(),
        };
        scanner.scan(&tokens.into_iter().collect::<Vec<_>>());
        let uses = scanner.uses;
        Self { name, uses }
    }
}

/// `engine/up.rs` is the module `engine::up`, `engine/mod.rs` is `engine`.
fn module_path(name: &str) -> Vec<String> {
    let name = name.strip_suffix(".rs").unwrap();
    let name = name.strip_suffix("/mod").unwrap_or(name);
    match name {
        "lib" | "main" => Vec::new(),
        name => name.split('/').map(ToOwned::to_owned).collect(),
    }
}

struct Scanner {
    module: Vec<String>,
    uses: Vec<Use>,
    /// The files that are compiled for tests only: `#[cfg(test)] mod tests;`
    test_modules: Vec<String>,
}

impl Scanner {
    fn scan(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            at = if let Some(end) = self.test_only(tokens, at) {
                end
            } else if is_ident(tokens, at, "use") {
                self.path(tokens, at + 1, "")
            } else if is_path(tokens, at) {
                self.path(tokens, at, "")
            } else {
                if let TokenTree::Group(group) = &tokens[at] {
                    self.scan(&group.stream().into_iter().collect::<Vec<_>>());
                }
                at + 1
            };
        }
    }

    /// The end of the item at `at`, if it is for tests only.
    fn test_only(&mut self, tokens: &[TokenTree], at: usize) -> Option<usize> {
        let TokenTree::Group(attribute) = tokens.get(at + 1)? else {
            return None;
        };
        let text = attribute.stream().to_string().replace(' ', "");
        if !is_punct(tokens, at, '#') || text != "cfg(test)" {
            return None;
        }
        let ends = |token: &TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        // The braces of `use a::{b};` do not end it.
        let is_use = tokens[at + 2..]
            .iter()
            .take(3)
            .any(|t| t.to_string() == "use");
        let ends = |token: &TokenTree| match token {
            TokenTree::Group(_) if is_use => false,
            token => ends(token),
        };
        let end = at + 2 + tokens[at + 2..].iter().position(ends)?;
        if is_ident(tokens, end - 2, "mod") && is_punct(tokens, end, ';') {
            self.test_modules.push(tokens[end - 1].to_string());
        }
        Some(end + 1)
    }

    /// Takes in the path, or the tree of paths, that begins at `at`; returns its end.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, prefix: &str) -> usize {
        let mut path = prefix.to_owned();
        let line = tokens.get(at).map_or(0, |t| t.span().start().line);
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(ident)) => {
                    let name = ident.to_string();
                    // `use a::b::{self}` is `a::b`.
                    if name != "self" || path.is_empty() {
                        path = if path.is_empty() {
                            name
                        } else {
                            format!("{path}::{name}")
                        };
                    }
                    at += 1;
                }
                Some(TokenTree::Group(group)) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    let mut from = 0;
                    while from < inner.len() {
                        from = self.path(&inner, from, &path);
                        while from < inner.len() && !is_punct(&inner, from, ',') {
                            from += 1;
                        }
                        from += 1;
                    }
                    return at + 1;
                }
                Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                    path.push_str("::*");
                    at += 1;
                }
                // A turbofish ends the path; what is in it is scanned by itself.
                _ => break,
            }
            if !is_colons(tokens, at) {
                break;
            }
            at += 2;
        }
        // `use<'a>` in a bound is no path.
        if !path.is_empty() {
            let path = self.absolute(&path);
            self.uses.push(Use { path, line });
        }
        at
    }

    /// `path` with `self` and `super` resolved.
    fn absolute(&self, path: &str) -> String {
        let mut base = self.module.clone();
        let mut rest: Vec<&str> = path.split("::").collect();
        if !matches!(rest[0], "self" | "super") {
            return path.to_owned();
        }
        while let Some(first @ ("self" | "super")) = rest.first().copied() {
            if first == "super" {
                base.pop();
            }
            rest.remove(0);
        }
        let parts = base.iter().map(String::as_str).chain(rest);
        std::iter::once("crate")
            .chain(parts)
            .collect::<Vec<_>>()
            .join("::")
    }
}

/// Whether a path begins at `at`; a method with a turbofish is none.
fn is_path(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens[at], TokenTree::Ident(_))
        && is_colons(tokens, at + 1)
        && !(at > 0 && is_punct(tokens, at - 1, '.'))
}

fn is_ident(tokens: &[TokenTree], at: usize, name: &str) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if ident == name)
}

fn is_punct(tokens: &[TokenTree], at: usize, c: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':')
}

/// Every file of `src`, with its name below it.
fn files() -> Vec<(PathBuf, String)> {
    files_of("src")
}

/// The Rust files below `top`, each with its path below that.
fn files_of(top: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(top);
    let mut files = Vec::new();
    let mut pending = vec![root.clone()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                files.push((path, name));
            }
        }
    }
    assert!(files.len() > 20, "src was not found");
    files.sort();
    files
}

/// The sources without those that are compiled for tests only.
fn sources() -> Vec<Source> {
    let texts: Vec<(String, String)> = files()
        .into_iter()
        .map(|(path, name)| (name, fs::read_to_string(path).unwrap()))
        .collect();
    let mut for_tests: Vec<String> = Vec::new();
    for (name, text) in &texts {
        let module = module_path(name);
        let tokens: TokenStream = text.parse().unwrap();
        let mut scanner = Scanner {
            module: module.clone(),
            uses: Vec::new(),
            test_modules: Vec::new(),
        };
        scanner.scan(&tokens.into_iter().collect::<Vec<_>>());
        for test in scanner.test_modules {
            for_tests.push(
                module
                    .iter()
                    .cloned()
                    .chain([test])
                    .collect::<Vec<_>>()
                    .join("::"),
            );
        }
    }
    let is_for_tests = |name: &str| {
        let module = module_path(name).join("::");
        let below = |test: &String| {
            let rest = module.strip_prefix(test.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        for_tests.iter().any(below)
    };
    let kept = texts.into_iter().filter(|(name, _)| !is_for_tests(name));
    kept.map(|(name, text)| Source::read(name, &text)).collect()
}
