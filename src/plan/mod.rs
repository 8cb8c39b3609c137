//! The planner: turns a lab and the known state of its environment into decisions and command
//! lines. Pure.

pub mod build;
pub mod commands;
pub mod decide;
pub mod disclosure;
pub mod evictions;
pub mod fingerprint;
pub mod helm;
pub mod inotify;
pub mod lab_tools;
pub mod network;
pub mod ports;
pub mod reach;
pub mod reset;
pub mod rewind;
pub mod template;
pub mod toxic;

pub use commands::{Target, commands, pinned, undo};
pub use decide::{Decision, Known, cursor, decide};
pub use disclosure::Disclosure;
pub use evictions::{CutShort, cut_short};
pub use fingerprint::fingerprint;
pub use rewind::{rewind, taken_back_early};
