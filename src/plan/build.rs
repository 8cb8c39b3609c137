//! Commands that build an image that is on no registry.

use std::path::PathBuf;

use super::Target;
use crate::{
    spec::{Build, ImageRef},
    tool::{Invocation, docker},
};

/// Returns the directory for the build's sources.
#[must_use]
pub fn sources(image: &ImageRef, target: &Target) -> PathBuf {
    target.dir.join("build").join(image.file_name())
}

/// Returns the command that builds `image`.
#[must_use]
pub fn command(image: &ImageRef, build: &Build, target: &Target) -> Invocation {
    docker::build(image, &build.args, &sources(image, target))
}
