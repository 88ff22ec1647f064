// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask header`: the C headers, by a program of their own, which takes cbindgen to build.

use crate::report::Outcome;
use crate::run::{cargo, output};

/// Writes `include/*.h`.
pub(crate) fn write() -> Outcome {
    run(&[])
}

/// Compares them with what would be written.
pub(crate) fn check() -> Outcome {
    run(&["--check"])
}

fn run(args: &[&str]) -> Outcome {
    let program = ["run", "--quiet", "--locked", "-p", "mender-header", "--"];
    let told = output(&mut cargo(program.iter().chain(args)));
    if told.ok { Outcome::passed("") } else { Outcome::failed(told.text) }
}
