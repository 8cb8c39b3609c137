//! The journal fuzzer. The journal of an environment is damaged in some way, and then labctl's verbs
//! are called in some order, on a make-believe engine that others use, too. Whatever was done to the
//! journal: nothing is touched that is not provably the environment's, a cluster that answers is
//! deleted by nobody who was not asked to, nothing that was known before the damage is lost, what
//! only looks writes nothing, and nothing panics.
//!
//! Seconds by default. `LABCTL_FUZZ_MINUTES=60` goes on with other seeds for that long, and
//! `LABCTL_FUZZ_SEED=N` tries one again.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use labctl::{
    digest,
    state::{Journal, journal::Tail},
};

use crate::support::{
    Answer, Api, CONTAINERS, Container, Engine, MadeBefore, Sandbox, Seeded, on_the_engine,
};

const ENVIRONMENT: &str = "lab-crash";
/// How many seeds are tried by default.
const CASES: u64 = 36;
/// How many cases are tried at once: each waits as long as it works.
const AT_ONCE: usize = 4;

/// A random number generator that is the same everywhere (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// An environment as a run left it: the engine, the cluster and the files.
struct Base {
    name: &'static str,
    made: MadeBefore,
    files: BTreeMap<String, Vec<u8>>,
    /// Its cluster answers.
    is_healthy: bool,
}

/// A world of its own. The sandbox goes first, and with it all that is left in it.
struct World {
    sandbox: Sandbox,
    api: Api,
}

impl World {
    fn new() -> Self {
        let api = Api::with_engine();
        let sandbox = Sandbox::in_memory().with_small_lab().with_crash_lab(&api);
        sandbox.fakes.obey(on_the_engine(&api.address()));
        Seeded::new(&sandbox, "neighbour", "small");
        api.engine(|engine| {
            engine.add("somebody-elses", "kind");
            engine.add("lab-crash-2", "labctl-lab-crash-2-feedfacefeed");
            let labels = [
                ("labctl.dev/environment", "feedfacefeedfacefeedfacefeedface"),
                ("labctl.dev/cluster", "lab-small"),
            ];
            let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
            engine.add_network("labctl-lab-small-feedfacefeed", labels.into());
            // As an older labctl called it.
            engine.add_network("labctl-lab-crash", BTreeMap::new());
            engine.volumes.push("precious".to_owned());
        });
        Self { sandbox, api }
    }

    /// Environments that runs left in different ways, one after the other.
    fn bases(&self) -> Vec<Base> {
        let labctl = |args: &str| drop(self.sandbox.labctl(args).run().exits(0));
        let mut bases = Vec::new();
        let mut base = |name, is_healthy| bases.push(self.base(name, is_healthy));
        labctl("up crash --to write");
        base("half way", true);
        labctl("up crash");
        base("whole", true);
        labctl("stop crash");
        base("stopped", true);
        labctl("start crash");
        labctl("reset crash --hard --to app");
        base("made twice", true);
        labctl("down crash");
        let dies = self.sandbox.labctl("up crash");
        let dies = dies
            .env("LABCTL_FAILPOINT", "before cluster-created 1")
            .run();
        assert_eq!(dies.code, -9, "{}", dies.whole);
        base("never seen to answer", true);
        labctl("down crash");
        let dies = self.sandbox.labctl("up crash");
        let dies = dies
            .env("LABCTL_FAILPOINT", "after cluster-intended 1")
            .run();
        assert_eq!(dies.code, -9, "{}", dies.whole);
        base("hardly begun", false);
        // kind writes the kubeconfig last.
        let never = bases
            .iter()
            .position(|base| base.name == "never seen to answer");
        let never = &bases[never.unwrap()];
        let mut files = never.files.clone();
        files.remove("kubeconfig");
        let half_made = Base {
            name: "half made",
            made: never.made.clone(),
            files,
            is_healthy: false,
        };
        bases.push(half_made);
        bases
    }

    fn base(&self, name: &'static str, is_healthy: bool) -> Base {
        let files = contents(&self.sandbox.environment(ENVIRONMENT));
        let made = self.api.made();
        Base {
            name,
            made,
            files,
            is_healthy,
        }
    }

    /// Puts everything back to what it was when `base` was left.
    fn restore(&self, base: &Base) {
        let dir = self.sandbox.environment(ENVIRONMENT);
        let _ = fs::remove_dir_all(&dir);
        for (name, bytes) in &base.files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        self.api.restore(&base.made);
        let begun = self.sandbox.fakes.dir().join(CONTAINERS);
        let _ = fs::remove_file(begun);
        self.sandbox.fakes.forget();
    }

