//! Tests of the choice of ports.

use super::*;

fn mapping(name: &str, host: u16) -> PortMapping {
    let name = name.to_owned();
    PortMapping {
        name,
        host,
        node: 80,
    }
}

fn port(name: &str, wanted: u16, host: u16) -> Port {
    let (name, node) = (name.to_owned(), 80);
    Port {
        name,
        wanted,
        host,
        node,
    }
}

/// Chooses a port while those in `taken` are in use and the kernel offers 40000.
fn chosen(mapping: &PortMapping, before: Option<&Port>, taken: &[u16]) -> (u16, Option<String>) {
    let refusal = |port: u16| taken.contains(&port).then(|| format!("{port} is in use"));
    let chosen = choose(mapping, before, refusal, || Some(40000)).unwrap();
    assert_eq!((chosen.port.wanted, chosen.port.node), (mapping.host, 80));
    (chosen.port.host, chosen.instead)
}

#[test]
fn the_wished_for_port_is_taken_if_it_can_be_had_and_a_stable_one_if_not() {
    let http = mapping("http", 80);
    assert_eq!(chosen(&http, None, &[]), (80, None));
    let why = Some("80 is in use".to_owned());
    assert_eq!(chosen(&http, None, &[80]), (8080, why.clone()));
    assert_eq!(chosen(&http, None, &[80, 8080]), (8081, why.clone()));
    let all: Vec<u16> = std::iter::once(80).chain(8080..=8099).collect();
    assert_eq!(chosen(&http, None, &all), (40000, why));
    assert_eq!(chosen(&mapping("https", 443), None, &[443]).0, 8443);
    // A refused port is not offered again.
    assert_eq!(chosen(&mapping("web", 8080), None, &[8080]).0, 8081);
    assert_eq!(choose(&http, None, |_| Some(String::new()), || None), None);
}

#[test]
fn the_port_of_before_stays_unless_it_is_taken_or_the_lab_wishes_for_another() {
    let http = mapping("http", 80);
    let before = port("http", 80, 8083);
    assert_eq!(chosen(&http, Some(&before), &[]).0, 8083);
    assert_eq!(chosen(&http, Some(&before), &[8083]), (80, None));
    assert_eq!(
        chosen(&http, Some(&port("http", 90, 8083)), &[]),
        (80, None)
    );
    // The earlier port was the wished-for one: there is no message.
    assert_eq!(chosen(&http, Some(&port("http", 80, 80)), &[]), (80, None));
}

#[test]
fn a_choice_is_told_in_plain_words() {
    let http = mapping("http", 80);
    let refusal = |port| (port == 80).then(|| "it is in use".to_owned());
    let chosen = choose(&http, None, refusal, || None).unwrap();
    assert_eq!(
        chosen.notice().unwrap(),
        "port 80 of 127.0.0.1, for http, is not used: it is in use; this environment answers at \
         http://127.0.0.1:8080"
    );
    assert_eq!(
        choose(&http, None, |_| None, || None).unwrap().notice(),
        None
    );
}

#[test]
fn an_engine_that_cannot_open_a_port_is_understood() {
    let ports = [port("http", 80, 80), port("https", 443, 8443)];
    let of = |line: &str| {
        let tail = ["Command Output: 5c80fe".to_owned(), line.to_owned()];
        refused(&ports, &tail).map(|(port, said)| (port.name.clone(), said == line))
    };
    for line in [
        "docker: Error response from daemon: driver failed programming external connectivity on \
         endpoint c (5f): Bind for 127.0.0.1:80 failed: port is already allocated.",
        "docker: Error response from daemon: failed to set up container networking: driver failed \
         programming external connectivity on endpoint c (5f): failed to bind host port for \
         127.0.0.1:80:172.18.0.2:80/tcp: address already in use",
        "Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: permission denied.",
        "error while calling RootlessKit PortManager.AddPort(): cannot expose privileged port 80, \
         you can add 'net.ipv4.ip_unprivileged_port_start=80' to /etc/sysctl.conf",
        "Ports are not available: ports are not available: exposing port TCP 127.0.0.1:80 -> \
         0.0.0.0:0: listen tcp 127.0.0.1:80: bind: address already in use",
    ] {
        assert_eq!(of(line), Some(("http".to_owned(), true)), "{line}");
    }
    let other = "listen tcp4 127.0.0.1:8443: bind: address already in use";
    assert_eq!(of(other).unwrap().0, "https");
    for line in [
        // This is the API server's own port, which kind chooses.
        "Bind for 127.0.0.1:40123 failed: port is already allocated",
        "ERROR: failed to create cluster: docker run --publish=127.0.0.1:80:80/TCP failed with \
         error: exit status 125",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
}
