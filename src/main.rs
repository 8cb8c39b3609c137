//! The command `labctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    labctl::cli::main()
}
