//! Everything that a lab would do, for a person to judge before it is done. The question about a
//! lab from elsewhere and `labctl plan` both print it.

mod chart;

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Target, build, commands, network,
    reach::{self, Reach},
    undo,
};
use crate::{
    event::untrusted::visible,
    spec::{
        Action, Assertion, Command, Facts, Image, ImageRef, Lab, LabTree, Step, StepId, ToolName,
        action::Apply, build::DOCKERFILE, tool::Tool, tree::below, yaml,
    },
    tool::{Invocation, docker, invocation::quote},
};

/// The actions of a lab.
#[derive(Debug, Clone, PartialEq)]
pub struct Disclosure {
    /// The images of its workloads.
    pub images: Vec<ImageUse>,
    /// Its steps.
    pub steps: Vec<StepUse>,
    /// The commands that save and restore its data.
    pub data: Vec<DataUse>,
}

/// The source of an image of the lab.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageUse {
    /// Its name.
    pub name: ImageRef,
    /// The values with which it is used; empty if it always is.
    pub with: String,
    /// The source, if it is not a registry.
    pub note: Option<String>,
    /// The command that pulls or builds it.
    pub get: Option<Invocation>,
    /// The commands that then bring it into a node, with a placeholder for the node's name.
    pub import: Vec<Invocation>,
    /// The files of the lab from which it is built, the Dockerfile first.
    pub built_from: Vec<String>,
    /// The Dockerfile's lines that take something from elsewhere.
    pub takes: Vec<String>,
}

/// An image of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplied {
    /// The origin of the image.
    pub note: String,
    /// Its archive.
    pub archive: PathBuf,
}

/// The actions of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepUse {
    /// The step.
    pub id: StepId,
    /// The values with which the step exists; empty if it always does.
    pub with: String,
    /// The commands, in order.
    pub commands: Vec<Invocation>,
    /// The programs that labctl runs to learn a state.
    pub asks: Vec<Invocation>,
    /// The probes that run in Pods.
    pub probes: Vec<String>,
    /// The commands that heal its fault.
    pub undo: Vec<Invocation>,
    /// The files to fetch from elsewhere, each with its whole URL and its digest.
    pub fetches: Vec<String>,
    /// The node image, if the step creates the cluster.
    pub node_image: Option<String>,
    /// The objects in its manifests.
    pub objects: Vec<String>,
    /// The images in its manifests.
    pub images: Vec<String>,
    /// The parts of its manifests that reach beyond their Pods.
    pub reaches: Vec<Reach>,
    /// Helm's hooks: the lines of its chart that make an object a hook.
    pub hooks: Vec<String>,
    /// The effects that are unknown until the step is done.
    pub unseen: Vec<String>,
    /// The files of the lab that the step uses.
    pub files: Vec<String>,
}

/// The commands for the data of Pods.
#[derive(Debug, Clone, PartialEq)]
pub struct DataUse {
    /// The commands that print the data's fingerprint.
    pub asks: Vec<Invocation>,
    /// The commands that save and restore the data.
    pub commands: Vec<Invocation>,
    /// The files of the lab whose texts are in these commands.
    pub files: Vec<String>,
}

impl Disclosure {
    /// Returns the actions of `lab`, whose files are `tree`. `supplied` returns the bundle's
    /// archive of an image.
    #[must_use]
    pub fn of(
        lab: &Lab,
        tree: &LabTree,
        target: &Target,
        supplied: &dyn Fn(&Image) -> Option<Supplied>,
    ) -> Self {
        let images = lab.images.iter();
        let steps = lab.steps.iter();
        Self {
            images: images
                .map(|i| image(i, tree, target, supplied(i)))
                .collect(),
            steps: steps.map(|s| step(s, tree, target)).collect(),
            data: data(lab, tree, target),
        }
    }

