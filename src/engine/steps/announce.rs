//! The event with which every run begins.

use crate::{
    engine::run::{context::Context, dispatcher::Emitter},
    event::{EventKind, StepInfo, Verb},
    spec::Step,
};

/// Emits the beginning of a run. Includes the teaching texts only for verbs that teach.
pub fn announce(context: &Context, verb: Verb, steps: &[Step], emitter: &Emitter) {
    let teaches = matches!(verb, Verb::Up | Verb::Next);
    let info = |step: &Step| StepInfo {
        id: step.id.clone(),
        title: step.title.clone(),
        teach: step.teach.clone().filter(|_| teaches),
        unchecked: !step.is_checked(),
    };
    emitter.emit(EventKind::RunStarted {
        verb,
        environment: context.name().to_owned(),
        lab: context.lab.lab.clone(),
        title: context.lab.title.clone(),
        steps: steps.iter().map(info).collect(),
    });
}
