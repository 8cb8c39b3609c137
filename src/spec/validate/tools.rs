//! Validation of a lab's tools and certificates, and of the steps that use them.

use super::{
    is_label, nearest,
    sources::{is_sha256, not_fetched},
};
use crate::spec::{
    Action, Assertion, Step, ToolName,
    mesh::MeshMtls,
    tool::{Certificates, Output, Tool, reserved},
};

/// The maximum number of words that ask for a version.
const MOST_WORDS: usize = 4;
/// The maximum validity in days: a hundred years.
const LONGEST: u32 = 36_500;

/// The tools and certificates of earlier steps.
#[derive(Debug, Default)]
pub(super) struct Brought<'a> {
    tools: Vec<&'a ToolName>,
    certificates: bool,
}

impl<'a> Brought<'a> {
    /// Adds the tool or certificates of `step`.
    pub(super) fn add(&mut self, step: &'a Step) {
        match &step.action {
            Action::Tool(tool) => self.tools.push(&tool.name),
            Action::Certificates(_) => self.certificates = true,
            _ => {}
        }
    }

    /// Validates `step` against earlier steps. Returns a message for each error.
    pub(super) fn faults(&self, step: &Step) -> Vec<String> {
        let mut faults = match &step.action {
            Action::Tool(tool) => of_tool(tool),
            Action::Certificates(wanted) => of_certificates(wanted),
            Action::Apply(apply) => apply
                .output
                .iter()
                .flat_map(|o| self.of_output(o))
                .collect(),
            _ => Vec::new(),
        };
        let asserted = step.assertions().iter().chain(step.throughout());
        for assertion in asserted.chain(&step.steady) {
            match assertion {
                Assertion::LinkerdCheck(_) => faults.extend(self.lacks(&ToolName::linkerd())),
                Assertion::MeshMtls(a) => {
                    faults.extend(of_mtls(a));
                    if a.by.is_none() {
                        faults.extend(self.lacks(&ToolName::linkerd()));
                    }
                }
                _ => {}
            }
        }
        faults
    }

    fn lacks(&self, name: &ToolName) -> Option<String> {
        let near = || nearest(name, self.tools.iter());
        let is_there = self.tools.contains(&name);
        (!is_there).then(|| format!("no earlier step brings a tool `{name}`{}", near()))
    }

    fn of_output(&self, output: &Output) -> Vec<String> {
        let mut faults: Vec<String> = self.lacks(&output.of).into_iter().collect();
        if output.arguments.is_empty() {
            faults.push("`output` has no `arguments`".to_owned());
        }
        if !output.certificates.is_empty() && !self.certificates {
            faults.push("no earlier step makes `certificates`".to_owned());
        }
        for option in output
            .certificates
            .keys()
            .filter(|option| !is_label(option))
        {
            faults.push(format!(
                "`{option}` is not the name of an option, without its `--`"
            ));
        }
        faults
    }
}

fn of_tool(tool: &Tool) -> Vec<String> {
    let mut faults = Vec::new();
    let name = &tool.name;
    faults.extend(reserved(name).map(|what| format!("`{name}` is {what}")));
    if tool.version_arguments.is_empty() || tool.version_arguments.len() > MOST_WORDS {
        faults.push(format!(
            "`version-arguments` are one word to {MOST_WORDS}, such as version and --client"
        ));
    }
    if tool.version.trim().is_empty() || tool.version.contains(char::is_whitespace) {
        faults.push("a tool needs a `version`, one word of what it answers".to_owned());
    }
    for (platform, download) in &tool.from {
        let parts: Vec<&str> = platform.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| is_label(part)) {
            faults.push(format!("`{platform}` is no platform, such as linux/amd64"));
        }
        faults.extend(not_fetched(&download.url));
        if !is_sha256(&download.sha256) {
            let hex = &download.sha256;
            faults.push(format!("`sha256: {hex}` has to be 64 digits from 0 to f"));
        }
    }
    faults
}

fn of_certificates(wanted: &Certificates) -> Vec<String> {
    let mut faults = Vec::new();
    for certificate in [&wanted.trust_anchor, &wanted.issuer] {
        let name = &certificate.name;
        if !name.split('.').all(is_label) {
            faults.push(format!("`name: {name}` is no DNS name"));
        }
        if !(1..=LONGEST).contains(&certificate.days) {
            faults.push(format!("`days` is from 1 to {LONGEST}"));
        }
    }
    if wanted.issuer.days > wanted.trust_anchor.days {
        faults.push("the `issuer` cannot be valid for longer than the `trust-anchor`".to_owned());
    }
    faults
}

fn of_mtls(a: &MeshMtls) -> Vec<String> {
    let mut faults = Vec::new();
    if a.from == a.to {
        faults.push(format!("`mesh-mtls`: {} does not call itself", a.from));
    }
    match &a.by {
        Some(url) if !url.starts_with("http://") => {
            faults.push(format!("`by: {url}` has to begin with http://"));
        }
        None if a.from.kind != a.to.kind => {
            let why = "Viz tells of workloads of one kind at a time";
            faults.push(format!("`mesh-mtls`: {why}: use `by`"));
        }
        _ => {}
    }
    faults
}
