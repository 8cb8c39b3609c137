//! The command line itself: help, wrong arguments, where settings come from.

use crate::support::{Sandbox, Seeded};

const VERBS: [&str; 11] = [
    "up", "verify", "status", "down", "list", "show", "plan", "validate", "env", "shell", "logs",
];

#[test]
fn the_version_is_the_packages() {
    let sandbox = Sandbox::new();
    let answer = sandbox.labctl("--version").run().exits(0).tells_nothing();
    assert_eq!(
        answer.stdout,
        format!("labctl {}\n", env!("CARGO_PKG_VERSION"))
    );
    sandbox.is_untouched();
}

#[test]
fn the_help_names_every_verb_and_every_exit_code() {
    let sandbox = Sandbox::new();
    let help = sandbox
        .labctl("--help")
        .run()
        .exits(0)
        .tells_nothing()
        .stdout;
    for verb in VERBS {
        let is_listed = help.lines().any(|line| line.trim_start().starts_with(verb));
        assert!(is_listed, "{verb} is not in:\n{help}");
        // Each explains itself, with the options that all have.
        let own = sandbox.labctl(&format!("{verb} --help")).run().exits(0);
        own.answers("--env")
            .answers("--output")
            .answers("--state-dir");
    }
    for code in [
        "  0  ", "  1  ", "  2  ", "  3  ", "  4  ", " 5  ", " 6  ", " 7  ", "70  ", "128+n",
    ] {
        assert!(help.contains(code), "{code:?} is not in:\n{help}");
    }
    sandbox.is_untouched();
}

#[test]
fn no_verb_at_all_shows_the_help_and_is_wrong() {
    let sandbox = Sandbox::new();
    let answer = sandbox.labctl("").run().exits(2).answers_nothing();
    answer.tells("Usage: labctl");
}

#[test]
fn a_wrong_verb_or_option_is_a_wrong_command_line() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.labctl("upp 10.3").run().whole, @r#"
    exit 2
    --- stderr
    error: unrecognized subcommand 'upp'

      tip: a similar subcommand exists: 'up'

    Usage: labctl [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
    for wrong in [
        "up",
        "up 10.3 --tto x",
        "up 10.3 --timeout-scale 0",
        "validate",
        "list --output xml",
    ] {
        sandbox
            .labctl(wrong)
            .run()
            .exits(2)
            .answers_nothing()
            .tells("error: ");
    }
    sandbox.is_untouched();
}

#[test]
fn a_step_that_the_lab_does_not_have_is_a_wrong_command_line() {
    let sandbox = Sandbox::new().with_small_lab();
    insta::assert_snapshot!(sandbox.labctl("up small --to clustre").run().whole, @r#"
    exit 2
    --- stderr
    error: lab small has no step `clustre`; did you mean `cluster`?

    hint: its steps are cluster, app, kill
    "#);
    sandbox
        .labctl("up small --to 2")
        .run()
        .exits(2)
        .tells("has no step `2`");
    sandbox.is_untouched();

    Seeded::new(&sandbox, "lab-small", "small");
    let answer = sandbox.labctl("verify small --to kil").run().exits(2);
    answer.tells("did you mean `kill`?");
}

#[test]
fn names_that_cannot_be_a_clusters_are_refused() {
    let sandbox = Sandbox::new().with_small_lab();
    insta::assert_snapshot!(sandbox.labctl("up small --env My_Lab").run().whole, @r#"
    exit 2
    --- stderr
    error: `My_Lab` cannot name an environment

    hint: use lower-case letters, digits and `-`, at most 63 of them
    "#);
    let long = "x".repeat(64);
    for name in [
        "",
        ".",
        "..",
        "../x",
        "-x",
        "x-",
        "x/y",
        "x y",
        "é",
        long.as_str(),
    ] {
        let up = sandbox.labctl("up small").arg(format!("--env={name}"));
        up.run()
            .exits(2)
            .answers_nothing()
            .tells("cannot name an environment");
        let status = sandbox.labctl("status").arg(format!("--env={name}"));
        status.run().exits(2);
    }
    sandbox.is_untouched();
}

#[test]
fn the_state_directory_is_the_named_one_or_the_users() {
    let sandbox = Sandbox::new().with_small_lab();
    Seeded::new(&sandbox, "lab-small", "small");
    let finds = |command: crate::support::Command<'_>, found: bool| {
        let answer = command.run().exits(0);
        assert_eq!(
            answer.stdout.contains("lab-small"),
            found,
            "{}",
            answer.whole
        );
    };
    finds(sandbox.labctl("status"), true);
    // Without XDG_STATE_HOME it is below the home directory.
    finds(sandbox.labctl("status").env_remove("XDG_STATE_HOME"), false);
    let home = sandbox.path("home/.local/state");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::rename(sandbox.state(), home.join("labctl")).unwrap();
    finds(sandbox.labctl("status"), false);
    finds(sandbox.labctl("status").env_remove("XDG_STATE_HOME"), true);
    // The option wins over the variable, and both over the default; relative ones are, to the
    // working directory.
    std::fs::rename(home.join("labctl"), sandbox.path("work/named")).unwrap();
    finds(
        sandbox.labctl("status").env("LABCTL_STATE_DIR", "named"),
        true,
    );
    finds(sandbox.labctl("status --state-dir named"), true);
    let other = sandbox.labctl("status --state-dir named");
    finds(other.env("LABCTL_STATE_DIR", "other"), true);
    finds(sandbox.labctl("status --state-dir other"), false);
}

#[test]
fn looking_creates_no_state_directory() {
    let sandbox = Sandbox::new().with_small_lab();
    for verb in [
        "status",
        "list",
        "show small",
        "plan small",
        "validate small",
        "status --output json",
    ] {
        sandbox.labctl(verb).run().exits(0);
    }
    for verb in [
        "down small",
        "verify small",
        "env small",
        "logs small",
        "shell small",
        "down",
    ] {
        sandbox
            .labctl(verb)
            .run()
            .exits(2)
            .answers_nothing()
            .tells("there is no environment");
    }
    sandbox.is_untouched();
}

#[test]
fn a_reader_that_went_away_is_no_failure_of_an_answer() {
    let sandbox = Sandbox::new();
    for verb in [
        "plan 10.3",
        "show 10.3",
        "list",
        "list --output json",
        "--help",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        sandbox
            .labctl(verb)
            .stdout(writer)
            .run()
            .exits(0)
            .tells_nothing();
    }
}
