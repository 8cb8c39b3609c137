//! labctl brings Kubernetes workshop labs up, proves them, and resets them.
//!
//! ARCHITECTURE.md says what each module is for and which may use which.

pub mod assert;
pub mod cli;
pub mod digest;
pub mod download;
pub mod engine;
pub mod event;
pub mod plan;
pub mod report;
pub mod snapshot;
pub mod spec;
pub mod state;
pub mod tool;
