//! The verbs, a file each.

pub(super) mod down;
pub(super) mod env;
pub(super) mod heal;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod next;
pub(super) mod plan;
pub(super) mod reset;
pub(super) mod shell;
pub(super) mod show;
pub(super) mod status;
pub(super) mod stop;
pub(super) mod up;
pub(super) mod validate;
pub(super) mod verify;
