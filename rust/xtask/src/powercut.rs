// SPDX-License-Identifier: Apache-2.0
//! The simulation of faults, a program of its own, built with optimization and with all checks.

use std::process::ExitCode;

use crate::report::Outcome;
use crate::run::{cargo, output};

const RUN: [&str; 7] = ["run", "-q", "--locked", "--profile", "powercut", "-p", "powercut"];

/// Runs it where everybody can watch. In its long form the client is then broken on purpose, too.
pub(crate) fn show(arguments: &[&str]) -> ExitCode {
    let mut runs = vec![arguments.to_vec()];
    if arguments.contains(&"--long") {
        runs.push(vec!["--mutations"]);
    }
    for arguments in runs {
        match cargo(RUN.iter().chain(&["--"]).chain(&arguments)).status() {
            Ok(status) if status.success() => {}
            Ok(_) => return ExitCode::FAILURE,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// As a test; the last line says what was tried.
pub(crate) fn check() -> Outcome {
    judged(&[])
}

/// All mutations: it fails unless each was tried, and caught.
pub(crate) fn mutations() -> Outcome {
    judged(&["--", "--mutations"])
}

fn judged(arguments: &[&str]) -> Outcome {
    let told = output(&mut cargo(RUN.iter().chain(arguments)));
    if told.ok {
        Outcome::passed(told.text.lines().last().unwrap_or_default())
    } else {
        Outcome::failed(told.text)
    }
}
