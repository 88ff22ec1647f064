// SPDX-License-Identifier: Apache-2.0
//! Firmware under MCUboot itself, in QEMU.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::report::Outcome;
use crate::run::{Output, output};
use crate::zephyr::{Zephyr, arm, cargo_dir, counted, programs, scratch, script};

/// What it needs beside a compiler.
pub(crate) const TOOLS: &[(&str, &str)] = &[("qemu-system-arm", "apt install qemu-system-arm")];

/// As `tests/qemu/firmware.py` calls them.
const MODES: &[&str] = &["offset"];

/// Runs it where everybody can watch.
pub(crate) fn show(options: &[&str]) -> ExitCode {
    let zephyr = match arm(TOOLS) {
        Ok(zephyr) => zephyr,
        Err(missing) => {
            println!("qemu skipped: {missing}");
            return ExitCode::SUCCESS;
        }
    };
    let ran = scenarios(&zephyr, options).map(|mut command| command.status());
    match ran {
        Ok(Ok(status)) if status.success() => ExitCode::SUCCESS,
        Ok(Ok(_)) => ExitCode::FAILURE,
        Ok(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// As a test.
pub(crate) fn check(zephyr: &Zephyr) -> Outcome {
    match scenarios(zephyr, &[]) {
        Ok(mut command) => counted(output(&mut command), "scenarios"),
        Err(text) => Outcome::failed(text),
    }
}

/// Builds what there is to build. What is run then.
fn scenarios(zephyr: &Zephyr, options: &[&str]) -> Result<Command, String> {
    let [server, testkit, _] = programs()?;
    let ca = scratch("ca");
    good(script("tests/native_sim/updates.py", &[("--server", server.clone()), ("--make-ca", ca.clone())]))?;
    for mode in MODES {
        let mut build = zephyr.command("python3");
        build.args(["tests/qemu/firmware.py", "--mode", mode, "--out"]).arg(builds().join(mode));
        good(output(build.arg("--ca").arg(ca.join("ca.pem")).arg(cargo_dir())))?;
    }
    let mut command = zephyr.command("python3");
    command.args(["tests/qemu/qemu.py", "--server"]).arg(server).arg("--testkit").arg(testkit);
    command.arg("--ca").arg(ca).arg("--builds").arg(builds());
    for mode in MODES.iter().filter(|_| !options.contains(&"--mode")) {
        command.args(["--mode", mode]);
    }
    command.args(options);
    Ok(command)
}

fn builds() -> PathBuf {
    scratch("qemu")
}

fn good(ran: Output) -> Result<(), String> {
    if ran.ok { Ok(()) } else { Err(ran.text) }
}
