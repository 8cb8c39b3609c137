//! Runs: the executor does the steps and emits events, the dispatcher owns the state.
//!
//! Nothing here prints, reads the environment of the process, or knows the listeners.

pub mod adopt;
pub mod again;
pub mod announce;
pub mod build;
pub mod certificates;
pub mod compare;
pub mod context;
pub mod cursor;
pub mod data;
pub mod dispatcher;
pub mod done;
pub mod down;
pub mod error;
pub mod heal;
pub mod helm;
pub mod images;
pub mod kind_cluster;
pub mod kubeconfig;
pub mod lab_tool;
pub mod load;
pub mod measure;
pub mod network;
pub mod nodes;
pub mod owner;
pub mod pinned;
pub mod ports;
pub mod proof;
pub mod recover;
pub mod reset;
pub mod revive;
pub mod secrets;
pub mod settle;
pub mod snapshot;
pub mod start;
pub mod step;
pub mod stop;
pub mod throughout;
mod told;
pub mod tools;
pub mod toxic;
pub mod up;
pub mod verify;

pub use context::Context;
pub use dispatcher::{Emitter, Sink, run};
pub use error::EngineError;
pub use secrets::Secrets;
pub use verify::Report;