    /// Returns the totals in one line, for a reader who has just scrolled past a long list.
    #[must_use]
    pub fn summary(&self) -> String {
        let of = |count: &dyn Fn(&StepUse) -> usize| self.steps.iter().map(count).sum::<usize>();
        let images = self.images.iter().filter_map(|image| image.get.as_ref());
        let data: usize = self
            .data
            .iter()
            .map(|data| data.asks.len() + data.commands.len())
            .sum();
        let commands = of(&|step| step.commands.len() + step.asks.len() + step.undo.len());
        let builds = self
            .images
            .iter()
            .filter(|image| !image.built_from.is_empty());
        let fetched = of(&|step| step.fetches.len());
        let reaches = of(&|step| step.reaches.len());
        let parts = [
            (commands + data + images.count(), "command"),
            (self.images.len(), "image"),
            (builds.count(), "build of its own"),
            (fetched, "file from elsewhere"),
            (reaches, "object that reaches beyond its pods"),
            (of(&|step| step.hooks.len()), "hook"),
        ];
        let plural = |n: usize, what: &str| match (n, what.split_once(' ')) {
            (1, _) => format!("1 {what}"),
            (n, None) => format!("{n} {what}s"),
            (n, Some((first, rest))) => {
                let rest = rest
                    .replace("reaches", "reach")
                    .replace("its pods", "their pods");
                format!("{n} {first}s {rest}")
            }
        };
        let parts = parts.into_iter().filter(|(n, _)| *n > 0);
        parts
            .map(|(n, what)| plural(n, what))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn image(wanted: &Image, tree: &LabTree, target: &Target, supplied: Option<Supplied>) -> ImageUse {
    let name = &wanted.name;
    let mut used = ImageUse {
        name: name.clone(),
        with: wanted.when.to_string(),
        note: None,
        get: None,
        import: Vec::new(),
        built_from: Vec::new(),
        takes: Vec::new(),
    };
    let archive = if let Some(Supplied { note, archive }) = supplied {
        used.note = Some(note);
        archive
    } else {
        let archive = target.dir.join("images").join("IMAGE.tar");
        used.import.push(docker::save(name, &archive));
        match &wanted.build {
            None => used.get = Some(docker::pull(name)),
            Some(how) => {
                let from = match (&how.sources, &how.context) {
                    (Some(sources), _) => format!("labctl's own sources {}", visible(sources)),
                    (None, dir) => {
                        let dir = dir.as_deref().unwrap_or_default().trim_end_matches('/');
                        let files = tree.under(dir).map(|(file, _)| file.to_owned());
                        let file = format!("{dir}/{DOCKERFILE}");
                        used.takes = taken(tree.text(&file).unwrap_or_default());
                        used.built_from = vec![file.clone()];
                        used.built_from.extend(files.filter(|other| *other != file));
                        format!("the lab's {}", visible(&file))
                    }
                };
                used.note = Some(format!("built, unless the engine has it, by {from}"));
                used.get = Some(build::command(name, how, target));
            }
        }
        archive
    };
    used.import.push(docker::import("NODE", &archive));
    used
}

/// Returns the lines of a Dockerfile that name an image, a URL or another place.
fn taken(dockerfile: &str) -> Vec<String> {
    let lines = dockerfile.replace("\\\n", " ");
    let takes = |line: &&str| {
        let line = line.trim().to_ascii_lowercase();
        let begins = [
            "from ", "from\t", "# syntax", "#syntax", "add ", "add\t", "onbuild ",
        ];
        begins.iter().any(|word| line.starts_with(word))
            || line.contains("from=")
            || line.contains("://")
    };
    let lines = lines.lines().filter(takes);
    lines
        .map(|line| visible(line.trim()).into_owned())
        .collect()
}

fn step(step: &Step, tree: &LabTree, target: &Target) -> StepUse {
    let facts = Facts::new();
    let mut used = StepUse {
        id: step.id.clone(),
        with: step.when.to_string(),
        commands: commands(&step.action, target, &facts),
        asks: Vec::new(),
        probes: Vec::new(),
        undo: Vec::new(),
        fetches: Vec::new(),
        node_image: None,
        objects: Vec::new(),
        images: Vec::new(),
        reaches: Vec::new(),
        hooks: Vec::new(),
        unseen: Vec::new(),
        files: Vec::new(),
    };
    let taken_back = step.taken_back_by();
    let taken_back = taken_back.iter().flat_map(|by| undo(by, target, &facts));
    used.undo = taken_back.collect();
    match &step.action {
        Action::KindCluster(cluster) => {
            let image = cluster.image.as_ref().map(ImageRef::as_str);
            used.node_image = Some(image.unwrap_or("the one that kind chooses").to_owned());
            let create = network::create(target, "<id>", Some("<subnet>"), None);
            used.commands.insert(0, create);
        }
        Action::Apply(apply) => applied(&mut used, apply, tree),
        Action::Tool(tool) => {
            used.fetches.push(brought(tool));
            used.asks
                .push(target.lab_tool(&tool.name, &tool.version_arguments()));
        }
        Action::Helm(helm) => chart::add(&mut used, helm, tree),
        _ => {}
    }
    let assertions = step.steady.iter().chain(step.throughout());
    for assertion in assertions.chain(step.assertions()) {
        asked(&mut used, assertion, target);
    }
    used.probes.dedup();
    used.asks.dedup();
    used
}

/// Adds the programs and probes that evaluate `assertion`.
fn asked(used: &mut StepUse, assertion: &Assertion, target: &Target) {
    let namespace = target.kubectl.namespace.as_str();
    let linkerd = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        target.lab_tool(&ToolName::linkerd(), &arguments)
    };
    match assertion {
        Assertion::LinkerdCheck(a) => used.asks.push(linkerd(&a.arguments(namespace))),
        Assertion::MeshMtls(a) => match &a.by {
            Some(url) => used
                .probes
                .push(format!("a pod of {} asks {}", a.from, visible(url))),
            None => used.asks.push(linkerd(&a.arguments(namespace))),
        },
        Assertion::Sql(a) => {
            let (pod, query) = (visible(&a.pod), visible(&a.query));
            used.probes.push(format!("psql in the pod {pod}: {query}"));
        }
        _ => {}
    }
}

/// Adds the objects and files of an `apply`.
fn applied(used: &mut StepUse, apply: &Apply, tree: &LabTree) {
    if let Some(file) = apply.pinned() {
        let (url, digest) = (visible(file.url), visible(file.sha256));
        used.fetches.push(format!("{url}, sha256:{digest}"));
        used.unseen
            .push(format!("what {url} makes is seen once it is fetched"));
    }
    if let Some(output) = &apply.output {
        let of = &output.of;
        used.unseen.push(format!(
            "what {of} prints, and is applied, is seen once it is run"
        ));
    }
    for (name, bytes) in apply.path.iter().flat_map(|path| tree.under(path)) {
        used.files.push(name.to_owned());
        manifests(used, name, &String::from_utf8_lossy(bytes));
    }
}

/// Adds the objects in the manifest `text` of the file `name`.
fn manifests(used: &mut StepUse, name: &str, text: &str) {
    for document in yaml::documents(text) {
        let object = document.as_object().and_then(reach::object);
        used.objects.extend(object);
        for image in reach::images(&document) {
            let image = quote(&image).into_owned();
            if !used.images.contains(&image) {
                used.images.push(image);
            }
        }
        used.reaches.extend(reach::of(&document, &visible(name)));
    }
}

/// Describes a tool and its sources.
fn brought(tool: &Tool) -> String {
    let Tool { name, version, .. } = tool;
    let version = visible(version);
    let from = tool.from.get(&Tool::platform());
    let from = from.map_or_else(String::new, |from| {
        let (url, digest) = (visible(&from.url), visible(&from.sha256));
        format!(", or from {url}, sha256:{digest}")
    });
    format!("the program {name} {version}, from the bundle or PATH{from}")
}

fn data(lab: &Lab, tree: &LabTree, target: &Target) -> Vec<DataUse> {
    let in_pod = |pod: &String, command: &Command| {
        let invocation = target.kubectl.exec(pod, None, &command.words(tree));
        command.files().fold(invocation, |invocation, file| {
            let text = tree.text(file).unwrap_or_default().to_owned();
            invocation.text_of(text, below(&target.lab_dir, file))
        })
    };
    let of = |data: &crate::spec::Data| {
        let pods = data.pods.iter();
        let each = pods.flat_map(|pod| [in_pod(pod, &data.save), in_pod(pod, &data.restore)]);
        let all = [&data.fingerprint, &data.save, &data.restore];
        let files: BTreeSet<&str> = all.into_iter().flat_map(Command::files).collect();
        DataUse {
            asks: data
                .pods
                .iter()
                .map(|pod| in_pod(pod, &data.fingerprint))
                .collect(),
            commands: each.collect(),
            files: files.into_iter().map(ToOwned::to_owned).collect(),
        }
    };
    lab.data.iter().map(of).collect()
}
