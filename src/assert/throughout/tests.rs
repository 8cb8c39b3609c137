//! Tests of the interruptions that are measured while a fault acts.

use super::*;
use crate::assert::fixture::assertion;

const SQL: &str = "sql: {in: db-0, query: select 1, equals: \"1\"}";
const NODES: &str = "nodes-ready: {count: 2}";

fn throughout(tolerated: u64) -> Throughout {
    let began = Timestamp::from_second(1_790_000_000).unwrap();
    let tolerated = Duration::from_secs(tolerated);
    Throughout::new(&[assertion(SQL), assertion(NODES)], tolerated, began)
}

/// Adds the verdicts of the two assertions at each of these tenths of a second.
fn seen(tolerated: u64, moments: &[(u64, Status, Status)]) -> Throughout {
    let mut throughout = throughout(tolerated);
    for (tenths, sql, nodes) in moments {
        let verdict = |status: &Status| {
            let clause = Clause::new(*status, "what", "this", "that");
            Verdict::of("an assertion", vec![clause])
        };
        let at = Duration::from_millis(tenths * 100);
        throughout.see(at, &[verdict(sql), verdict(nodes)]);
    }
    throughout
}

fn names(throughout: &Throughout) -> Vec<String> {
    let verdicts = throughout.verdicts().into_iter();
    verdicts.map(|verdict| verdict.assertion).collect()
}

use Status::{Failed, Pass, Pending, Unknown};

#[test]
fn the_longest_single_interruption_counts_not_their_sum() {
    let held = seen(
        4,
        &[
            (0, Pass, Pass),
            (10, Pending, Pass),
            (25, Failed, Pass),
            (40, Pass, Pass),
            (50, Pending, Pass),
            (70, Pass, Pass),
        ],
    );
    assert!(!held.is_exceeded() && held.holds_now());
    assert_eq!(held.complaint(), None);
    assert_eq!(
        names(&held),
        [
            "sql in db-0 throughout (interrupted for 3.0 s, tolerated: less than 4.0 s)",
            "nodes-ready 2 throughout (never interrupted)",
        ]
    );
    assert_eq!(Verdict::worst(&held.verdicts()), Pass);
}

#[test]
fn an_interruption_that_goes_on_is_too_long_at_its_deadline() {
    let mut moments = vec![(0, Pass, Pass), (12, Pass, Pending), (30, Pass, Pending)];
    let held = seen(4, &moments);
    assert!(!held.is_exceeded() && !held.holds_now());
    assert_eq!(held.deadline(), Some(Duration::from_millis(5200)));
    moments.push((52, Pass, Pending));
    let held = seen(4, &moments);
    assert!(held.is_exceeded());
    assert_eq!(
        held.complaint().unwrap(),
        "nodes-ready 2 was interrupted for 4.0 s while the fault acted, since 14:13:21 UTC"
    );
    let verdicts = held.verdicts();
    assert_eq!(verdicts[0].status, Pass);
    let clause = &verdicts[1].clauses[0];
    assert_eq!(
        (clause.status, clause.actual.as_str()),
        (Failed, "4.0 s, since 14:13:21 UTC")
    );
    assert_eq!(clause.because, ["what: expected this, was that"]);
    // A later Pass does not make up for an interruption that was too long.
    moments.push((60, Pass, Pass));
    assert!(seen(4, &moments).is_exceeded());
}

#[test]
fn what_cannot_be_told_is_an_interruption_and_none_may_be_tolerated() {
    let held = seen(0, &[(0, Pass, Pass), (3, Unknown, Pass)]);
    assert!(held.is_exceeded());
    assert!(!seen(0, &[(0, Pass, Pass), (3, Pass, Pass)]).is_exceeded());
    assert_eq!(throughout(0).deadline(), None);
}
