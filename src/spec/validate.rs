//! Validation of a lab beyond its form, for instance of references that lead nowhere. It reports
//! all errors at once, for every combination of the parameters' values.

mod measured;
mod params;
mod sources;
mod tools;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Assertion, Lab, LabTree, Step, Undo,
    action::{DeletePod, Node, PortMapping},
    assertion::{
        EndpointsReady, ObjectMatch, ObjectRef, PvcReattached, RolloutComplete, SpreadOverNodes,
    },
    helm::{Chart, Helm},
    model::{During, Record},
    name::{OF_THE_CLUSTER, is_label},
    tree::LAB_FILE,
    yaml::{self, Fault},
};
use tools::Brought;

/// The maximum number of steps. labctl examines each before it asks whether the lab may run.
const MOST_STEPS: usize = 200;

/// Names outside of the lab that it may refer to.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The names of kind configurations.
    pub kind_templates: BTreeSet<String>,
    /// The names of image sources that labctl ships.
    pub image_sources: BTreeSet<String>,
}

/// Reads the lab of `tree` and validates it.
pub fn load(tree: &LabTree, known: &Known) -> Result<Lab, Vec<Fault>> {
    let lab = yaml::lab(tree)?;
    let faults = check(&lab, tree, known);
    if faults.is_empty() {
        Ok(lab)
    } else {
        Err(faults)
    }
}

/// Validates `lab` with the files of `tree`. Returns all errors in the order of its steps.
#[must_use]
pub fn check(lab: &Lab, tree: &LabTree, known: &Known) -> Vec<Fault> {
    let mut faults = params::faults(lab);
    faults.extend(params::with_each(lab, |lab| resolved(lab, tree, known)));
    faults
}

/// Validates `lab` after its parameters are resolved.
fn resolved(lab: &Lab, tree: &LabTree, known: &Known) -> Vec<Fault> {
    let mut checker = Checker {
        faults: Vec::new(),
        recorded: BTreeMap::new(),
        ports: ports(lab),
        brought: Brought::default(),
    };
    if !is_lab_id(&lab.lab) {
        checker.fault(format!(
            "{LAB_FILE}: `lab: {}` has to be letters, digits, `.` and `-`, at most 40 of them",
            lab.lab
        ));
    }
    if !is_label(&lab.namespace) {
        let name = lab.namespace.escape_debug();
        checker.fault(format!(
            "{LAB_FILE}: `namespace: {name}` is no name of a namespace"
        ));
    }
    if OF_THE_CLUSTER.contains(&lab.namespace.as_str()) {
        checker.fault(format!(
            "{LAB_FILE}: `namespace: {}` is the cluster's own",
            lab.namespace
        ));
    }
    if lab.steps.is_empty() {
        checker.fault(format!("{LAB_FILE}: `steps` is empty"));
    }
    if lab.steps.len() > MOST_STEPS {
        let has = lab.steps.len();
        checker.fault(format!(
            "{LAB_FILE}: {has} steps are more than the {MOST_STEPS} that a lab may have"
        ));
        return checker.faults;
    }
    for data in &lab.data {
        for fault in data.faults(tree) {
            checker.fault(fault);
        }
    }
    for image in &lab.images {
        for fault in sources::of_image(image, tree, known) {
            checker.fault(format!("{LAB_FILE}: image `{}`: {fault}", image.name));
        }
    }
    let ids: Vec<&str> = lab.steps.iter().map(|step| step.id.as_str()).collect();
    for (index, step) in lab.steps.iter().enumerate() {
        checker.id(step, &ids[..index]);
        checker.action(index, step, tree, known);
        checker.references(step);
        let brought = checker.brought.faults(step).into_iter();
        for fault in brought.chain(measured::faults(lab, step)) {
            checker.of_step(step, &fault);
        }
        checker.ends(step, &ids[..=index], &ids[index + 1..]);
        // The facts of a step are recorded once its expectations hold: they are known from the next
        // step on.
        for (name, record) in &step.record {
            checker.recorded.insert(name, record);
        }
        checker.brought.add(step);
    }
    checker.faults
}

struct Checker<'a> {
    faults: Vec<Fault>,
    recorded: BTreeMap<&'a str, &'a Record>,
    /// The names of the ports that lead into the cluster.
    ports: Vec<String>,
    brought: Brought<'a>,
}

fn ports(lab: &Lab) -> Vec<String> {
    let of = |step: &Step| match &step.action {
        Action::KindCluster(cluster) => cluster.ports.clone(),
        _ => Vec::new(),
    };
    let ports = lab.steps.iter().flat_map(of);
    ports.map(|port| port.name).collect()
}

