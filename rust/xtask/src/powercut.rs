// SPDX-License-Identifier: Apache-2.0
//! The simulation of faults, a program of its own, built with optimization and with all checks.

use std::process::ExitCode;

use crate::report::Outcome;
use crate::run::{cargo, output};

const RUN: [&str; 7] = ["run", "-q", "--locked", "--profile", "powercut", "-p", "powercut"];

/// Runs it where everybody can watch.
pub(crate) fn show(arguments: &[&str]) -> ExitCode {
    match cargo(RUN.iter().chain(&["--"]).chain(arguments)).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// As a test; the last line says what was tried.
pub(crate) fn check() -> Outcome {
    let told = output(&mut cargo(RUN));
    if told.ok {
        Outcome::passed(told.text.lines().last().unwrap_or_default())
    } else {
        Outcome::failed(told.text)
    }
}
