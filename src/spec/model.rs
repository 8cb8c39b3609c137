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
    /// One paragraph that says what a student can do afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The readers for whom the lab is written.
    pub level: Level,
    /// The time that a student should plan for it.
    pub time: Within,
    /// The namespace that the kubeconfig's context selects. Names without a namespace are in it.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The requirements on the machine.
    #[serde(default)]
    pub needs: Needs,
    /// The choices to make when an environment is created.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Param>,
    /// Images that the workloads use. labctl fetches them once and imports them into the nodes
    /// while the cluster boots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The data that the lab keeps in Pods, for `reset` to restore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Data>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

impl Lab {
    /// Returns the position of the step `id`.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == *id)
    }
}

/// The previous knowledge that a lab assumes.
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

/// The minimum versions of the tools that a lab uses, and the memory that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Needs {
    /// kind's version, such as `>=0.27`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AtLeast>,
    /// kubectl's version, such as `>=1.31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubectl: Option<AtLeast>,
    /// Helm's version, such as `>=4.0`; checked if a step uses Helm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm: Option<AtLeast>,
    /// The memory that must be available, such as `4Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

/// A step: its action, the assertions that must then hold, and the way to heal its fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// The id that names the step on the command line and in the journal.
    pub id: StepId,
    /// One line that says what happens.
    pub title: String,
    /// The values of parameters with which the lab has this step.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// The reason for this step, and what to look at (Markdown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teach: Option<String>,
    /// Hints, the most general first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The action.
    #[serde(rename = "do")]
    pub action: Action,
    /// Assertions that must hold before a fault is injected; if one does not, nothing is injected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steady: Vec<Assertion>,
    /// Assertions and traffic from before the step acts until `expect` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<During>,
    /// Assertions that must hold after the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// Facts that are recorded once `expect` holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub record: BTreeMap<String, Record>,
    /// The way to heal the step's fault, unless it follows from the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// The later step at which the fault is healed. The step's expectations last until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<StepId>,
}

impl Step {
    /// Returns the assertions of `expect`, or none if there is no `expect`.
    #[must_use]
    pub fn assertions(&self) -> &[Assertion] {
        self.expect.as_ref().map_or(&[], |expect| &expect.all)
    }

    /// Tests whether the step expects anything. Of any other step labctl knows only that it was
    /// done.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        !self.assertions().is_empty()
    }

    /// Returns the assertions of `during`, or none if there is no `during`.
    #[must_use]
    pub fn throughout(&self) -> &[Assertion] {
        self.during.as_ref().map_or(&[], |during| &during.all)
    }

    /// Returns the traffic of the step, if it has any.
    #[must_use]
    pub fn load(&self) -> Option<&Load> {
        self.during.as_ref()?.load.as_ref()
    }

    /// Sets the step of each assertion about a measurement to this step, unless it names another
    /// one.
    pub(super) fn own_measurements(&mut self) {
        let all = self.expect.iter_mut().flat_map(|expect| &mut expect.all);
        for of in all.filter_map(Assertion::measured_mut) {
            of.get_or_insert_with(|| self.id.clone());
        }
    }

    /// Returns the way to heal the step's fault, if the step is a fault.
    #[must_use]
    pub fn taken_back_by(&self) -> Option<Undo> {
        match &self.action {
            Action::Toxic(toxic) => Some(Undo::RemoveToxic(toxic.placed())),
            _ => self.undo.clone(),
        }
    }

    /// Tests whether the step injects a fault that has to be healed.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        self.taken_back_by().is_some_and(|undo| undo != Undo::None)
    }

    /// Returns the later step that ends this step's expectations, if one does.
    #[must_use]
    pub fn ends_at(&self) -> Option<&StepId> {
        let of_expect = self.expect.as_ref().and_then(|e| e.until.as_ref());
        of_expect.or(self.until.as_ref())
    }
}

/// Assertions with one deadline, all observed at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expect {
    /// The time until the assertions must hold; multiplied by `--timeout-scale`.
    pub within: Within,
    /// True if the assertions are evaluated once and not again, such as a refused eviction or a
    /// rate during a load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// The later step that changes the asserted state on purpose; the assertions are not checked
    /// from there on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<StepId>,
    /// The assertions.
    pub all: Vec<Assertion>,
}

/// Assertions and traffic while a step acts, until its expectations hold: for a fault, or for a
/// change that nobody should notice. The assertions must hold before the step acts, too. They are
/// not checked afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct During {
    /// The longest tolerated interruption of each assertion: every single interruption has to be
    /// shorter. No interruption is tolerated if this is absent. Multiplied by `--timeout-scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted_at_most: Option<Within>,
    /// The assertions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Assertion>,
    /// Traffic during the step. `interrupted-at-most`, if given, applies to it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
}

/// An entry of `record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    /// A Pod: its uid and node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// A claim: its uid, its volume and that volume's uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
}
