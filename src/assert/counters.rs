//! The counters of a Linkerd proxy, parsed from its metrics in the text format of Prometheus.

use crate::spec::{client_load::ServicePort, measurement::Counters};

const EFFECTIVE: &str = "outbound_http_route_request_statuses_total";
const ACTUAL: &str = "outbound_http_route_backend_response_statuses_total";
const RETRIES: &str = "outbound_http_route_retry_requests_total";
const RETRY_SUCCESSES: &str = "outbound_http_route_retry_successes_total";
const GIVEN_UP: &str = "outbound_http_route_retry_limit_exceeded_total";
const OVERFLOW: &str = "outbound_http_route_retry_overflow_total";

/// Returns the counts of `metrics` for requests to `service`. A counter that is missing is 0: a
/// proxy prints a counter only from the first request on.
#[must_use]
pub fn of_service(metrics: &str, service: &ServicePort) -> Counters {
    let mut counters = Counters::default();
    let port = service.port.to_string();
    for sample in metrics.lines().filter_map(sample) {
        let is = |label: &str, value: &str| sample.label(label).as_deref() == Some(value);
        let is_of_service = is("parent_kind", "Service")
            && is("parent_name", &service.name)
            && is("parent_namespace", &service.namespace)
            && is("parent_port", &port);
        if !is_of_service {
            continue;
        }
        let answers = match sample.name {
            EFFECTIVE => &mut counters.effective,
            ACTUAL => &mut counters.actual,
            name => {
                let counter = match name {
                    RETRIES => &mut counters.retries,
                    RETRY_SUCCESSES => &mut counters.retry_successes,
                    GIVEN_UP => &mut counters.given_up,
                    OVERFLOW => &mut counters.overflow,
                    _ => continue,
                };
                *counter += sample.value;
                continue;
            }
        };
        // A stream that broke off after its headers has both a status and an error.
        let status = sample.label("http_status").unwrap_or_default();
        let is_good = status.len() == 3 && status.starts_with('2') && is("error", "");
        if is_good {
            answers.good += sample.value;
        } else {
            answers.bad += sample.value;
        }
    }
    counters
}

/// One line of the text format: `name{label="value",…} 12`.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: u64,
}

impl Sample<'_> {
    fn label(&self, name: &str) -> Option<String> {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map(|(_, value)| value.clone())
    }
}

/// Parses one line; `None` if it is a comment or cannot be parsed.
fn sample(line: &str) -> Option<Sample<'_>> {
    if line.starts_with('#') {
        return None;
    }
    let (name, mut rest) = line.split_once('{')?;
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            rest = after;
            break;
        }
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((label, value));
        rest = after;
    }
    let value = rest.split_whitespace().next()?;
    let value = value.parse::<u64>().ok().or_else(|| whole(value))?;
    Some(Sample {
        name,
        labels,
        value,
    })
}

/// Parses a count that is written as a floating-point number, which the format allows.
fn whole(value: &str) -> Option<u64> {
    let (digits, fraction) = value.split_once('.')?;
    let is_whole = fraction.chars().all(|c| c == '0');
    is_whole.then(|| digits.parse().ok())?
}

/// Splits `text` after a label's value: returns the value up to its closing quote, and the rest.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::measurement::Answers;

    /// The output of a proxy whose client had sent 387 requests to the Service `api`.
    const RECORDED: &str = include_str!("testdata/proxy-metrics.txt");

    fn service(name: &str, port: u16) -> ServicePort {
        ServicePort {
            name: name.to_owned(),
            namespace: "mesh-lab".to_owned(),
            port,
        }
    }

    fn of(metrics: &str) -> Counters {
        of_service(metrics, &service("api", 80))
    }

    #[test]
    fn what_a_proxy_printed_is_read() {
        let all_good = Answers { good: 387, bad: 0 };
        assert_eq!(
            of(RECORDED),
            Counters {
                effective: all_good,
                actual: all_good,
                ..Counters::default()
            }
        );
    }

    /// Reads the output of a proxy whose client's requests to `api` in `shop` were retried.
    #[test]
    fn retries_are_read_as_a_proxy_prints_them() {
        let api = ServicePort {
            namespace: "shop".to_owned(),
            ..service("api", 8080)
        };
        let counted = of_service(include_str!("testdata/proxy-metrics-retries.txt"), &api);
        assert_eq!(
            (counted.retries, counted.retry_successes, counted.given_up),
            (414, 212, 25)
        );
        assert_eq!(
            counted.effective,
            Answers {
                good: 3674,
                bad: 220
            }
        );
    }

    #[test]
    fn only_the_service_that_is_asked_for_counts() {
        for other in [service("web", 80), service("api", 81)] {
            assert_eq!(of_service(RECORDED, &other), Counters::default());
        }
        let elsewhere = RECORDED.replace("parent_namespace=\"mesh-lab\"", "parent_namespace=\"x\"");
        assert_eq!(of(&elsewhere), Counters::default());
        let egress = RECORDED.replace("parent_kind=\"Service\"", "parent_kind=\"EgressNetwork\"");
        assert_eq!(of(&egress), Counters::default());
    }

    #[test]
    fn retries_and_failures_of_all_routes_are_summed_up() {
        let labels = |more: &str| {
            format!(
                "{{parent_group=\"core\",parent_kind=\"Service\",parent_namespace=\"mesh-lab\",\
                 parent_name=\"api\",parent_port=\"80\"{more}}}"
            )
        };
        let metrics = [
            "# HELP outbound_http_route_retry_requests The number of retry requests.".to_owned(),
            format!("{RETRIES}{} 172", labels(",route_name=\"a\"")),
            format!("{RETRIES}{} 3.0", labels(",route_name=\"b,}\\\"\"")),
            format!("{RETRY_SUCCESSES}{} 86", labels("")),
            format!("{GIVEN_UP}{} 11", labels("")),
            format!("{OVERFLOW}{} 2 1790000000", labels("")),
            format!(
                "{EFFECTIVE}{} 189",
                labels(",http_status=\"200\",error=\"\"")
            ),
            format!(
                "{EFFECTIVE}{} 11",
                labels(",http_status=\"503\",error=\"\"")
            ),
            format!("{ACTUAL}{} 189", labels(",http_status=\"204\",error=\"\"")),
            format!(
                "{ACTUAL}{} 4",
                labels(",http_status=\"\",error=\"UNEXPECTED\"")
            ),
            format!(
                "{ACTUAL}{} 1",
                labels(",http_status=\"200\",error=\"RESET\"")
            ),
            format!("{RETRIES}{{parent_name=\"api\" 5"),
            "process_start_time_seconds 1".to_owned(),
        ]
        .join("\n");
        assert_eq!(
            of(&metrics),
            Counters {
                effective: Answers { good: 189, bad: 11 },
                actual: Answers { good: 189, bad: 5 },
                retries: 175,
                retry_successes: 86,
                given_up: 11,
                overflow: 2,
            }
        );
    }

    #[test]
    fn a_counter_that_fell_is_no_difference() {
        let before = of(RECORDED);
        let mut after = before;
        after.effective.good += 5;
        assert_eq!(after.since(&before).unwrap().effective.good, 5);
        assert_eq!(Counters::default().since(&before), None);
    }
}
