//! Names that become parts of paths, host names and command lines. Each kind is a type of its own
//! that is checked once, and paths are made from such names only.

use serde::{Deserialize, Serialize};

/// The maximum length of a DNS label (RFC 1123).
const LONGEST: usize = 63;

/// Namespaces of the cluster itself, including kind's. A lab's own namespace cannot be one of them.
pub const OF_THE_CLUSTER: [&str; 4] = [
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "local-path-storage",
];

/// Tests whether `text` is a DNS label (RFC 1123): lower-case letters, digits and `-`, at most 63
/// of them, with `-` inside only. Such a text is safe as a file name, a host name and an argument.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= LONGEST
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The reason why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {why}", text.escape_debug())]
pub struct NameError {
    /// The rejected text.
    pub text: String,
    /// The reason, with the rules for the name.
    pub why: &'static str,
}

/// Implements the traits of a name for `$type`, a newtype whose method `fault` validates the text.
macro_rules! is_a_name {
    ($type:ident) => {
        impl $type {
            /// Returns the name as text.
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

        /// For tests only: panics if the text is not a name.
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

/// Declares a type for names that are DNS labels.
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
    /// The name of an environment; its cluster and its directory have the same one.
    EnvironmentName,
    "cannot name an environment"
);

impl StepId {
    /// Returns the id that reports use for the cluster step of a lab that cannot be read.
    #[must_use]
    pub fn of_cluster() -> Self {
        Self("cluster".to_owned())
    }
}

impl ToolName {
    /// Returns the tool that assertions about a mesh run.
    #[must_use]
    pub fn linkerd() -> Self {
        Self("linkerd".to_owned())
    }
}

impl EnvironmentName {
    /// Returns the default environment name for the lab `id`: `lab-10-3`.
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
