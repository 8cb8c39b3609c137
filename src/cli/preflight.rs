//! The checks before anything is touched. All missing things are reported at once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{error::CliError, exit, settings::Settings};
use crate::{
    download::shown,
    engine::run::context::Context,
    plan::{
        self,
        inotify::{Limits, Nodes},
        template,
    },
    spec::{Action, AtLeast, ImageRef, Lab, Step, tool::Tool},
    state::{Bundle, Journal, bundle::Role},
    tool::{Invocation, Stopper, ToolError, Toolbox, docker, helm, kind, kubectl},
};

/// The lowest version of helm that knows the options it is given.
const HELM: AtLeast = AtLeast { major: 4, minor: 0 };

/// The hint for a bundle that lacks something or is damaged.
const NEW_BUNDLE: &str = "make the bundle anew, or leave --bundle away";

/// Checks the tools, the engine and the bundle for `lab`.
pub(crate) async fn check(
    lab: &Lab,
    toolbox: &Toolbox,
    bundle: Option<&Bundle>,
    stopper: &Stopper,
) -> Result<(), CliError> {
    let (kind, kubectl, helm, engine) = futures::future::join4(
        version(
            toolbox,
            kind::version(),
            lab.needs.kind,
            kind_version,
            stopper,
        ),
        version(
            toolbox,
            kubectl::version(),
            lab.needs.kubectl,
            kubectl_version,
            stopper,
        ),
        helm(lab, toolbox, stopper),
        engine(toolbox, stopper),
    )
    .await;
    let mut faults: Vec<Fault> = [kind, kubectl, helm, engine]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    match bundle {
        Some(bundle) => faults.extend(lacks(lab, bundle, toolbox)),
        None => faults.extend(
            lab.steps
                .iter()
                .filter_map(|step| not_to_be_had(step, toolbox)),
        ),
    }
    faults.extend(toolbox.refused.values().map(|why| Fault {
        text: why.clone(),
        hint: NEW_BUNDLE.to_owned(),
    }));
    // All programs of a damaged bundle have the same fault; it is reported once.
    let mut told = BTreeSet::new();
    faults.retain(|fault| told.insert(fault.text.clone()));
    if faults.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = faults.iter().map(|f| f.text.clone()).collect();
    let mut error = CliError::new(
        exit::TOOL,
        anyhow::Error::msg(texts.join("\n")).context(format!(
            "lab {} cannot be brought up on this machine",
            lab.lab
        )),
    );
    error.hints = faults.into_iter().map(|f| f.hint).collect();
    Err(error)
}

/// Checks that the engine answers.
pub(crate) async fn engine_answers(toolbox: &Toolbox, stopper: &Stopper) -> Result<(), CliError> {
    engine(toolbox, stopper)
        .await
        .map_err(|fault| CliError::new(exit::TOOL, anyhow::Error::msg(fault.text)).hint(fault.hint))
}

/// Returns the shortages of the kernel's inotify limits for the cluster that the environment of
/// `context`, which has none yet, is to get beside the clusters that run.
pub(crate) fn inotify(context: &Context, settings: &Settings) -> Vec<String> {
    let Some(limits) = inotify_limits() else {
        return Vec::new();
    };
    let mut nodes = Nodes::default();
    let mut add = |of_cluster: usize| {
        nodes.clusters += 1;
        nodes.nodes += u64::try_from(of_cluster).unwrap_or(u64::MAX);
    };
    let others = settings.store.list().unwrap_or_default().environments;
    for other in others.iter().filter(|e| e.name() != context.name()) {
        let state = Journal::read(&other.journal()).map(|replayed| replayed.state);
        let running = state.ok().filter(|state| state.stopped.is_none());
        if let Some(cluster) = running.and_then(|state| state.cluster) {
            add(cluster.containers.len());
        }
    }
    let makes = context
        .lab
        .steps
        .iter()
        .find_map(|step| match &step.action {
            Action::KindCluster(cluster) => context.kind_templates.get(&cluster.template),
            _ => None,
        });
    let config = makes.and_then(|text| template::kind_config(text, context.name(), &[]).ok());
    let Some(roles) = config.and_then(|config| template::roles(&config).ok()) else {
        return Vec::new();
    };
    add(roles.len());
    plan::inotify::shortages(limits, nodes)
}

/// Returns the limits of this machine's kernel; `None` if it is not Linux. An engine in a virtual
/// machine has another kernel with limits of its own, so a shortage is only a warning.
fn inotify_limits() -> Option<Limits> {
    let read = |key: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{key}")).ok()?;
        text.trim().parse().ok()
    };
    Some(Limits {
        instances: read("max_user_instances")?,
        watches: read("max_user_watches")?,
    })
}

struct Fault {
    text: String,
    hint: String,
}

async fn version(
    toolbox: &Toolbox,
    ask: Invocation,
    needed: Option<AtLeast>,
    read: fn(&str) -> Option<String>,
    stopper: &Stopper,
) -> Result<(), Fault> {
    let tool = ask.program.clone();
    let answer = toolbox.run(&ask, &mut stopper.clone(), |_| {}).await;
    let stdout = answer.map_err(|error| missing(&tool, &error))?.stdout;
    let Some(needed) = needed else { return Ok(()) };
    let found = read(&stdout).unwrap_or_else(|| stdout.clone());
    if needed.admits(&found) == Some(true) {
        return Ok(());
    }
    Err(Fault {
        text: format!("{tool} {found} is installed; {needed} is needed"),
        hint: format!("install a later {tool}: {}", install_page(&tool)),
    })
}

