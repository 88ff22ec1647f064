// SPDX-License-Identifier: Apache-2.0
//! The board on the desk: a `mender-device` process that is switched on, watched, and cut off its power.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The board: what stays when it is off.
pub(crate) struct Board {
    folder: tempfile::TempDir,
    program: PathBuf,
    settings: Vec<String>,
}

impl Board {
    pub(crate) fn new(server: &str, ca: &str, key: &str, device_type: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).map_err(|e| e.to_string())?;
            Ok::<_, String>(path.display().to_string())
        };
        let settings = [
            ["--server-url", server],
            ["--ca-file", &file("ca.pem", ca)?],
            ["--verification-key", &file("artifact-key.pem", key)?],
            ["--device-type", device_type],
            ["--identity", "mac=02:00:00:00:00:2a"],
            ["--state-dir", &folder.path().join("flash").display().to_string()],
            ["--poll-interval", "0.3"],
            ["--retry-interval", "0.3"],
            ["--slot-size", "524288"],
        ];
        let settings = settings.iter().flatten().map(|s| (*s).to_owned()).collect();
        Ok(Self { program: program()?, folder, settings })
    }

    /// Switches the board on.
    pub(crate) fn switch_on(&self, more: &[&str]) -> Result<Device, String> {
        let mut command = Command::new(&self.program);
        command.arg("--json").args(&self.settings).args(more).current_dir(self.folder.path());
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("mender-device: {e}"))?;
        let out = child.stdout.take().ok_or("no standard output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap_or_default()).is_err() {
                    return;
                }
            }
        });
        Ok(Device { child, lines, progress: 0, terminal: std::io::stdout().is_terminal() })
    }
}

/// `mender-device`, which is built next to this program.
fn program() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let program = own.with_file_name("mender-device");
    if program.is_file() {
        Ok(program)
    } else {
        Err("mender-device is not built: cargo build -p mender-device".into())
    }
}

/// The board while it is on. Dropped, its power is cut.
pub(crate) struct Device {
    child: Child,
    lines: Receiver<Value>,
    /// Reports of progress so far.
    pub(crate) progress: u32,
    terminal: bool,
}

impl Device {
    /// Shows what the device says until it says this; returns that line's text.
    pub(crate) fn wait_for(&mut self, event: &str) -> Result<String, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|e| format!("no {event} came: {e}"))?;
            let name = line["event"].as_str().unwrap_or_default();
            let text = line["message"].as_str().unwrap_or_default();
            if name == "Progress" {
                self.progress += 1;
                self.bar(line["received"].as_u64().unwrap_or(0), line["total"].as_u64().unwrap_or(0));
            } else if !text.is_empty() {
                let seconds = line["ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
                println!("  {seconds:>7.3} {:<7} {text}", line["level"].as_str().unwrap_or_default());
            }
            if name == event {
                return Ok(text.to_owned());
            }
        }
    }

    fn bar(&self, received: u64, total: u64) {
        let percent = received * 100 / total.max(1);
        let done = "#".repeat((percent as usize * 40 / 100).min(40));
        // On a terminal one bar grows; elsewhere a line for every quarter is enough.
        if self.terminal {
            print!("\r  [{done:<40}] {percent:>3} %{}", if received >= total { "\n" } else { "" });
            std::io::stdout().flush().unwrap_or_default();
        } else if received >= total || self.progress.is_multiple_of(4) {
            println!("  [{done:<40}] {percent:>3} %");
        }
    }

    /// SIGKILL: the power goes.
    pub(crate) fn cut(mut self, when: &str) -> Result<(), String> {
        if self.terminal {
            println!();
        }
        println!("  ------- the power is cut {when} -------");
        self.child.kill().and_then(|()| self.child.wait()).map_err(|e| e.to_string())?;
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // It may be off already.
        let off = self.child.kill().and_then(|()| self.child.wait());
        drop(off);
    }
}
