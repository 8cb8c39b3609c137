//! Trust in labs from elsewhere: the user sees what such a lab would do, and is asked once.

use std::{
    fmt::Write,
    io::{self, BufRead},
};

use jiff::Timestamp;

use super::{error::CliError, exit, labs::Loaded, output, settings::Settings};
use crate::{
    digest,
    engine::run::context::Context,
    event::{Untrusted, untrusted::visible},
    plan::{Disclosure, disclosure::Supplied, reach},
    spec::{Image, Lab, tool::WRAPPED},
    state::{
        Environment,
        bundle::Role,
        trust::{Directory, Subject},
    },
    tool::{Invocation, invocation::quote},
};

/// The source of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The lab came with labctl.
    BuiltIn,
    /// The copy in an environment, which the user was asked about.
    Applied,
    /// A directory.
    Directory(Directory),
    /// An archive or a URL: its content counts.
    Elsewhere,
}

/// Refuses the lab that the user called `called`, if `environment` belongs to another one. The id
/// does not tell labs apart, because each lab chooses its own.
pub(crate) fn same_origin(
    called: &str,
    loaded: &Loaded,
    environment: &Environment,
) -> Result<(), CliError> {
    let Some(origin) = loaded.recorded_origin() else {
        return Ok(());
    };
    if environment.is_of(&origin, &loaded.tree)? {
        return Ok(());
    }
    let (name, id) = (environment.name(), &loaded.lab.lab);
    let error = anyhow::anyhow!("the environment \"{name}\" is of another lab {id}");
    let error = match &environment.record.origin {
        Some(recorded) => anyhow::anyhow!("it is of {recorded}; this is {origin}").context(error),
        None => anyhow::anyhow!("the files that it was made from are others").context(error),
    };
    let called = quote(called);
    Err(CliError::new(exit::UNSAFE, error).hint(format!(
        "`--env NAME` gives {called} an environment of its own; `labctl down --env {name}` removes \
         the one that is there"
    )))
}

