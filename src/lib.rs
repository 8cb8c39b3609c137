//! labctl brings Kubernetes workshop labs up, proves them, and resets them.
//!
//! ARCHITECTURE.md says what each module is for and which may use which.

pub mod assert;
pub mod event;
pub mod spec;
