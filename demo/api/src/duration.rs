//! Durations as they are written on a command line.

use std::time::Duration;

/// Reads seconds, with a fraction if need be: `5`, `0.25`, `5s`, `250ms`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{text}` is no number of seconds (5, 0.25, 250ms)"))?;
    Duration::try_from_secs_f64(number * unit)
        .map_err(|_| format!("`{text}` is no duration that can be waited for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_with_and_without_unit() {
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        assert_eq!(seconds("0.25s"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("250ms"), Ok(Duration::from_millis(250)));
        assert!(seconds("-1").is_err());
        assert!(seconds("soon").is_err());
        assert!(seconds("inf").is_err());
    }
}
