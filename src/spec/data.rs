//! The data that a lab keeps in Pods, and the commands that detect, save and restore it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{LabTree, Within, name::is_label, params::text_or, size::Size, tree::LAB_FILE};

/// The longest script that a command of a lab may have, in bytes. Linux limits a single argument to
/// 128 KiB (`MAX_ARG_STRLEN`).
const LONGEST: usize = 120 << 10;

/// Data in Pods. Its three commands run in the Pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Data {
    /// The Pods, each with its own data.
    #[serde(rename = "in")]
    pub pods: Vec<String>,
    /// The command that prints a text that changes whenever the data does: a line `PART: VALUE` for
    /// each part of it, so that labctl can report which part differs. As long as the text is the
    /// same, nothing is saved or restored.
    pub fingerprint: Command,
    /// The command that prints the data as text.
    pub save: Command,
    /// The last line that `save` prints. Output that was cut off lacks it and is never restored.
    pub ends_with: String,
    /// The command that reads the output of `save` and restores that data, whatever is there. An
    /// interrupted run leaves either the old or the new data, and the next run removes the remains
    /// of the first.
    pub restore: Command,
    /// The maximum output of `save`; 1Gi if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Size>,
    /// The longest time that `save` or `restore` may take; 10m if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

/// A command line, in which a word may be the text of a file of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Command(pub Vec<Word>);

/// A word of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The word itself.
    Text(String),
    /// The text of this file of the lab.
    File(String),
}

/// A word that is the text of a file, as written in `lab.yaml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    file: String,
    /// True if the word was written as a plain text.
    #[serde(skip)]
    is_text: bool,
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |file| {
            Ok(Written {
                file,
                is_text: true,
            })
        };
        let Written { file, is_text } = text_or(deserializer, "a word, or `file`", text)?;
        Ok(if is_text {
            Self::Text(file)
        } else {
            Self::File(file)
        })
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::File(file) => Written {
                file: file.clone(),
                is_text: false,
            }
            .serialize(serializer),
        }
    }
}

impl Command {
    /// Returns the words, with the texts of `tree`'s files in place of their names. A missing file
    /// gives an empty word; [`Data::faults`] reports it.
    #[must_use]
    pub fn words(&self, tree: &LabTree) -> Vec<String> {
        let word = |word: &Word| match word {
            Word::Text(text) => text.clone(),
            Word::File(file) => tree.text(file).unwrap_or_default().to_owned(),
        };
        self.0.iter().map(word).collect()
    }

    /// Returns the files whose texts are words of this command.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|word| match word {
            Word::File(file) => Some(file.as_str()),
            Word::Text(_) => None,
        })
    }
}

impl Data {
    /// Returns the maximum output of `save`.
    #[must_use]
    pub fn at_most(&self) -> Size {
        self.at_most.unwrap_or(Size::mib(1024))
    }

    /// Returns the longest time that `save` or `restore` may take.
    #[must_use]
    pub fn within(&self) -> Within {
        self.within.unwrap_or(Within::seconds(600))
    }

    /// Returns what is wrong with it in `tree`.
    #[must_use]
    pub fn faults(&self, tree: &LabTree) -> Vec<String> {
        let pods = self.pods.join(", ");
        let of = |text: String| format!("{LAB_FILE}: the data in `{pods}` has {text}");
        let empty = [
            ("in", self.pods.is_empty()),
            ("fingerprint", self.fingerprint.0.is_empty()),
            ("save", self.save.0.is_empty()),
            ("ends-with", self.ends_with.trim().is_empty()),
            ("restore", self.restore.0.is_empty()),
        ];
        let empty = empty.iter().filter(|(_, is_empty)| *is_empty);
        let mut faults: Vec<String> = empty
            .map(|(key, _)| of(format!("an empty `{key}`")))
            .collect();
        // The names become parts of file names.
        let is_pod = |pod: &&String| pod.split('.').all(is_label);
        faults.extend(self.pods.iter().filter(|pod| !is_pod(pod)).map(|pod| {
            format!(
                "{LAB_FILE}: data: `{}` is no name of a pod",
                pod.escape_debug()
            )
        }));
        if self.ends_with.contains('\n') {
            faults.push(of("an `ends-with` of several lines".to_owned()));
        }
        let commands = [
            ("fingerprint", &self.fingerprint),
            ("save", &self.save),
            ("restore", &self.restore),
        ];
        for (key, command) in commands {
            for file in command.files() {
                match tree.text(file) {
                    None => faults.push(of(format!(
                        "in `{key}` the file `{file}`, which the lab does not have"
                    ))),
                    Some(text) if text.len() > LONGEST => faults.push(of(format!(
                        "in `{key}` the file `{file}`, which is longer than {} KiB",
                        LONGEST >> 10
                    ))),
                    Some(_) => {}
                }
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = "{in: [db-0], fingerprint: [sh, -c, {file: data.sh}, data], save: [cat, f], \
                        ends-with: end, restore: [tee, f]}";

    fn data(text: &str) -> Data {
        serde_saphyr::from_str(text).unwrap()
    }

    fn tree() -> LabTree {
        LabTree {
            origin: "a test".into(),
            files: [("data.sh".to_owned(), b"echo $1".to_vec())].into(),
        }
    }

    #[test]
    fn a_word_is_itself_or_the_text_of_a_file() {
        let data = data(DATA);
        assert_eq!(
            data.fingerprint.words(&tree()),
            ["sh", "-c", "echo $1", "data"]
        );
        assert_eq!(data.save.words(&tree()), ["cat", "f"]);
        assert_eq!(data.faults(&tree()), [""; 0]);
        let json = serde_json::to_string(&data).unwrap();
        assert_eq!(serde_json::from_str::<Data>(&json).unwrap(), data);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let data = data(
            "{in: [db-0], fingerprint: [], save: [sh, {file: other.sh}], ends-with: '', restore: [x]}",
        );
        assert_eq!(
            data.faults(&tree()),
            [
                "lab.yaml: the data in `db-0` has an empty `fingerprint`",
                "lab.yaml: the data in `db-0` has an empty `ends-with`",
                "lab.yaml: the data in `db-0` has in `save` the file `other.sh`, which the lab does \
                 not have",
            ]
        );
    }
}
