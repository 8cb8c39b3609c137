//! Sizes as authors write them: `64Mi`, `1Gi`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The units, the largest first.
const UNITS: [(&str, u64); 3] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

/// The largest size. Output up to such a limit goes to the student's disk.
const MOST: Size = Size(16 << 30);

/// A number of bytes, written as a whole number of `Ki`, `Mi` or `Gi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// Returns a size of `count` MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a size; write 512Ki, 64Mi or 1Gi");
        let mut units = UNITS.iter();
        let found = units.find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
        let (digits, unit) = found.ok_or_else(wrong)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let count: Option<u64> = digits.parse().ok().filter(|n| is_number && *n > 0);
        let bytes = count.and_then(|count| count.checked_mul(*unit));
        let size = bytes.map(Self).ok_or_else(wrong)?;
        if size > MOST {
            return Err(format!("`{text}` is more than {MOST}, which is the most"));
        }
        Ok(size)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = UNITS.iter();
        let whole = units.find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        match whole {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_of_a_unit() {
        for text in ["512Ki", "64Mi", "1Gi"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "Mi",
            "64",
            "64M",
            "0Mi",
            "+1Mi",
            "1.5Gi",
            "99999999999Gi",
            "17Gi",
        ] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
