//! The steps in their order, the waits for their expectations, and `verify`.

pub mod again;
pub mod announce;
pub mod compare;
pub mod cursor;
pub mod done;
pub mod heal;
pub mod settle;
pub mod step;
pub mod throughout;
pub mod up;
pub mod verify;
