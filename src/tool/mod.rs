//! The programs that labctl wraps: command lines as values, and the one place that runs them.
//!
//! The builders of command lines are pure, so that `plan` can show a command exactly as `up` runs
//! it. [`process`], [`stop`] and [`survivor`] act.

pub mod docker;
pub mod helm;
pub mod invocation;
pub mod kind;
pub mod kubeconfig;
pub mod kubectl;
mod output;
pub mod process;
pub mod stop;
pub mod survivor;

pub use invocation::{Invocation, Stdin};
pub use process::{Done, Progress, ToolError, Toolbox};
pub use stop::{Stop, Stopped, Stopper};
