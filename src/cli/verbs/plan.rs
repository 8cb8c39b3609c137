//! `labctl plan`

use std::{borrow::Cow, fmt::Write};

use serde::Serialize;

use crate::{
    cli::{
        args::{Format, Plan},
        error::CliError,
        exit,
        labs::{self, Loaded},
        output, session,
        settings::Settings,
        trust, values,
    },
    engine::run::context::Context,
    event::{Redactor, untrusted::visible},
    plan::{Disclosure, disclosure::StepUse, ports, reach, template},
    spec::{
        Action, Chosen, EnvironmentName, Step,
        action::Pinned,
        helm::Helm,
        params::{self, When},
        tool::Tool,
    },
    state::{Bundle, Environment, Record},
    tool::Invocation,
};

/// The plan of one step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Planned<'a> {
    id: &'a str,
    title: Cow<'a, str>,
    action: &'a str,
    /// The values of the lab's parameters with which the step exists.
    #[serde(skip_serializing_if = "When::is_always")]
    when: &'a When,
    /// The files, tools and charts from elsewhere, with the digests that they must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    /// The commands, as they can be typed.
    commands: Vec<String>,
    /// The commands and probes that only find out a state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asks: Vec<String>,
    /// The image of the nodes that it creates.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_image: Option<String>,
    /// The images in its manifests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    /// The objects in its manifests that reach beyond their pods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reaches: Vec<String>,
    /// The hooks of its chart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<String>,
    /// The things that cannot be known before the step acts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<String>,
    /// The commands that run beside: they bring images to the nodes while the cluster boots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beside: Vec<String>,
    /// The commands that identify, save and restore the data of the lab's pods, whenever a step is
    /// seen to hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<String>,
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
    let disclosure = trust::disclosure(&loaded.lab, &context);
    let steps = loaded.lab.steps.iter().zip(&disclosure.steps);
    let steps: Result<Vec<Planned<'_>>, CliError> = steps
        .map(|(step, used)| planned(step, used, &disclosure, &context, &loaded))
        .collect();
    let steps = steps?;
    // The Secrets of an untrusted lab are not redacted: they could hide the text around them.
    let mut secrets = context.secrets();
    let shown = Redactor::default();
    let redactor = if trust::is_trusted(&loaded, existing.as_ref(), settings)? {
        secrets.redactor()
    } else {
        &shown
    };
    match settings.output {
        Format::Json => output::redacted_json(&steps, redactor)?,
        Format::Text => {
            let text = text(&steps, &disclosure, &loaded.chosen);
            output::answer(&redactor.text(&text))?;
        }
    }
    Ok(exit::OK)
}

/// Returns the context of a run of the lab in the environment `name`, which need not exist.
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
    session::without_tools(settings, environment, loaded.clone(), bundle)
}

fn planned<'a>(
    step: &'a Step,
    used: &StepUse,
    disclosure: &Disclosure,
    context: &Context,
    loaded: &Loaded,
) -> Result<Planned<'a>, CliError> {
    let target = context.target();
    let mut files = Vec::new();
    let mut beside = Vec::new();
    let mut sources = Vec::new();
    let mut data = Vec::new();
    let in_lab = |path: &String| PlannedFile {
        path: target.lab_dir.join(path).display().to_string(),
        text: loaded
            .tree
            .files
            .get(path)
            .map_or_else(String::new, |bytes| {
                String::from_utf8_lossy(bytes).into_owned()
            }),
    };
    let here = used
        .files
        .iter()
        .filter(|path| loaded.tree.files.contains_key(*path));
    files.extend(here.map(in_lab));
    match &step.action {
        Action::KindCluster(kind) => {
            let template = context.kind_templates.get(&kind.template);
            let template = template.map_or("", String::as_str);
            let text = template::kind_config(template, context.name(), &ports::wished(&kind.ports));
            let text =
                text.map_err(|why| CliError::new(exit::INVALID_LAB, anyhow::Error::msg(why)))?;
            let path = target.kind_config.display().to_string();
            files.push(PlannedFile { path, text });
            for image in &disclosure.images {
                let note = image.note.as_ref();
                let note = note.map(|note| visible(note));
                beside.extend(note.map(|note| format!("# {}: {note}", image.name)));
                let commands = image.get.iter().chain(&image.import);
                beside.extend(commands.map(ToString::to_string));
                files.extend(image.built_from.iter().map(in_lab));
            }
            for used in &disclosure.data {
                files.extend(used.files.iter().map(in_lab));
                let commands = used.asks.iter().chain(&used.commands);
                data.extend(commands.map(ToString::to_string));
            }
        }
        Action::Apply(apply) => sources.extend(apply.pinned().map(|file| pinned(&file, context))),
        Action::Tool(tool) => sources.push(brought(tool, context)),
        Action::Helm(helm) => sources.extend(chart(helm, context)),
        _ => {}
    }
    let commands = |commands: &[Invocation]| commands.iter().map(ToString::to_string).collect();
    let mut asks: Vec<String> = commands(&used.asks);
    asks.extend(used.probes.iter().cloned());
    let reaches = used.reaches.iter();
    let expects = step.assertions().iter().map(ToString::to_string);
    Ok(Planned {
        id: &step.id,
        title: visible(&step.title),
        action: step.action.name(),
        when: &step.when,
        commands: commands(&used.commands),
        sources,
        asks,
        node_image: used.node_image.clone(),
        images: used.images.clone(),
        reaches: reaches
            .map(|r| format!("{} {}", r.object, r.asks.join(", ")))
            .collect(),
        hooks: used.hooks.clone(),
        unseen: used.unseen.clone(),
        beside,
        data,
        files,
        expects: expects.map(|text| visible(&text).into_owned()).collect(),
        throughout: throughout(step),
        undo: commands(&used.undo),
    })
}

