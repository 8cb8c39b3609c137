//! The labs, and finding the one that the user means.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::Path,
};

use include_dir::{Dir, include_dir};

use super::{demo, error::CliError, exit, session, settings::Settings, trust::Origin};
use crate::{
    digest,
    download::{self, DownloadError},
    event::Redactor,
    spec::{
        Chosen, Lab, LabTree, Secrets, Within,
        model::{Level, Needs},
        tree::LAB_FILE,
        validate::{self, Known, nearest},
        yaml::Fault,
    },
    state::{
        self, StateError,
        archive::{self, LARGEST},
        environment::read_tree,
        trust::Directory,
    },
};

static LABS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/labs");
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// A valid lab.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The lab with the values that its parameters have.
    pub(crate) lab: Lab,
    /// The lab as it is written, for any values.
    pub(crate) written: Lab,
    /// The values of its parameters.
    pub(crate) chosen: Chosen,
    /// Its files.
    pub(crate) tree: LabTree,
    /// Its source.
    pub(crate) origin: Origin,
}

impl Loaded {
    /// Returns its origin as an environment records it; `None` for the lab that an environment has
    /// applied.
    pub(crate) fn recorded_origin(&self) -> Option<state::Origin> {
        match &self.origin {
            Origin::Applied => None,
            Origin::BuiltIn => Some(state::Origin::BuiltIn),
            Origin::Directory(directory) => Some(state::Origin::directory(&directory.path)),
            Origin::Elsewhere => {
                let digest = digest::hex_of_tree(&self.tree.files);
                Some(state::Origin::Digest(digest))
            }
        }
    }

    /// Sets the values of its parameters. Those that are not in `chosen` get their defaults.
    pub(crate) fn with(mut self, chosen: impl IntoIterator<Item = (String, String)>) -> Self {
        self.chosen = self.written.defaults();
        self.chosen.extend(chosen);
        self.lab = self.written.with(&self.chosen);
        self
    }
}

/// Returns the built-in kind configurations, by name.
pub(crate) fn kind_templates() -> BTreeMap<String, String> {
    let files = TEMPLATES
        .get_dir("kind")
        .map(Dir::files)
        .into_iter()
        .flatten();
    let named = files.filter_map(|file| {
        let name = file.path().file_stem()?.to_str()?;
        Some((name.to_owned(), file.contents_utf8()?.to_owned()))
    });
    named.collect()
}

/// Returns the ids of the built-in labs, in order.
pub(crate) fn built_in() -> Vec<String> {
    let is_lab = |dir: &&Dir<'_>| dir.contains(dir.path().join(LAB_FILE));
    let dirs = LABS
        .dirs()
        .filter(is_lab)
        .filter_map(|dir| dir.path().to_str());
    let mut ids: Vec<String> = dirs.map(ToOwned::to_owned).collect();
    ids.sort();
    ids
}

/// Reads the lab that `name` means: an id, the beginning of one, a path or a URL.
pub(crate) fn load(name: &str, settings: &Settings) -> Result<Loaded, CliError> {
    let (tree, origin) = find(name, settings)?;
    let loaded = check(tree)?;
    Ok(Loaded { origin, ..loaded })
}

/// Checks the lab in `tree`.
pub(crate) fn check(tree: LabTree) -> Result<Loaded, CliError> {
    let known = Known {
        kind_templates: kind_templates().into_keys().collect::<BTreeSet<_>>(),
        image_sources: demo::NAMES.map(ToOwned::to_owned).into(),
    };
    let lab = validate::load(&tree, &known).map_err(|faults| invalid(&tree, &faults))?;
    Ok(loaded(lab, tree))
}

/// Returns a placeholder for the lab `id`, of which nothing else is known.
pub(crate) fn unknown(id: &str) -> Loaded {
    let lab = Lab {
        lab: id.to_owned(),
        title: "whose files cannot be used".to_owned(),
        summary: None,
        level: Level::Beginner,
        time: Within::seconds(0),
        namespace: "default".to_owned(),
        needs: Needs::default(),
        params: BTreeMap::new(),
        images: Vec::new(),
        data: Vec::new(),
        steps: Vec::new(),
    };
    loaded(lab, LabTree::default())
}

/// Returns `lab`, whose files are `tree`, with the default values.
fn loaded(lab: Lab, tree: LabTree) -> Loaded {
    let loaded = Loaded {
        written: lab.clone(),
        lab,
        chosen: Chosen::new(),
        tree,
        origin: Origin::Applied,
    };
    loaded.with([])
}

