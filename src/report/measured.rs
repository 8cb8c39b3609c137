//! The progress and the measurement of a load, as text.

use super::line::{BAD, BOLD, CODE, DIM, GOOD, Line, Look, WAIT, hang};
use crate::spec::{
    Measurement,
    measurement::{Counters, Mesh, Series},
};

/// The maximum width of a sparkline, in columns.
const WIDEST: usize = 60;
/// The width of a progress bar, in columns.
const BAR: usize = 20;

/// The characters of a sparkline, from no success to full success.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Formats the progress of a load: `████████░░░░░░░░░░░░ 80 of 200 requests, 61.3 % succeeded`
pub(super) fn progress(ended: u64, succeeded: u64, of: u64) -> Line {
    let full = usize::try_from(ended.min(of) * BAR as u64 / of.max(1)).unwrap_or(BAR);
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let rate = percent(succeeded, ended).map(|rate| format!(", {rate} succeeded"));
    let text = format!(" {ended} of {of} requests{}", rate.unwrap_or_default());
    Line::new().add(CODE, &bar).text(&text)
}

/// Formats all of `measured` as lines.
pub(super) fn lines(measured: &Measurement, look: Look) -> Vec<Line> {
    let Measurement {
        requests,
        succeeded,
        latency,
        ..
    } = measured;
    let rate = percent(*succeeded, *requests).unwrap_or_else(|| "none".to_owned());
    let style = match (*succeeded, *requests) {
        (good, all) if good == all => GOOD,
        (0, _) => BAD,
        _ => WAIT,
    };
    let first = Line::new().text("  ").add(style.bold(), &rate).text("  ");
    let took = super::duration(std::time::Duration::from_millis(measured.took));
    let what = format!(
        "{succeeded} of {requests} requests succeeded in {took} ({})",
        measured.codes()
    );
    let mut lines = hang(first, super::line::PLAIN, &what, look);
    let times = [
        ("p50", latency.p50),
        ("p95", latency.p95),
        ("p99", latency.p99),
        ("max", latency.max),
    ];
    let times: Vec<String> = times
        .iter()
        .map(|(name, micros)| format!("{name} {}", ms(*micros)))
        .collect();
    lines.push(Line::new().text("  ").text(&times.join(" · ")));
    if !measured.series.requests.is_empty() {
        let line = Line::new()
            .text("  ")
            .add(CODE, &sparkline(&measured.series));
        lines.push(line.add(DIM, "  success over time"));
    }
    match &measured.mesh {
        Mesh::Unmeshed => {}
        Mesh::Unknown(why) => {
            let first = Line::new().add(DIM, "  the client's proxy cannot be told: ");
            lines.extend(hang(first, DIM, why, look));
        }
        Mesh::Counted { before, after } => lines.extend(table(before, after)),
    }
    lines
}

/// Formats `measured` as one line: `94.5 % of 200, p50 3.1 ms`, and the number of retries.
pub fn measurement(measured: &Measurement) -> String {
    let rate = percent(measured.succeeded, measured.requests);
    let retries = match &measured.mesh {
        Mesh::Counted { before, after } => after
            .since(before)
            .map(|counted| format!(", {} retries", counted.retries)),
        _ => None,
    };
    format!(
        "{} of {}, p50 {}{}",
        rate.unwrap_or_else(|| "none".to_owned()),
        measured.requests,
        ms(measured.latency.p50),
        retries.unwrap_or_default()
    )
}

/// Formats the counters of the mesh's proxy side by side.
fn table(before: &Counters, after: &Counters) -> Vec<Line> {
    let rows = |c: &Counters| {
        [
            ("answered well", c.effective.good),
            ("answered badly", c.effective.bad),
            ("answers of the pods, good", c.actual.good),
            ("answers of the pods, bad", c.actual.bad),
            ("retries", c.retries),
            ("retries answered well", c.retry_successes),
            ("given up at the limit", c.given_up),
            ("too many at once", c.overflow),
        ]
    };
    let row = |name: &str, [a, b, c]: [&str; 3]| format!("  {name:<28}{a:>10}{b:>10}{c:>10}");
    let head = row("the client's proxy", ["before", "after", "more"]);
    let mut lines = vec![Line::new().add(BOLD, &head)];
    for ((name, then), (_, now)) in rows(before).into_iter().zip(rows(after)) {
        let more = now
            .checked_sub(then)
            .map_or_else(|| "?".to_owned(), |n| n.to_string());
        lines.push(Line::new().text(&row(name, [&then.to_string(), &now.to_string(), &more])));
    }
    lines
}

