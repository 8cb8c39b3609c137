//! labctl killed with SIGKILL at every event that it journals, on fakes: the next `up` ends green,
//! nothing is done twice, and nothing is left.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use labctl::state::holders::{self, Holders};

use rustix::process::Signal;

use crate::support::{
    Act, Api, CONTAINERS, NETWORKS, Sandbox, is_alive, on_the_cluster, signal, wait_for,
};

const ENVIRONMENT: &str = "lab-crash";
/// How many cases are tried at once: each waits as long as it works.
const AT_ONCE: usize = 6;

/// A world of its own for each case. The sandbox goes first, and with it all that is left in it.
struct Case {
    sandbox: Sandbox,
    api: Api,
}

impl Case {
    fn new() -> Self {
        let api = Api::start();
        let sandbox = Sandbox::in_memory().with_crash_lab(&api);
        Self { sandbox, api }
    }

    /// Runs `verb` on the lab, to die at `failpoint`.
    fn dies(&self, verb: &str, failpoint: &str) {
        let command = self.sandbox.labctl(&format!("{verb} crash"));
        let answer = command.env("LABCTL_FAILPOINT", failpoint).run();
        assert_eq!(answer.code, -9, "{failpoint}:\n{}", answer.whole);
    }

    /// Brings the lab up to its end.
    fn comes_up(&self, after: &str) {
        let up = self.sandbox.labctl("up crash").run();
        assert_eq!(up.code, 0, "after {after}:\n{}", up.whole);
        let state = self.sandbox.run_state(ENVIRONMENT);
        assert_eq!(state.cursor.as_deref(), Some("uncordon"), "after {after}");
        assert_eq!(state.children, [], "after {after}");
        let open = state.faults.steps();
        assert_eq!(open, [""; 0], "after {after}: a fault is open");
        let (_, _, ended) = state.last_run.unwrap();
        assert!(ended.is_some(), "after {after}");
        self.is_quiet(after);
    }

    /// Nobody holds the environment, and nothing that was started runs.
    fn is_quiet(&self, after: &str) {
        let lock = self.sandbox.environment(ENVIRONMENT).join("lock");
        assert_eq!(holders::of(&lock), Holders::default(), "after {after}");
        let mut running = self.sandbox.fakes.calls();
        running.retain(|call| is_alive(call.pid));
        assert_eq!(running, [], "after {after}");
    }

    fn has_gone_down(&self, after: &str) {
        self.sandbox.labctl("down crash").run().exits(0);
        self.sandbox.has_no_environment();
        let fakes = &self.sandbox.fakes;
        let left = (fakes.has(CONTAINERS), fakes.has(NETWORKS));
        assert_eq!(left, (false, false), "after {after}");
        assert_eq!(
            self.api.effects().last().unwrap(),
            "delete cluster",
            "after {after}"
        );
    }

    /// What happened in the cluster happened once. A fault that is injected again was taken back
    /// before.
    fn nothing_was_doubled(&self, had_cluster: bool, after: &str) {
        self.nothing_but(None, had_cluster, after);
    }

    /// The same, but for an `action` that failed: it is done again, as it may have done a part.
    fn nothing_but(&self, action: Option<&str>, had_cluster: bool, after: &str) {
        let effects = self.api.effects();
        for effect in ["apply", "exec", "delete pod"] {
            let times = if action == Some(effect) { 2 } else { 1 };
            let seen = self.api.count(effect);
            assert_eq!(seen, times, "{effect} after {after}: {effects:?}");
        }
        let of = |names: [&str; 2]| {
            let mut of = effects.clone();
            of.retain(|effect| names.contains(&effect.as_str()));
            of
        };
        let clusters = of(["create cluster", "delete cluster"]);
        let is_removed_first = clusters.iter().step_by(2).all(|e| e == "create cluster");
        assert!(is_removed_first, "after {after}: {effects:?}");
        if had_cluster {
            assert_eq!(clusters, ["create cluster"], "after {after}: {effects:?}");
        }
        let toxics = of(["toxic", "toxic removed"]);
        let by_turns = ["toxic", "toxic removed"].iter().cycle();
        assert!(toxics.len() % 2 == 0, "after {after}: {effects:?}");
        assert!(
            toxics.iter().zip(by_turns).all(|(a, b)| a == b),
            "after {after}: {effects:?}"
        );
        let drained = of(["drain", "uncordon"]);
        assert_eq!(drained.last().map(String::as_str), Some("uncordon"));
        let mut open = false;
        for effect in drained {
            assert!(effect == "uncordon" || !open, "after {after}: {effects:?}");
            open = effect == "drain";
        }
        assert!(self.api.count("drain") <= 2, "after {after}: {effects:?}");
    }
}

