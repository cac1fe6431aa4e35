//! `nsmc-classify`: says which label reviews have, with a bundle in a folder or in this very file.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
