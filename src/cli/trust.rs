//! Whether a lab from elsewhere may be run: the user sees what it would do, and is asked once.

use std::{
    fmt::Write,
    io::{self, BufRead},
    path::PathBuf,
};

use jiff::Timestamp;

use super::{error::CliError, exit, labs::Loaded, output, settings::Settings};
use crate::{
    digest, download,
    engine::Context,
    plan,
    spec::{Action, Facts, Image, LabTree, params::When, tool::Tool, yaml},
    state::{Environment, bundle::Role, trust::Subject},
    tool::{Invocation, docker, invocation::quote},
};

/// Where a lab came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It came with labctl, or is the copy in an environment, which was asked about.
    Own,
    /// A directory.
    Directory(PathBuf),
    /// An archive or a URL: what counts is what is in it.
    Elsewhere,
}

/// Returns if the lab may be run, after asking if that is not known. `called` is how the user named
/// the lab, and `context` what would be run.
pub(crate) fn ensure(
    called: &str,
    loaded: &Loaded,
    context: &Context,
    existing: Option<&Environment>,
    settings: &Settings,
) -> Result<(), CliError> {
    let subject = match &loaded.origin {
        Origin::Own => return Ok(()),
        Origin::Directory(dir) => Subject::directory(dir)?,
        Origin::Elsewhere => Subject::Tree(digest::hex_of_tree(&loaded.tree.files)),
    };
    if settings.store.trusts(&subject)? {
        return Ok(());
    }
    // What was applied already was asked about then.
    let applied = existing.map(Environment::lab).transpose()?;
    if applied.is_some_and(|applied| applied.files == loaded.tree.files) {
        return Ok(());
    }
    if settings.asks {
        output::tell(
            &context
                .secrets()
                .redactor()
                .text(&question(called, loaded, context)),
        );
        if is_yes() {
            let origin = &loaded.tree.origin;
            settings
                .store
                .remember(&subject, origin, Timestamp::now())?;
            return Ok(());
        }
    }
    let called = quote(called);
    let id = &loaded.lab.lab;
    let error = anyhow::anyhow!("the lab {id} did not come with labctl, and is not trusted");
    Err(CliError::new(exit::UNSAFE, error).hint(format!(
        "`labctl plan {called}` shows every command and manifest; `labctl up {called} --trust` \
         runs them without asking"
    )))
}

fn is_yes() -> bool {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let answer = line.trim().to_ascii_lowercase();
    read.is_ok() && (answer == "y" || answer == "yes")
}

fn question(called: &str, loaded: &Loaded, context: &Context) -> String {
    let Loaded { lab, tree, .. } = loaded;
    let mut text = format!(
        "the lab {} ({}) did not come with labctl, but from\n  {}\nIt would run on this machine:\n",
        lab.lab, lab.title, tree.origin
    );
    for line in commands(loaded, context) {
        let _ = writeln!(text, "  {line}");
    }
    let called = quote(called);
    let _ = write!(
        text,
        "and, in a cluster of its own, what its manifests say: `labctl plan {called}` shows it all.\n\
         Run this lab, now and in future? [y/N] "
    );
    text
}

/// The commands of the lab, without the arguments that are the same for each.
fn commands(loaded: &Loaded, context: &Context) -> Vec<String> {
    let target = context.target();
    let facts = Facts::new();
    let short = |command: &Invocation| shortened(command, context);
    let mut lines = Vec::new();
    let only_with = |when: &When| {
        if when.is_always() {
            String::new()
        } else {
            format!("   # with {when}")
        }
    };
    // The answer counts for every value of the lab's parameters.
    let lab = &loaded.written;
    let is_bundled = |image: &&Image| {
        let bundle = context.bundle.as_ref();
        bundle.is_some_and(|b| {
            image.build.is_none() || b.image(Role::Workload, &image.name).is_some()
        })
    };
    for image in lab.images.iter().filter(|image| !is_bundled(image)) {
        let get = match &image.build {
            None => docker::pull(&image.name).to_string(),
            Some(build) => short(&plan::build::command(&image.name, build, &target)),
        };
        lines.push(format!("{get}{}", only_with(&image.when)));
    }
    for step in &lab.steps {
        let with = only_with(&step.when);
        let commands = plan::commands(&step.action, &target, &facts);
        let made = match &step.action {
            Action::Apply(apply) => match (&apply.url, &apply.path) {
                (Some(url), _) => format!("   # {}", download::shown(url)),
                (None, Some(path)) => format!("   # {}", objects(&loaded.tree, path)),
                (None, None) => String::new(),
            },
            _ => String::new(),
        };
        if let Action::Tool(tool) = &step.action {
            lines.push(format!("{}: {}{with}", step.id, brought(tool)));
        }
        lines.extend(
            commands
                .iter()
                .map(|c| format!("{}: {}{made}{with}", step.id, short(c))),
        );
        let undo = step.taken_back_by();
        let undo = undo
            .iter()
            .flat_map(|undo| plan::undo(undo, &target, &facts));
        lines.extend(undo.map(|c| format!("{}, taken back: {}", step.id, short(&c))));
    }
    lines
}

/// A program that would be run, and where it would be taken from.
fn brought(tool: &Tool) -> String {
    let Tool { name, version, .. } = tool;
    let from = tool.from.get(&Tool::platform());
    let from = from.map_or("PATH or the bundle", |from| download::shown(&from.url));
    format!("the program {name} {version}, from {from}")
}

/// `command` without the paths and names that labctl itself gives each command.
fn shortened(command: &Invocation, context: &Context) -> String {
    let target = context.target();
    let kubeconfig = target.kubectl.kubeconfig.to_string_lossy().into_owned();
    let config = target.kind_config.to_string_lossy().into_owned();
    let lab = format!("{}/", target.lab_dir.display());
    let tools = format!("{}/", target.tools.display());
    let given = [
        ("--kubeconfig", kubeconfig.as_str()),
        ("--context", target.kubectl.context.as_str()),
        ("--kube-context", target.kubectl.context.as_str()),
        ("--config", config.as_str()),
    ];
    let program = command.program.strip_prefix(&tools);
    let program = program.unwrap_or(&command.program);
    let mut short = Invocation::new(program, [""; 0]).stdin(command.stdin.clone());
    let mut args = command.args.iter().peekable();
    while let Some(arg) = args.next() {
        let is_given = args.peek().is_some_and(|next| given.contains(&(arg, next)));
        if is_given {
            args.next();
        } else {
            short = short.arg(arg.strip_prefix(&lab).unwrap_or(arg));
        }
    }
    short.to_string()
}

/// What the manifests below `path` make: `Service app, StatefulSet app`.
fn objects(tree: &LabTree, path: &str) -> String {
    let texts = tree
        .under(path)
        .filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok());
    let named = texts.flat_map(yaml::documents).filter_map(|object| {
        let kind = object.get("kind")?.as_str()?;
        let name = object
            .pointer("/metadata/name")
            .and_then(|name| name.as_str());
        Some(
            format!("{kind} {}", name.unwrap_or_default())
                .trim_end()
                .to_owned(),
        )
    });
    named.collect::<Vec<_>>().join(", ")
}
