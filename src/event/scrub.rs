//! Cleaning of events: every text of an event is made harmless and redacted here.
//!
//! Names, ids and facts are only made harmless, not redacted: they are compared with one another
//! and hold no secrets.

use super::{
    Clause, Differing, Event, EventKind, Failure, Outcome, Redactor, StepInfo, Untrusted, Verdict,
};
use crate::spec::{Facts, Measurement, measurement::Mesh};

impl Redactor {
    /// Returns `event` redacted and harmless, to be journalled and shown.
    #[must_use]
    pub fn event(&self, event: &Event) -> Event {
        let mut event = event.clone();
        self.kind(&mut event.event);
        event
    }

    fn kind(&self, kind: &mut EventKind) {
        match kind {
            EventKind::RunStarted {
                verb: _,
                environment,
                lab,
                title,
                steps,
            } => {
                clean(environment);
                clean(lab);
                self.scrub(title);
                for step in steps {
                    self.step(step);
                }
            }
            EventKind::StepStarted {
                step: _,
                fingerprint,
                reason,
                // From the lab's own file: only names of facts.
                undo: _,
                held: _,
            } => {
                clean(fingerprint);
                self.scrub(reason);
            }
            EventKind::PortsChosen { ports } => {
                for port in ports {
                    clean(&mut port.name);
                }
            }
            EventKind::ClusterIntended { name } => clean(name),
            EventKind::ClusterStarted { server, .. } => server.iter_mut().for_each(clean),
            EventKind::ClusterCreated { cluster } => {
                clean(&mut cluster.name);
                clean(&mut cluster.uid);
                cluster.containers.iter_mut().for_each(clean);
                cluster.server.iter_mut().for_each(clean);
            }
            EventKind::CommandStarted { line } => self.scrub(line),
            EventKind::ChildStarted { child } => clean(&mut child.program),
            EventKind::Output { line, .. } => *line = Untrusted::new(&self.text(line.as_str())),
            EventKind::Image { image, node, .. } => {
                clean(image);
                node.iter_mut().for_each(clean);
            }
            EventKind::Measured {
                step: _,
                measurement,
            } => {
                clean_measurement(measurement);
                if let Mesh::Unknown(why) = &mut measurement.mesh {
                    self.scrub(why);
                }
            }
            EventKind::Waiting { verdicts, .. } => {
                self.verdicts(verdicts);
            }
            EventKind::Verified {
                step: _,
                fingerprint,
                facts,
                verdicts,
            } => {
                clean(fingerprint);
                clean_facts(facts);
                self.verdicts(verdicts);
            }
            EventKind::StepFinished { outcome, .. } => match outcome {
                Outcome::Skipped { reason } => self.scrub(reason),
                Outcome::Failed(failure) => self.failure(failure),
                Outcome::Changed | Outcome::Cancelled => {}
            },
            EventKind::Differs { differing } => self.differing(differing),
            EventKind::Notice { text } => self.scrub(text),
            EventKind::Cancelling { reason } => self.scrub(reason),
            // The type of a step id allows no harmful characters.
            EventKind::Applied { .. }
            | EventKind::Measuring { .. }
            | EventKind::Undone { .. }
            | EventKind::Rewound { .. }
            | EventKind::PortRefused { .. }
            | EventKind::JournalDamaged { .. }
            | EventKind::ClusterDeleting
            | EventKind::ClusterDeleted
            | EventKind::ClusterStopped
            | EventKind::ChildExited { .. }
            | EventKind::RunFinished { .. } => {}
        }
    }

    /// Redacts the texts of a difference.
    pub fn differing(&self, differing: &mut Differing) {
        self.scrub(&mut differing.object);
        for detail in &mut differing.details {
            *detail = Untrusted::new(&self.text(detail.as_str()));
        }
    }

    /// Redacts the texts of a failure.
    pub fn failure(&self, failure: &mut Failure) {
        let Failure {
            summary,
            causes,
            hint,
            tail,
            verdicts,
        } = failure;
        self.scrub(summary);
        self.all(causes);
        if let Some(hint) = hint {
            self.scrub(hint);
        }
        self.all(tail);
        self.verdicts(verdicts);
    }

    /// Redacts the texts of all `verdicts`.
    pub fn verdicts(&self, verdicts: &mut [Verdict]) {
        for verdict in verdicts {
            self.verdict(verdict);
        }
    }

    /// Redacts the texts of a verdict.
    pub fn verdict(&self, verdict: &mut Verdict) {
        self.scrub(&mut verdict.assertion);
        for clause in &mut verdict.clauses {
            let Clause {
                what,
                status: _,
                expected,
                actual,
                evidence,
                because,
            } = clause;
            for text in [what, expected, actual] {
                self.scrub(text);
            }
            self.all(evidence);
            self.all(because);
        }
    }

    /// Redacts `text` in place.
    pub fn scrub(&self, text: &mut String) {
        *text = self.text(text);
    }

    /// Redacts all `texts` in place.
    pub fn all(&self, texts: &mut [String]) {
        for text in texts {
            self.scrub(text);
        }
    }

    fn step(&self, step: &mut StepInfo) {
        self.scrub(&mut step.title);
        step.teach.iter_mut().for_each(|text| self.scrub(text));
    }
}

/// Makes a name harmless. Names are not redacted.
fn clean(text: &mut String) {
    let clean = Untrusted::new(text);
    clean.as_str().clone_into(text);
}

/// Makes the names in a measurement harmless, and the text that a program in a Pod wrote.
fn clean_measurement(measurement: &mut Measurement) {
    let Measurement {
        url,
        from,
        codes,
        toxics,
        mesh,
        ..
    } = measurement;
    clean(url);
    clean(from);
    let named = std::mem::take(codes).into_iter();
    *codes = named
        .map(|(code, n)| (Untrusted::new(&code).as_str().to_owned(), n))
        .collect();
    for toxic in toxics {
        let at = &mut toxic.at;
        let texts = [&mut at.service, &mut at.proxy];
        texts.into_iter().chain(&mut at.name).for_each(clean);
    }
    if let Mesh::Unknown(why) = mesh {
        clean(why);
    }
}

fn clean_facts(facts: &mut Facts) {
    let named = std::mem::take(facts).into_iter();
    *facts = named
        .map(|(name, mut fact)| {
            if let Some(pod) = &mut fact.pod {
                let texts = [&mut pod.name, &mut pod.uid, &mut pod.node];
                texts.into_iter().for_each(clean);
            }
            if let Some(claim) = &mut fact.claim {
                let of_claim = [&mut claim.name, &mut claim.uid];
                let of_volume = [&mut claim.volume, &mut claim.volume_uid];
                of_claim.into_iter().chain(of_volume).for_each(clean);
            }
            if let Some(load) = &mut fact.load {
                clean_measurement(load);
            }
            (Untrusted::new(&name).as_str().to_owned(), fact)
        })
        .collect();
}
