//! A command line as a value.

use std::{borrow::Cow, fmt, path::PathBuf};

use crate::{
    event::untrusted::{deceives, dollar_quoted},
    spec::size::Size,
};

/// The standard input of a child.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stdin {
    /// Nothing.
    #[default]
    Null,
    /// A text.
    Text(String),
    /// The content of a file.
    File(PathBuf),
}

/// A program with its arguments, its additional environment and its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The tool's name: `kind`. Its path is resolved when it is run.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables in addition to the ones that labctl itself has.
    pub env: Vec<(String, String)>,
    /// The arguments that are the text of a file, each with the file, which is shown in its place.
    pub texts: Vec<(String, PathBuf)>,
    /// Its standard input.
    pub stdin: Stdin,
    /// The file that takes the standard output, of any content and size. Without one, the output
    /// is read as lines.
    pub stdout: Option<PathBuf>,
    /// The limit for that file.
    pub at_most: Option<AtMost>,
}

/// A limit for the output of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtMost {
    /// The limit.
    pub size: Size,
    /// The setting that raises the limit: "`at-most` of the lab's `data`".
    pub raised_by: &'static str,
}

impl Invocation {
    /// Creates an invocation of `program` with `args`.
    pub fn new<A: Into<String>>(program: &str, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: program.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            texts: Vec::new(),
            stdin: Stdin::Null,
            stdout: None,
            at_most: None,
        }
    }

    /// Limits the output into the file.
    #[must_use]
    pub fn at_most(mut self, size: Size, raised_by: &'static str) -> Self {
        self.at_most = Some(AtMost { size, raised_by });
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sends the standard output to the file at `path`.
    #[must_use]
    pub fn stdout(mut self, path: PathBuf) -> Self {
        self.stdout = Some(path);
        self
    }

    /// Shows `file` in the place of the argument `text`, which is the file's content.
    #[must_use]
    pub fn text_of(mut self, text: String, file: PathBuf) -> Self {
        self.texts.push((text, file));
        self
    }

    /// Sets the standard input.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }
}

impl fmt::Display for Invocation {
    /// Writes the command as it can be typed into a shell. An input text becomes a here-string
    /// (`<<<`), which bash, ksh and zsh know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quote(value))?;
        }
        f.write_str(&quote(&self.program))?;
        for arg in &self.args {
            match self.texts.iter().find(|(text, _)| text == arg) {
                Some((_, file)) => write!(f, " \"$(cat {})\"", quote(&file.to_string_lossy()))?,
                None => write!(f, " {}", quote(arg))?,
            }
        }
        match &self.stdin {
            Stdin::Null => {}
            Stdin::File(path) => write!(f, " <{}", quote(&path.to_string_lossy()))?,
            Stdin::Text(text) => write!(f, " <<<{}", quote(text))?,
        }
        match &self.stdout {
            Some(path) => write!(f, " >{}", quote(&path.to_string_lossy())),
            None => Ok(()),
        }
    }
}

/// Returns `text` as one word of a POSIX shell, on one line. Characters that a terminal would obey,
/// or that nobody would see, are escaped (`$'…'`, POSIX.1-2024).
#[must_use]
pub fn quote(text: &str) -> Cow<'_, str> {
    if text.chars().any(deceives) {
        return Cow::Owned(dollar_quoted(text));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_typed() {
        let command = Invocation::new("kubectl", ["exec", "p", "--", "sh", "-c", "echo 'hi' $X"])
            .env("KUBECONFIG", "/a b");
        assert_eq!(
            command.to_string(),
            r"KUBECONFIG='/a b' kubectl exec p -- sh -c 'echo '\''hi'\'' $X'"
        );
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a\nb"), r"$'a\nb'");
        let script = Invocation::new("bash", ["-c", "echo 1\necho 2", "x"]);
        let script = script.text_of("echo 1\necho 2".to_owned(), "/a b/c.sh".into());
        assert_eq!(script.to_string(), r#"bash -c "$(cat '/a b/c.sh')" x"#);
    }
}
