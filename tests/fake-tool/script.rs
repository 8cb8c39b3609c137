//! What the fakes are told, and what they tell: shared by the fakes and the tests.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The variable that names the directory of the script, the log and every relative path.
pub(crate) const DIR: &str = "FAKE_TOOL_DIR";
/// The script in it: a JSON list of rules. The first that matches a call is followed.
pub(crate) const SCRIPT: &str = "script.json";
/// The log in it: a JSON object for each call, a line each, in the order of the calls.
pub(crate) const CALLS: &str = "calls.jsonl";

/// What to do when called like this.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// The name the fake was called by.
    pub(crate) program: String,
    /// How its arguments begin; `*` is any one argument.
    pub(crate) args: Vec<String>,
    /// What is done, in order. At the end the fake exits with code 0.
    pub(crate) acts: Vec<Act>,
}

impl Rule {
    /// Whether a call of `program` with `args` is meant.
    pub(crate) fn matches(&self, program: &str, args: &[String]) -> bool {
        let pairs = self.args.iter().zip(args);
        self.program == program
            && self.args.len() <= args.len()
            && pairs.clone().all(|(rule, arg)| rule == "*" || rule == arg)
    }
}

/// One thing that a fake does. A relative path is below the fakes' directory. In what is written,
/// `{--name}` is the argument after the first `--name`, `{last}` is the last argument, and `{$NAME}`
/// is the variable `NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Act {
    /// Prints a line on standard output.
    Out(String),
    /// Prints a line on standard error.
    Err(String),
    /// Prints a file on standard output, if there is one.
    Cat(PathBuf),
    /// Writes a file, whole or not at all.
    Write(String, String),
    /// Removes a file, if it is there.
    Remove(PathBuf),
    /// Hangs until a file is there.
    Await(PathBuf),
    /// Hangs until it is killed.
    Hang,
    /// From here on TERM and INT are not obeyed; each TERM writes this file.
    IgnoreTerm(PathBuf),
    /// Starts a process of the same group that hangs, keeps the output open and is not waited for;
    /// its id is in this file.
    Grandchild(PathBuf),
    /// The same, and it does not obey TERM and INT.
    StubbornGrandchild(PathBuf),
    /// Asks the make-believe cluster, whose address is in this file, to do what the call says, and
    /// prints its answer. Ends with its exit code, unless that is 0.
    Ask(PathBuf),
    /// Fills the file system with this file, until there is no space left; the first time only.
    Fill(PathBuf),
    /// Ends with this signal, as if somebody had sent it.
    Die(i32),
    /// Ends with this code.
    Exit(u8),
}

/// A call, as it is logged before anything is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The name the fake was called by.
    pub(crate) program: String,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Its process id.
    pub(crate) pid: u32,
    /// The variables that decide which cluster a tool talks to.
    pub(crate) env: BTreeMap<String, String>,
}
