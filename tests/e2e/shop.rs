//! Lab 10.1: reached from outside, broken in all its tiers and put back, and beside lab 10.3.

use std::net::TcpListener;

use crate::{
    paused, remains,
    run::{Run, Verified},
    world::World,
};

const LAB: &str = "10.1";

/// The lab in an environment of its own.
struct Shop<'a> {
    world: &'a World,
    name: String,
}

impl<'a> Shop<'a> {
    /// The lab in a new environment, as far as it can be reached, and how it was brought up.
    fn new(world: &'a World, ingress: &str) -> (Self, Run) {
        world.remove();
        let name = world.name.clone();
        let shop = Self { world, name };
        let up = shop.up(ingress, &["--to", "scale"]);
        (shop, up)
    }

    /// The whole lab, in the environment that is there, made if there is none, and how it was brought
    /// up.
    fn whole(world: &'a World, ingress: &str) -> (Self, Run) {
        let name = world.name.clone();
        let shop = Self { world, name };
        let up = shop.up(ingress, &[]);
        (shop, up)
    }

    fn labctl(&self, args: &[&str]) -> Run {
        self.world.ended(self.world.start_in(&self.name, args))
    }

    fn up(&self, ingress: &str, how_far: &[&str]) -> Run {
        let set = format!("ingress={ingress}");
        let args = [&["--set", &set, "-v"], how_far].concat();
        let up = self.world.start_lab(&self.name, LAB, &args);
        let up = self.world.ended(up).exits(0);
        let line = [&["up", LAB, "with", ingress], how_far].concat().join(" ");
        let took = format!("{line}: {:.1?}", up.took);
        self.world.figure(took);
        up
    }

    fn kubectl(&self, args: &[&str]) {
        let shell = [&["shell", "--", "kubectl"], args].concat();
        self.labctl(&shell).exits(0);
    }

    fn verify(&self, code: i32) -> Verified {
        let run = self.labctl(&["verify", "--output", "json"]).exits(code);
        run.answer()
    }

    /// Breaks it, sees each of `says` in what `verify` says, and puts it back.
    fn broken(&self, how: &[&str], says: &[&str]) {
        self.kubectl(how);
        let rollout = ["rollout", "restart", "deployment/api"];
        if how.contains(&"secret") {
            // Who has read it already does not read it again.
            self.kubectl(&rollout);
            self.kubectl(&["rollout", "status", "deployment/api", "--timeout=60s"]);
        }
        // What was changed takes a moment to be noticed by the controller.
        crate::world::wait_for("a failed check", std::time::Duration::from_mins(1), || {
            self.labctl(&["verify"]).code() == Some(1)
        });
        let mut seen = String::new();
        crate::world::wait_for(says[0], std::time::Duration::from_mins(1), || {
            seen = self.labctl(&["verify"]).transcript();
            let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
            says.iter().all(|text| words.contains(text))
        });
        let reset = self.labctl(&["reset"]).exits(0);
        let took = format!("  reset after `kubectl {}`: {:.1?}", how[0], reset.took);
        self.world.figure(took);
        self.verify(0);
    }
}

/// By an Ingress. The port that is wished for is taken.
pub(crate) fn ingress(world: &World) {
    // Where it cannot be had, somebody else has it.
    let taken = TcpListener::bind("127.0.0.1:80");
    let (shop, up) = Shop::new(world, "traefik");
    drop(taken);
    up.says("port 80").says("http://127.0.0.1:80");
    shop.labctl(&["verify", "--to", "scale"]).exits(0);

    // What a user sees of it; without a browser nothing is tried, which the script says.
    let browser = world.script("browser-test", &[&shop.name]).exits(0);
    let was = if browser.transcript().contains("skipped:") {
        "skipped".to_owned()
    } else {
        format!("{:.1?}", browser.took)
    };
    world.figure(format!("  the front end in a browser: {was}"));
}

