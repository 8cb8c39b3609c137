//! Programs that a kubeconfig wants to run.

use std::fs;

use crate::support::{Sandbox, Seeded, UNREACHABLE_KUBECONFIG, named};

/// A seeded environment whose kubeconfig runs a program that writes the file `ran`.
fn logging_in(sandbox: &Sandbox) {
    let seeded = Seeded::new(sandbox, "lab-small", "small").with_cluster(&["c0ffee0000000000"]);
    let ran = sandbox.path("ran");
    let program = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, \
         command: /bin/sh, args: [-c, 'echo x >{}']}}",
        ran.display()
    );
    let kubeconfig = named(UNREACHABLE_KUBECONFIG, "lab-small").replace("token: t", &program);
    fs::write(seeded.environment.kubeconfig(), kubeconfig).unwrap();
}

#[test]
fn a_program_to_log_in_is_refused_and_what_allows_it_is_named() {
    for verb in ["verify small", "up small"] {
        let sandbox = Sandbox::new().with_small_lab();
        logging_in(&sandbox);
        let answer = sandbox.labctl(verb).run().exits(7).answers_nothing();
        answer
            .tells("runs a program to log in, which labctl refuses")
            .tells("--allow-login-program");
        assert!(!sandbox.path("ran").exists());
    }
}

#[test]
fn a_program_to_log_in_is_run_once_that_is_allowed() {
    for verb in ["verify small", "up small", "status"] {
        let sandbox = Sandbox::new().with_small_lab();
        logging_in(&sandbox);
        let answer = sandbox.labctl(verb).arg("--allow-login-program").run();
        assert_ne!(answer.code, 7, "{}", answer.whole);
        assert!(sandbox.path("ran").exists(), "{verb}: {}", answer.whole);
    }
}
