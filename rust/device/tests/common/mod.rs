// SPDX-License-Identifier: Apache-2.0
//! A server, a device process on its own state directory, and what they say.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mender_server::{Config, DeploymentSpec, DeviceDeployment, Server};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Info, Version};
use serde_json::Value;

pub(crate) const TYPE: &str = "simulated";
const PATIENCE: Duration = Duration::from_secs(60);
/// 64 KiB: large enough for several pages in each slot.
const SLOT: usize = 64 * 1024;

/// A server with HTTPS, and a directory for one device.
pub(crate) struct Bench {
    pub(crate) server: Server,
    dir: PathBuf,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("mender-device-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&dir).ok();
        std::fs::create_dir_all(&dir).unwrap();
        let server = Server::start(Config::https()).unwrap();
        std::fs::write(dir.join("ca.pem"), server.ca_pem()).unwrap();
        Self { server, dir }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Switches the device on.
    pub(crate) fn start(&self, more: &[&str]) -> Device {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mender-device"));
        command.env_clear();
        command.args(["--json", "--log-level", "debug", "--count", "--device-type", TYPE]);
        command.args(["--server-url", &self.server.api_url()]);
        command.arg("--ca-file").arg(self.dir.join("ca.pem")).arg("--state-dir").arg(self.state_dir());
        command.args(["--poll-interval", "0.2", "--retry-interval", "0.1", "--watchdog", "0.2"]);
        command.args(["--slot-size", &SLOT.to_string(), "--scratch-size", "8192"]).args(more);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let parsed = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
                if sender.send(parsed).is_err() {
                    return;
                }
            }
        });
        Device { child, lines, seen: Vec::new(), looked_at: 0 }
    }

    /// Deploys an image of that version and behaviour to all devices.
    pub(crate) fn deploy_image(&self, version: &str, behaviour: Behaviour) -> String {
        let image = Image::new(Version::parse(version).unwrap(), behaviour).size(20_000).build();
        let name = format!("release-{version}");
        self.deploy(&name, Artifact::new(&name, TYPE).file("zephyr.signed.bin", image))
    }

    pub(crate) fn deploy(&self, name: &str, artifact: Artifact) -> String {
        self.server.upload(artifact.build()).unwrap();
        self.server.deploy(DeploymentSpec::all(name)).unwrap()
    }

    /// Waits until the deployment is over.
    pub(crate) fn end_of(&self, deployment: &str, device: &mut Device) -> DeviceDeployment {
        let start = Instant::now();
        loop {
            let state = self.server.only_device_of(deployment);
            if let Some(state) = state.filter(|state| !state.final_statuses().is_empty()) {
                return state;
            }
            device.drain();
            assert!(start.elapsed() < PATIENCE, "no end:\n{}", device.transcript());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The image in the primary slot, straight from the flash file.
    pub(crate) fn running(&self) -> Info {
        let flash = std::fs::read(self.state_dir().join("flash.bin")).unwrap();
        mender_testkit::image::check(&flash[..SLOT]).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

/// A running device.
pub(crate) struct Device {
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    looked_at: usize,
}

impl Device {
    /// Takes in what was printed so far.
    pub(crate) fn drain(&mut self) {
        self.seen.extend(self.lines.try_iter());
    }

    /// Waits for an event of that name whose message has `part` in it, after the one that was waited for last.
    pub(crate) fn wait_for(&mut self, event: &str, part: &str) -> Value {
        let start = Instant::now();
        loop {
            while let Some(line) = self.seen.get(self.looked_at) {
                self.looked_at += 1;
                let message = line["message"].as_str().unwrap_or_default();
                if line["event"] == event && message.contains(part) {
                    return line.clone();
                }
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no {event} with {part:?}:\n{}", self.transcript());
            };
            self.seen.push(line);
        }
    }

    /// The last of what was printed, for a person.
    pub(crate) fn transcript(&mut self) -> String {
        self.drain();
        let start = self.seen.len().saturating_sub(60);
        self.seen[start..].iter().map(|line| format!("{line}\n")).collect()
    }

    /// SIGKILL: the power goes.
    pub(crate) fn cut_power(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The reader ends with the pipe.
        self.seen.extend(self.lines.iter());
        std::mem::take(&mut self.seen)
    }

    /// Waits until the process ends by itself; its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            self.drain();
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "still running:\n{}", self.transcript());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
