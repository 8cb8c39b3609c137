//! How an image is built that is on no registry.

use std::path::PathBuf;

use super::Target;
use crate::{
    spec::Build,
    tool::{Invocation, docker},
};

/// Where the sources of `image` are put for that.
#[must_use]
pub fn sources(image: &str, target: &Target) -> PathBuf {
    let name = image.replace(['/', ':', '@'], "-");
    target.dir.join("build").join(name)
}

/// The command that builds `image`.
#[must_use]
pub fn command(image: &str, build: &Build, target: &Target) -> Invocation {
    docker::build(image, &build.args, &sources(image, target))
}
