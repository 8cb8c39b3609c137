//! Two state directories on one engine, each with an environment of the same name: whatever is called
//! in one, nothing of the other's is touched.

use std::path::PathBuf;

use crate::support::{Answer, Api, CONTAINERS, Engine, Sandbox, on_the_engine};

/// Every verb, with the exit codes it may have in an environment whose cluster's name is taken.
const VERBS: [(&str, &[i32]); 16] = [
    ("up crash", &[7]),
    ("next crash --trust", &[7]),
    ("status", &[0]),
    ("list", &[0]),
    ("show crash", &[0]),
    ("plan crash", &[0]),
    ("logs crash", &[0]),
    ("verify crash", &[5, 7]),
    ("reset crash", &[5, 7]),
    ("reset --all", &[5, 7]),
    ("reset crash --hard", &[5, 7]),
    ("stop crash", &[5, 7]),
    ("start crash", &[5, 7]),
    ("heal crash", &[0, 5, 7]),
    ("env crash", &[0, 5]),
    ("down crash", &[0]),
];

/// An engine with two users.
struct World {
    sandbox: Sandbox,
    api: Api,
}

impl World {
    fn new() -> Self {
        let api = Api::with_engine();
        let sandbox = Sandbox::in_memory().with_crash_lab(&api);
        sandbox.fakes.obey(on_the_engine(&api.address()));
        Self { sandbox, api }
    }

    fn theirs(&self) -> PathBuf {
        self.sandbox.path("their-state")
    }

    fn mine(&self, args: &str) -> Answer {
        self.sandbox.labctl(args).run()
    }

    fn other(&self, args: &str) -> Answer {
        let labctl = self.sandbox.labctl(args).arg("--state-dir");
        labctl.arg(self.theirs()).run()
    }

    fn engine(&self) -> Engine {
        self.api.engine(|engine| engine.clone())
    }

    /// Calls each verb with `call`, and asserts that nothing at the engine and in the cluster is
    /// touched.
    fn touches_nothing(&self, call: impl Fn(&str) -> Answer) {
        let (engine, effects) = (self.engine(), self.api.effects());
        for (verb, codes) in VERBS {
            let answer = call(verb);
            assert!(codes.contains(&answer.code), "{verb}:\n{}", answer.whole);
            assert!(!answer.stderr.contains("panicked"), "{}", answer.whole);
            assert_eq!(
                self.engine().touched,
                engine.touched,
                "{verb}:\n{}",
                answer.whole
            );
            assert_eq!(
                self.engine().ids(),
                engine.ids(),
                "{verb}:\n{}",
                answer.whole
            );
            assert_eq!(self.api.effects(), effects, "{verb}:\n{}", answer.whole);
        }
    }
}

#[test]
fn the_second_of_a_name_is_refused_and_no_verb_of_it_touches_the_first() {
    let world = World::new();
    world.mine("up crash").exits(0);
    let files = world.sandbox.files("state");
    let journal = world.sandbox.journal("lab-crash");
    let up = world.other("up crash").exits(7);
    up.tells("belongs to a kind cluster \"lab-crash\" that this environment did not make")
        .tells("use another name with --env");
    world.touches_nothing(|verb| world.other(verb));
    assert_eq!(world.sandbox.files("state"), files);
    assert_eq!(world.sandbox.journal("lab-crash"), journal);
    // And the first works on, whatever the second has begun.
    world.other("up crash").exits(7);
    for verb in ["verify", "up", "stop", "start", "reset", "verify", "down"] {
        world.mine(&format!("{verb} crash")).exits(0);
    }
    assert_eq!(world.engine().ids(), [""; 0]);
    world.other("up crash").exits(0);
}

#[test]
fn whose_cluster_is_gone_does_not_take_the_one_that_has_its_name_by_now() {
    let world = World::new();
    world.mine("up crash").exits(0);
    // Somebody cleans the engine, and the other one is faster.
    world.api.engine(|engine| {
        engine.containers.clear();
        engine.networks.clear();
        engine.volumes.clear();
    });
    std::fs::remove_file(world.sandbox.fakes.dir().join(CONTAINERS)).unwrap();
    world.api.forget();
    world.other("up crash").exits(0);
    world.touches_nothing(|verb| world.mine(verb));
    world.sandbox.has_no_environment();
    world.other("verify crash").exits(0);
    world.other("down crash").exits(0);
    assert_eq!(world.engine().ids(), [""; 0]);
}

#[test]
fn of_two_that_begin_at_once_none_touches_what_is_the_others() {
    for _ in 0..3 {
        let world = World::new();
        let mine = world.sandbox.labctl("up crash").start();
        let other = world.sandbox.labctl("up crash").arg("--state-dir");
        let other = other.arg(world.theirs()).start();
        let (mine, other) = (mine.finish(), other.finish());
        let codes = [mine.code, other.code];
        let told = format!("{}\n{}", mine.whole, other.whole);
        // Each may see the other's network first; both have a cluster never.
        assert!(codes.iter().all(|code| [0, 7].contains(code)), "{told}");
        let ups = codes.iter().filter(|code| **code == 0).count();
        let engine = world.engine();
        assert!(ups <= 1, "{told}");
        assert_eq!(
            (engine.containers.len(), engine.networks.len()),
            (4 * ups, ups),
            "{told}"
        );
        let mut networks: Vec<&str> = engine
            .containers
            .iter()
            .map(|c| c.network.as_str())
            .collect();
        networks.dedup();
        assert_eq!(networks.len(), ups, "{told}");
    }
}
