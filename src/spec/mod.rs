//! The model of `lab.yaml`, its reader and its validation.
//!
//! This module is pure: a lab arrives as a tree of files already in memory ([`LabTree`]).

pub mod action;
pub mod assertion;
pub mod build;
pub mod client_load;
pub mod data;
pub mod duration;
pub mod fact;
pub mod helm;
pub mod image_ref;
pub mod measured;
pub mod measurement;
pub mod mesh;
pub mod model;
pub mod name;
pub mod params;
pub mod request;
pub mod secret;
pub mod size;
pub mod span;
pub mod tool;
pub mod toxic;
pub mod tree;
pub mod validate;
pub mod version;
pub mod workload;
pub mod yaml;

pub use action::{Action, Undo};
pub use assertion::Assertion;
pub use build::Build;
pub use data::{Command, Data};
pub use duration::Within;
pub use fact::{ClaimFact, Fact, Facts, PodFact};
pub use image_ref::ImageRef;
pub use measurement::Measurement;
pub use model::{Expect, Lab, Step};
pub use name::{EnvironmentName, StepId, ToolName};
pub use params::{Chosen, Image, Param};
pub use secret::Secrets;
pub use tree::LabTree;
pub use version::AtLeast;
pub use workload::{Workload, WorkloadKind};
