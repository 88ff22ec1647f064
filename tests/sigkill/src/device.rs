// SPDX-License-Identifier: Apache-2.0
//! A device: the process, and what it prints.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest that anything may take, retries included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a transcript.
const TRANSCRIPT: usize = 40;

/// A running device.
pub(crate) struct Device {
    child: Child,
    lines: Receiver<Value>,
    /// What it printed, as far as it was looked at.
    pub(crate) seen: Vec<Value>,
    since: Instant,
}

impl Device {
    /// Switches it on.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("mender-device: {e}"))?;
        let since = Instant::now();
        let out = child.stdout.take().ok_or("no standard output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines, seen: Vec::new(), since })
    }

    /// Takes in what was printed so far.
    pub(crate) fn drain(&mut self) {
        self.seen.extend(self.lines.try_iter());
    }

    /// Waits for the next line that is `wanted`, and returns its event.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let event = line["event"].as_str().unwrap_or_default().to_owned();
                    self.seen.push(line);
                    if wanted(&event) {
                        return Ok(event);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err("the device does not get on".to_owned()),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().map_err(|e| e.to_string())?;
                    return Err(format!("the device ended by itself: {status}"));
                }
            }
        }
    }

    /// Whether a line with this event was looked at.
    pub(crate) fn has(&self, event: &str) -> bool {
        self.seen.iter().any(|line| line["event"] == event)
    }

    /// Waits until the process is that old.
    pub(crate) fn let_run(&mut self, age: Duration) {
        std::thread::sleep(age.saturating_sub(self.since.elapsed()));
    }

    /// How long it has been on.
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// SIGKILL: the power goes. What it had printed is looked at.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        // The reader ends with the pipe.
        self.seen.extend(self.lines.iter());
        killed.map(drop).map_err(|e| format!("SIGKILL: {e}"))
    }

    /// The last of what was printed, for a person.
    pub(crate) fn transcript(&mut self) -> String {
        self.drain();
        let dull = ["Counts", "NothingOffered", "Answered", "Connected"];
        let telling = |line: &&Value| !dull.iter().any(|event| line["event"] == *event);
        let lines: Vec<String> = self.seen.iter().filter(telling).map(short).collect();
        lines[lines.len().saturating_sub(TRANSCRIPT)..].concat()
    }
}

fn short(line: &Value) -> String {
    let text = line["message"].as_str().map(|message| format!("{}: {message}", line["event"]));
    format!("      {:>6} {}\n", line["ms"], text.unwrap_or_else(|| line.to_string()))
}

impl Drop for Device {
    fn drop(&mut self) {
        // It may be dead already.
        let dead = self.child.kill().and_then(|()| self.child.wait());
        drop(dead);
    }
}