/// Draws the share of successful requests over time. A full block is an interval without a failure,
/// a dot one without requests.
fn sparkline(series: &Series) -> String {
    let pairs: Vec<(u64, u64)> = series
        .succeeded
        .iter()
        .copied()
        .zip(series.requests.iter().copied())
        .collect();
    let several = pairs.len().div_ceil(WIDEST).max(1);
    let sum = |all: &[(u64, u64)]| {
        let add = |(a, b): (u64, u64), (c, d): &(u64, u64)| (a + c, b + d);
        all.iter().fold((0, 0), add)
    };
    let level = |(good, all): (u64, u64)| match good.min(all) * 7 / all.max(1) {
        _ if all == 0 => '·',
        level => LEVELS[usize::try_from(level).unwrap_or(7)],
    };
    pairs.chunks(several).map(|all| level(sum(all))).collect()
}

fn percent(part: u64, of: u64) -> Option<String> {
    let ratio = crate::spec::measurement::ratio(part, of)?;
    Some(format!("{:.1} %", ratio * 100.0))
}

#[allow(clippy::cast_precision_loss)] // microseconds of a request
fn ms(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{line::render, sample},
        spec::measurement::Answers,
    };

    const LOOK: Look = Look {
        width: 80,
        colour: false,
    };

    fn shown(measured: &Measurement) -> String {
        render(&lines(measured, LOOK), LOOK)
    }

    #[test]
    fn how_far_it_is() {
        let text = |ended, succeeded| progress(ended, succeeded, 200).render(false);
        assert_eq!(text(0, 0), "░░░░░░░░░░░░░░░░░░░░ 0 of 200 requests");
        assert_eq!(
            text(95, 58),
            "█████████░░░░░░░░░░░ 95 of 200 requests, 61.1 % succeeded"
        );
        assert_eq!(
            text(200, 200),
            "████████████████████ 200 of 200 requests, 100.0 % succeeded"
        );
    }

    #[test]
    fn what_it_came_to_in_a_mesh() {
        let mut measured = sample::measurement();
        let before = Counters {
            effective: Answers { good: 387, bad: 2 },
            actual: Answers { good: 387, bad: 2 },
            ..Counters::default()
        };
        let after = Counters {
            effective: Answers { good: 576, bad: 13 },
            actual: Answers {
                good: 576,
                bad: 185,
            },
            retries: 172,
            retry_successes: 86,
            given_up: 11,
            overflow: 0,
        };
        measured.mesh = Mesh::Counted { before, after };
        insta::assert_snapshot!(shown(&measured), @r"
          94.5 %  189 of 200 requests succeeded in 10.0 s (200 × 189, 503 × 11)
          p50 3.1 ms · p95 9.8 ms · p99 15.2 ms · max 21.4 ms
          █▁▇·  success over time
          the client's proxy              before     after      more
          answered well                      387       576       189
          answered badly                       2        13        11
          answers of the pods, good          387       576       189
          answers of the pods, bad             2       185       183
          retries                              0       172       172
          retries answered well                0        86        86
          given up at the limit                0        11        11
          too many at once                     0         0         0
        ");
        assert_eq!(
            measurement(&measured),
            "94.5 % of 200, p50 3.1 ms, 172 retries"
        );
    }

    #[test]
    fn without_a_mesh_there_are_no_counters() {
        let mut measured = sample::measurement();
        assert_eq!(shown(&measured).lines().count(), 3);
        measured.mesh = Mesh::Unknown("its proxy was started anew".to_owned());
        assert!(shown(&measured).ends_with("cannot be told: its proxy was started anew\n"));
        assert_eq!(measurement(&measured), "94.5 % of 200, p50 3.1 ms");
    }

    #[test]
    fn a_long_load_fits_into_a_line() {
        let series = Series {
            interval: 1,
            requests: vec![10; 120],
            succeeded: (0..120).map(|n| if n < 60 { 10 } else { 0 }).collect(),
        };
        let line = sparkline(&series);
        assert_eq!(line, format!("{}{}", "█".repeat(30), "▁".repeat(30)));
    }
}