    /// What is the environment's at the engine, and what is not.
    fn sorted(&self, id: &str) -> (Engine, Engine) {
        let all = self.api.engine(|engine| engine.clone());
        let (mut own, mut foreign) = (Engine::default(), Engine::default());
        for network in all.networks {
            let is_own = network
                .labels
                .get("labctl.dev/environment")
                .map(String::as_str)
                == Some(id);
            if is_own { &mut own } else { &mut foreign }
                .networks
                .push(network);
        }
        for container in all.containers {
            let is_own = own.networks.iter().any(|n| n.name == container.network);
            let of = if is_own { &mut own } else { &mut foreign };
            of.volumes.push(container.volume.clone());
            of.containers.push(container);
        }
        let is_own = |volume: &String| own.volumes.contains(volume);
        foreign.volumes = all.volumes.into_iter().filter(|v| !is_own(v)).collect();
        foreign.touched = all.touched;
        (own, foreign)
    }
}

/// All files below `dir` that are not labctl's own passing ones, by their names.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir_below) = pending.pop() {
        for entry in fs::read_dir(&dir_below).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            if path.is_dir() {
                pending.push(path);
            } else if name != "lock" {
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The line of the journal with this JSON that follows one with the checksum `before`.
fn line(before: &[u8], json: &str) -> Vec<u8> {
    let sum = digest::hex(&[before, json.as_bytes()].concat());
    format!("{} {json}\n", &sum[..16]).into_bytes()
}

/// Damages a journal; returns what it is now, none if it is gone, and how.
fn damaged(random: &mut Random, whole: &[u8]) -> (Option<Vec<u8>>, String) {
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    let at = random.below(lines.len());
    let other = random.below(lines.len());
    let before = |at: usize| {
        if at == 0 {
            &b""[..]
        } else {
            &lines[at - 1][..16]
        }
    };
    let unknown = [
        r#"{"seq":7,"at":"2030-01-01T00:00:00Z","event":{"room-joined":{"room":"a"}}}"#,
        r#"{"seq":7,"at":"2030-01-01T00:00:00Z","event":"cluster-archived"}"#,
        r#"{"seq":7,"at":"2030-01-01T00:00:00Z","event":{"applied":{"step":"app","how":"well"}}}"#,
        r#"{"seq":7,"at":"2030-01-01T00:00:00Z","event":"cluster-deleting","why":"because"}"#,
    ];
    let with = |lines: &[&[u8]]| Some(lines.concat());
    let mut changed = lines.clone();
    let how = match random.below(14) {
        0..=4 => {
            let mut bytes = whole.to_vec();
            let start: usize = lines[..at].iter().map(|line| line.len()).sum();
            let byte = start + random.below(lines[at].len());
            let flip = u8::try_from(1 + random.below(255)).unwrap();
            bytes[byte] ^= flip;
            return (Some(bytes), format!("line {at}, byte {byte} ^ {flip}"));
        }
        5 => {
            changed.remove(at);
            format!("line {at} lost")
        }
        6 => {
            changed.insert(other, lines[at]);
            format!("line {at} doubled at {other}")
        }
        7 => {
            changed.swap(at, other);
            format!("lines {at} and {other} swapped")
        }
        8 => {
            changed.truncate(at);
            format!("all from line {at} on lost")
        }
        9 => {
            let cut = random.below(whole.len());
            return (Some(whole[..cut].to_vec()), format!("cut at {cut}"));
        }
        10 => {
            let at = at.max(1);
            let new = line(before(at), random.one_of::<&str>(&unknown));
            changed.truncate(at);
            changed.push(&new);
            if random.below(2) == 0 {
                changed.extend(&lines[at..]);
            }
            let how = format!(
                "an unknown kind in line {at}: {}",
                String::from_utf8_lossy(&new)
            );
            return (with(&changed), how);
        }
        11 => {
            let at = at.max(1);
            let new = line(before(at), r#"{"journal":3,"labctl":"9.9.9","keys":[]}"#);
            changed.truncate(at);
            changed.push(&new);
            return (with(&changed), format!("a later form from line {at} on"));
        }
        12 => return (None, "the journal is gone".to_owned()),
        _ => {
            let mut bytes = whole.to_vec();
            let junk = [
                &b"\0\0\0\0"[..],
                b"\n\n",
                b"0123456789abcdef {}\n",
                &[0xff; 300],
            ];
            bytes.extend_from_slice(random.one_of::<&[u8]>(&junk));
            return (Some(bytes), "junk at its end".to_owned());
        }
    };
    (with(&changed), how)
}

/// One case: which base, what was done to its journal, and what is known of it.
struct Case<'a> {
    world: &'a World,
    base: &'a Base,
    /// The environment's id.
    id: String,
    /// All that there is to say if something is wrong.
    told: String,
    /// Somebody else has a container of the cluster's name.
    is_shared: bool,
    foreign: Engine,
    beside: Vec<BTreeMap<String, Vec<u8>>>,
}

impl<'a> Case<'a> {
    fn new(world: &'a World, base: &'a Base, seed: u64, random: &mut Random) -> Self {
        world.restore(base);
        let record: serde_json::Value =
            serde_json::from_slice(&base.files["environment.json"]).unwrap();
        let id = record["id"].as_str().unwrap().to_owned();
        let is_shared = random.below(4) == 0;
        if is_shared {
            world.api.engine(|engine| {
                engine.add(ENVIRONMENT, "kind");
                // One of them will do; the names of the others are taken.
                let theirs = |c: &Container| c.cluster == ENVIRONMENT && c.network == "kind";
                let first = engine.containers.iter().position(theirs).unwrap();
                "lab-crash-worker9".clone_into(&mut engine.containers[first].name);
                engine.containers.truncate(first + 1);
            });
        }
        let path = world.sandbox.environment(ENVIRONMENT).join("journal.jsonl");
        let (text, how) = damaged(random, &base.files["journal.jsonl"]);
        match &text {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (_, foreign) = world.sorted(&id);
        let mut case = Self {
            world,
            base,
            id,
            told: format!("seed {seed}, {}, shared {is_shared}: {how}", base.name),
            is_shared,
            foreign,
            beside: Vec::new(),
        };
        case.beside = case.look_beside();
        case
    }

    /// What of the user's is beside the environment.
    fn look_beside(&self) -> Vec<BTreeMap<String, Vec<u8>>> {
        let sandbox = &self.world.sandbox;
        let dirs = [
            sandbox.environment("neighbour"),
            sandbox.path("home"),
            sandbox.path("work"),
        ];
        dirs.iter().map(|dir| contents(dir)).collect()
    }

    fn dir(&self) -> std::path::PathBuf {
        self.world.sandbox.environment(ENVIRONMENT)
    }

    /// Calls `verb`, and checks what has to be so whatever the journal says.
    fn calls(&mut self, verb: &str) -> Answer {
        let path = self.dir().join("journal.jsonl");
        let before = contents(&self.dir());
        let text = before.get("journal.jsonl").cloned().unwrap_or_default();
        let known = Journal::read(&path).unwrap();
        let (own, _) = self.world.sorted(&self.id);
        let args = if verb == "status" {
            verb.to_owned()
        } else {
            format!("{verb} crash")
        };
        let answer = self.world.sandbox.labctl(&args).run();
        self.told
            .push_str(&format!("\n--- labctl {args}: {}", answer.whole));
        let told = &self.told;
        assert!(!answer.stderr.contains("panicked"), "{told}");
        assert!([0, 1, 5, 7].contains(&answer.code), "{told}");

        // What is not its own is as it was.
        let (own_now, foreign) = self.world.sorted(&self.id);
        assert_eq!(foreign.containers, self.foreign.containers, "{told}");
        assert_eq!(foreign.networks, self.foreign.networks, "{told}");
        assert_eq!(foreign.volumes, self.foreign.volumes, "{told}");
        let foreign_ids = self.foreign.ids();
        let touches_foreign = foreign
            .touched
            .iter()
            .any(|(_, id)| foreign_ids.contains(id));
        assert!(!touches_foreign, "{:?}\n{told}", foreign.touched);
        assert_eq!(self.look_beside(), self.beside, "{told}");

        // Its own stays, unless somebody asked for its end.
        let asked = verb == "down" || verb.contains("--hard");
        if self.base.is_healthy && !asked {
            let ids = |of: &Engine| {
                of.containers
                    .iter()
                    .map(|c| c.id.clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(ids(&own_now), ids(&own), "{told}");
        }

        // What could be read is still there.
        let after = contents(&self.dir());
        let sound = usize::try_from(known.sound).unwrap();
        if answer.code == 0 && verb == "down" {
            assert_eq!((own_now.ids(), after.len()), (Vec::new(), 0), "{told}");
            return answer;
        }
        let now = after.get("journal.jsonl").cloned().unwrap_or_default();
        assert!(now.starts_with(&text[..sound]), "{told}");
        let is_later = matches!(known.tail, Tail::Later { .. });
        if verb == "status" || is_later && !verb.contains("--dry-run") {
            assert_eq!(after, before, "{told}");
        }
        if is_later && verb != "status" {
            assert_eq!(answer.code, 7, "{told}");
        }
        if verb == "verify" {
            assert!(now.starts_with(&text), "{told}");
            assert!(before.keys().all(|name| after.contains_key(name)), "{told}");
        }
        if matches!(known.tail, Tail::Damaged { .. }) && now != text {
            let is_tail = |(name, bytes): (&String, &Vec<u8>)| {
                name.starts_with("journal.jsonl.damaged-") && *bytes == text[sound..]
            };
            assert!(after.iter().any(is_tail), "{told}");
        }
        if known.tail != Tail::None {
            assert!(says(&answer), "{told}");
        }
        answer
    }

    fn runs(mut self, random: &mut Random) {
        let path = self.dir().join("journal.jsonl");
        let is_later = matches!(Journal::read(&path).unwrap().tail, Tail::Later { .. });
        for _ in 0..=random.below(3) {
            let verbs = ["status", "verify", "up", "reset", "stop", "start"];
            let verb = *random.one_of(&verbs);
            // Whether a reset that was begun came to its end may be in what was lost.
            let known = Journal::read(&path).unwrap().state;
            let answer = self.calls(verb);
            if verb == "up" && !is_later {
                let is_refused = self.is_shared || known.unfinished_reset().is_some();
                let expected = if is_refused { 7 } else { 0 };
                assert_eq!(answer.code, expected, "{}", self.told);
            }
        }
        let answer = self.calls("down");
        let expected = if is_later { 7 } else { 0 };
        assert_eq!(answer.code, expected, "{}", self.told);
    }
}

/// Whether the answer tells of the journal.
fn says(answer: &Answer) -> bool {
    let text = format!("{} {}", answer.stdout, answer.stderr);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    ["journal of", "journal.jsonl", "its journal"]
        .iter()
        .any(|words| text.contains(words))
}

#[test]
fn a_reset_keeps_the_cluster_of_a_recreation_of_which_any_line_is_damaged_or_the_last_to_be_there()
{
    let world = World::new();
    let bases = world.bases();
    let base = bases.iter().find(|base| base.name == "made twice").unwrap();
    let journal = &base.files["journal.jsonl"];
    let lines: Vec<&[u8]> = journal.split_inclusive(|b| *b == b'\n').collect();
    let is_rewound = |line: &&[u8]| String::from_utf8_lossy(line).contains("\"rewound\"");
    let begun = lines.iter().rposition(is_rewound).unwrap();
    let path = world.sandbox.environment(ENVIRONMENT).join("journal.jsonl");
    for at in begun..lines.len() {
        let sound = lines[..at].concat();
        let mut damaged = lines.concat();
        damaged[sound.len()] ^= 1;
        for journal in [damaged, sound] {
            world.restore(base);
            fs::write(&path, journal).unwrap();
            let ids = || world.api.engine(|engine| engine.ids());
            let before = ids();
            let reset = world.sandbox.labctl("reset crash").run();
            let line = String::from_utf8_lossy(lines[at]);
            assert_eq!(ids(), before, "line {at}: {line}\n{}", reset.whole);
        }
    }
}

#[test]
fn whatever_becomes_of_a_journal_nothing_of_others_is_touched_and_nothing_known_is_lost() {
    let number = |name: &str| {
        env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let minutes = number("LABCTL_FUZZ_MINUTES");
    let only = number("LABCTL_FUZZ_SEED");
    let began = Instant::now();
    let until = minutes.map(|minutes| began + Duration::from_secs(60 * minutes));
    // Other seeds each time it is run by hand; the same ones in CI.
    let nanos = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_nanos();
    let first = only.unwrap_or(if minutes.is_some() {
        u64::try_from(nanos % 1_000_000_007).unwrap() << 20
    } else {
        0
    });
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    // By hand the faults of an hour are seen in one go.
    let enough = if minutes.is_some() { 10 } else { 1 };
    thread::scope(|scope| {
        for _ in 0..if only.is_some() { 1 } else { AT_ONCE } {
            scope.spawn(|| {
                let world = World::new();
                let bases = world.bases();
                while failed.lock().unwrap().len() < enough {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = match (only, until) {
                        (Some(only), _) => seed > only,
                        (None, Some(until)) => Instant::now() > until,
                        (None, None) => seed >= CASES,
                    };
                    if is_over {
                        return;
                    }
                    let case = || {
                        let mut random = Random(seed);
                        let base = random.one_of(&bases);
                        Case::new(&world, base, seed, &mut random).runs(&mut random);
                    };
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(case)).is_err() {
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "LABCTL_FUZZ_SEED={failed:?} tries it again"
    );
    let cases = next.load(Ordering::Relaxed) - first;
    eprintln!("fuzzed {cases} journals in {} s", began.elapsed().as_secs());
}
