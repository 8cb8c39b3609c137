//! Ports of this machine that lead into a cluster: which one is chosen, kept and told.

use std::net::{Ipv4Addr, TcpListener};

use labctl::event::{EventKind, Port};

use crate::support::{Act, Sandbox, Seeded, rule};

/// A port that is in use for as long as the listener lives.
fn taken() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The small lab with a port that it wishes for.
fn lab(host: u16) -> Sandbox {
    let sandbox = Sandbox::new().with_small_lab();
    let ports = format!("ports: [{{name: http, host: {host}, node: 80}}]");
    let template = "template: three-workers";
    let lab = crate::support::SMALL_LAB.replace(template, &format!("{template}, {ports}"));
    sandbox.write("small/lab.yaml", &lab);
    sandbox
}

fn config(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.environment("lab-small").join("kind.yaml")).unwrap()
}

#[test]
fn another_port_is_chosen_for_one_in_use_and_kept() {
    let (listener, wanted) = taken();
    let sandbox = lab(wanted);
    let failing = [rule("kind", "create", [Act::Exit(1)])];
    sandbox.fakes.obey(failing);
    let answer = sandbox.labctl("up small").run().exits(1);
    let chosen = sandbox.run_state("lab-small").ports[0].clone();
    assert_eq!((chosen.wanted, chosen.node), (wanted, 80));
    assert_ne!(chosen.host, wanted);
    answer.tells(&format!(
        "port {wanted} of 127.0.0.1, for http, is not used: another program has it; this \
         environment answers at http://127.0.0.1:{}",
        chosen.host
    ));
    let mapping = format!("hostPort: {}, listenAddress: \"127.0.0.1\"", chosen.host);
    assert!(config(&sandbox).contains(&mapping));
    // The next try keeps it, though the other is free by now.
    drop(listener);
    sandbox.labctl("up small").run().exits(1);
    assert_eq!(sandbox.run_state("lab-small").ports, [chosen]);
}

#[test]
fn a_port_that_was_taken_meanwhile_is_named_and_not_chosen_again() {
    let (listener, wanted) = taken();
    drop(listener);
    let sandbox = lab(wanted);
    let said = format!("docker: Bind for 127.0.0.1:{wanted} failed: port is already allocated");
    let fails = [Act::Err(said.clone()), Act::Exit(1)];
    sandbox.fakes.obey([rule("kind", "create", fails)]);
    sandbox
        .labctl("up small")
        .run()
        .exits(1)
        .tells(&format!(
            "the container engine could not open port {wanted} of 127.0.0.1, for http"
        ))
        .tells(&said)
        .tells("`labctl up small` again chooses another port");
    sandbox.labctl("up small").run().exits(1);
    assert_ne!(sandbox.run_state("lab-small").ports[0].host, wanted);
}

#[test]
fn what_another_environment_has_is_left_to_it_and_shown() {
    let (listener, wanted) = taken();
    drop(listener);
    let sandbox = lab(wanted);
    let port = Port {
        name: "http".to_owned(),
        wanted: 80,
        host: wanted,
        node: 80,
    };
    let chosen = EventKind::PortsChosen { ports: vec![port] };
    Seeded::new(&sandbox, "other", "small")
        .journal([chosen])
        .with_cluster(&["c1"]);
    let status = sandbox
        .labctl("status --env other --output json")
        .run()
        .json();
    assert_eq!(status[0]["ports"][0]["host"], wanted);
    let told = format!("other answers: http at http://127.0.0.1:{wanted}");
    sandbox.labctl("status --env other").run().answers(&told);
    let export = format!("export LABCTL_PORT_HTTP={wanted}");
    sandbox.labctl("env --env other").run().answers(&export);

    sandbox.fakes.obey([rule("kind", "create", [Act::Exit(1)])]);
    let answer = sandbox.labctl("up small").run().exits(1);
    answer.tells("the environment \"other\" has it");
}
