//! The `schism` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    schism::main()
}
