//! Scenarios run in lanes: one after the other within a lane, beside those of as many others as the
//! machine bears.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
    sync::{Arc, Condvar, Mutex, OnceLock},
    thread,
    time::Instant,
};

use libtest_mimic::{Arguments, Conclusion, Trial};

use crate::{
    decoy::Decoy,
    world::{self, World},
};

/// What the scenarios of one lane share, and those of no other touch: an environment, labctl's
/// state, a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Lab 10.3, from its cluster to its end.
    Database,
    /// Lab 10.1.
    Shop,
    /// What has a cluster of its own for a while.
    Sundry,
    /// In the lane of the database, once every scenario above is over; nothing runs beside it.
    Alone,
}

impl Lane {
    /// The lane whose world it is in.
    fn world(self) -> Self {
        match self {
            Self::Alone => Self::Database,
            lane => lane,
        }
    }

    fn name(self) -> &'static str {
        match self.world() {
            Self::Shop => "shop",
            Self::Sundry => "sundry",
            Self::Database | Self::Alone => "database",
        }
    }
}

/// A scenario.
pub(crate) struct Scenario {
    /// Its name, after `e2e::`.
    pub(crate) name: &'static str,
    pub(crate) lane: Lane,
    pub(crate) run: fn(&World),
    /// Whether it measures what others would disturb: no scenario of another lane runs beside it.
    pub(crate) quiet: bool,
    /// Whether it is left out, unless asked for.
    pub(crate) ignored: bool,
}

/// Runs the scenarios that `args` asks for. Those of a lane run in the order in which they stand.
pub(crate) fn run(mut args: Arguments, scenarios: Vec<Scenario>) -> Conclusion {
    let name = |scenario: &Scenario| format!("e2e::{}", scenario.name);
    let is_run = |scenario: &Scenario| {
        let probe = Trial::test(name(scenario), || Ok(())).with_ignored_flag(scenario.ignored);
        !args.is_filtered_out(&probe) && !args.is_ignored(&probe)
    };
    let lanes = scenarios.iter().map(|s| s.lane.world());
    let shared = Arc::new(Shared {
        queue: Queue::of(
            scenarios
                .iter()
                .map(|s| is_run(s).then_some((s.lane, s.quiet))),
        ),
        worlds: lanes.map(|lane| (lane, OnceLock::new())).collect(),
        machine: OnceLock::new(),
    });
    // One thread each: whose turn it is not yet waits for it.
    args.test_threads = Some(scenarios.len());
    let trial = |(turn, scenario): (usize, Scenario)| {
        let shared = Arc::clone(&shared);
        let (title, ignored) = (name(&scenario), scenario.ignored);
        let run = move || {
            shared.take_turn(turn, &scenario);
            Ok(())
        };
        Trial::test(title, run).with_ignored_flag(ignored)
    };
    let trials = scenarios.into_iter().enumerate().map(trial).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    for world in shared.worlds.values().filter_map(OnceLock::get) {
        world.close();
    }
    if let Some(machine) = shared.machine.get() {
        machine.decoy.close();
    }
    conclusion
}

/// What the lanes share.
pub(crate) struct Machine {
    /// What the user's own kubeconfigs point at.
    pub(crate) decoy: Decoy,
    _lock: File,
}

impl Machine {
    fn open() -> Arc<Self> {
        let root = world::root();
        fs::create_dir_all(&root).expect("a directory for the tests");
        let lock = File::create(root.join("lock")).expect("a lock file");
        lock.try_lock().expect("these tests run once at a time");
        let bundle = world::setting("LABCTL_E2E_BUNDLE");
        let decoy = Decoy::open(&world::prefix(), &root, bundle.as_deref().map(Path::new));
        Arc::new(Self { decoy, _lock: lock })
    }
}

struct Shared {
    queue: Queue,
    worlds: BTreeMap<Lane, OnceLock<World>>,
    machine: OnceLock<Arc<Machine>>,
}

