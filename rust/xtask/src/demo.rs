// SPDX-License-Identifier: Apache-2.0
//! The demonstration, and the power cuts by SIGKILL: programs of their own.

use std::process::ExitCode;

use crate::report::Outcome;
use crate::run::{cargo, output};

/// Builds the programs and runs the demonstration where everybody can watch.
pub(crate) fn show() -> ExitCode {
    let ran = build().and_then(|()| {
        cargo(["run", "-q", "--locked", "-p", "mender-demo"]).status().map_err(|e| e.to_string())
    });
    match ran {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The demonstration as a test.
pub(crate) fn check() -> Outcome {
    if let Err(error) = build() {
        return Outcome::failed(error);
    }
    let told = output(&mut cargo(["run", "-q", "--locked", "-p", "mender-demo"]));
    if told.ok { Outcome::passed("") } else { Outcome::failed(told.text) }
}

/// Power cuts at over 200 moments; the last line says how many.
pub(crate) fn sigkill() -> Outcome {
    let told = output(&mut cargo(["run", "-q", "--locked", "-p", "mender-sigkill"]));
    if told.ok {
        Outcome::passed(told.text.lines().last().unwrap_or_default())
    } else {
        Outcome::failed(told.text)
    }
}

fn build() -> Result<(), String> {
    let told = output(&mut cargo(["build", "-q", "--locked", "-p", "mender-device", "-p", "mender-demo"]));
    if told.ok { Ok(()) } else { Err(told.text) }
}
