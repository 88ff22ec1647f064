// SPDX-License-Identifier: Apache-2.0
//! Whatever the moment the power goes, a device comes back, tells the server one true end, and takes the next update.
//!
//! Real `mender-device` processes update over TLS from `mender-server` and are killed by SIGKILL: halted in the middle of a chosen
//! flash operation or with a status report in flight, or at a moment of the clock. Each is started again once, without help; then
//! its flash, its files, the server's history of the deployment, the inventory and what the next check provides must agree, and
//! a further update must succeed. Good and bad updates, of images and of a module's files, take turns.
//!
//! Knows: the device as a process and a state directory, the server as a value. Does not know: the client inside the process.
//!
//! ```no_run
//! let report = mender_sigkill::run(1, &mender_sigkill::QUICK)?;
//! print!("{report}");
//! assert!(report.violations().is_empty());
//! # Ok::<(), String>(())
//! ```
//!
//! **One final status.** The server must hold `success` or `failure`, never both. It may have been reported twice only across the
//! cut: once before and once after, when the power went between the departure of the first report and the record that says it was
//! answered, for then the device cannot know.

mod device;
mod folder;
mod lane;
mod plan;
mod report;
mod update;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use plan::{Amount, Amounts, FULL, How, Kind, Moment, QUICK, Scenario};
pub use report::{Report, Round};

use lane::Lane;

/// Devices that are tried at the same time, each with a server and a flash geometry of its own.
pub const LANES: usize = 3;

/// Cuts the power at as many moments as `amounts` says. The same seed plans the same moments.
///
/// # Errors
/// A sentence for a person when the devices cannot be set up. What a device does wrong is in the report.
pub fn run(seed: u64, amounts: &Amounts) -> Result<Report, String> {
    let program = build_device()?;
    let plan = plan::plan(seed, amounts);
    let share = plan.len().div_ceil(LANES).max(1);
    let work = |(number, share): (usize, &[plan::Planned])| {
        let mut lane = Lane::new(number, &program)?;
        lane.calibrate()?;
        Ok(share.iter().map(|planned| lane.round(planned)).collect::<Vec<_>>())
    };
    let done: Vec<Result<Vec<Round>, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            plan.chunks(share).enumerate().map(|part| scope.spawn(move || work(part))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a thread died".into())))
            .collect()
    });
    let mut rounds = Vec::new();
    for part in done {
        rounds.extend(part?);
    }
    Ok(Report::new(rounds, Some(*amounts)))
}

/// Cuts the power at one moment again, of a new device or of one with a copy of this state directory.
///
/// # Errors
/// As [`run`].
pub fn replay(moment: Moment, state: Option<&Path>) -> Result<Report, String> {
    let mut lane = Lane::new(moment.lane, &build_device()?)?;
    match state {
        Some(folder) => lane.adopt(folder)?,
        None => lane.begin()?,
    }
    Ok(Report::new(vec![lane.round_at(moment)], None))
}

/// Builds the device by the profile this was built with, and says where it is.
fn build_device() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "mender-device", "--message-format", "json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = command.output().map_err(|e| format!("cargo: {e}"))?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let program = messages.filter_map(|line| line["executable"].as_str().map(PathBuf::from)).next_back();
    program.filter(|_| output.status.success()).ok_or_else(|| "mender-device was not built".to_owned())
}
