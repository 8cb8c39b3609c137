//! The assertion `linkerd-check`: the checks of Linkerd's own program, and those that failed.

use serde::Deserialize;

use super::{Context, unknown};
use crate::{
    assert::{
        Probe, ProbeResult,
        text::{clean, first_lines},
    },
    event::{Clause, Status},
    spec::{ToolName, mesh::LinkerdCheck},
};

/// One document of the program's output. With extensions installed the program prints several, one
/// after the other.
#[derive(Debug, Deserialize)]
struct Report {
    success: bool,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Category {
    category_name: String,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    description: String,
    result: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    hint: String,
}

/// Returns the probe that runs the program.
pub(in crate::assert) fn probe(a: &LinkerdCheck, namespace: &str) -> Probe {
    let arguments = a.arguments(namespace).into_iter();
    Probe::Tool {
        name: ToolName::linkerd(),
        arguments: arguments.map(ToOwned::to_owned).collect(),
    }
}

pub(super) fn check(a: &LinkerdCheck, context: &Context<'_>) -> Vec<Clause> {
    let what = format!("checks of Linkerd ({})", a.of);
    let pending = |actual: &str, evidence| {
        let clause = Clause::new(Status::Pending, what.as_str(), "all succeed", actual);
        vec![clause.evidence(evidence)]
    };
    let (stdout, stderr) = match context.observed.probe(&probe(a, context.namespace)) {
        Some(ProbeResult::Ran { stdout, stderr, .. }) => (stdout, stderr),
        Some(ProbeResult::Refused { message }) => {
            return pending("could not be made", first_lines(message));
        }
        Some(ProbeResult::Unreachable(why)) => return vec![unknown(what, "all succeed", why)],
        _ => return pending("not made yet", Vec::new()),
    };
    match reports(stdout) {
        Some(reports) => reports.iter().flat_map(of_report).collect(),
        // A program that cannot print JSON gives the reason on standard error.
        None => pending("no answer that is JSON", first_lines(stderr)),
    }
}

/// Parses the documents of `stdout`; `None` if there is none, or anything else between them.
fn reports(stdout: &str) -> Option<Vec<Report>> {
    let documents = serde_json::Deserializer::from_str(stdout).into_iter();
    let reports: Result<Vec<Report>, _> = documents.collect();
    reports.ok().filter(|reports| !reports.is_empty())
}

/// Makes a clause for each category whose checks all succeeded, and one for each check that failed.
fn of_report(report: &Report) -> Vec<Clause> {
    let mut clauses = Vec::new();
    for category in &report.categories {
        let with =
            |result: &'static str| category.checks.iter().filter(move |c| c.result == result);
        let (warnings, succeeded) = (with("warning").count(), with("success").count());
        let failed: Vec<&Check> = category
            .checks
            .iter()
            .filter(|check| !matches!(check.result.as_str(), "success" | "warning"))
            .collect();
        let name = clean(&category.category_name);
        if failed.is_empty() {
            let told = with("warning").map(|c| format!("warning: {}", clean(&c.description)));
            let actual = match warnings {
                0 => format!("{succeeded} succeeded"),
                _ => format!("{succeeded} succeeded, {warnings} with a warning"),
            };
            let clause = Clause::new(Status::Pass, name, "all succeed", actual);
            clauses.push(clause.evidence(told.collect()));
            continue;
        }
        clauses.extend(failed.into_iter().map(|check| of_check(&name, check)));
    }
    if !report.success && clauses.iter().all(|clause| clause.status == Status::Pass) {
        let actual = "it says that not, and names none that failed";
        let what = "checks of Linkerd as a whole";
        clauses.push(Clause::new(Status::Pending, what, "succeed", actual));
    }
    clauses
}

fn of_check(category: &str, check: &Check) -> Clause {
    let description = clean(&check.description);
    let error = check.error.trim();
    let actual = match error.lines().next() {
        Some(first) => clean(first),
        None => clean(&check.result),
    };
    let mut evidence = first_lines(error.split_once('\n').map_or("", |(_, rest)| rest));
    if !check.hint.is_empty() {
        evidence.push(format!("see {}", clean(&check.hint)));
    }
    let because = cause(&check.description, error).map(ToOwned::to_owned);
    let what = format!("{category}: {description}");
    Clause::new(Status::Pending, what, "succeeds", actual)
        .because(because.into_iter().collect())
        .evidence(evidence)
}

/// Returns the cause of a failed check, where labctl can explain it better than the check itself.
fn cause(description: &str, error: &str) -> Option<&'static str> {
    let says = |text: &str| description.contains(text) || error.contains(text);
    if says("Gateway API") || says("gateway.networking.k8s.io") {
        return Some(
            "the definitions of the Gateway API are missing or too old: Linkerd uses them and does \
             not bring them",
        );
    }
    if says("validity period") {
        return Some(if says("issuer") {
            "the issuer's certificate has expired, or is not valid yet: no proxy gets a certificate, \
             and one after another they stop talking to each other"
        } else {
            "the trust anchor has expired, or is not valid yet: nothing in the mesh trusts anything"
        });
    }
    if says("rometheus") {
        return Some("Viz knows only what its Prometheus collects, and that one does not run");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::fixture::{NS, World, failed, said};
    use crate::spec::mesh::Checked;

    const PRE: &str = "linkerd-check: {of: pre}";

    fn answered(stdout: &str, stderr: &str) -> World {
        let of = LinkerdCheck { of: Checked::Pre };
        World::empty().answer(probe(&of, NS), failed(1, stdout, stderr))
    }

    fn one(description: &str, result: &str, error: &str) -> String {
        serde_json::json!({"success": result != "error", "categories": [
            {"categoryName": "kubernetes-api", "checks": [
                {"description": "can initialize the client", "result": "success"}]},
            {"categoryName": "linkerd-identity", "checks": [
                {"description": "certificate config is valid", "result": "success"},
                {"description": description, "result": result, "error": error,
                    "hint": "https://linkerd.io/2/checks/#l5d-x"}]}]})
        .to_string()
    }

    #[test]
    fn what_is_asked_never_waits_long() {
        let data_plane = LinkerdCheck {
            of: Checked::DataPlane,
        };
        let Probe::Tool { name, arguments } = probe(&data_plane, "shop") else {
            panic!()
        };
        assert_eq!(name, "linkerd");
        let arguments = arguments.join(" ");
        assert_eq!(
            arguments,
            "check --proxy --namespace shop --output=json --wait=5s"
        );
    }

    #[test]
    fn documents_one_after_another_are_read() {
        let both = one("x", "success", "") + &one("y", "warning", "a newer version is there");
        answered(&both, "").passes(PRE);
        let second = one("x", "success", "") + "\n" + &one("y", "error", "nothing answers");
        assert_eq!(
            said(&answered(&second, "").fault(PRE)),
            "Pending: linkerd-identity: y: expected succeeds, is nothing answers"
        );
    }

    #[test]
    fn a_check_that_failed_is_named_with_its_error_and_its_hint() {
        let stdout = one(
            "issuer cert is within its validity period",
            "error",
            "issuer certificate is not valid anymore. Expired on 2026-11-20T10:00:00Z\n    second",
        );
        let clause = answered(&stdout, "").fault(PRE);
        assert_eq!(
            clause.what,
            "linkerd-identity: issuer cert is within its validity period"
        );
        assert!(clause.actual.ends_with("Expired on 2026-11-20T10:00:00Z"));
        assert_eq!(
            clause.evidence,
            ["    second", "see https://linkerd.io/2/checks/#l5d-x"]
        );
        assert!(clause.because[0].starts_with("the issuer's certificate has expired"));
    }

    #[test]
    fn what_linkerd_said_on_a_real_cluster_is_named_with_its_cause() {
        let cause = |stdout: &str| {
            let faults = answered(stdout, "").faults(PRE);
            let named = |clause: &Clause| {
                let because = clause.because.first().map_or("", String::as_str);
                let because: String = because.chars().take(34).collect();
                format!("{} ({because})", clause.what)
            };
            faults.iter().map(named).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(
            cause(include_str!(
                "../testdata/linkerd-check/without-gateway-crds.json"
            )),
            "gateway-api-crd: Gateway API CRDs are installed (the definitions of the Gateway API)"
        );
        // The output has two documents; the failure in the second follows from the one in the
        // first.
        let expired = cause(include_str!(
            "../testdata/linkerd-check/issuer-expired.json"
        ));
        assert!(
            expired.starts_with(
                "linkerd-identity: issuer cert is within its validity period (the issuer's \
                 certificate has expir); linkerd-viz: "
            ),
            "{expired}"
        );
        assert_eq!(
            cause(include_str!(
                "../testdata/linkerd-check/prometheus-down.json"
            )),
            "linkerd-viz: viz extension self-check (Viz knows only what its Prometheus)"
        );
        assert_eq!(
            cause(include_str!("../testdata/linkerd-check/not-injected.json")),
            "linkerd-data-plane: data plane proxies are ready ()"
        );
    }

    #[test]
    fn what_is_no_answer_never_passes() {
        let clause = answered("", "Error: connection refused").fault(PRE);
        assert_eq!(clause.actual, "no answer that is JSON");
        assert_eq!(clause.evidence, ["Error: connection refused"]);
        assert_eq!(World::empty().fault(PRE).actual, "not made yet");
        let nothing = answered(r#"{"success": false, "categories": []}"#, "").fault(PRE);
        assert_eq!(nothing.status, Status::Pending);
        let half = one("x", "success", "") + "{\"success\": true, \"cat";
        assert_eq!(answered(&half, "").fault(PRE).status, Status::Pending);
        // A report without categories checked nothing.
        let empty = answered(r#"{"success": true, "categories": []}"#, "");
        assert_ne!(empty.verdict(PRE).status, Status::Pass);
    }
}
