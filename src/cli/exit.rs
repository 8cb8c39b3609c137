//! All exit codes.

use crate::event::RunOutcome;

/// Everything that was asked for is done, or holds.
pub(crate) const OK: u8 = 0;
/// A step or an assertion failed, or is still pending.
pub(crate) const FAILED: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// The lab is wrong.
pub(crate) const INVALID_LAB: u8 = 3;
/// A tool is missing, too old, or does not answer.
pub(crate) const TOOL: u8 = 4;
/// The cluster does not answer, or does not exist.
pub(crate) const UNREACHABLE: u8 = 5;
/// Another labctl holds the environment.
pub(crate) const LOCKED: u8 = 6;
/// Going on would touch something that the environment did not make.
pub(crate) const UNSAFE: u8 = 7;
/// labctl itself cannot go on: its files cannot be written, or it has a fault.
pub(crate) const INTERNAL: u8 = 70;

/// Nobody reads the output of a run any more (128 + SIGPIPE).
pub(crate) const BROKEN_PIPE: u8 = 141;

/// The text below `labctl --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, or all holds            5  the cluster cannot be asked
  1  a step or a check failed      6  the environment is in use
  2  wrong command line            7  refused, for safety
  3  the lab is wrong             70  labctl itself cannot go on
  4  a tool is missing or too old 128+n  ended by signal n";

/// Returns the exit code of a run that a signal ended.
pub(crate) fn signalled(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(FAILED)
}

/// Returns the exit code of a run.
pub(crate) fn of(outcome: RunOutcome) -> u8 {
    match outcome {
        RunOutcome::Passed => OK,
        RunOutcome::Failed => FAILED,
        RunOutcome::Unreachable => UNREACHABLE,
        RunOutcome::Cancelled { signal } => signalled(signal),
    }
}
