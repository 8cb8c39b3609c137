//! The sources of the labs' own images, which are on no registry.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};

use super::labs::files_of;

static DEMO: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo");
static LOCK: &[u8] = include_bytes!("../../Cargo.lock");

/// The workspace around the API. In the repository the API is a member of labctl's own workspace.
const WORKSPACE: &str = "\
[workspace]
members = [\"demo/api\"]
resolver = \"3\"

[workspace.lints]
";

/// The files that an image is built from, by path.
pub(crate) type Sources = BTreeMap<String, Vec<u8>>;

/// The names of the images that have such sources.
pub(crate) const NAMES: [&str; 2] = ["demo-api", "demo-web"];

/// Returns the sources of the images that labctl itself brings, by name. Each has a Dockerfile.
pub(crate) fn image_sources() -> BTreeMap<String, Sources> {
    let named = NAMES.map(ToOwned::to_owned).into_iter();
    named.zip([api(), files("web")]).collect()
}

fn api() -> Sources {
    let api = files("api");
    let mut all: Sources = api
        .iter()
        .map(|(name, bytes)| (format!("demo/api/{name}"), bytes.clone()))
        .collect();
    // The engine looks for the Dockerfile here.
    all.extend(
        api.get("Dockerfile")
            .map(|file| ("Dockerfile".to_owned(), file.clone())),
    );
    all.insert("Cargo.toml".to_owned(), WORKSPACE.into());
    all.insert("Cargo.lock".to_owned(), LOCK.to_vec());
    all
}

fn files(dir: &str) -> Sources {
    DEMO.get_dir(dir).map(files_of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_all_that_its_dockerfile_copies() {
        let all = image_sources();
        for file in [
            "Dockerfile",
            "nginx.conf",
            "entrypoint.sh",
            "site/index.html",
        ] {
            assert!(all["demo-web"].contains_key(file), "{file}");
        }
        for file in [
            "Dockerfile",
            "Cargo.toml",
            "Cargo.lock",
            "demo/api/src/main.rs",
        ] {
            assert!(all["demo-api"].contains_key(file), "{file}");
        }
    }
}
