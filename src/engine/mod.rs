//! Runs: the executor does the steps and emits events, the dispatcher owns the state.
//!
//! Nothing here prints, reads the environment of the process, or knows the listeners.

pub mod act;
pub mod cluster;
pub mod restore;
pub mod run;
pub mod steps;