/// Tries the moments of the events 1 to `last`: before and after each, and for some of them in the
/// middle of the line and between the line and its being synced, which a kill can hardly tell.
fn at_every_moment(last: usize, case: impl Fn(&str) + Sync) {
    let mut failpoints = Vec::new();
    for n in 1..=last {
        let between: &[&str] = match n % 4 {
            1 => &["torn"],
            3 => &["written"],
            _ => &[],
        };
        let moments = ["before", "after"].iter().chain(between);
        failpoints.extend(moments.map(|moment| format!("{moment} any {n}")));
    }
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(failpoint) = failpoints.get(next.fetch_add(1, Ordering::Relaxed)) {
                    case(failpoint);
                }
            });
        }
    });
    eprintln!("died {} times, at {last} events", failpoints.len());
}

/// How many events the last run of `verb` journals, run to its end.
fn events(case: &Case, verb: &str) -> usize {
    let journal = case.sandbox.path("copy");
    // `down` takes its journal along; a link keeps it.
    let path = case.sandbox.environment(ENVIRONMENT).join("journal.jsonl");
    let before = fs::read_to_string(&path).unwrap_or_default();
    if !before.is_empty() {
        fs::hard_link(&path, &journal).unwrap();
    }
    case.sandbox.labctl(&format!("{verb} crash")).run().exits(0);
    let after = fs::read_to_string(if before.is_empty() { path } else { journal }).unwrap();
    // Headers are no events.
    let events = |text: &str| {
        text.lines()
            .filter(|line| line.contains("\"seq\":"))
            .count()
    };
    events(&after) - events(&before)
}

#[test]
fn killed_at_any_event_of_up_the_next_up_ends_green_and_doubles_nothing() {
    let whole = Case::new();
    let last = events(&whole, "up");
    whole.nothing_was_doubled(true, "no death");
    assert_eq!(whole.api.count("drain"), 1);
    at_every_moment(last, |failpoint| {
        let case = Case::new();
        case.dies("up", failpoint);
        let known = case.sandbox.run_state(ENVIRONMENT);
        // It is also what `status` says; looked at in the rarer moments, as that takes time.
        let is_looked_at = failpoint.starts_with("torn") || failpoint.starts_with("written");
        if let (Some((_, _, ended)), true) = (&known.last_run, is_looked_at) {
            let status = case.sandbox.labctl("status --output json").run();
            let interrupted = &status.exits(0).json()[0]["interrupted"];
            assert_eq!(*interrupted, ended.is_none(), "{failpoint}");
        }
        case.comes_up(failpoint);
        case.nothing_was_doubled(known.cluster.is_some(), failpoint);
    });
}

#[test]
fn killed_at_any_event_of_down_the_next_up_ends_green_and_the_next_down_leaves_nothing() {
    let whole = Case::new();
    whole.comes_up("no death");
    let last = events(&whole, "down");
    at_every_moment(last, |failpoint| {
        let case = Case::new();
        case.comes_up("no death");
        case.dies("down", failpoint);
        case.comes_up(failpoint);
        case.has_gone_down(failpoint);
    });
}

