//! A fake of `kind`, `kubectl`, `docker` and `helm`: it is called by one of these names, logs the call and
//! does what the script says. Tests wait for the files it writes, and make it wait for theirs.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, which no user gets"
)]

mod script;

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, getpid, kill_process};
use script::{Act, CALLS, Call, DIR, Rule, SCRIPT};
use tokio::signal::unix::{SignalKind, signal};

/// The variables that are logged.
const LOGGED: [&str; 18] = [
    "KUBECONFIG",
    "KIND_EXPERIMENTAL_DOCKER_NETWORK",
    "DOCKER_HOST",
    "LABCTL_ENVIRONMENT",
    "PATH",
    "HELM_CONFIG_HOME",
    "HELM_CACHE_HOME",
    "HELM_DATA_HOME",
    "HELM_PLUGINS",
    "HELM_KUBEAPISERVER",
    "HELM_DRIVER",
    "HELM_TOMORROW",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
];
/// How long anything hangs at most: no test takes that long, and no fake outlives them for long.
const LIMIT: Duration = Duration::from_secs(90);
/// The exit code of a call that the script does not know.
const UNKNOWN: u8 = 97;
/// The exit code of a fake that hung for too long, or whose test is over.
const ABANDONED: u8 = 98;
/// The arguments that make a fake a grandchild.
const GRANDCHILD: &str = "--be-the-grandchild";
const STUBBORN_GRANDCHILD: &str = "--be-the-stubborn-grandchild";

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("fake tool: {error}");
            ExitCode::from(UNKNOWN)
        }
    }
}

fn run() -> io::Result<u8> {
    let dir = env::var_os(DIR).map(PathBuf::from);
    let dir = dir.ok_or_else(|| io::Error::other(format!("{DIR} is not set")))?;
    let mut words = env::args();
    let called = words.next().unwrap_or_default();
    let program = Path::new(&called).file_name().unwrap_or_default();
    let program = program.to_string_lossy().into_owned();
    let args: Vec<String> = words.collect();
    if let [argument @ (GRANDCHILD | STUBBORN_GRANDCHILD), path] =
        &*args.iter().map(String::as_str).collect::<Vec<_>>()
    {
        if *argument == STUBBORN_GRANDCHILD {
            ignore_term(dir.join("the grandchild was asked"))?;
        }
        put(Path::new(path), &std::process::id().to_string())?;
        return Ok(hang(&dir, || false));
    }
    log(&dir, &program, &args)?;
    let script: Vec<Rule> = serde_json::from_slice(&fs::read(dir.join(SCRIPT))?)?;
    let Some(rule) = script.iter().find(|rule| rule.matches(&program, &args)) else {
        eprintln!("no rule for: {program} {}", args.join(" "));
        return Ok(UNKNOWN);
    };
    for act in &rule.acts {
        if let Some(code) = follow(act, &program, &args, &dir)? {
            return Ok(code);
        }
    }
    Ok(0)
}

fn log(dir: &Path, program: &str, args: &[String]) -> io::Result<()> {
    let variables = LOGGED.iter().filter_map(|name| {
        let value = env::var(name).ok()?;
        Some(((*name).to_owned(), value))
    });
    let call = Call {
        program: program.to_owned(),
        args: args.to_vec(),
        pid: std::process::id(),
        env: variables.collect(),
    };
    let mut line = serde_json::to_vec(&call)?;
    line.push(b'\n');
    // One write to a file that is appended to: calls at the same time do not mix.
    let mut log = fs::File::options();
    let mut log = log.append(true).create(true).open(dir.join(CALLS))?;
    log.write_all(&line)
}

