//! A hermetic place for each test: a home, a state directory and a `PATH` of its own, with nothing
//! on it but fakes.

mod answer;
mod api;
mod engine;
mod fakes;
mod labs;
mod processes;
mod sandbox;
#[path = "../fake-tool/script.rs"]
mod script;
mod seeded;
mod server;
mod world;

pub(crate) use answer::Answer;
use answer::normal;
pub(crate) use api::{Api, MadeBefore};
pub(crate) use engine::{Container, Engine};
pub(crate) use fakes::{
    API, CONTAINERS, Fakes, NETWORKS, STARTS, created, fake_digest, link, on_the_cluster,
    on_the_engine, rule,
};
pub(crate) use labs::{CRASH_LAB, IMAGE_LAB, MANIFEST, SMALL_LAB};
pub(crate) use processes::{is_alive, signal, wait_for};
pub(crate) use sandbox::{Command, Running, Sandbox};
pub(crate) use script::{Act, Call, Rule};
pub(crate) use seeded::{
    SEEDED_ID, Seeded, UNREACHABLE_KUBECONFIG, drain_started, fact, named, run_finished,
    seeded_network, step_started, verified,
};
pub(crate) use server::Server;
