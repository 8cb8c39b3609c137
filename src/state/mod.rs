//! Environments on disk: their directories, their locks and their journals.

pub mod archive;
pub mod build_context;
pub mod bundle;
pub mod dumps;
pub mod environment;
pub mod error;
#[cfg(feature = "failpoints")]
pub mod failpoint;
pub mod files;
pub mod holders;
pub mod identity;
pub mod journal;
pub mod lab_files;
pub mod lock;
pub mod origin;
pub mod programs;
pub mod snapshots;
pub mod store;
pub mod tree;
pub mod trust;

/// The version of this labctl. All its files name it, so that an older labctl can say which version
/// they need.
pub const LABCTL: &str = env!("CARGO_PKG_VERSION");

pub use bundle::Bundle;
pub use environment::{Environment, Record};
pub use error::StateError;
pub use identity::Identity;
pub use journal::Journal;
pub use lock::{Holder, Lock};
pub use origin::Origin;
pub use store::{Listing, Store, Unusable};