/// Checks helm, if a step of the lab uses it.
async fn helm(lab: &Lab, toolbox: &Toolbox, stopper: &Stopper) -> Result<(), Fault> {
    let uses = |step: &Step| matches!(step.action, Action::Helm(_));
    if !lab.steps.iter().any(uses) {
        return Ok(());
    }
    let needed = lab.needs.helm.filter(|needed| needed.major >= HELM.major);
    let needed = Some(needed.unwrap_or(HELM));
    version(toolbox, helm::version(), needed, helm_version, stopper).await
}

async fn engine(toolbox: &Toolbox, stopper: &Stopper) -> Result<(), Fault> {
    let answer = toolbox
        .run(&docker::version(), &mut stopper.clone(), |_| {})
        .await;
    let hint = "start it (Docker Desktop, or `systemctl start docker`)";
    match answer {
        Ok(_) => Ok(()),
        Err(error @ ToolError::Missing { .. }) => Err(missing("docker", &error)),
        Err(ToolError::Exit { tail, .. }) => Err(Fault {
            text: format!("no container engine answers: {}", tail.join(" ")),
            hint: hint.to_owned(),
        }),
        Err(error) => Err(Fault {
            text: format!("no container engine answers: {error}"),
            hint: hint.to_owned(),
        }),
    }
}

/// Returns the fault of a bundle that lacks something of the lab. With a bundle, nothing else is
/// reached for.
fn lacks(lab: &Lab, bundle: &Bundle, toolbox: &Toolbox) -> Option<Fault> {
    let lacks = |image: &&ImageRef| bundle.image(Role::Workload, image).is_none();
    // Images that can be built need not be in the bundle.
    let images = lab.images.iter().filter(|image| image.build.is_none());
    let images = images.map(|image| &image.name);
    let mut missing: Vec<String> = images.filter(lacks).map(ToString::to_string).collect();
    missing.extend(lab.steps.iter().filter_map(|step| match &step.action {
        Action::Helm(helm) => {
            let (chart, version) = (helm.chart.reference()?, helm.version.as_deref()?);
            let is_there = bundle.chart(&chart, version).is_some();
            (!is_there).then(|| format!("the chart {chart} {version}"))
        }
        Action::Apply(apply) => {
            let url = apply.pinned()?.url;
            bundle.file(url).is_none().then(|| shown(url).to_owned())
        }
        Action::Tool(tool) => {
            let is_there = toolbox.has(&tool.name);
            (!is_there).then(|| format!("the tool {} {}", tool.name, tool.version))
        }
        _ => None,
    }));
    (!missing.is_empty()).then(|| Fault {
        text: format!(
            "the bundle {} lacks {}",
            bundle.dir.display(),
            missing.join(", ")
        ),
        hint: NEW_BUNDLE.to_owned(),
    })
}

/// Returns the fault of a step whose tool is not found, and cannot be downloaded.
fn not_to_be_had(step: &Step, toolbox: &Toolbox) -> Option<Fault> {
    let Action::Tool(tool) = &step.action else {
        return None;
    };
    let platform = Tool::platform();
    if toolbox.has(&tool.name) || tool.from.contains_key(&platform) {
        return None;
    }
    let Tool { name, version, .. } = tool;
    Some(Fault {
        text: format!("{name} is not on PATH, and the lab names no download of it for {platform}"),
        hint: format!("install {name} {version}, or use a bundle that has it"),
    })
}

fn missing(tool: &str, error: &ToolError) -> Fault {
    let hint = match error {
        ToolError::Refused { .. } => NEW_BUNDLE.to_owned(),
        _ => format!("install {tool}: {}", install_page(tool)),
    };
    let text = error.to_string();
    Fault { text, hint }
}

fn install_page(tool: &str) -> &'static str {
    match tool {
        "kind" => "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
        "kubectl" => "https://kubernetes.io/docs/tasks/tools/#kubectl",
        "helm" => "https://helm.sh/docs/intro/install/",
        _ => "https://docs.docker.com/engine/install/",
    }
}

/// Parses the output `kind v0.33.0 go1.26 linux/amd64`.
fn kind_version(text: &str) -> Option<String> {
    Some(text.split_whitespace().nth(1)?.to_owned())
}

/// Parses the output `v4.3.1+g0d5d2a5`.
fn helm_version(text: &str) -> Option<String> {
    let version = text.trim().split('+').next()?;
    version.starts_with('v').then(|| version.to_owned())
}

/// Parses the output `{"clientVersion": {"gitVersion": "v1.34.4"}}`.
fn kubectl_version(text: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(text).ok()?;
    Some(
        answer
            .pointer("/clientVersion/gitVersion")?
            .as_str()?
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_tools_print_them() {
        assert_eq!(
            kind_version("kind v0.33.0 go1.26.8 linux/amd64").as_deref(),
            Some("v0.33.0")
        );
        assert_eq!(
            kubectl_version(r#"{"clientVersion": {"gitVersion": "v1.34.10"}}"#).as_deref(),
            Some("v1.34.10")
        );
        assert_eq!(kubectl_version("nonsense"), None);
    }
}
