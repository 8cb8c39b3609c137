//! The actions that labctl does itself, where no single command line does.

pub mod certificates;
pub mod helm;
pub mod lab_tool;
pub mod load;
pub mod measure;
pub mod pinned;
pub mod toxic;
