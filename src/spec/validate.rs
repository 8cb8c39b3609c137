//! What is wrong with a lab beyond its form: references that lead nowhere. All faults at once, and
//! with every combination of the parameters' values.

mod params;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Assertion, Data, Lab, LabTree, Step, Undo,
    action::{DeletePod, Node, PortMapping},
    assertion::PvcReattached,
    model::Record,
    tree::LAB_FILE,
    yaml::{self, Fault},
};

/// What a lab may refer to outside of itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The names of the kind configurations.
    pub kind_templates: BTreeSet<String>,
}

/// Reads the lab of `tree` and checks it whole.
pub fn load(tree: &LabTree, known: &Known) -> Result<Lab, Vec<Fault>> {
    let lab = yaml::lab(tree).map_err(|fault| vec![fault])?;
    let faults = check(&lab, tree, known);
    if faults.is_empty() {
        Ok(lab)
    } else {
        Err(faults)
    }
}

/// All faults of `lab`, whose files are `tree`, in the order of its steps.
#[must_use]
pub fn check(lab: &Lab, tree: &LabTree, known: &Known) -> Vec<Fault> {
    let mut faults = params::faults(lab);
    faults.extend(params::with_each(lab, |lab| resolved(lab, tree, known)));
    faults
}

/// All faults of `lab`, whose steps all are there.
fn resolved(lab: &Lab, tree: &LabTree, known: &Known) -> Vec<Fault> {
    let mut checker = Checker {
        faults: Vec::new(),
        recorded: BTreeMap::new(),
    };
    if !is_lab_id(&lab.lab) {
        checker.fault(format!(
            "{LAB_FILE}: `lab: {}` has to be letters, digits, `.` and `-`, at most 40 of them",
            lab.lab
        ));
    }
    if lab.steps.is_empty() {
        checker.fault(format!("{LAB_FILE}: `steps` is empty"));
    }
    for data in &lab.data {
        checker.data(data);
    }
    let ids: Vec<&str> = lab.steps.iter().map(|step| step.id.as_str()).collect();
    for (index, step) in lab.steps.iter().enumerate() {
        checker.id(step, &ids[..index]);
        checker.action(index, step, tree, known);
        checker.references(step);
        checker.ends(step, &ids[..=index], &ids[index + 1..]);
        // A step's own facts are recorded once its expectations hold: known from the next step on.
        for (name, record) in &step.record {
            checker.recorded.insert(name, record);
        }
    }
    checker.faults
}

struct Checker<'a> {
    faults: Vec<Fault>,
    recorded: BTreeMap<&'a str, &'a Record>,
}

