//! Durations as authors write them: `90s`, `3m`, `1h30m`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The longest span, in seconds: nobody waits longer in a workshop.
const MOST: u64 = 24 * 3600;

/// A span of whole seconds, written `45s`, `3m` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Within(pub Duration);

impl Within {
    /// Returns a span of `seconds`.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a duration; write 45s, 3m or 1h30m");
        let mut seconds: u64 = 0;
        let mut digits = String::new();
        for c in text.chars() {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            let unit = match c {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                _ => return Err(wrong()),
            };
            let count: u64 = digits.parse().map_err(|_| wrong())?;
            digits.clear();
            seconds = count
                .checked_mul(unit)
                .and_then(|s| s.checked_add(seconds))
                .ok_or_else(wrong)?;
        }
        if seconds > MOST {
            return Err(format!("`{text}` is more than 24h, which is the most"));
        }
        // A bare number has no unit, and an empty text or a zero says nothing.
        if !digits.is_empty() || seconds == 0 {
            return Err(wrong());
        }
        Ok(Self::seconds(seconds))
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        let (h, m, s) = (total / 3600, total / 60 % 60, total % 60);
        match (h, m, s) {
            (0, 0, s) => write!(f, "{s}s"),
            (0, m, 0) => write!(f, "{m}m"),
            (0, m, s) => write!(f, "{m}m{s}s"),
            (h, 0, 0) => write!(f, "{h}h"),
            (h, m, 0) => write!(f, "{h}h{m}m"),
            (h, m, s) => write!(f, "{h}h{m}m{s}s"),
        }
    }
}

impl<'de> Deserialize<'de> for Within {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl Serialize for Within {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        for text in ["45s", "3m", "1m30s", "1h", "1h30m", "2h0m5s"] {
            let parsed: Within = text.parse().unwrap();
            assert_eq!(parsed.to_string().parse::<Within>().unwrap(), parsed);
        }
        assert_eq!("90s".parse::<Within>().unwrap(), Within::seconds(90));
    }

    #[test]
    fn a_number_without_unit_and_nothing_at_all_are_refused() {
        for text in ["", "60", "0s", "5x", "m", "99999999999999999999h"] {
            assert!(text.parse::<Within>().is_err(), "{text}");
        }
    }
}
