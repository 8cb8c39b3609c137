//! Where a test runs labctl.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::pty::OpenptFlags;
use tempfile::TempDir;

use super::{
    Answer, Fakes,
    processes::{PATIENCE, wait_for},
    script,
};

/// A directory with all that a labctl in it can reach.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// The fakes.
    pub(crate) fakes: Fakes,
    dir: TempDir,
}

impl Sandbox {
    /// A new one, in which nothing was done yet.
    pub(crate) fn new() -> Self {
        // Its path has the same length everywhere: where messages are broken depends on it.
        Self::below("/tmp")
    }

    /// A new one in memory, where syncing takes no time; for tests that sync thousands of times and
    /// compare no text.
    pub(crate) fn in_memory() -> Self {
        let memory = "/dev/shm";
        Self::below(if Path::new(memory).is_dir() {
            memory
        } else {
            "/tmp"
        })
    }

    fn below(parent: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("labctl-test-")
            .tempdir_in(parent);
        let dir = dir.unwrap();
        for name in ["home", "work"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let fakes = Fakes::install(dir.path().join("fakes"), &dir.path().join("bin"));
        Self { fakes, dir }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory of all state.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state/labctl")
    }

    /// The directory of an environment.
    pub(crate) fn environment(&self, name: &str) -> PathBuf {
        self.state().join("envs").join(name)
    }

    /// The text of the journal of an environment.
    pub(crate) fn journal(&self, name: &str) -> String {
        let path = self.environment(name).join("journal.jsonl");
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Waits until the journal of an environment knows this child.
    #[track_caller]
    pub(crate) fn is_journalled(&self, environment: &str, child: u32) {
        let known = format!("\"group\":{child}");
        wait_for("a child to be journalled", || {
            self.journal(environment).contains(&known)
        });
    }

    /// What the journal of an environment adds up to.
    pub(crate) fn run_state(&self, name: &str) -> labctl::event::RunState {
        let path = self.environment(name).join("journal.jsonl");
        labctl::state::Journal::read(&path).unwrap().state
    }

    /// Writes a file below the working directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path("work").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The same with [`super::SMALL_LAB`] in the directory `small`.
    pub(crate) fn with_small_lab(self) -> Self {
        self.write("small/lab.yaml", super::SMALL_LAB);
        self.write("small/manifests/app.yaml", super::MANIFEST);
        self
    }

    /// The same with [`super::CRASH_LAB`] in the directory `crash`, and tools that work on `api`.
    pub(crate) fn with_crash_lab(self, api: &super::Api) -> Self {
        self.write("crash/lab.yaml", super::CRASH_LAB);
        self.write("crash/manifests/app.yaml", super::MANIFEST);
        self.fakes.put(super::API, &api.address());
        self.fakes.obey(super::on_the_cluster(&api.address()));
        self
    }

    /// Asserts that nothing was done: no process was started, and there is no state.
    #[track_caller]
    pub(crate) fn is_untouched(&self) {
        assert_eq!(self.fakes.calls(), [], "no tool was to be called");
        assert_eq!(self.files("state"), [""; 0], "nothing was to be written");
        assert_eq!(self.files("home"), [""; 0], "nothing was to be written");
    }

    /// Asserts that no environment is left, nor anything of one.
    #[track_caller]
    pub(crate) fn has_no_environment(&self) {
        let mut left = self.files("state");
        left.retain(|name| name != "labctl");
        assert_eq!(left, [""; 0], "left behind in the state directory");
    }

    /// `text` without what differs from run to run.
    pub(crate) fn normal(&self, text: &str) -> String {
        super::normal(text, self.dir())
    }

    /// Takes a fake away from `PATH`.
    pub(crate) fn uninstall(&self, tool: &str) {
        fs::remove_file(self.path("bin").join(tool)).unwrap();
    }

    /// labctl with these arguments, separated by spaces. The labs of tests are trusted.
    pub(crate) fn labctl(&self, args: &str) -> Command<'_> {
        let trust = args.split_whitespace().next().filter(|verb| *verb == "up");
        self.untrusting(&format!("{args} {}", trust.map_or("", |_| "--trust")))
    }

    /// The same for tests of what is not trusted.
    pub(crate) fn untrusting(&self, args: &str) -> Command<'_> {
        let program = env!("CARGO_BIN_EXE_labctl");
        self.program(program, args.split_whitespace())
    }

    /// Another program with the environment and the working directory that labctl has.
    pub(crate) fn program<A: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Command<'_> {
        let mut command = std::process::Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("PATH", self.path("bin"))
            .env("LC_ALL", "C")
            // Whoever uses this cluster of the user's has looked where it must not.
            .env("KUBECONFIG", self.path("home/kubeconfig"))
            .env(script::DIR, self.fakes.dir())
            .current_dir(self.path("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Command {
            command,
            sandbox: self,
        }
    }

    /// Every file and directory below `name`, sorted.
    pub(crate) fn files(&self, name: &str) -> Vec<String> {
        let root = self.path(name);
        let mut found = Vec::new();
        let mut pending = vec![root.clone()];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                let shown = path.strip_prefix(&root).unwrap().display().to_string();
                found.push(shown);
                if path.is_dir() && !path.is_symlink() {
                    pending.push(path);
                }
            }
        }
        found.sort();
        found
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// A command that is about to be run.
#[derive(Debug)]
pub(crate) struct Command<'a> {
    command: std::process::Command,
    sandbox: &'a Sandbox,
}

impl<'a> Command<'a> {
    /// One more argument, which may have spaces in it.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// One more variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// One variable less.
    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Writes standard output to this.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Runs it to its end with a terminal for standard input and standard error, on which somebody
    /// types `typed`.
    #[track_caller]
    pub(crate) fn on_a_terminal(mut self, typed: &str) -> Answer {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = rustix::pty::openpt(flags).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let path = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        let path = path.into_string().unwrap();
        let terminal = fs::File::options().read(true).write(true).open(path);
        let terminal = terminal.unwrap();
        let mut master = fs::File::from(master);
        master.write_all(typed.as_bytes()).unwrap();
        self.command.stdin(terminal.try_clone().unwrap());
        self.command.stderr(terminal);
        let sandbox = self.sandbox;
        let running = self.start();
        let screen = read(Some(master));
        let mut answer = running.finish();
        // The terminal is gone with the last that holds it.
        let screen = screen.join().unwrap().replace("\r\n", "\n");
        answer.stderr = screen;
        let whole = format!("exit {}\n--- screen\n{}", answer.code, answer.stderr);
        answer.whole = sandbox.normal(&whole);
        answer
    }

    /// Writes standard error to this.
    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Answer {
        self.start().finish()
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running<'a> {
        let mut child = self.command.spawn().unwrap();
        // What it was given is the child's alone: a terminal ends with its last holder.
        self.command.stdin(Stdio::null()).stderr(Stdio::null());
        let stdout = read(child.stdout.take());
        let stderr = read(child.stderr.take());
        Running {
            sandbox: self.sandbox,
            child,
            outputs: Some((stdout, stderr)),
        }
    }
}

/// A command that runs. It is killed if the test ends before it does.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    sandbox: &'a Sandbox,
    child: Child,
    outputs: Option<(JoinHandle<String>, JoinHandle<String>)>,
}

impl Running<'_> {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Answer {
        let started = Instant::now();
        let mut late = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE && !late {
                late = true;
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = self.outputs.take().unwrap();
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let answer = Answer::new(status, stdout, stderr, self.sandbox.dir());
        assert!(!late, "it did not end by itself:\n{}", answer.whole);
        answer
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