impl Checker<'_> {
    fn fault(&mut self, text: String) {
        self.faults.push(Fault { text });
    }

    fn of_step(&mut self, step: &Step, text: &str) {
        self.fault(format!("{LAB_FILE}: step `{}`: {text}", step.id));
    }

    fn data(&mut self, data: &Data) {
        let pods = data.pods.join(", ");
        let empty = [
            ("in", data.pods.is_empty()),
            ("fingerprint", data.fingerprint.trim().is_empty()),
            ("save", data.save.is_empty()),
            ("restore", data.restore.is_empty()),
        ];
        for (key, _) in empty.iter().filter(|(_, is_empty)| *is_empty) {
            self.fault(format!(
                "{LAB_FILE}: the data in `{pods}` has an empty `{key}`"
            ));
        }
    }

    fn id(&mut self, step: &Step, earlier: &[&str]) {
        if !is_name(&step.id) {
            self.of_step(step, "an id is lower-case letters, digits and `-`");
        }
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
                let faults = sources::of_helm(helm, tree);
                for text in &faults {
                    self.of_step(step, text);
                }
            }
            Action::Exec(exec) if exec.command.is_empty() => {
                self.of_step(step, "`exec` has an empty `command`");
            }
            Action::Drain(_) if step.undo.is_none() => self.of_step(
                step,
                "`drain` is a fault: say how it is taken back with `undo`",
            ),
            _ => {}
        }
    }

    fn ports(&mut self, step: &Step, ports: &[PortMapping]) {
        for (index, port) in ports.iter().enumerate() {
            let name = &port.name;
            let before = &ports[..index];
            if !is_name(name) {
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
        for (name, bytes) in files {
            let is_manifest = [".yaml", ".yml", ".json"].iter().any(|e| name.ends_with(e));
            let checked = match std::str::from_utf8(bytes) {
                Ok(text) if is_manifest => yaml::manifest(name, text),
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
            if let Assertion::PvcReattached(PvcReattached { since, .. }) = assertion {
                self.fact(step, since, Part::Both);
            }
        }
        if step.expect.as_ref().is_some_and(|e| e.all.is_empty()) {
            self.of_step(step, "`expect` has no assertion under `all`");
        }
        if step.during.is_some() && step.undo.is_none() {
            self.of_step(
                step,
                "`during` is about a fault: say how it is taken back with `undo`",
            );
        }
        if step.during.as_ref().is_some_and(|d| d.all.is_empty()) {
            self.of_step(step, "`during` has no assertion under `all`");
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

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Pod,
    Both,
}

/// What can become the name of an environment and, with kind's endings, of its nodes: those are
/// host names of at most 63 characters.
fn is_lab_id(id: &str) -> bool {
    id.len() <= 40 && is_name(&id.to_ascii_lowercase().replace('.', "-"))
}

/// A DNS label, which is what ids and names of environments have to be: they become parts of
/// cluster, node and file names (RFC 1123).
#[must_use]
pub fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// `; did you mean …?` with the known name nearest to `name`, or nothing if none is near.
pub fn nearest(name: &str, known: impl Iterator<Item = impl AsRef<str>>) -> String {
    let best = known
        .map(|k| (distance(name, k.as_ref()), k.as_ref().to_owned()))
        .min();
    match best {
        Some((d, k)) if d * 3 <= name.len() => format!("; did you mean `{k}`?"),
        _ => String::new(),
    }
}

/// Levenshtein's distance in characters.
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
mod tests {
    use super::*;

    fn faults(lab_yaml: &str) -> Vec<String> {
        let tree = LabTree {
            origin: "a test".into(),
            files: [
                (LAB_FILE.to_owned(), lab_yaml.as_bytes().to_vec()),
                (
                    "manifests/a.yaml".to_owned(),
                    b"apiVersion: v1\nkind: Pod\n".to_vec(),
                ),
            ]
            .into(),
        };
        let known = Known {
            kind_templates: ["three-workers".to_owned()].into(),
        };
        match load(&tree, &known) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|f| f.text).collect(),
        }
    }

    const HEAD: &str = "lab: t\ntitle: T\nlevel: beginner\ntime: 10m\nsteps:\n";

    #[test]
    fn a_sound_lab_has_no_faults() {
        let steps = "- {id: a, title: A, do: {kind-cluster: {template: three-workers}}}\n\
                     - {id: b, title: B, do: {apply: {path: manifests/a.yaml}}}\n";
        assert_eq!(faults(&format!("{HEAD}{steps}")), Vec::<String>::new());
    }

    #[test]
    fn every_dangling_reference_is_reported_at_once() {
        let steps = "- {id: a, title: A, do: {kind-cluster: {template: tree-workers}}, until: z}\n\
                     - {id: a, title: B, do: {apply: {path: manifests/b.yaml}}, until: a}\n\
                     - {id: c, title: C, do: {delete-pod: {name: p, since: before}}}\n\
                     - {id: d, title: D, do: {drain: {node-of: before}}}\n\
                     - {id: e, title: E, do: {apply: {path: ../x.yaml}}}\n";
        insta::assert_snapshot!(faults(&format!("{HEAD}{steps}")).join("\n"), @r"
        lab.yaml: step `a`: there is no kind template `tree-workers`; did you mean `three-workers`?
        lab.yaml: step `a`: there is no later step `z`
        lab.yaml: step `a`: another step has this id already
        lab.yaml: step `a`: there is no file `manifests/b.yaml`; did you mean `manifests/a.yaml`?
        lab.yaml: step `a`: `until: a` has to name a later step
        lab.yaml: step `c`: no earlier step records a fact `before`
        lab.yaml: step `d`: `drain` is a fault: say how it is taken back with `undo`
        lab.yaml: step `d`: no earlier step records a fact `before`
        lab.yaml: step `e`: `../x.yaml` leads out of the lab
        ");
    }

    #[test]
    fn parameters_and_what_depends_on_them_are_checked_with_every_combination() {
        let head = HEAD.replace(
            "steps:",
            "params:\n\
             \x20 ingress: {about: Which, choices: [nginx, traefik, nginx], default: ngin}\n\
             \x20 Size: {about: How large, choices: [], default: s}\n\
             \x20 wide: {about: How wide, choices: [a b, c], default: c}\n\
             images: [{image: a:1, when: {ingres: nginx}}]\n\
             steps:",
        );
        let steps = "- {id: a, title: A, do: observe, when: {ingress: [trafik]}}\n\
                     - {id: b, title: B, do: observe, when: {wide: []}}\n";
        insta::assert_snapshot!(faults(&format!("{head}{steps}")).join("\n"), @r"
        lab.yaml: parameter `Size`: a name is lower-case letters, digits and `-`
        lab.yaml: parameter `Size`: `choices` is empty
        lab.yaml: parameter `ingress`: `nginx` stands in `choices` twice
        lab.yaml: parameter `ingress`: its default `ngin` is none of its `choices`; did you mean `nginx`?
        lab.yaml: parameter `wide`: `a b` has to be letters, digits, `-`, `.` and `_`
        lab.yaml: step `a`: `when`: `ingress` is never `trafik`; did you mean `traefik`?
        lab.yaml: step `b`: `when` has no value for `wide`: it would never be there
        lab.yaml: image `a:1`: `when` names no parameter with `ingres`; did you mean `ingress`?
        lab.yaml: `steps` is empty
        ");
        let head = HEAD.replace(
            "steps:",
            "params:\n  ingress: {about: Which, choices: [nginx, traefik, gateway], default: nginx}\n\
             \x20 size: {about: How large, choices: [small, large], default: small}\nsteps:",
        );
        let steps = "- {id: a, title: A, do: observe, until: c}\n\
                     - {id: b, title: B, do: {apply: {path: manifests/b.yaml}}, when: {ingress: traefik, size: large}}\n\
                     - {id: c, title: C, do: observe, when: {ingress: [nginx, traefik]}}\n\
                     - {id: d, title: D, do: observe, until: z}\n\
                     - {id: e, title: E, do: observe, when: {ingress: nginx}}\n\
                     - {id: e, title: E, do: observe, when: {ingress: traefik}}\n";
        insta::assert_snapshot!(faults(&format!("{head}{steps}")).join("\n"), @r"
        lab.yaml: step `d`: there is no later step `z`
        lab.yaml: step `b`: there is no file `manifests/b.yaml`; did you mean `manifests/a.yaml`? (with ingress=traefik, size=large)
        lab.yaml: step `a`: there is no later step `c` (with ingress=gateway, size=small, and 1 more)
        ");
    }

    #[test]
    fn what_is_taken_from_elsewhere_is_pinned() {
        let steps = "- {id: a, title: A, do: {apply: {url: 'http://example.org/a.yaml'}}}\n\
                     - {id: b, title: B, do: {apply: {url: 'https://e.org/a', path: manifests/a.yaml}}}\n\
                     - {id: c, title: C, do: {apply: {path: manifests/a.yaml, sha256: 'ab'}}}\n\
                     - {id: d, title: D, do: {apply: {url: 'http://127.0.0.1.e.org/a', sha256: AB}}}\n\
                     - {id: e, title: E, do: {helm: {release: App, chart: 'oci://r.org/app:1'}}}\n\
                     - {id: f, title: F, do: {helm: {release: app, version: '>=1', digest: 'sha256:0', \
                     chart: {repository: 'http://r.org', name: app}}}}\n\
                     - {id: g, title: G, do: {helm: {release: app, chart: charts/app, version: 1.0.0, \
                     values: values/app.yaml}}}\n\
                     - {id: h, title: H, do: {helm: {release: app, chart: ../app, namespace: a/b}}}\n";
        insta::assert_snapshot!(faults(&format!("{HEAD}{steps}")).join("\n"), @r"
        lab.yaml: step `a`: `http://example.org/a.yaml` has to begin with https://
        lab.yaml: step `a`: `url` needs a `sha256`, which says what is there
        lab.yaml: step `b`: `apply` needs either a `path` or a `url`
        lab.yaml: step `c`: `sha256` is of a `url`: a file of the lab needs none
        lab.yaml: step `d`: `http://127.0.0.1.e.org/a` has to begin with https://
        lab.yaml: step `d`: `sha256: AB` has to be 64 digits from 0 to f
        lab.yaml: step `e`: `release: App` has to be lower-case letters, digits and `-`, at most 53 of them
        lab.yaml: step `e`: `chart: oci://r.org/app:1` has to be without tag and digest: write `version` and `digest`
        lab.yaml: step `e`: a chart from elsewhere needs a `version`
        lab.yaml: step `f`: `http://r.org` has to begin with https://
        lab.yaml: step `f`: `version: >=1` has to be one version, such as 1.2.3
        lab.yaml: step `f`: `digest: sha256:0` has to be sha256: and 64 digits from 0 to f
        lab.yaml: step `g`: there is no chart `charts/app`: no file `charts/app/Chart.yaml`
        lab.yaml: step `g`: `version` and `digest` are of a chart from elsewhere: `charts/app` is in the lab
        lab.yaml: step `g`: there is no file `values/app.yaml`
        lab.yaml: step `h`: `namespace: a/b` is no name of a namespace
        lab.yaml: step `h`: `../app` leads out of the lab
        lab.yaml: step `h`: there is no chart `../app`: no file `../app/Chart.yaml`
        ");
        let steps = format!(
            "- {{id: a, title: A, do: {{apply: {{url: 'https://e.org/a', sha256: {hex}, server-side: true}}}}}}\n\
             - {{id: b, title: B, do: {{apply: {{url: 'http://localhost:80/a', sha256: {hex}}}}}}}\n\
             - {{id: c, title: C, do: {{helm: {{release: app, chart: 'oci://r.org:5000/app', version: v1.0.0-rc.1, \
             digest: 'sha256:{hex}', set: {{a.b: [1, x]}}}}}}}}\n",
            hex = "0a".repeat(32),
        );
        assert_eq!(faults(&format!("{HEAD}{steps}")), [""; 0]);
    }

    #[test]
    fn what_holds_during_a_step_is_about_a_fault_and_refers_to_what_is_recorded() {
        let steps = "- {id: a, title: A, do: observe, during: {all: [{nodes-ready: {count: 1}}]}}\n\
                     - {id: b, title: B, do: observe, undo: none, during: {all: []}}\n\
                     - {id: c, title: C, do: observe, undo: none, during: {interrupted-at-most: 5s, all: \
                     [{pvc-reattached: {pod: p, since: before}}]}}\n\
                     - {id: d, title: D, do: observe, undo: none, during: {interrupted-at-most: 5s, all: \
                     [{nodes-ready: {count: 1}}]}}\n";
        insta::assert_snapshot!(faults(&format!("{HEAD}{steps}")).join("\n"), @r"
        lab.yaml: step `a`: `during` is about a fault: say how it is taken back with `undo`
        lab.yaml: step `b`: `during` has no assertion under `all`
        lab.yaml: step `c`: no earlier step records a fact `before`
        ");
    }

    #[test]
    fn an_unknown_key_is_shown_where_it_stands() {
        let steps = "- {id: a, title: A, do: observe, expects: {}}\n";
        let text = faults(&format!("{HEAD}{steps}")).join("\n");
        assert!(text.starts_with("lab.yaml:6:"), "{text}");
        assert!(text.contains("expects"), "{text}");
    }

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let known = ["three-workers", "single"];
        assert_eq!(
            nearest("tree-workers", known.iter()),
            "; did you mean `three-workers`?"
        );
        assert_eq!(nearest("postgres", known.iter()), "");
    }
}
