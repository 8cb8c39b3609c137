//! Tools that a lab brings. Each is put into the environment once it is the version that the lab
//! pins.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    time::Duration,
};

use futures::future::BoxFuture;

use crate::{
    assert::{ProbeResult, cluster::LabTools},
    digest, download,
    engine::{
        act::pinned,
        run::{commands, context::Context, dispatcher::Emitter, error::EngineError},
    },
    event::{EventKind, Failure},
    plan::Target,
    spec::{
        Action, ToolName,
        tool::{Download, Output, Tool},
    },
    state::files,
    tool::{Invocation, Stop, Stopper, Toolbox},
};

/// The largest program that is fetched, in bytes.
const LARGEST: u64 = 256 << 20;
/// The longest run of a tool that is asked something.
const LONGEST: Duration = Duration::from_mins(1);

/// Makes sure that the environment has `tool` in the version that the lab pins: from the bundle,
/// from the user's `PATH`, or fetched.
pub async fn provide(
    context: &Context,
    tool: &Tool,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let dir = context.environment.tools();
    let path = dir.join(tool.name.as_str());
    if path.is_file() && reported(context, tool, &path, stopper).await.is_ok() {
        return Ok(());
    }
    files::create_dir(&dir)?;
    let (origin, program) = found(context, tool, emitter, stopper).await?;
    files::write_program(&path, program)?;
    if let Err(why) = reported(context, tool, &path, stopper).await {
        // Leave nothing but the pinned version where later steps look for the tool.
        let _ = fs::remove_file(&path);
        if stopper.now() != Stop::Run {
            return Err(EngineError::Stopped);
        }
        let summary = format!("{origin} is not {} {}", tool.name, tool.version);
        let mut failure = Failure::new(summary);
        failure.causes.push(why);
        return Err(failed(failure));
    }
    let text = format!("{} {}: {origin}", tool.name, tool.version);
    emitter.emit(EventKind::Notice { text });
    Ok(())
}

/// Makes sure that the tool whose `output` is to be applied exists, and that nobody else can read
/// its output.
pub async fn prepare(
    context: &Context,
    output: &Output,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(), EngineError> {
    let mut steps = context.lab.steps.iter();
    let brought = steps.find_map(|step| match &step.action {
        Action::Tool(tool) if tool.name == output.of => Some(tool),
        _ => None,
    });
    if let Some(tool) = brought {
        provide(context, tool, emitter, stopper).await?;
    }
    let file = crate::plan::lab_tools::output_file(output, &context.target());
    if let Some(dir) = file.parent() {
        files::create_dir(dir)?;
    }
    Ok(files::write(&file, b"")?)
}

/// The content of a program's file.
type Program = Box<dyn Read + Send>;

/// Returns a description of the program's origin, and its content.
async fn found(
    context: &Context,
    tool: &Tool,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(String, Program), EngineError> {
    if let Some(bundle) = &context.bundle
        && bundle.tool(&tool.name).is_some()
    {
        // This is the copy whose digest was checked.
        let what = || format!("failed to take {} from the bundle", tool.name);
        let copy = context.toolbox.find(&tool.name);
        let copy = copy.map_err(|error| failed(Failure::by(what(), &error)))?;
        return Ok((format!("the bundle's {}", tool.name), read(copy)?));
    }
    if let Some(path) = context.toolbox.programs.get(tool.name.as_str())
        && reported(context, tool, path, stopper).await.is_ok()
    {
        return Ok((path.display().to_string(), read(path)?));
    }
    let platform = Tool::platform();
    match tool.from.get(platform.as_str()) {
        Some(from) if context.bundle.is_none() => fetched(from, emitter, stopper).await,
        from => Err(failed(not_there(context, tool, from.is_some(), &platform))),
    }
}

fn read(path: &Path) -> Result<Program, EngineError> {
    let what = || format!("failed to read {}", path.display());
    let file = File::open(path).map_err(|error| failed(Failure::by(what(), &error)))?;
    Ok(Box::new(file))
}

async fn fetched(
    from: &Download,
    emitter: &Emitter,
    stopper: &mut Stopper,
) -> Result<(String, Program), EngineError> {
    let url = download::shown(&from.url);
    let text = format!("fetching {url}");
    emitter.emit(EventKind::Notice { text });
    let fetched = stopper.guard(download::fetch(&from.url, LARGEST)).await?;
    let bytes = fetched.map_err(|error| failed(Failure::of(&error)))?;
    let actual = digest::hex(&bytes);
    if actual == from.sha256 {
        return Ok((url.to_owned(), Box::new(io::Cursor::new(bytes))));
    }
    Err(failed(pinned::another(url, &actual, &from.sha256)))
}

/// Returns the failure for a tool that cannot be found anywhere, with a hint.
fn not_there(context: &Context, tool: &Tool, is_pinned: bool, platform: &str) -> Failure {
    let Tool { name, version, .. } = tool;
    let mut failure = Failure::new(format!("{name} {version} is not to be had"));
    if let Some(bundle) = &context.bundle {
        let bundle = bundle.dir.display();
        failure.causes.push(format!("the bundle {bundle} has none"));
    }
    let on_path = context.toolbox.programs.get(name.as_str());
    failure.causes.push(match on_path {
        Some(path) => format!("{} is another version", path.display()),
        None => "there is none on PATH".to_owned(),
    });
    if !is_pinned {
        let why = "the lab pins no download for";
        failure.causes.push(format!("{why} {platform}"));
    }
    failure.hint(format!(
        "install {name} {version} so that it is on PATH, or add it to a bundle"
    ))
}

/// Checks that the program at `path` reports the version that the lab pins. Returns the reason if
/// it does not.
async fn reported(
    context: &Context,
    tool: &Tool,
    path: &Path,
    stopper: &mut Stopper,
) -> Result<(), String> {
    let ask = Invocation::new(&path.to_string_lossy(), tool.version_arguments());
    let what = format!("ask {} for its version", tool.name);
    let answer = commands::ask(context, &ask, &what, stopper).await;
    let answer = answer.map_err(|error| Failure::of(&error).in_one_line())?;
    if tool.is_version(&answer.stdout) {
        return Ok(());
    }
    let said = answer.stdout.lines().next().unwrap_or("nothing");
    Err(format!("it says that it is {said}"))
}

/// A runner of the lab's tools for assertions.
pub struct Runner {
    toolbox: Toolbox,
    target: Target,
}

impl Runner {
    /// Creates a runner for the environment of `context`.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self {
            toolbox: context.toolbox.clone(),
            target: context.target(),
        }
    }

    async fn answer(&self, name: &ToolName, arguments: &[String]) -> ProbeResult {
        let invocation = self.target.lab_tool(name, arguments);
        let refused = |message| ProbeResult::Refused { message };
        match tokio::time::timeout(LONGEST, self.toolbox.answer(&invocation)).await {
            Ok(Ok(answer)) => ProbeResult::Ran {
                code: answer.code,
                stdout: answer.stdout,
                stderr: answer.tail.join("\n"),
            },
            Ok(Err(error)) => refused(Failure::of(&error).in_one_line()),
            Err(_) => refused(format!("no answer within {} s", LONGEST.as_secs())),
        }
    }
}

impl LabTools for Runner {
    fn run<'a>(
        &'a self,
        name: &'a ToolName,
        arguments: &'a [String],
    ) -> BoxFuture<'a, ProbeResult> {
        Box::pin(self.answer(name, arguments))
    }
}

fn failed(failure: Failure) -> EngineError {
    EngineError::Step(Box::new(failure))
}
