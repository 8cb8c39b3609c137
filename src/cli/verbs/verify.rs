//! `labctl verify`

use serde_json::json;

use crate::{
    cli::{
        args::{Format, Verify},
        error::CliError,
        exit,
        hold::Hold,
        journal, output,
        session::{self, Kept},
        settings::Settings,
        signals,
    },
    engine::{
        self,
        cluster::nodes::Presence,
        run::{error::EngineError, secrets::Secrets},
        steps::verify::{Finding, Report, Standing},
    },
    event::{Differing, Event, EventKind, Redactor, RunOutcome, Status, Verdict},
    report::{self, StepReport, differing_since, verify_report},
};

/// Verifies an environment.
pub(crate) fn run(args: &Verify, settings: &Settings) -> Result<u8, CliError> {
    let mut environment = session::find(settings, args.lab.as_deref())?;
    let loaded = session::applied_lab(&environment)?;
    let last = session::last_step(&loaded, args.to.as_deref())?;
    let bundle = session::bundle_of(&environment);
    let name = environment.name().to_owned();
    let lab = loaded.lab.lab.clone();
    let call = environment.call();
    let mut secrets = Secrets::new(&loaded.tree, &environment);
    let mut notes: Vec<String> = Vec::new();
    let report = session::runtime()?.block_on(async {
        let stopper = signals::listen()?;
        // If another run holds the environment, that run moves the cursor.
        let hold = Hold {
            settings,
            name: &name,
            verb: "verify",
            wait: args.waiting.wait,
            exists: true,
        };
        let mut say = |text: &str| match settings.output {
            Format::Text => output::note(settings, text),
            // The answer is one document, which includes the notes.
            Format::Json => notes.push(text.to_owned()),
        };
        let lock = hold.take(&stopper, &mut say).await;
        let advance = match &lock {
            Ok(None) => {
                let signal = stopper.now().signal().unwrap_or_default();
                return Ok(Err(exit::signalled(signal)));
            }
            Ok(Some(_)) => true,
            Err(error) if error.code == exit::LOCKED => false,
            Err(_) => {
                return Err(lock
                    .err()
                    .unwrap_or_else(|| CliError::internal(std::fmt::Error)));
            }
        };
        let (journal, replayed) = journal::open_if(settings, &mut environment, advance)?;
        let troubles = journal::troubles(&environment, &replayed, &loaded.lab);
        troubles.iter().map(String::as_str).for_each(&mut say);
        if replayed.state.cluster.is_none() {
            return Err(journal::without_cluster(&environment, &replayed));
        }
        let advance = journal.is_some();
        if let Some(text) = session::unfinished(&environment, &replayed.state) {
            say(&text);
        }
        let context = session::context(settings, environment, loaded, bundle, 1.0);
        let kept = Kept {
            journal,
            log: None,
            secrets: context.secrets(),
        };
        let mut show = |event: &Event| {
            if let EventKind::Notice { text } = &event.event {
                say(text);
            }
            Ok(())
        };
        let work = |emitter, stopper| {
            engine::steps::verify::verify(&context, last, advance, emitter, stopper)
        };
        let asked = stopper.clone();
        let result = session::run(replayed.state, kept, &mut show, stopper, work).await;
        match (result, asked.now().signal()) {
            (Err(EngineError::Stopped), Some(signal)) => Ok(Err(exit::signalled(signal))),
            (result, _) => Ok::<Result<Report, u8>, CliError>(Ok(result?)),
        }
    })?;
    let report = match report {
        Ok(report) => report,
        Err(code) => return Ok(code),
    };
    let of = Of {
        environment: &name,
        lab: &lab,
        call: &call,
    };
    show(&report, &of, notes, secrets.redactor(), settings)?;
    Ok(exit::of(report.outcome))
}

/// The subject of a report.
struct Of<'a> {
    environment: &'a str,
    lab: &'a str,
    /// The arguments that name the environment on a command line.
    call: &'a str,
}

/// Prints `report`.
fn show(
    report: &Report,
    of: &Of<'_>,
    mut notes: Vec<String>,
    redactor: &Redactor,
    settings: &Settings,
) -> Result<(), CliError> {
    let found = report.steps.iter();
    let steps: Vec<StepReport> = found
        .map(|finding| step_report(finding, redactor))
        .collect();
    let hint = hint(report, of.call);
    if let Some(why) = &report.not_compared {
        let text = format!("what differs from when it was verified is not known: {why}");
        let text = redactor.text(&text);
        match settings.output {
            Format::Text => output::note(settings, &text),
            Format::Json => notes.push(text),
        }
    }
    let differences = differences(report, redactor);
    let compared_with = report.compared.as_ref().map(|compared| &compared.with);
    match settings.output {
        Format::Json => output::json(&json!({
            "environment": of.environment,
            "lab": of.lab,
            "outcome": report.outcome,
            "open-faults": report.open_faults,
            "hint": hint,
            "notes": notes,
            "compared-with": compared_with,
            "differences": differences,
            "steps": steps,
        }))?,
        Format::Text => {
            let look = output::look(settings);
            output::tell(&verify_report(&steps, settings.verbosity > 0, look));
            if let Some(with) = compared_with {
                output::tell(&differing_since(with, &differences, of.call, look));
            }
            if !report.open_faults.is_empty() {
                output::tell(&format!(
                    "\nopen faults: {}; `labctl heal {}` takes them back before their time\n",
                    report.open_faults.join(", "),
                    of.call
                ));
            }
            if let Some(hint) = &hint {
                output::tell(&format!("\nhint: {hint}\n"));
            }
        }
    }
    Ok(())
}

/// Returns the redacted differences from the snapshot of the step at the cursor.
fn differences(report: &Report, redactor: &Redactor) -> Vec<Differing> {
    let compared = report.compared.iter();
    let mut all: Vec<Differing> = compared.flat_map(|c| c.differences.clone()).collect();
    for differing in &mut all {
        redactor.differing(differing);
    }
    all
}

/// Returns the remedy if the cluster is at fault.
fn hint(report: &Report, call: &str) -> Option<String> {
    match report.containers {
        Some(presence) => Some(format!("{presence}; {}", presence.remedy(call))),
        None if report.outcome == RunOutcome::Unreachable => Some(format!(
            "the cluster does not answer; {}",
            Presence::Running.remedy(call)
        )),
        None => None,
    }
}

fn step_report(finding: &Finding, redactor: &Redactor) -> StepReport {
    let state = match &finding.standing {
        Standing::Lasting(status) | Standing::Next(status) => match status {
            Status::Pass => report::Standing::Held,
            Status::Pending => report::Standing::Pending,
            Status::Unknown => report::Standing::Unknown,
            Status::Failed => report::Standing::Failed,
        },
        Standing::Reached => report::Standing::Held,
        Standing::Ended(reason) => report::Standing::Ended {
            reason: reason.clone(),
        },
        Standing::Unchecked => report::Standing::NotChecked,
        Standing::NotReached => report::Standing::NotReached,
    };
    let mut verdicts: Vec<Verdict> = finding.verdicts.clone();
    redactor.verdicts(&mut verdicts);
    StepReport {
        id: finding.id.clone(),
        title: redactor.text(&finding.title),
        state,
        verdicts,
    }
}