impl Shared {
    fn take_turn(&self, turn: usize, scenario: &Scenario) {
        let _turn = self.queue.wait(turn);
        let machine = self.machine.get_or_init(Machine::open);
        let lane = scenario.lane.world();
        let world = self.worlds[&lane].get_or_init(|| {
            // The lab that everything is shown on keeps the short name.
            let suffix = (lane != Lane::Database).then(|| lane.name());
            World::open(Arc::clone(machine), lane.name(), suffix)
        });
        let _took = Took(scenario, Instant::now());
        (scenario.run)(world);
    }
}

/// Says how long a scenario took, however it ended.
struct Took<'a>(&'a Scenario, Instant);

impl Drop for Took<'_> {
    fn drop(&mut self) {
        let Self(scenario, began) = self;
        let (took, lane) = (began.elapsed().as_secs_f64(), scenario.lane.name());
        eprintln!("  {took:6.1} s  {lane:8}  {}", scenario.name);
    }
}

/// How many lanes are under way at once: one for each processor, unless said otherwise. A cluster of
/// four nodes takes that much while it boots.
fn width() -> usize {
    let asked = world::setting("LABCTL_E2E_LANES").map(|n| n.to_string_lossy().parse());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let width = asked.unwrap_or(Ok(processors));
    width.expect("LABCTL_E2E_LANES is a number").max(1)
}

/// Whose turn it is.
struct Queue {
    /// Of each scenario that is run: its lane, and whether nothing may run beside it.
    asked: Vec<Option<(Lane, bool)>>,
    /// How far each of them is.
    stages: Mutex<Vec<Stage>>,
    changed: Condvar,
    width: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ahead,
    Running,
    Over,
}

impl Queue {
    fn of(asked: impl Iterator<Item = Option<(Lane, bool)>>) -> Self {
        let asked: Vec<_> = asked.collect();
        let stages = asked.iter().map(|asked| match asked {
            Some(_) => Stage::Ahead,
            None => Stage::Over,
        });
        Self {
            stages: Mutex::new(stages.collect()),
            asked,
            changed: Condvar::new(),
            width: width(),
        }
    }

    /// Waits until nothing comes before the one at `turn` any more. It is over when what is
    /// returned is dropped.
    fn wait(&self, turn: usize) -> Turn<'_> {
        let stages = self.stages.lock().expect("nobody panics with the lock");
        let waited = self
            .changed
            .wait_while(stages, |stages| !self.is_due(turn, stages));
        waited.expect("nobody panics with the lock")[turn] = Stage::Running;
        Turn(self, turn)
    }

    fn is_due(&self, turn: usize, stages: &[Stage]) -> bool {
        let is_quiet = self.asked[turn].is_some_and(|(_, quiet)| quiet);
        if is_quiet && stages.contains(&Stage::Running) {
            return false;
        }
        // One that needs the machine for itself is waited for as soon as its turn has come.
        let quiet = (0..stages.len()).filter(|at| self.asked[*at].is_some_and(|(_, quiet)| quiet));
        let mut others = quiet.filter(|at| *at != turn && !(is_quiet && *at > turn));
        let is_quiet_due = others.any(|at| match stages[at] {
            Stage::Ahead => self.is_next(at, stages),
            Stage::Running => true,
            Stage::Over => false,
        });
        !is_quiet_due && self.is_next(turn, stages)
    }

    /// Whether it is the next one of its lane, and its lane is under way.
    fn is_next(&self, turn: usize, stages: &[Stage]) -> bool {
        let Some((lane, _)) = self.asked[turn] else {
            return true;
        };
        let left = (0..turn).filter(|at| stages[*at] != Stage::Over);
        let before: Vec<Lane> = left.filter_map(|at| Some(self.asked[at]?.0)).collect();
        if lane == Lane::Alone || before.contains(&Lane::Alone) {
            return before.is_empty();
        }
        // Those that stand above go first, so they are the ones under way.
        let above: BTreeSet<Lane> = before
            .iter()
            .copied()
            .filter(|above| *above < lane)
            .collect();
        !before.contains(&lane) && above.len() < self.width
    }
}

struct Turn<'a>(&'a Queue, usize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Self(queue, turn) = self;
        queue.stages.lock().expect("nobody panics with the lock")[*turn] = Stage::Over;
        queue.changed.notify_all();
    }
}