/// Reads the lab at `path`: a directory, its `lab.yaml`, an archive, or the URL of an archive.
pub(crate) fn read(path: &Path, settings: &Settings) -> Result<(LabTree, Origin), CliError> {
    if let Some(url) = path.to_str().filter(|path| path.contains("://")) {
        let tree = archive::read(download::shown(url), &fetched(url)?)?;
        return Ok((tree, Origin::Elsewhere));
    }
    let path = settings.cwd.join(path);
    if is_archive(&path) {
        return Ok((read_archive(&path)?, Origin::Elsewhere));
    }
    let dir = path.ancestors().find(|dir| dir.is_dir()).unwrap_or(&path);
    // Its identity is taken before it is read: a directory put in its place meanwhile is not the
    // one that was trusted.
    let directory = Directory::at(dir)?;
    let tree = read_dir(&path, &directory)?;
    if Directory::at(dir)? != directory {
        let error = anyhow::anyhow!("{} was replaced while it was read", dir.display());
        return Err(CliError::new(exit::UNSAFE, error));
    }
    Ok((tree, Origin::Directory(directory)))
}

/// Downloads the archive at `url`.
fn fetched(url: &str) -> Result<Vec<u8>, CliError> {
    let fetched = session::runtime()?.block_on(download::fetch(url, LARGEST));
    fetched.map_err(|error| match error {
        DownloadError::Refused(_) => CliError::usage(error),
        DownloadError::Failed { .. } => CliError::new(exit::FAILED, error)
            .hint("fetch it by other means, and name the file instead"),
    })
}

/// Tests whether `path` is a file with the name of an archive.
fn is_archive(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase());
    let is_named = |end: &&str| name.as_ref().is_some_and(|name| name.ends_with(*end));
    [".tar", ".tar.gz", ".tgz"].iter().any(is_named) && path.is_file()
}

fn read_archive(path: &Path) -> Result<LabTree, CliError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(StateError::file("open", path))?;
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(StateError::file("read", path))?;
    let shown = path.display();
    if bytes.len() as u64 > LARGEST {
        let error = anyhow::anyhow!("{shown} is larger than {} MiB", LARGEST >> 20);
        return Err(CliError::new(exit::INVALID_LAB, error));
    }
    Ok(archive::read(&shown.to_string(), &bytes)?)
}

fn read_dir(path: &Path, real: &Directory) -> Result<LabTree, CliError> {
    let dir = match path.file_name() {
        Some(name) if name == LAB_FILE => path.parent().unwrap_or(path),
        _ => path,
    };
    // A lab's directory has a lab.yaml; all files of a mistaken path would be read otherwise.
    if !dir.join(LAB_FILE).is_file() {
        let error = anyhow::anyhow!("{} has no {LAB_FILE}", dir.display());
        return Err(CliError::new(exit::INVALID_LAB, error));
    }
    let tree = read_tree(&real.path).map_err(|error| CliError::new(exit::INVALID_LAB, error))?;
    Ok(LabTree {
        origin: dir.display().to_string(),
        ..tree
    })
}

fn find(name: &str, settings: &Settings) -> Result<(LabTree, Origin), CliError> {
    let ids = built_in();
    if let Some(id) = ids.iter().find(|id| *id == name) {
        return Ok((embedded(id), Origin::BuiltIn));
    }
    let path = settings.cwd.join(name);
    if name.contains('/') || path.join(LAB_FILE).is_file() || is_archive(&path) {
        return read(Path::new(name), settings);
    }
    let matching: Vec<&String> = ids.iter().filter(|id| id.starts_with(name)).collect();
    match matching.as_slice() {
        [id] if !name.is_empty() => Ok((embedded(id), Origin::BuiltIn)),
        [] => {
            let near = nearest(name, ids.iter());
            let error = anyhow::anyhow!("there is no lab `{name}`{near}");
            Err(CliError::usage(error).hint("`labctl list` lists the labs"))
        }
        several => {
            let several: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            let error = anyhow::anyhow!("`{name}` can mean several labs: {}", several.join(", "));
            Err(CliError::usage(error).hint("type more of its id"))
        }
    }
}

fn embedded(id: &str) -> LabTree {
    let mut tree = LabTree {
        origin: format!("the built-in lab {id}"),
        files: BTreeMap::new(),
    };
    if let Some(dir) = LABS.get_dir(id) {
        tree.files = files_of(dir);
    }
    tree
}

/// Returns all files of an embedded directory, by their path in it.
pub(super) fn files_of(dir: &Dir<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    collect(dir, dir.path(), &mut files);
    files
}

fn collect(dir: &Dir<'_>, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for file in dir.files() {
        let name = file.path().strip_prefix(root).ok().and_then(Path::to_str);
        if let Some(name) = name {
            files.insert(name.to_owned(), file.contents().to_vec());
        }
    }
    for dir in dir.dirs() {
        collect(dir, root, files);
    }
}

fn invalid(tree: &LabTree, faults: &[Fault]) -> CliError {
    let texts: Vec<&str> = faults.iter().map(|fault| fault.text.as_str()).collect();
    let secrets = Secrets::of_lab(tree);
    let redactor = Redactor::new(&secrets.values, &secrets.public);
    let cause = anyhow::Error::msg(redactor.text(&texts.join("\n")));
    CliError::new(
        exit::INVALID_LAB,
        cause.context(format!("{} is not a sound lab", tree.origin)),
    )
}
