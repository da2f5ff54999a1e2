//! The `brickwork` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    brickwork_cli::main(std::env::args_os()).into()
}
