//! A run: its context, its events, the commands that it runs, and the errors that end it.

pub mod commands;
pub mod context;
pub mod dispatcher;
pub mod error;
pub mod secrets;
mod told;
