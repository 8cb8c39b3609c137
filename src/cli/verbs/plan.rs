//! `labctl plan`

use std::fmt::Write;

use serde::Serialize;

use crate::{
    cli::{
        args::{Format, Plan},
        error::CliError,
        exit,
        labs::{self, Loaded},
        output, session,
        settings::Settings,
        values,
    },
    download,
    engine::Context,
    plan::{self, ports, template},
    spec::{
        Action, Chosen, EnvironmentName, Facts, Step, action::Pinned, helm::Helm, params,
        params::When, tool::Tool,
    },
    state::{
        Bundle, Environment, Record,
        bundle::{Role, ToolEntry},
    },
    tool::docker,
};

/// What one step would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Planned<'a> {
    id: &'a str,
    title: &'a str,
    action: &'a str,
    /// With which values of the lab's parameters it is there.
    #[serde(skip_serializing_if = "When::is_always")]
    when: &'a When,
    /// What is taken from elsewhere, and what it has to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    /// The commands, as they can be typed.
    commands: Vec<String>,
    /// Commands beside them: images, into the nodes while the cluster boots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beside: Vec<String>,
    /// The files that the commands use, with their contents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<PlannedFile>,
    expects: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    throughout: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    undo: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PlannedFile {
    path: String,
    text: String,
}

/// Shows what a lab would do.
pub(crate) fn run(args: &Plan, settings: &Settings) -> Result<u8, CliError> {
    let loaded = labs::load(&args.lab, settings)?;
    let (name, existing) = session::of_lab(settings, &loaded.lab.lab)?;
    let loaded = values::shown_with(loaded, &args.set, existing.as_ref())?;
    let bundle = session::bundle(settings, &args.bundled, existing.as_ref())?;
    let context = context(settings, &name, &loaded, bundle);
    let steps: Result<Vec<Planned<'_>>, CliError> = loaded
        .lab
        .steps
        .iter()
        .map(|step| planned(step, &context, &loaded))
        .collect();
    let steps = steps?;
    let mut secrets = context.secrets();
    let redactor = secrets.redactor();
    match settings.output {
        Format::Json => output::redacted_json(&steps, redactor)?,
        Format::Text => output::answer(&redactor.text(&text(&steps, &loaded.chosen)))?,
    }
    Ok(exit::OK)
}

/// What a run of the lab in the environment `name`, which need not exist, would work on.
pub(crate) fn context(
    settings: &Settings,
    name: &EnvironmentName,
    loaded: &Loaded,
    bundle: Option<Bundle>,
) -> Context {
    let created = jiff::Timestamp::UNIX_EPOCH;
    let environment = Environment {
        dir: settings.store.path(name),
        record: Record::new(name, &loaded.lab.lab, None, created),
    };
    session::context(settings, environment, loaded.clone(), bundle, 1.0)
}

fn planned<'a>(
    step: &'a Step,
    context: &Context,
    loaded: &Loaded,
) -> Result<Planned<'a>, CliError> {
    let target = context.target();
    let facts = Facts::new();
    let mut files = Vec::new();
    let mut beside = Vec::new();
    let mut sources = Vec::new();
    let mut before = Vec::new();
    let in_lab = |path: &str| {
        let files = loaded.tree.under(path).map(|(name, bytes)| PlannedFile {
            path: target.lab_dir.join(name).display().to_string(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        });
        files.collect::<Vec<_>>()
    };
    match &step.action {
        Action::KindCluster(kind) => {
            let template = context.kind_templates.get(&kind.template);
            let template = template.map_or("", String::as_str);
            let text = template::kind_config(template, context.name(), &ports::wished(&kind.ports));
            let text =
                text.map_err(|why| CliError::new(exit::INVALID_LAB, anyhow::Error::msg(why)))?;
            let path = target.kind_config.display().to_string();
            files.push(PlannedFile { path, text });
            beside = images(context);
            before.push(plan::network::create(
                &target,
                "<id>",
                Some("<subnet>"),
                None,
            ));
        }
        Action::Apply(apply) => {
            sources.extend(apply.pinned().map(|file| pinned(&file, context)));
            files.extend(apply.path.iter().flat_map(|path| in_lab(path)));
        }
        Action::Tool(tool) => sources.push(brought(tool, context)),
        Action::Helm(helm) => {
            sources.extend(chart(helm, context));
            files.extend(helm.values.iter().flat_map(|path| in_lab(path)));
        }
        _ => {}
    }
    let undo = step.taken_back_by();
    let undo = undo
        .iter()
        .flat_map(|undo| plan::undo(undo, &target, &facts));
    let commands = before.into_iter();
    let commands = commands.chain(plan::commands(&step.action, &target, &facts));
    Ok(Planned {
        id: &step.id,
        title: &step.title,
        action: step.action.name(),
        when: &step.when,
        commands: commands.map(|command| command.to_string()).collect(),
        sources,
        beside,
        files,
        expects: step.assertions().iter().map(ToString::to_string).collect(),
        throughout: throughout(step),
        undo: undo.map(|command| command.to_string()).collect(),
    })
}

