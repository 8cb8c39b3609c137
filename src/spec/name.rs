//! Names that become parts of paths, of host names and of command lines. Each is a type of its own,
//! read once; a path is made from nothing else.

use serde::{Deserialize, Serialize};

/// The most characters of a DNS label (RFC 1123).
const LONGEST: usize = 63;

/// The namespaces of the cluster itself, with what kind puts beside them: no lab's own is one of them.
pub const OF_THE_CLUSTER: [&str; 4] = [
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "local-path-storage",
];

/// Whether `text` is a DNS label: lower-case letters, digits and `-`, at most 63 of them, with `-`
/// inside only (RFC 1123). Of file names, host names and arguments it means the same in each.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= LONGEST
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {why}", text.escape_debug())]
pub struct NameError {
    /// The text.
    pub text: String,
    /// What it cannot be, and what it has to be.
    pub why: &'static str,
}

/// Gives `$type`, which holds a text that `$parse` accepted, what a name needs.
macro_rules! is_a_name {
    ($type:ident) => {
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                match Self::fault(&text) {
                    None => Ok(Self(text)),
                    Some(why) => Err(NameError { text, why }),
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                text.to_owned().try_into()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        /// For tests, which write names that are right.
        #[cfg(any(test, feature = "test-fakes"))]
        #[allow(clippy::expect_used, reason = "tests")]
        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                text.parse().expect("a name")
            }
        }

        impl std::ops::Deref for $type {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}
pub(super) use is_a_name;

/// Declares a name that is a DNS label.
macro_rules! label {
    ($(#[$doc:meta])* $type:ident, $why:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            fn fault(text: &str) -> Option<&'static str> {
                (!is_label(text)).then_some(concat!(
                    $why,
                    ": use lower-case letters, digits and `-`, at most 63 of them"
                ))
            }
        }

        is_a_name!($type);
    };
}

label!(
    /// The id of a step, unique within its lab.
    StepId,
    "cannot be the id of a step"
);
label!(
    /// The name of a program that a lab brings.
    ToolName,
    "cannot name a tool"
);
label!(
    /// The name of an environment, which is its cluster's and its directory's, too.
    EnvironmentName,
    "cannot name an environment"
);

impl StepId {
    /// The id under which a cluster is reported whose lab cannot be read.
    #[must_use]
    pub fn of_cluster() -> Self {
        Self("cluster".to_owned())
    }
}

impl ToolName {
    /// The tool that assertions about a mesh ask.
    #[must_use]
    pub fn linkerd() -> Self {
        Self("linkerd".to_owned())
    }
}

impl EnvironmentName {
    /// The name that the environment of the lab `id` has if none is given: `lab-10-3`.
    #[must_use]
    pub fn of_lab(id: &str) -> Self {
        let plain = |c: char| {
            let c = c.to_ascii_lowercase();
            let is_plain = c.is_ascii_lowercase() || c.is_ascii_digit();
            if is_plain { c } else { '-' }
        };
        let id: String = id.chars().map(plain).collect();
        let mut name = format!("lab-{id}");
        name.truncate(LONGEST);
        Self(name.trim_end_matches('-').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_NAMES: [&str; 12] = [
        "", ".", "..", "../x", "/x", "a/b", "A", "a.b", "-a", "a-", "a b", "a\n",
    ];

    #[test]
    fn what_could_mean_another_file_or_an_option_is_no_name() {
        for text in NO_NAMES {
            assert!(text.parse::<StepId>().is_err(), "{text:?}");
            assert!(text.parse::<ToolName>().is_err(), "{text:?}");
            let json = serde_json::json!(text);
            assert!(serde_json::from_value::<EnvironmentName>(json).is_err());
        }
        let error = "../\u{202e}x".parse::<StepId>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`../\\u{202e}x` cannot be the id of a step: use lower-case letters, digits and `-`, at \
             most 63 of them"
        );
    }

    #[test]
    fn a_labs_environment_has_a_name_whatever_the_lab_is_called() {
        assert_eq!(EnvironmentName::of_lab("10.3"), "lab-10-3");
        let long = "x".repeat(100);
        for id in ["", "..", "../../x", "A b", "ü", "a-", long.as_str()] {
            let name = EnvironmentName::of_lab(id);
            assert!(is_label(&name), "{id}: {name}");
        }
    }
}