impl Checker<'_> {
    fn fault(&mut self, text: String) {
        self.faults.push(Fault { text });
    }

    fn of_step(&mut self, step: &Step, text: &str) {
        self.fault(format!("{LAB_FILE}: step `{}`: {text}", step.id));
    }

    fn id(&mut self, step: &Step, earlier: &[&str]) {
        if earlier.contains(&step.id.as_str()) {
            self.of_step(step, "another step has this id already");
        }
    }

    fn action(&mut self, index: usize, step: &Step, tree: &LabTree, known: &Known) {
        match &step.action {
            Action::KindCluster(cluster) => {
                if index != 0 {
                    self.of_step(step, "`kind-cluster` has to be the first step");
                }
                self.ports(step, &cluster.ports);
                if !known.kind_templates.contains(&cluster.template) {
                    let near = nearest(&cluster.template, known.kind_templates.iter());
                    self.of_step(
                        step,
                        &format!("there is no kind template `{}`{near}", cluster.template),
                    );
                }
            }
            Action::Apply(apply) => {
                let faults = sources::of_apply(apply);
                for text in &faults {
                    self.of_step(step, text);
                }
                if let (Some(path), None) = (&apply.path, &apply.url) {
                    self.manifests(step, path, tree);
                }
            }
            Action::Helm(helm) => {
                self.read_by_helm(helm, tree);
                let faults = sources::of_helm(helm, tree);
                for text in &faults {
                    self.of_step(step, text);
                }
            }
            Action::Exec(exec) => {
                if exec.command.is_empty() {
                    self.of_step(step, "`exec` has an empty `command`");
                }
                self.pod(step, &exec.pod);
                if let Some(container) = exec.container.as_ref().filter(|name| !is_label(name)) {
                    let container = container.escape_debug();
                    self.of_step(step, &format!("`{container}` is no name of a container"));
                }
            }
            Action::DeletePod(delete) => self.pod(step, &delete.name),
            Action::Annotate(annotate) => {
                for fault in sources::of_annotate(annotate) {
                    self.of_step(step, &fault);
                }
            }
            Action::RolloutRestart(restart) if restart.of.is_empty() => {
                self.of_step(step, "`rollout-restart` has no workload under `of`");
            }
            Action::Drain(_) if step.undo.is_none() => self.of_step(
                step,
                "`drain` is a fault: say how it is taken back with `undo`",
            ),
            _ => {}
        }
    }

    /// Checks that Helm reads the chart's values and CRDs as labctl shows them.
    fn read_by_helm(&mut self, helm: &Helm, tree: &LabTree) {
        let values = helm.values.iter().filter_map(|path| {
            let text = tree.text(path)?;
            yaml::read_alike(path, text).err()
        });
        let crds = match &helm.chart {
            Chart::Directory(dir) => format!("{}/crds", dir.trim_end_matches('/')),
            _ => String::new(),
        };
        let crds = tree.under(&crds).filter(|_| !crds.is_empty());
        let crds = crds.filter_map(|(name, bytes)| match std::str::from_utf8(bytes) {
            Ok(text) => yaml::manifest(name, text).err(),
            Err(_) => Some(Fault::new(format!("{name} is not UTF-8"))),
        });
        self.faults.extend(values.chain(crds));
    }

    fn pod(&mut self, step: &Step, name: &str) {
        if !is_pod(name) {
            let name = name.escape_debug();
            self.of_step(step, &format!("`{name}` is no name of a pod"));
        }
    }

    fn ports(&mut self, step: &Step, ports: &[PortMapping]) {
        for (index, port) in ports.iter().enumerate() {
            let name = &port.name;
            let before = &ports[..index];
            if !is_label(name) {
                self.of_step(step, "a port's name is lower-case letters, digits and `-`");
            }
            if before.iter().any(|other| other.name == *name) {
                self.of_step(step, &format!("two ports are called `{name}`"));
            }
            if port.host == 0 || port.node == 0 {
                self.of_step(step, &format!("the port `{name}` cannot be 0"));
            }
            if before.iter().any(|other| other.node == port.node) {
                self.of_step(
                    step,
                    &format!("two ports lead to port {} of the node", port.node),
                );
            }
        }
    }

    fn manifests(&mut self, step: &Step, path: &str, tree: &LabTree) {
        if let Some(fault) = sources::leads_out(path) {
            return self.of_step(step, &fault);
        }
        let mut files = tree.under(path).peekable();
        if files.peek().is_none() {
            let near = nearest(path, tree.files.keys());
            return self.of_step(step, &format!("there is no file `{path}`{near}"));
        }
        if tree.files.contains_key(path) && !is_manifest(path) {
            let why = "kubectl applies it, and a manifest's name ends in .yaml, .yml or .json";
            self.of_step(step, &format!("`{path}`: {why}"));
        }
        for (name, bytes) in files {
            let checked = match std::str::from_utf8(bytes) {
                Ok(text) if is_manifest(name) => yaml::manifest(name, text),
                Ok(_) => Ok(()),
                Err(_) => Err(Fault::new(format!("{name} is not UTF-8"))),
            };
            if let Err(fault) = checked {
                self.faults.push(fault);
            }
        }
    }

    fn references(&mut self, step: &Step) {
        match &step.action {
            Action::DeletePod(DeletePod { since, .. }) => self.fact(step, since, Part::Pod),
            Action::Drain(node) | Action::Uncordon(node) => self.node(step, node),
            _ => {}
        }
        if let Some(Undo::Uncordon(node)) = &step.undo {
            self.node(step, node);
        }
        let asserted = step.assertions().iter().chain(step.throughout());
        for assertion in asserted.chain(&step.steady) {
            match assertion {
                Assertion::PvcReattached(PvcReattached { since, .. }) => {
                    self.fact(step, since, Part::Both);
                }
                Assertion::EndpointsReady(EndpointsReady { at_least: 0, .. })
                | Assertion::SpreadOverNodes(SpreadOverNodes { nodes: 0, .. }) => {
                    self.of_step(
                        step,
                        &format!("`{assertion}` asks for none: that always holds"),
                    );
                }
                Assertion::RolloutComplete(RolloutComplete {
                    namespace: Some(name),
                    ..
                }) if !is_label(name) => {
                    self.of_step(
                        step,
                        &format!("`namespace: {name}` is no name of a namespace"),
                    );
                }
                Assertion::Object(ObjectMatch { name, .. })
                | Assertion::Absent(ObjectRef { name, .. })
                    if !is_object(name) =>
                {
                    let name = name.escape_debug();
                    self.of_step(step, &format!("no object can have the name `{name}`"));
                }
                Assertion::Http(http) => {
                    for fault in http.faults(&self.ports) {
                        self.of_step(step, &fault);
                    }
                }
                _ => {}
            }
        }
        if step.expect.as_ref().is_some_and(|e| e.all.is_empty()) {
            self.of_step(step, "`expect` has no assertion under `all`");
        }
        for fault in step.load().map_or_else(Vec::new, |l| l.faults(&self.ports)) {
            self.of_step(step, &fault);
        }
        if step.during.is_some() && step.undo.is_none() && step.action == Action::Observe {
            self.of_step(
                step,
                "`during` is about what a step does, and `observe` does nothing",
            );
        }
        let is_empty = |d: &During| d.all.is_empty() && d.load.is_none();
        if step.during.as_ref().is_some_and(is_empty) {
            self.of_step(
                step,
                "`during` has neither an assertion under `all` nor a `load`",
            );
        }
        if !step.record.is_empty() && step.assertions().is_empty() {
            self.of_step(step, "`record` needs an `expect` that says when to record");
        }
    }

    fn node(&mut self, step: &Step, node: &Node) {
        match node {
            Node::NodeOf(fact) => self.fact(step, fact, Part::Pod),
            Node::Worker(0) => self.of_step(step, "workers are counted from 1 on"),
            Node::Worker(_) => {}
        }
    }

    fn fact(&mut self, step: &Step, name: &str, part: Part) {
        let Some(record) = self.recorded.get(name) else {
            let near = nearest(name, self.recorded.keys());
            return self.of_step(
                step,
                &format!("no earlier step records a fact `{name}`{near}"),
            );
        };
        let lacks_claim = part == Part::Both && record.claim.is_none();
        if record.pod.is_none() || lacks_claim {
            let wanted = if record.pod.is_none() { "pod" } else { "claim" };
            self.of_step(step, &format!("the fact `{name}` records no {wanted}"));
        }
    }

    fn ends(&mut self, step: &Step, so_far: &[&str], later: &[&str]) {
        let of_expect = step.expect.as_ref().and_then(|e| e.until.as_ref());
        for end in [step.until.as_ref(), of_expect].into_iter().flatten() {
            if so_far.contains(&end.as_str()) {
                self.of_step(step, &format!("`until: {end}` has to name a later step"));
            } else if !later.contains(&end.as_str()) {
                let near = nearest(end, later.iter());
                self.of_step(step, &format!("there is no later step `{end}`{near}"));
            }
        }
    }
}

