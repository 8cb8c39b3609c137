//! How an image is built that is on no registry.

use std::path::PathBuf;

use super::Target;
use crate::{
    spec::{Build, ImageRef},
    tool::{Invocation, docker},
};

/// Where the sources of `image` are put for that.
#[must_use]
pub fn sources(image: &ImageRef, target: &Target) -> PathBuf {
    target.dir.join("build").join(image.file_name())
}

/// The command that builds `image`.
#[must_use]
pub fn command(image: &ImageRef, build: &Build, target: &Target) -> Invocation {
    docker::build(image, &build.args, &sources(image, target))
}
