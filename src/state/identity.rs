//! The random id of an environment, which proves that something at the engine is its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::StateError;

/// The number of random bytes of an id.
const BYTES: usize = 16;
/// The number of digits in names that people read.
const SHORT: usize = 12;

/// An environment's id: 128 random bits as lower-case hexadecimal digits. It is recorded before
/// anything of the environment is created, and everything created at the engine carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Identity(String);

impl Identity {
    /// Creates a new id, which no other environment has.
    pub fn random() -> Result<Self, StateError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| StateError::File {
            what: "get random bytes from",
            path: "the system".into(),
            source: error.into(),
        })?;
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        Ok(Self(digits.collect()))
    }

    /// Returns all digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first digits, which are part of names at the engine.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..SHORT]
    }
}

impl TryFrom<String> for Identity {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 2 * BYTES && text.bytes().all(is_digit) {
            Ok(Self(text))
        } else {
            Err(format!("`{}` is no id", text.escape_debug()))
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_is_read_as_it_was_written() {
        let (one, other) = (Identity::random().unwrap(), Identity::random().unwrap());
        assert_ne!(one, other);
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), one);
        assert!(one.as_str().starts_with(one.short()));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let digits = "0123456789abcdef0123456789abcdef";
        assert!(Identity::try_from(digits.to_owned()).is_ok());
        for wrong in [
            "",
            "0123",
            &digits.to_uppercase(),
            &format!("{}/", &digits[1..]),
        ] {
            assert!(Identity::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
