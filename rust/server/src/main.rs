// SPDX-License-Identifier: Apache-2.0
//! The command line of the local Mender server: `run` serves, everything else asks a running server to do something.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A connection that panics must not pass for one that was closed: it ends the server, however it was built.
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        say(info);
        std::process::abort();
    }));
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mender-server: {error}");
            ExitCode::FAILURE
        }
    }
}