/// Does one thing; returns the exit code, if the fake ends with it.
fn follow(act: &Act, program: &str, args: &[String], dir: &Path) -> io::Result<Option<u8>> {
    match act {
        Act::Out(line) => println!("{line}"),
        Act::Err(line) => eprintln!("{line}"),
        Act::Cat(path) => {
            if let Ok(bytes) = fs::read(dir.join(path)) {
                io::stdout().write_all(&bytes)?;
                io::stdout().flush()?;
            }
        }
        Act::Write(path, text) => put(&dir.join(filled(path, args)), &filled(text, args))?,
        Act::Remove(path) => drop(fs::remove_file(dir.join(path))),
        Act::Await(path) => {
            let path = dir.join(path);
            let code = hang(dir, || path.exists());
            return Ok((code != 0).then_some(code));
        }
        Act::Hang => return Ok(Some(hang(dir, || false))),
        Act::IgnoreTerm(path) => ignore_term(dir.join(path))?,
        Act::Grandchild(path) => grandchild(dir, path, GRANDCHILD)?,
        Act::StubbornGrandchild(path) => grandchild(dir, path, STUBBORN_GRANDCHILD)?,
        Act::Ask(address) => {
            let code = ask(&fs::read_to_string(dir.join(address))?, program, args)?;
            return Ok((code != 0).then_some(code));
        }
        Act::Fill(path) => {
            let mark = dir.join("filled");
            if !mark.exists() {
                fs::write(mark, "")?;
                fill(&dir.join(path))?;
            }
        }
        Act::Die(signal) => {
            let signal = Signal::from_named_raw(*signal);
            kill_process(getpid(), signal.ok_or(io::ErrorKind::InvalidInput)?)?;
            return Ok(Some(hang(dir, || false)));
        }
        Act::Exit(code) => return Ok(Some(*code)),
    }
    Ok(None)
}

/// Asks the cluster at `address` to do what the call says; returns the exit code.
fn ask(address: &str, program: &str, args: &[String]) -> io::Result<u8> {
    let mut stdin = String::new();
    io::stdin().read_to_string(&mut stdin)?;
    let network = env::var("KIND_EXPERIMENTAL_DOCKER_NETWORK").unwrap_or_default();
    let body = serde_json::json!({
        "program": program, "args": args, "stdin": stdin, "network": network,
    });
    let body = body.to_string();
    let mut connection = TcpStream::connect(address.trim())?;
    let length = body.len();
    write!(
        connection,
        "POST /tool HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (_, answer) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let answer: serde_json::Value = serde_json::from_str(answer)?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    if !text("out").is_empty() {
        println!("{}", text("out"));
    }
    if !text("err").is_empty() {
        eprintln!("{}", text("err"));
    }
    let code = answer["code"]
        .as_u64()
        .and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(UNKNOWN))
}

/// Writes to the file until there is no space left, down to the last byte.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    for piece in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0; piece]).is_ok() {}
    }
    Ok(())
}

/// Starts a grandchild; returns once it is what it shall be.
fn grandchild(dir: &Path, path: &Path, argument: &str) -> io::Result<()> {
    let child = Command::new(env::current_exe()?)
        .arg(argument)
        .arg(dir.join(path))
        .stdin(Stdio::null())
        .spawn()?;
    hang(dir, || {
        let id = fs::read_to_string(dir.join(path)).unwrap_or_default();
        id == child.id().to_string()
    });
    Ok(())
}

/// `text` with the values of the arguments and variables that it names.
fn filled(text: &str, args: &[String]) -> String {
    let mut text = text.to_owned();
    for pair in args.windows(2) {
        text = text.replace(&format!("{{{}}}", pair[0]), &pair[1]);
    }
    text = text.replace("{last}", args.last().map_or("", String::as_str));
    for name in LOGGED {
        let value = env::var(name).unwrap_or_default();
        text = text.replace(&format!("{{${name}}}"), &value);
    }
    text
}

/// Waits until `done`. Gives up after [`LIMIT`], and as soon as the test's directory is gone.
fn hang(dir: &Path, done: impl Fn() -> bool) -> u8 {
    let started = Instant::now();
    while !done() {
        if started.elapsed() > LIMIT || !dir.is_dir() {
            return ABANDONED;
        }
        thread::sleep(Duration::from_millis(5));
    }
    0
}

/// Returns once the signals are caught; the thread that catches them runs on.
fn ignore_term(noted: PathBuf) -> io::Result<()> {
    let (sender, ready) = mpsc::channel();
    thread::spawn(move || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut term = signal(SignalKind::terminate())?;
            let _int = signal(SignalKind::interrupt())?;
            let _ = sender.send(());
            while term.recv().await.is_some() {
                put(&noted, "TERM")?;
            }
            Ok(())
        })
    });
    ready.recv().map_err(io::Error::other)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&new, text)?;
    fs::rename(&new, path)
}