#[test]
fn killed_at_any_event_of_a_recreation_the_reset_goes_on_and_keeps_the_new_cluster() {
    let made = || {
        let case = Case::new();
        case.sandbox.labctl("up crash --to app").run().exits(0);
        case
    };
    let last = events(&made(), "reset --hard");
    at_every_moment(last, |failpoint| {
        let case = made();
        case.dies("reset --hard", failpoint);
        let known = case.sandbox.run_state(ENVIRONMENT);
        let reset = case.sandbox.labctl("reset crash").run();
        assert_eq!(reset.code, 0, "after {failpoint}:\n{}", reset.whole);
        let state = case.sandbox.run_state(ENVIRONMENT);
        assert_eq!(state.cursor.as_deref(), Some("app"), "after {failpoint}");
        assert_eq!(state.reset_to, None, "after {failpoint}");
        let made = case.api.count("create cluster");
        // Until it was begun to be removed, the cluster stays, and is put back. What kind was in the
        // middle of is half made.
        let expected = match (known.recreated || known.is_recreating(), &known.cluster) {
            (false, _) => 1..=1,
            (true, None) => 2..=3,
            (true, Some(_)) => 2..=2,
        };
        let effects = case.api.effects();
        assert!(expected.contains(&made), "after {failpoint}: {effects:?}");
        case.is_quiet(failpoint);
    });
}

/// How labctl, or the tool, can end once the tool did what it was to do.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// labctl is killed.
    OfLabctl,
    /// The tool is.
    OfTool,
    /// Somebody presses Ctrl-C.
    Interrupt,
}

#[test]
fn what_a_step_did_before_it_was_cut_short_is_seen_and_not_done_again() {
    for death in [Death::OfLabctl, Death::OfTool, Death::Interrupt] {
        for (program, action) in [
            ("kubectl", "apply"),
            ("kubectl", "exec"),
            ("kubectl", "delete"),
            ("kubectl", "drain"),
            ("kubectl", "create"),
            ("kubectl", "uncordon"),
            ("kind", "create"),
        ] {
            let after = format!("{death:?} in {action}");
            let case = Case::new();
            case.is_cut_short(death, program, action);
            case.comes_up(&after);
            let failed = matches!(death, Death::OfTool).then_some(action);
            case.nothing_but(failed, program == "kubectl", &after);
            // The fault of a run that did not end well is taken back, and injected again; what else
            // was done is found done.
            let drains =
                if ["drain", "create", "uncordon"].contains(&action) && program == "kubectl" {
                    2
                } else {
                    1
                };
            assert_eq!(case.api.count("drain"), drains, "{after}");
            // One that kind was done with before labctl was killed is taken in.
            let is_removed = program == "kind" && !matches!(death, Death::OfLabctl);
            let clusters = if is_removed { 2 } else { 1 };
            assert_eq!(case.api.count("create cluster"), clusters, "{after}");
        }
    }
}

impl Case {
    /// Runs `up` until the tool did `action`, and ends it there.
    fn is_cut_short(&self, death: Death, program: &str, action: &str) {
        let fakes = &self.sandbox.fakes;
        let mut rules = on_the_cluster(&self.api.address());
        let rule = rules
            .iter_mut()
            .find(|rule| rule.program == program && rule.args.iter().any(|arg| arg == action));
        let acts = &mut rule.unwrap().acts;
        match death {
            Death::OfTool => acts.push(Act::Die(9)),
            _ => acts.extend([Act::Write("here".into(), String::new()), Act::Hang]),
        }
        fakes.obey(rules);
        let up = self.sandbox.labctl("up crash").start();
        let (sent, code) = match death {
            Death::OfTool => (None, 1),
            Death::OfLabctl => (Some(Signal::KILL), -9),
            Death::Interrupt => (Some(Signal::INT), 130),
        };
        if let Some(sent) = sent {
            wait_for(action, || fakes.has("here"));
            // Whatever else is called obeys.
            fakes.obey(on_the_cluster(&self.api.address()));
            signal(up.pid(), sent);
        }
        up.finish().exits(code);
        fakes.obey(on_the_cluster(&self.api.address()));
    }
}