/// Returns the source of a file from elsewhere, and its required digest.
fn pinned(file: &Pinned<'_>, context: &Context) -> String {
    let url = visible(file.url);
    let bundled = context.bundle.as_ref().and_then(|b| b.file(file.url));
    match bundled {
        Some(entry) => {
            let source = entry.source.as_deref().unwrap_or("the bundle");
            format!("{url}: {source}, {}", entry.digest)
        }
        None => format!("{url}: sha256:{}", file.sha256),
    }
}

/// Returns the source of a tool that the lab brings.
fn brought(tool: &Tool, context: &Context) -> String {
    let Tool { name, version, .. } = tool;
    let bundled = context.bundle.as_ref().and_then(|b| b.tool(name));
    match (bundled, tool.from.get(&Tool::platform())) {
        (Some(entry), _) => format!("{name} {version}: the bundle, {}", entry.digest),
        (None, Some(from)) => {
            let url = visible(&from.url);
            format!("{name} {version}: PATH, or {url}: sha256:{}", from.sha256)
        }
        (None, None) => format!("{name} {version}: PATH"),
    }
}

/// Returns the source of a chart from elsewhere, and its required digest.
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

/// Returns the assertions that hold while `step` acts, and its traffic.
fn throughout(step: &Step) -> Vec<String> {
    let asserted = step.throughout().iter().map(ToString::to_string);
    let all = asserted.chain(step.load().map(ToString::to_string));
    all.map(|text| visible(&text).into_owned()).collect()
}

fn text(steps: &[Planned<'_>], disclosure: &Disclosure, chosen: &Chosen) -> String {
    let mut text = String::new();
    if !chosen.is_empty() {
        let _ = writeln!(text, "# with {}\n", params::shown(chosen));
    }
    for (index, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "# {}. {}: {}", index + 1, step.id, step.title);
        for file in &step.files {
            let _ = writeln!(text, "\n# {}", visible(&file.path));
            for line in file.text.trim_end().lines() {
                let _ = writeln!(
                    text,
                    "{}",
                    format!("  {}", visible_in_file(line)).trim_end()
                );
            }
            text.push('\n');
        }
        let mut told = |what: &str, all: &[String]| {
            for one in all {
                let _ = writeln!(text, "# {what}{one}");
            }
        };
        told("", &step.sources);
        told("the nodes' image: ", step.node_image.as_slice());
        let images = Some(step.images.join(", ")).filter(|images| !images.is_empty());
        told("in its pods: ", images.as_slice());
        told("beyond its pods: ", &step.reaches);
        told("a hook of helm: ", &step.hooks);
        told("not seen yet: ", &step.unseen);
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
        let mut told = |what: &str, all: &[String]| {
            for one in all {
                let _ = writeln!(text, "# {what}{one}");
            }
        };
        told("expects ", &step.expects);
        told("holds throughout: ", &step.throughout);
        told("asked: ", &step.asks);
        told("taken back by: ", &step.undo);
        text.push('\n');
    }
    for data in &disclosure.data {
        for command in &data.asks {
            let _ = writeln!(text, "# data, asked for: {command}");
        }
        for command in &data.commands {
            let _ = writeln!(text, "# data, kept and put back: {command}");
        }
    }
    let _ = writeln!(text, "# {}", reach::NODES_ARE_PRIVILEGED);
    text
}

/// Returns a line of a file with its invisible characters escaped. Tabs stay, as files have them.
fn visible_in_file(line: &str) -> String {
    let parts: Vec<_> = line.split('\t').map(visible).collect();
    parts.join("\t")
}