/// What clients notice of an update and of emptied nodes.
pub(crate) fn clients(world: &World) {
    let (shop, up) = Shop::whole(world, "traefik");
    lost_requests(&up);
    shop.verify(0);
}

/// Each tier is broken once.
pub(crate) fn broken(world: &World) {
    let (shop, _) = Shop::whole(world, "traefik");
    let scale = [
        "scale",
        "deployment/traefik",
        "--namespace=ingress",
        "--replicas=0",
    ];
    shop.broken(&scale, &["traefik", "0 replicas"]);
    let selector = r#"{"spec":{"selector":{"app.kubernetes.io/name":"nobody"}}}"#;
    shop.broken(
        &["patch", "service", "api", "--patch", selector],
        &["ready endpoints of Service api", "nobody"],
    );
    let image = "api=docker.io/labctl/none:1";
    shop.broken(
        &["set", "image", "deployment/api", image],
        &["docker.io/labctl/none:1"],
    );
    let password = r#"{"data":{"password":"b3RoZXI="}}"#;
    shop.broken(
        &["patch", "secret", "database", "--patch", password],
        &["password authentication failed"],
    );
    let path = r#"[{"op":"remove","path":"/spec/rules/0/http/paths/0"}]"#;
    shop.broken(
        &["patch", "ingress", "shop", "--type=json", "--patch", path],
        &["/api", "shop"],
    );
}

/// Lab 10.3 beside it: both are shown, and the end of one is not the other's.
pub(crate) fn side_by_side(world: &World) {
    let (shop, _) = Shop::whole(world, "traefik");
    let before = remains::containers(&shop.name);
    let other = world.other();
    let up = world
        .ended(world.start_up_in(&other, &["--to", "cluster"]))
        .exits(0);
    world.figure(format!("lab 10.3's cluster beside it: {:.1?}", up.took));
    for verb in ["list", "status"] {
        let shown = world.labctl_bare(&[verb]).exits(0);
        shown.says(&shop.name).says(&other);
    }
    let status = world.labctl_bare(&["status"]).exits(0);
    let answering = status.text().matches(" answers ").count();
    assert_eq!(answering, 2, "{}", status.transcript());
    world.ended(world.start_in(&other, &["stop"])).exits(0);
    assert_eq!(paused::running(&shop.name).len(), 4);
    world.ended(world.start_in(&other, &["down"])).exits(0);
    assert_eq!(remains::containers(&other), [""; 0]);
    assert_eq!(remains::networks(&other), [""; 0]);
    assert_eq!(remains::containers(&shop.name), before);
    shop.verify(0);

    shop.labctl(&["down"]).exits(0);
    assert_eq!(remains::containers(&shop.name), [""; 0]);
}

/// By the Gateway API.
pub(crate) fn gateway(world: &World) {
    let (shop, _) = Shop::new(world, "gateway");
    shop.labctl(&["verify", "--to", "scale"]).exits(0);
}

/// The same as with an Ingress.
pub(crate) fn gateway_clients(world: &World) {
    let (shop, up) = Shop::whole(world, "gateway");
    lost_requests(&up);
    shop.verify(0);
    shop.labctl(&["down"]).exits(0);
}

/// Clients notice nothing of an update and of a drain with a budget, and a lot of one without.
fn lost_requests(up: &Run) {
    let text = up.transcript();
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |step: &str| {
        let begun = words.windows(2).position(|pair| pair == ["✓", step]);
        let rest = &words[begun.unwrap_or_else(|| panic!("{step}: {text}"))..];
        let failed = rest.iter().position(|word| *word == "failed,");
        let count = |at: usize| rest[at].trim_start_matches('(').parse::<u32>().ok();
        let figures = failed.and_then(|at| Some((count(at - 3)?, count(at - 1)?)));
        figures.unwrap_or_else(|| panic!("{step}: {text}"))
    };
    let (sent, failed) = after("update");
    assert!(sent >= 500 && failed == 0, "{failed} of {sent}");
    assert!(after("drain-unprotected").1 > 0);
    assert_eq!(after("drain-protected").1, 0);
}
