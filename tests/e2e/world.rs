//! What the scenarios share: the program, the environment, and a user whose own things have to stay
//! as they are.

use std::{
    env,
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    lanes::Machine,
    remains,
    run::{Run, Running, Verified},
};

/// The lab.
pub(crate) const LAB: &str = "10.3";
/// Its steps.
pub(crate) const STEPS: [&str; 8] = [
    "cluster",
    "statefulset",
    "database",
    "kill-pod",
    "identity",
    "drain",
    "budget",
    "uncordon",
];
/// The variable that marks labctl's processes.
const MARK: &str = "LABCTL_E2E_MARK";

pub(crate) struct World {
    program: PathBuf,
    bundle: Option<PathBuf>,
    lane: &'static str,
    root: PathBuf,
    /// The environment's name.
    pub(crate) name: String,
    machine: Arc<Machine>,
    peak: AtomicU64,
    figures: Mutex<Vec<String>>,
}

/// Where the tests keep what they make.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e")
}

/// What the names of environments begin with: one for each checkout, and the same each time.
pub(crate) fn prefix() -> String {
    let mut hasher = DefaultHasher::new();
    root().hash(&mut hasher);
    format!("e2e-{:04x}", hasher.finish() & 0xffff)
}

/// A setting of the tests, if it has a value.
pub(crate) fn setting(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

impl World {
    /// The world of `lane`, with nothing of an earlier, killed run of these tests in it. `suffix`
    /// tells the names of its environments from those of others.
    pub(crate) fn open(machine: Arc<Machine>, lane: &'static str, suffix: Option<&str>) -> Self {
        let path = |name: &str| setting(name).map(PathBuf::from);
        let suffix = suffix.map_or_else(String::new, |suffix| format!("-{suffix}"));
        let world = Self {
            program: path("LABCTL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_labctl").into()),
            bundle: path("LABCTL_E2E_BUNDLE"),
            lane,
            root: root().join(lane),
            name: format!("{}{suffix}", prefix()),
            machine,
            peak: AtomicU64::new(0),
            figures: Mutex::default(),
        };
        fs::create_dir_all(world.home().join(".kube")).expect("a home");
        for kubeconfig in world.kubeconfigs() {
            fs::write(kubeconfig, world.machine.decoy.kubeconfig()).expect("a kubeconfig");
        }
        world.remove();
        let _ = fs::remove_dir_all(world.state());
        world
    }

    /// Removes what the scenarios left, and prints the figures.
    pub(crate) fn close(&self) {
        if env::var_os("LABCTL_E2E_KEEP").is_some() {
            eprintln!(
                "the environment {} is kept in {}",
                self.name,
                self.state().display()
            );
        } else {
            self.remove();
        }
        let peak = self.peak.load(Ordering::Relaxed);
        self.figure(format!("the most memory that any labctl had: {peak} KiB"));
        eprintln!("in the lane {}:", self.lane);
        for figure in self.figures.lock().expect("no other thread").iter() {
            eprintln!("  {figure}");
        }
    }

    /// Keeps a figure for the end.
    pub(crate) fn figure(&self, text: String) {
        let mut figures = self.figures.lock().expect("no other thread");
        figures.push(text);
    }

    /// Removes the environments, if there are any.
    pub(crate) fn remove(&self) {
        for name in [self.name.clone(), self.other()] {
            let record = format!("envs/{name}/environment.json");
            if self.state().join(record).exists() {
                self.ended(self.start_in(&name, &["down"])).exits(0);
            }
        }
    }

    /// The name of a second environment in the lane.
    pub(crate) fn other(&self) -> String {
        format!("{}-other", self.name)
    }

    /// A place for a file of a test, outside of what labctl keeps.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.state().with_file_name(name)
    }

    /// labctl's state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// A place for files of a scenario.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn kubeconfigs(&self) -> [PathBuf; 2] {
        [
            self.home().join(".kube/config"),
            self.root.join("kubeconfig"),
        ]
    }

    fn mark(&self) -> String {
        format!("{MARK}={}", self.root.display())
    }

    /// Starts `labctl --env NAME ARGS` with the environment of the scenarios.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_in(&self.name, args)
    }

    /// Starts `labctl --env NAME ARGS`, as a user with a kubeconfig at both of the usual places.
    pub(crate) fn start_in(&self, name: &str, args: &[&str]) -> Running {
        self.start_with(&[&["--env", name], args].concat())
    }

    fn start_with(&self, args: &[&str]) -> Running {
        let line = format!("labctl {}", args.join(" "));
        let mut command = Command::new(&self.program);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("LABCTL_") || name.starts_with("XDG_") {
                command.env_remove(name);
            }
        }
        // The engine's client keeps which engine it talks to in the real home.
        if let (None, Some(home)) = (env::var_os("DOCKER_CONFIG"), env::var_os("HOME")) {
            command.env("DOCKER_CONFIG", Path::new(&home).join(".docker"));
        }
        let child = command
            .args(args)
            .env("HOME", self.home())
            .env("KUBECONFIG", self.root.join("kubeconfig"))
            .env("LABCTL_STATE_DIR", self.state())
            .env(MARK, &self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Running::new(line, child.expect("labctl can be started"))
    }

    /// Runs a script of the project, which finds this labctl and its environments.
    pub(crate) fn script(&self, name: &str, args: &[&str]) -> Run {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scripts")
            .join(name);
        let child = Command::new(script)
            .args(args)
            .env("LABCTL_BIN", &self.program)
            .env("LABCTL_STATE_DIR", self.state())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let line = format!("scripts/{name} {}", args.join(" "));
        self.ended(Running::new(line, child.expect("a script can be started")))
    }

    /// Runs `labctl ARGS` to its end.
    #[track_caller]
    pub(crate) fn labctl(&self, args: &[&str]) -> Run {
        self.ended(self.start(args))
    }

    /// Runs `labctl ARGS` without naming an environment.
    #[track_caller]
    pub(crate) fn labctl_bare(&self, args: &[&str]) -> Run {
        self.ended(self.start_with(args))
    }

    /// Starts `labctl up ARGS`.
    pub(crate) fn start_up(&self, args: &[&str]) -> Running {
        self.start_up_in(&self.name, args)
    }

    /// Starts `labctl up ARGS` in the environment `name`.
    pub(crate) fn start_up_in(&self, name: &str, args: &[&str]) -> Running {
        self.start_lab(name, LAB, args)
    }

    /// Starts `labctl up LAB ARGS` of another lab in the environment `name`.
    pub(crate) fn start_lab(&self, name: &str, lab: &str, args: &[&str]) -> Running {
        let bundle = self
            .bundle
            .as_ref()
            .map(|dir| dir.to_string_lossy().into_owned());
        let mut all = vec!["up", lab, "--trust"];
        if let Some(bundle) = &bundle {
            all.extend(["--bundle", bundle]);
        }
        all.extend(args);
        self.start_in(name, &all)
    }

    /// Runs `labctl up ARGS` to its end.
    #[track_caller]
    pub(crate) fn up(&self, args: &[&str]) -> Run {
        self.ended(self.start_up(args))
    }

    /// Waits for the end of `running`, and sees that nothing of the user's was touched.
    #[track_caller]
    pub(crate) fn ended(&self, running: Running) -> Run {
        let run = running.end();
        self.peak.fetch_max(run.peak, Ordering::Relaxed);
        self.assert_untouched();
        run
    }

    /// `labctl verify`, whose exit code has to be `code`, and what it found.
    #[track_caller]
    pub(crate) fn verify(&self, code: i32) -> Verified {
        self.labctl(&["verify", "--output", "json"])
            .exits(code)
            .answer()
    }

    /// Runs kubectl as a student does, in `labctl shell`.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> Run {
        let mut all = vec!["shell", "--", "kubectl"];
        all.extend(args);
        self.labctl(&all).exits(0)
    }

    /// What kubectl says of an object, or of several, by a `JSONPath`.
    #[track_caller]
    pub(crate) fn object(&self, object: &str, path: &str) -> String {
        let path = format!("--output=jsonpath={path}");
        self.kubectl(&["get", object, &path]).answered()
    }

    /// The name of an object that should be absent; empty if it is.
    #[track_caller]
    pub(crate) fn absent(&self, object: &str) -> String {
        self.kubectl(&["get", object, "--ignore-not-found", "--output=name"])
            .answered()
    }

    /// Runs a statement in `postgres-0`.
    #[track_caller]
    pub(crate) fn sql(&self, statement: &str) {
        let psql = [
            "psql",
            "-qU",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
        ];
        self.kubectl(&[&["exec", "postgres-0", "--"], &psql[..]].concat());
    }

    /// Has the lab at the step `last`, and not beyond it.
    #[track_caller]
    pub(crate) fn no_further_than(&self, last: &str) {
        let at = STEPS.iter().position(|step| *step == last).expect("a step");
        let status = self.labctl(&["status"]).text();
        if STEPS[at + 1..].iter().any(|step| status.contains(step)) {
            self.labctl(&["reset", "--to", last]).exits(0);
        }
        self.up(&["--to", last]).exits(0);
    }

    /// Has the lab at its end.
    #[track_caller]
    pub(crate) fn at_the_end(&self) {
        self.up(&[]).exits(0);
    }

    /// The containers, networks and processes of the environment.
    pub(crate) fn remains(&self) -> Vec<String> {
        let containers = remains::containers(&self.name);
        let networks = remains::networks(&self.name);
        [containers, networks, self.processes()].concat()
    }

    /// The processes that labctl started and that still run.
    pub(crate) fn processes(&self) -> Vec<String> {
        remains::processes(&self.mark())
    }

    /// Both of the user's kubeconfigs are as they were, and nobody asked what they point at.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        for path in self.kubeconfigs() {
            let text = fs::read_to_string(&path).expect("the kubeconfig is there");
            assert_eq!(
                text,
                self.machine.decoy.kubeconfig(),
                "{} was changed",
                path.display()
            );
        }
        self.machine.decoy.was_not_asked();
    }

    /// After all scenarios: the audit log of the user's own cluster, if it keeps one, is clean.
    #[track_caller]
    pub(crate) fn assert_clean_log(&self) {
        if let Some(figure) = self.machine.decoy.has_a_clean_log() {
            self.figure(figure);
        }
    }
}

/// Waits until `holds`, for at most `within`; says what was waited for if that is not enough.
#[track_caller]
pub(crate) fn wait_for(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < within, "{what}: not within {within:?}");
        thread::sleep(Duration::from_millis(100));
    }
}