/// Tests whether kubectl takes a file of a directory for a manifest.
fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|e| name.ends_with(e))
}

/// Tests whether `name` can be a Pod's name (RFC 1123). Such a name is never an option and never
/// leads to another path.
fn is_pod(name: &str) -> bool {
    name.split('.').all(is_label)
}

/// Tests whether an object of some kind can have this name: it is a single part of a path and never
/// an option. Some kinds allow more characters than others: `system:node` is a cluster role.
fn is_object(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.:_".contains(c);
    !name.is_empty()
        && name.len() <= 253
        && name.chars().all(is_plain)
        && !name.starts_with(['-', '.'])
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Pod,
    Both,
}

/// Tests whether `id` can be part of the name of an environment and, with kind's suffixes, of its
/// nodes. Their names are host names of at most 63 characters.
fn is_lab_id(id: &str) -> bool {
    id.len() <= 40 && is_label(&id.to_ascii_lowercase().replace('.', "-"))
}

/// Returns `; did you mean …?` with the known name nearest to `name`, or nothing if none is near.
pub fn nearest(name: &str, known: impl Iterator<Item = impl AsRef<str>>) -> String {
    // Nobody mistypes longer names, and comparing takes time proportional to the product of both
    // lengths.
    let is_short = |text: &str| text.len() <= 100;
    let best = known
        .filter(|k| is_short(name) && is_short(k.as_ref()))
        .map(|k| (distance(name, k.as_ref()), k.as_ref().to_owned()))
        .min();
    match best {
        Some((d, k)) if d * 3 <= name.len() => format!("; did you mean `{k}`?"),
        _ => String::new(),
    }
}

/// Returns the Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