/// What a file from elsewhere has to be, and where it is taken from.
fn pinned(file: &Pinned<'_>, context: &Context) -> String {
    let url = download::shown(file.url);
    let bundled = context.bundle.as_ref().and_then(|b| b.file(file.url));
    match bundled {
        Some(entry) => {
            let source = entry.source.as_deref().unwrap_or("the bundle");
            format!("{url}: {source}, {}", entry.digest)
        }
        None => format!("{url}: sha256:{}", file.sha256),
    }
}

/// Where a tool that the lab brings is taken from.
fn brought(tool: &Tool, context: &Context) -> String {
    let Tool { name, version, .. } = tool;
    let bundled = context.bundle.as_ref().and_then(|b| b.tool(name));
    let digest = |entry: &ToolEntry| entry.digest.clone().unwrap_or_default();
    match (bundled, tool.from.get(&Tool::platform())) {
        (Some(entry), _) => format!("{name} {version}: the bundle, {}", digest(entry)),
        (None, Some(from)) => {
            let url = download::shown(&from.url);
            format!("{name} {version}: PATH, or {url}: sha256:{}", from.sha256)
        }
        (None, None) => format!("{name} {version}: PATH"),
    }
}

/// What a chart from elsewhere has to be, and where it is taken from.
fn chart(helm: &Helm, context: &Context) -> Option<String> {
    let (chart, version) = (helm.chart.reference()?, helm.version.as_deref()?);
    let bundled = context
        .bundle
        .as_ref()
        .and_then(|b| b.chart(&chart, version));
    Some(match (bundled, &helm.digest) {
        (Some(entry), _) => format!("{chart} {version}: the bundle, {}", entry.digest),
        (None, Some(digest)) => format!("{chart} {version}: {digest}"),
        (None, None) => format!("{chart} {version}: unpinned, whatever is there"),
    })
}

/// What holds while `step` acts.
fn throughout(step: &Step) -> Vec<String> {
    let asserted = step.throughout().iter().map(ToString::to_string);
    asserted
        .chain(step.load().map(ToString::to_string))
        .collect()
}

/// How each image gets into the nodes, and what it was made from.
fn images(context: &Context) -> Vec<String> {
    let mut lines = Vec::new();
    for wanted in &context.lab.images {
        let image = &wanted.name;
        let bundled = context
            .bundle
            .as_ref()
            .and_then(|b| Some((b, b.image(Role::Workload, image)?)));
        let archive = if let Some((bundle, entry)) = bundled {
            let source = entry.source.as_deref().unwrap_or("the bundle");
            let built = if entry.packages {
                ", built from packages"
            } else {
                ""
            };
            lines.push(format!("# {image}: {source}{built}"));
            bundle.dir.join(&entry.path)
        } else {
            let archive = context.environment.images_dir().join("IMAGE.tar");
            let get = match &wanted.build {
                Some(build) => {
                    lines.push(format!("# {image}: built, unless the engine has it"));
                    plan::build::command(image, build, &context.target())
                }
                None => docker::pull(image),
            };
            lines.push(get.to_string());
            lines.push(docker::save(image, &archive).to_string());
            archive
        };
        lines.push(docker::import("NODE", &archive).to_string());
    }
    lines
}

fn text(steps: &[Planned<'_>], chosen: &Chosen) -> String {
    let mut text = String::new();
    if !chosen.is_empty() {
        let _ = writeln!(text, "# with {}\n", params::shown(chosen));
    }
    for (index, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "# {}. {}: {}", index + 1, step.id, step.title);
        for file in &step.files {
            let _ = writeln!(text, "\n# {}", file.path);
            for line in file.text.trim_end().lines() {
                let _ = writeln!(text, "{}", format!("  {line}").trim_end());
            }
            text.push('\n');
        }
        for source in &step.sources {
            let _ = writeln!(text, "# {source}");
        }
        for command in &step.commands {
            let _ = writeln!(text, "$ {command}");
        }
        if !step.beside.is_empty() {
            let _ = writeln!(text, "# beside it, for each node that runs workloads:");
        }
        for command in &step.beside {
            let shown = if command.starts_with('#') { "" } else { "$ " };
            let _ = writeln!(text, "{shown}{command}");
        }
        for assertion in &step.expects {
            let _ = writeln!(text, "# expects {assertion}");
        }
        for assertion in &step.throughout {
            let _ = writeln!(text, "# holds throughout: {assertion}");
        }
        for command in &step.undo {
            let _ = writeln!(text, "# taken back by: {command}");
        }
        text.push('\n');
    }
    text
}
