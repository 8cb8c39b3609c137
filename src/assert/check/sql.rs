//! The assertion `sql`.

use k8s_openapi::api::core::v1::Pod;

use super::{Context, answer, explained, missing};
use crate::{
    assert::{
        Probe, pod,
        text::{clean, quoted},
    },
    event::{Clause, Status},
    spec::assertion::Sql,
};

/// The command that runs `psql` with the user and the database of the image's own variables. The
/// query is a separate argument, so no shell parses it.
const PSQL: &str = "exec psql -XAtq -v ON_ERROR_STOP=1 -U \"${POSTGRES_USER:-postgres}\" \
    -d \"${POSTGRES_DB:-${POSTGRES_USER:-postgres}}\" -c \"$1\"";

impl Probe {
    /// Makes the probe that runs `query` in `pod`.
    #[must_use]
    pub fn sql(pod: &str, query: &str, namespace: &str) -> Self {
        let command = ["sh", "-c", PSQL, "psql", query];
        Self::Exec {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            command: command.map(ToOwned::to_owned).to_vec(),
        }
    }
}

/// Returns the probe that runs the query.
pub(in crate::assert) fn probe(a: &Sql, namespace: &str) -> Probe {
    Probe::sql(&a.pod, &a.query, namespace)
}

pub(super) fn check(a: &Sql, context: &Context<'_>) -> Vec<Clause> {
    vec![clause(a, context)]
}

fn clause(a: &Sql, context: &Context<'_>) -> Clause {
    let what = format!("answer of {} to `{}`", a.pod, clean(a.query.trim()));
    // A block of YAML ends with a line break; answers have theirs trimmed.
    let equals = a.equals.trim_end_matches(['\n', '\r']);
    let expected = quoted(equals);
    let pod = match context.pod(&a.pod) {
        Ok(pod) => pod,
        Err(why) => return missing(format!("pod {} exists", a.pod), "exists", &why),
    };
    // An answer of a pod that is being deleted says nothing about the pod that replaces it.
    if !pod::can_run_commands(&pod) {
        let actual = format!(
            "not asked: pod {} is {}",
            a.pod,
            pod::state(&pod, context.now)
        );
        let clause = Clause::new(Status::Pending, what, expected, actual);
        return explained(clause, &pod, context);
    }
    let stdout = match answer(&probe(a, context.namespace), context, &what, &expected) {
        Ok(stdout) => stdout,
        Err(clause) => return explained_by_readiness(*clause, &pod, context),
    };
    if stdout == equals {
        return Clause::new(Status::Pass, what, expected, quoted(stdout));
    }
    if stdout.is_empty() {
        return Clause::new(Status::Pending, what, expected, "nothing");
    }
    // A ready database will not correct a wrong answer; a database that is not ready may still be
    // starting.
    let status = if pod::is_ready(&pod) {
        Status::Failed
    } else {
        Status::Pending
    };
    Clause::new(status, what, expected, quoted(stdout))
}

/// Adds the causes for an unready pod to `clause`. The printed output stays the first evidence.
fn explained_by_readiness(clause: Clause, pod: &Pod, context: &Context<'_>) -> Clause {
    let evidence = clause.evidence.clone();
    let mut clause = explained(clause, pod, context);
    clause.evidence.splice(0..0, evidence);
    clause
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assert::{
            ProbeResult,
            fixture::{self, NS, World, failed, ran, said},
        },
        spec::Assertion,
    };

    const SQL: &str =
        r#"sql: {in: postgres-0, query: "select note from lab", equals: "written before"}"#;

    fn question() -> Probe {
        match fixture::assertion(SQL) {
            Assertion::Sql(a) => probe(&a, NS),
            _ => panic!(),
        }
    }

    fn answered(result: ProbeResult) -> World {
        World::well().answer(question(), result)
    }

    #[test]
    fn the_query_is_an_argument_of_its_own() {
        let Probe::Exec { pod, command, .. } = question() else {
            panic!()
        };
        assert_eq!(pod, "postgres-0");
        assert_eq!(command[0..2], ["sh", "-c"]);
        assert!(command[2].ends_with(r#"-c "$1""#), "{}", command[2]);
        assert_eq!(command[3..], ["psql", "select note from lab"]);
    }

    #[test]
    fn the_very_answer_passes_and_another_fails_at_once() {
        answered(ran("written before")).passes(SQL);
        answered(ran("written before")).passes(&SQL.replace("before", "before\\n"));
        assert_eq!(
            said(&answered(ran("written\nafter\u{1b}[2J")).fault(SQL)),
            "Failed: answer of postgres-0 to `select note from lab`: expected \"written before\", \
             is \"written\\nafter\""
        );
    }

    #[test]
    fn a_database_that_may_still_be_starting_is_waited_for() {
        let status = |world: World| world.fault(SQL).status;
        assert_eq!(status(answered(ran(""))), Status::Pending);
        let not_ready = fixture::not_ready();
        let starting = answered(ran("written after")).with("Pod", "postgres-0", not_ready);
        assert_eq!(status(starting), Status::Pending);
        let clause = answered(failed(2, "", "psql: error: connection refused\n")).fault(SQL);
        assert_eq!(
            (clause.status, clause.actual.as_str()),
            (Status::Pending, "exit code 2")
        );
        assert_eq!(clause.evidence, ["psql: error: connection refused"]);
        assert_eq!(World::well().fault(SQL).actual, "not asked yet");
        let message = "container not found (\"postgres\")".to_owned();
        let clause = answered(ProbeResult::Refused { message }).fault(SQL);
        assert_eq!(clause.status, Status::Pending);
        assert_eq!(clause.evidence, ["container not found (\"postgres\")"]);
    }

    #[test]
    fn an_answer_of_a_pod_that_is_gone_or_going_does_not_count() {
        let world = answered(ran("written before"));
        let gone = world.clone().without("Pod", "postgres-0").fault(SQL);
        assert_eq!(
            said(&gone),
            "Pending: pod postgres-0 exists: expected exists, is absent"
        );
        let going = world.clone().deleting("Pod", "postgres-0").fault(SQL);
        assert_eq!(going.actual, "not asked: pod postgres-0 is being deleted");
        let pending = world.with("Pod", "postgres-0", fixture::unschedulable("no room"));
        assert_eq!(pending.fault(SQL).because, ["no node fits: no room"]);
    }

    #[test]
    fn an_unreachable_cluster_is_unknown() {
        let unreachable = answered(ProbeResult::Unreachable("timed out".to_owned())).fault(SQL);
        assert_eq!(unreachable.status, Status::Unknown);
        let world = World::unreachable().answer(question(), ran("written before"));
        assert_eq!(world.fault(SQL).status, Status::Unknown);
    }
}