/// Checks that the lab may be run, and asks the user if that is not known. `called` is the user's
/// name for the lab, and `context` describes the run.
pub(crate) fn ensure(
    called: &str,
    loaded: &Loaded,
    context: &Context,
    existing: Option<&Environment>,
    settings: &Settings,
) -> Result<(), CliError> {
    if is_trusted(loaded, existing, settings)? {
        return Ok(());
    }
    if let Some(subject) = subject(loaded).filter(|_| settings.asks) {
        let question = question(
            called,
            loaded,
            context,
            &subject,
            output::look(settings).width,
        );
        output::tell(&Untrusted::lines(&question));
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

/// Returns the subject of the question; `None` if the lab needs no trust.
fn subject(loaded: &Loaded) -> Option<Subject> {
    match &loaded.origin {
        Origin::BuiltIn | Origin::Applied => None,
        Origin::Directory(directory) => Some(Subject::Directory(directory.clone())),
        Origin::Elsewhere => Some(Subject::Tree(digest::hex_of_tree(&loaded.tree.files))),
    }
}

/// Returns true if the lab is trusted: it needs no trust, the user trusts it, or `existing` has
/// applied it. Only the text of a trusted lab may be redacted with the lab's own Secrets.
pub(crate) fn is_trusted(
    loaded: &Loaded,
    existing: Option<&Environment>,
    settings: &Settings,
) -> Result<bool, CliError> {
    let Some(subject) = subject(loaded) else {
        return Ok(true);
    };
    if settings.store.trusts(&subject)? {
        return Ok(true);
    }
    let applied = existing.map(Environment::lab).transpose()?;
    Ok(applied.is_some_and(|applied| applied.files == loaded.tree.files))
}

fn is_yes() -> bool {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let answer = line.trim().to_ascii_lowercase();
    read.is_ok() && (answer == "y" || answer == "yes")
}

/// Returns the question. Nothing in it is redacted: a lab could hide text by putting it into a
/// Secret.
fn question(
    called: &str,
    loaded: &Loaded,
    context: &Context,
    subject: &Subject,
    width: usize,
) -> String {
    let Loaded { lab, tree, .. } = loaded;
    // The answer counts for every value of the lab's parameters.
    let disclosure = disclosure(&loaded.written, context);
    let from = match subject {
        Subject::Directory(directory) => directory.path.display().to_string(),
        Subject::Tree(_) => tree.origin.clone(),
    };
    let title = quote(&lab.title);
    let title = format!(
        "the lab {} ({title}) did not come with labctl, but from",
        lab.lab
    );
    let from = format!("  {}", visible(&from));
    let mut text = format!(
        "{}\n{}\nIt would run on this machine:\n",
        folded(&title, width),
        folded(&from, width)
    );
    for line in lines(&disclosure, context) {
        let _ = writeln!(text, "{}", folded(&format!("  {line}"), width));
    }
    let called = quote(called);
    let (remembered, asked) = match subject.open() {
        None => (String::new(), "Run this lab, now and in future?"),
        Some(open) => {
            let open = open.display().to_string();
            let why = "others can write there, so the answer is not remembered";
            (format!("{}: {why}.\n", visible(&open)), "Run this lab now?")
        }
    };
    let _ = write!(
        text,
        "and, in a cluster of its own, what its manifests say: `labctl plan {called}` shows it all.\n\
         In the cluster, {}.\n\
         In all: {}.\n{remembered}{asked} [y/N] ",
        reach::NODES_ARE_PRIVILEGED,
        disclosure.summary(),
    );
    text
}

/// Breaks `line` into lines of at most `width` columns, so that no terminal breaks it. The part
/// after a break is marked, and is never taken for a line of its own. Characters beyond ASCII count
/// as wide ones.
fn folded(line: &str, width: usize) -> String {
    const GOES_ON: &str = "      … ";
    let mut folded = String::new();
    let mut column = 0;
    for c in line.chars() {
        let wide = if c.is_ascii() { 1 } else { 2 };
        if column + wide > width.max(20) {
            folded.push('\n');
            folded.push_str(GOES_ON);
            column = GOES_ON.chars().count() + 1;
        }
        folded.push(c);
        column += wide;
    }
    folded
}

/// Returns what `lab` would do in `context`.
pub(crate) fn disclosure(lab: &Lab, context: &Context) -> Disclosure {
    let supplied = |image: &Image| {
        let bundle = context.bundle.as_ref()?;
        let entry = bundle.image(Role::Workload, &image.name)?;
        let source = entry.source.as_deref().unwrap_or("the bundle");
        let built = if entry.packages {
            ", built from packages"
        } else {
            ""
        };
        Some(Supplied {
            note: format!("{source}{built}"),
            archive: bundle.dir.join(&entry.path),
        })
    };
    Disclosure::of(lab, &context.tree, &context.target(), &supplied)
}

/// Returns a line for each thing that the lab does. Commands lack the arguments that they have in
/// common.
fn lines(disclosure: &Disclosure, context: &Context) -> Vec<String> {
    let short = |command: &Invocation| shortened(command, context);
    let only = |with: &str| match with {
        "" => String::new(),
        with => format!("   # with {}", visible(with)),
    };
    let mut lines = Vec::new();
    for image in &disclosure.images {
        let (name, with) = (&image.name, only(&image.with));
        let get = image.get.as_ref().map(|get| format!(": {}", short(get)));
        let note = image.note.as_ref().map(|note| format!("   # {note}"));
        let (get, note) = (get.unwrap_or_default(), note.unwrap_or_default());
        lines.push(format!("image {name}{get}{note}{with}"));
        let takes = image.takes.iter();
        lines.extend(takes.map(|line| format!("image {name}, in its build: {line}")));
    }
    for step in &disclosure.steps {
        let (id, with) = (&step.id, only(&step.with));
        let mut add = |text: String| lines.push(format!("{id}{text}{with}"));
        if let Some(image) = &step.node_image {
            add(format!(", the nodes' image: {image}"));
        }
        for fetched in &step.fetches {
            add(format!(": fetches {fetched}"));
        }
        let made = match step.objects.as_slice() {
            [] => String::new(),
            objects => format!("   # {}", objects.join(", ")),
        };
        for command in &step.commands {
            add(format!(": {}{made}", short(command)));
        }
        for asked in &step.asks {
            add(format!(", asked: {}", short(asked)));
        }
        for probe in &step.probes {
            add(format!(", asked: {probe}"));
        }
        for command in &step.undo {
            add(format!(", taken back: {}", short(command)));
        }
        if !step.images.is_empty() {
            add(format!(", in its pods: {}", step.images.join(", ")));
        }
        for reach in &step.reaches {
            add(format!(
                ", BEYOND ITS PODS: {} {}",
                reach.object,
                reach.asks.join(", ")
            ));
        }
        for hook in &step.hooks {
            add(format!(", a hook of helm: {hook}"));
        }
        for unseen in &step.unseen {
            add(format!(", not seen yet: {unseen}"));
        }
    }
    for data in &disclosure.data {
        lines.extend(data.asks.iter().map(|c| format!("data: {}", short(c))));
        lines.extend(data.commands.iter().map(|c| format!("data: {}", short(c))));
    }
    lines
}

/// Returns `command` without the paths and names that labctl itself gives each command.
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
    // labctl gives each of the wrapped programs these same arguments. A lab's tool gets only the
    // arguments that the lab gives it.
    let is_wrapped = WRAPPED.contains(&command.program.as_str());
    let mut args = command.args.iter().peekable();
    // Arguments behind two dashes are the lab's own.
    let mut is_own = false;
    while let Some(arg) = args.next() {
        is_own |= arg == "--";
        if is_own {
            short = short.arg(arg);
            continue;
        }
        let is_given = is_wrapped && args.peek().is_some_and(|next| given.contains(&(arg, next)));
        if is_given {
            args.next();
        } else {
            short = short.arg(arg.strip_prefix(&lab).unwrap_or(arg));
        }
    }
    short.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_break_is_broken_and_marked_before() {
        assert_eq!(folded("  short", 40), "  short");
        let line = format!("  a: x{}  b: forged", " ".repeat(30));
        let folded_line = folded(&line, 36);
        assert_eq!(folded_line.lines().count(), 2);
        assert_eq!(folded_line.lines().nth(1), Some("      …   b: forged"));
        // The mark is one column wide, and counts as two.
        let columns =
            |line: &str| -> usize { line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum() };
        let wide = folded(&"字".repeat(40), 40);
        assert_eq!(wide.lines().count(), 3);
        assert!(wide.lines().all(|line| columns(line) <= 40), "{wide}");
    }
}
