//! Linkerd's annotations about retries, parsed as its policy controller parses them. If it does not
//! understand one of them, it ignores them all, and says so only in its own log.

use std::collections::BTreeMap;

/// The annotation that names the answers after which a request is retried.
pub(super) const HTTP: &str = "retry.linkerd.io/http";
/// The annotation that limits the number of retries of a request.
pub(super) const LIMIT: &str = "retry.linkerd.io/limit";
/// The annotation for the time without an answer after which a request is retried.
pub(super) const TIMEOUT: &str = "retry.linkerd.io/timeout";

/// Returns the fault in the retry annotations of a Service; `None` if failed requests are retried.
pub(super) fn trouble(annotations: &BTreeMap<String, String>) -> Option<String> {
    let Some(http) = annotations.get(HTTP) else {
        return Some(format!("has no {HTTP}: no failed request is sent again"));
    };
    let ignored = |name: &str, value: &str, expected: &str| {
        format!(
            "has {name}: {value:?}, which Linkerd does not understand and ignores without a word, \
             with all else about retries: {expected}"
        )
    };
    if !http.split(',').all(is_condition) {
        let expected = "5xx, gateway-error, a status, a range such as 500-504, or several of them \
                        with commas and no spaces";
        return Some(ignored(HTTP, http, expected));
    }
    if let Some(limit) = annotations.get(LIMIT)
        && limit.parse::<u16>().is_err()
    {
        return Some(ignored(LIMIT, limit, "a number such as \"3\""));
    }
    if let Some(timeout) = annotations.get(TIMEOUT)
        && !is_duration(timeout)
    {
        return Some(ignored(TIMEOUT, timeout, "a time such as 300ms or 1s"));
    }
    None
}

/// Describes the annotations: the answers after which a request is retried, and the limit.
pub(super) fn shown(annotations: &BTreeMap<String, String>) -> String {
    let http = annotations.get(HTTP).map_or("", String::as_str);
    // Linkerd's own default.
    let limit = annotations.get(LIMIT).map_or("1", String::as_str);
    format!("{HTTP}: {http}, {limit} times at most")
}

fn is_condition(text: &str) -> bool {
    if text.eq_ignore_ascii_case("5xx") || text.eq_ignore_ascii_case("gateway-error") {
        return true;
    }
    let status = |text: &str| {
        let status = text.parse::<u32>().ok();
        status.filter(|status| (100..600).contains(status))
    };
    status(text).is_some()
        || text
            .split_once('-')
            .is_some_and(|(a, b)| matches!((status(a), status(b)), (Some(a), Some(b)) if a <= b))
}

fn is_duration(text: &str) -> bool {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit).unwrap_or_default();
    let is_number = number.parse::<u64>().is_ok();
    is_number && (["ms", "s", "m", "h", "d"].contains(&unit) || (unit.is_empty() && number == "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble_of(pairs: &[(&str, &str)]) -> Option<String> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        trouble(&pairs.collect())
    }

    #[test]
    fn what_linkerd_understands() {
        for http in [
            "5xx",
            "5XX",
            "gateway-error",
            "503",
            "500-504",
            "5xx,429",
            "429,500-504",
        ] {
            assert_eq!(trouble_of(&[(HTTP, http)]), None, "{http}");
        }
        let all = [(HTTP, "5xx"), (LIMIT, "3"), (TIMEOUT, "300ms")];
        assert_eq!(trouble_of(&all), None);
        assert_eq!(trouble_of(&[(HTTP, "5xx"), (TIMEOUT, "0")]), None);
    }

    #[test]
    fn what_linkerd_ignores_without_a_word() {
        for http in [
            "bogus", "5xx, 429", "", "600", "504-500", "5xx;429", "50x", "-500", "5xx,",
        ] {
            let trouble = trouble_of(&[(HTTP, http)]).unwrap();
            assert!(trouble.contains("ignores without a word"), "{http}");
        }
        for (name, value) in [
            (LIMIT, "three"),
            (LIMIT, "-1"),
            (LIMIT, "70000"),
            (LIMIT, " 3"),
            (TIMEOUT, "5"),
            (TIMEOUT, "1.5s"),
            (TIMEOUT, "1x"),
        ] {
            let trouble = trouble_of(&[(HTTP, "5xx"), (name, value)]).unwrap();
            assert!(trouble.contains(name), "{trouble}");
        }
        assert_eq!(
            trouble_of(&[(LIMIT, "3")]).unwrap(),
            "has no retry.linkerd.io/http: no failed request is sent again"
        );
    }
}
