//! The model of `lab.yaml`: labs and steps. Names are kebab-case, actions and assertions externally
//! tagged.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    StepId, Within,
    action::{Action, Undo},
    assertion::Assertion,
    data::Data,
    params::{Image, Param, When},
    request::Load,
    version::AtLeast,
};

/// A lab: an ordered list of declarative steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lab {
    /// The lab's id, such as `10.3`.
    pub lab: String,
    /// A short title.
    pub title: String,
    /// One paragraph: what a student can do afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// For whom the lab is.
    pub level: Level,
    /// How long a student should plan for it.
    pub time: Within,
    /// The namespace that the kubeconfig's context selects, and in which unqualified names are
    /// looked for.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// What has to be on the machine.
    #[serde(default)]
    pub needs: Needs,
    /// What can be chosen when an environment is made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Param>,
    /// Images the workloads use: fetched once, and imported into the nodes while the cluster boots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The data that the lab keeps in pods, for `reset` to put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Data>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

impl Lab {
    /// The position of the step `id`.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == *id)
    }
}

/// For whom a lab is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// No knowledge of Kubernetes is assumed.
    Beginner,
    /// Pods, Services and Deployments are known.
    Intermediate,
    /// Everyday work with clusters is assumed.
    Advanced,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Beginner => "beginner",
            Self::Intermediate => "intermediate",
            Self::Advanced => "advanced",
        })
    }
}

/// The least versions of the tools that a lab uses, and the memory it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Needs {
    /// kind, such as `>=0.27`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AtLeast>,
    /// kubectl, such as `>=1.31`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubectl: Option<AtLeast>,
    /// Helm, such as `>=4.0`; looked for if a step uses it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm: Option<AtLeast>,
    /// Memory that has to be available, such as `4Gi`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

/// One step: what it does, what must then be true, and what undoes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// Names the step on the command line and in the journal.
    pub id: StepId,
    /// One line: what happens.
    pub title: String,
    /// The values of parameters with which the step is there.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// Why this step, and what to look at (Markdown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teach: Option<String>,
    /// Hints, the most general first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The action.
    #[serde(rename = "do")]
    pub action: Action,
    /// What must hold before a fault is injected; if it does not, nothing is injected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steady: Vec<Assertion>,
    /// What holds while the step acts, from before it does until `expect` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<During>,
    /// What must be true afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// What is recorded once `expect` holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub record: BTreeMap<String, Record>,
    /// How a fault is taken back, unless that follows from the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// The later step at which the fault is taken back; until then its expectations last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<StepId>,
}

impl Step {
    /// The assertions of `expect`, none if there is no `expect`.
    #[must_use]
    pub fn assertions(&self) -> &[Assertion] {
        self.expect.as_ref().map_or(&[], |expect| &expect.all)
    }

    /// Whether it expects anything. Of a step that does not, all that is known is that it was done.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        !self.assertions().is_empty()
    }

    /// The assertions of `during`, none if there is no `during`.
    #[must_use]
    pub fn throughout(&self) -> &[Assertion] {
        self.during.as_ref().map_or(&[], |during| &during.all)
    }

    /// The requests that are sent while the step acts.
    #[must_use]
    pub fn load(&self) -> Option<&Load> {
        self.during.as_ref()?.load.as_ref()
    }

    /// Has what it asserts of a measurement name the step, where that is this one.
    pub(super) fn own_measurements(&mut self) {
        let all = self.expect.iter_mut().flat_map(|expect| &mut expect.all);
        for of in all.filter_map(Assertion::measured_mut) {
            of.get_or_insert_with(|| self.id.clone());
        }
    }

    /// How what it does is taken back, if it is a fault.
    #[must_use]
    pub fn taken_back_by(&self) -> Option<Undo> {
        match &self.action {
            Action::Toxic(toxic) => Some(Undo::RemoveToxic(toxic.placed())),
            _ => self.undo.clone(),
        }
    }

    /// Whether what it does is a fault that has to be taken back.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        self.taken_back_by().is_some_and(|undo| undo != Undo::None)
    }

    /// The later step that ends what this one expects, if one does.
    #[must_use]
    pub fn ends_at(&self) -> Option<&StepId> {
        let of_expect = self.expect.as_ref().and_then(|e| e.until.as_ref());
        of_expect.or(self.until.as_ref())
    }
}

/// Assertions with one deadline, all watched at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expect {
    /// How long they may take to hold; multiplied by `--timeout-scale`.
    pub within: Within,
    /// They are seen once and not checked again: a refused eviction, a rate during a load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// The later step that changes them on purpose; they are not checked from there on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<StepId>,
    /// The assertions.
    pub all: Vec<Assertion>,
}

/// What is true while a step acts, until what it expects holds: of a fault, or of a change that nobody
/// should notice. It holds before, too; afterwards it is not looked at again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct During {
    /// How long each may be interrupted at a time: the longest single interruption has to be
    /// shorter. No interruption is tolerated if this is absent. Multiplied by `--timeout-scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted_at_most: Option<Within>,
    /// The assertions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Assertion>,
    /// Requests that are sent meanwhile. `interrupted-at-most`, if given, is about them, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
}

/// What one `record` entry keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    /// A pod: its uid and node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// A claim: its uid, its volume and that volume's uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
}
