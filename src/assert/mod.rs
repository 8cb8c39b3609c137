//! Assertions: what they have to see, and what they come to.
//!
//! [`evaluate`] is a pure function of observed objects, recorded facts and time; [`watch`] is the
//! only part that talks to the Kubernetes API.

pub mod capture;
pub mod cause;
pub mod check;
pub mod needs;
pub mod observed;

pub use check::evaluate;
pub use needs::{Needs, Probe};
pub use observed::{Observed, ProbeResult, Scope};
