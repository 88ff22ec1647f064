// SPDX-License-Identifier: Apache-2.0
//! Firmware under MCUboot itself, in QEMU.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::report::{Outcome, Report};
use crate::run::{Output, in_pairs, output};
use crate::zephyr::{Zephyr, arm, cargo_dir, counted, make_ca, programs, scratch};

pub(crate) const QEMU: (&str, &str) = ("qemu-system-arm", "apt install qemu-system-arm");

/// As `tests/qemu/firmware.py` calls them.
const MODES: &[&str] = &["offset", "move", "scratch", "overwrite"];

/// A workspace that has all there is need of, or what is missing.
fn ready() -> Result<Zephyr, String> {
    let zephyr = arm(&[QEMU])?;
    let imgtool = zephyr.base.join("../bootloader/mcuboot/scripts/imgtool.py");
    if !imgtool.is_file() {
        return Err("no MCUboot in the workspace (west update mcuboot)".to_owned());
    }
    if !output(zephyr.command("python3").arg(imgtool).arg("version")).ok {
        return Err(
            "imgtool does not run (pip install -r bootloader/mcuboot/scripts/requirements.txt)".to_owned()
        );
    }
    Ok(zephyr)
}

/// Runs it where everybody can watch.
pub(crate) fn show(options: &[&str]) -> ExitCode {
    let zephyr = match ready() {
        Ok(zephyr) => zephyr,
        Err(missing) => {
            println!("qemu skipped: {missing}");
            return ExitCode::SUCCESS;
        }
    };
    let ran = scenarios(&zephyr, options)
        .and_then(|mut command| command.status().map_err(|error| error.to_string()));
    match ran {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// As a test.
pub(crate) fn step(report: &mut Report, name: &str) {
    match ready() {
        Ok(zephyr) => report.step(name, || match scenarios(&zephyr, &[]) {
            Ok(mut command) => counted(output(&mut command), "scenarios and power cuts"),
            Err(text) => Outcome::failed(text),
        }),
        Err(missing) => report.skip(name, &missing),
    }
}

/// Builds what there is to build. What is run then.
fn scenarios(zephyr: &Zephyr, options: &[&str]) -> Result<Command, String> {
    let [server, testkit, _] = programs()?;
    let ca = make_ca(&server)?;
    let built = in_pairs(MODES, |mode| {
        let mut build = zephyr.command("python3");
        build.args(["tests/qemu/firmware.py", "--mode", mode, "--out"]).arg(builds().join(mode));
        good(output(build.arg("--ca").arg(ca.join("ca.pem")).arg(cargo_dir())))
    });
    built.into_iter().collect::<Result<(), _>>()?;
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
