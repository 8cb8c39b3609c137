//! Tools of a lab: their paths and command lines.

use std::path::{Path, PathBuf};

use super::Target;
use crate::{
    digest,
    spec::{ToolName, tool::Output},
    tool::Invocation,
};

impl Target {
    /// Returns a command line of the lab's tool `name`, with the environment's kubeconfig.
    #[must_use]
    pub fn lab_tool(&self, name: &ToolName, arguments: &[String]) -> Invocation {
        let program = self.tools.join(name.as_str());
        Invocation::new(&program.to_string_lossy(), arguments.iter().cloned())
            .env("KUBECONFIG", self.kubectl.kubeconfig.to_string_lossy())
    }
}

/// Returns the command that prints `output` into `file`.
pub(super) fn output(output: &Output, target: &Target, file: &Path) -> Invocation {
    let mut arguments = output.arguments.clone();
    for (option, certificate) in &output.certificates {
        let path = certificate.path_in(&target.dir);
        arguments.push(format!("--{option}={}", path.display()));
    }
    target
        .lab_tool(&output.of, &arguments)
        .stdout(file.to_owned())
        .at_most(output.at_most(), "`at-most` of the `output` of this step")
}

/// Returns the path of the file for a tool's output. Its name describes the output, and no other
/// output has the same.
#[must_use]
pub fn output_file(output: &Output, target: &Target) -> PathBuf {
    let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let words = output.arguments.iter().map(String::as_str).filter(is_word);
    let words: Vec<&str> = words.map(|w| w.trim_matches('-')).collect();
    let name: String = words.join("-").chars().take(40).collect();
    let mut unique = digest::hex(serde_json::json!(output).to_string().as_bytes());
    unique.truncate(8);
    target
        .dir
        .join("files")
        .join(format!("{}-{name}-{unique}.yaml", output.of))
}
