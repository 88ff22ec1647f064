// SPDX-License-Identifier: Apache-2.0
//! The command line of the local Mender server: `run` serves, everything else asks a running server to do something.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mender-server: {error}");
            ExitCode::FAILURE
        }
    }
}
