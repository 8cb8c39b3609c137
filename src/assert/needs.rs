//! What assertions have to see before they can be told: which objects, which answers.
//!
//! Pure. [`Needs::of`] names the kinds to watch; [`probes`] names what to ask, which can depend on
//! what was seen already (from which pod a DNS name is asked for).

use std::collections::BTreeSet;

use super::{Observed, Scope};
use crate::spec::Assertion;

/// The objects that a set of assertions looks at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// One watch each.
    pub scopes: BTreeSet<Scope>,
}

/// A question that no watch answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// Run a command in a pod.
    Exec {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// Ask, as a dry run, for a pod's eviction.
    Evict {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
    },
}

impl Needs {
    /// What `assertions` look at in `namespace`.
    #[must_use]
    pub fn of(assertions: &[Assertion], namespace: &str) -> Self {
        let _ = (assertions, namespace);
        Self::default()
    }
}

/// What has to be asked for `assertions` in `namespace`, given what was seen so far.
#[must_use]
pub fn probes(assertions: &[Assertion], namespace: &str, observed: &Observed) -> BTreeSet<Probe> {
    let _ = (assertions, namespace, observed);
    BTreeSet::new()
}
