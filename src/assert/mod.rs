//! Assertions: the objects and answers they need, and their evaluation.
//!
//! [`evaluate`] is a pure function of observed objects, recorded facts and time. Only [`cluster`]
//! and [`watch`], with their helpers `served`, [`proxied`] and `ask`, do I/O.

mod ask;
pub mod back;
pub mod capture;
pub mod cause;
pub mod check;
pub mod clients;
pub mod cluster;
pub mod counters;
#[cfg(test)]
mod fixture;
pub mod kinds;
mod labels;
pub mod load;
pub mod load_report;
pub mod needs;
pub mod observed;
mod owned;
mod pod;
pub mod proxied;
mod retry;
pub(crate) mod served;
pub mod side;
mod text;
pub mod throughout;
pub mod toxic;
pub mod watch;

pub use check::evaluate;
pub use cluster::{Cluster, ClusterError, LoginPrograms};
pub use needs::{Needs, Probe};
pub use observed::{InPod, Observed, ProbeResult, Scope};
pub use text::innermost;
