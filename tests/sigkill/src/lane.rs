// SPDX-License-Identifier: Apache-2.0
//! A device under test beside its own server: update, cut, start again, look, update again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mender_server::{Config, Device as Known, DeviceDeployment, Fault, Server};
use mender_sim::Layout;
use mender_testkit::image::{Behaviour, Image, Version, hash_of};
use serde_json::Value;

use crate::device::{Device, PATIENCE};
use crate::folder::{self, Scratch};
use crate::plan::{How, Kind, Moment, Planned, Scenario};
use crate::report::Round;
use crate::update::{self, DEVICE_TYPE, Software};
use crate::verdict::{self, Evidence};

/// Page size and program granule by lane.
const GEOMETRIES: [(u32, u32); crate::LANES] = [(4096, 8), (1024, 1), (2048, 32)];
/// Longest that the server may need for what already arrived.
const SOON: Duration = Duration::from_secs(5);

/// In a state directory that was kept: what the device provides, which its flash says only to the client.
const PROVIDES: &str = "provides.json";

/// How an update goes that nobody cuts.
#[derive(Clone, Debug)]
struct Course {
    /// Moments by the device's word for them.
    counts: BTreeMap<String, u64>,
    takes: Duration,
}

/// A device and its server.
pub(crate) struct Lane {
    number: usize,
    program: PathBuf,
    server: Server,
    folder: Scratch,
    layout: Layout,
    installed: Software,
    /// Devices so far; each has an identity of its own.
    devices: u32,
    /// Updates so far; each has a version of its own.
    updates: u16,
    of_new_device: Option<Course>,
    courses: BTreeMap<Scenario, Course>,
}

/// What there was before an update, or before it was cut.
#[derive(Default)]
struct Before {
    inventory_updates: u32,
    reports: usize,
    settled: bool,
    /// Lines the device had printed.
    lines: usize,
}

impl Lane {
    /// A server, and a device that was never switched on.
    pub(crate) fn new(number: usize, program: &Path) -> Result<Self, String> {
        let (page_size, granule) = *GEOMETRIES.get(number).ok_or("there is no such lane")?;
        let usual = Layout::default();
        let layout = Layout { page_size, granule, slot_size: 48 * 1024, scratch_size: 8192, ..usual };
        let folder = Scratch::new().map_err(|e| e.to_string())?;
        let server = Server::start(Config::https()).map_err(|e| e.to_string())?;
        std::fs::write(folder.join("ca.pem"), server.ca_pem()).map_err(|e| e.to_string())?;
        Ok(Self {
            number,
            program: program.to_owned(),
            server,
            folder,
            layout,
            installed: factory(),
            devices: 0,
            updates: 0,
            of_new_device: None,
            courses: BTreeMap::new(),
        })
    }

    /// Lets every update happen uncut, and counts its moments.
    pub(crate) fn calibrate(&mut self) -> Result<(), String> {
        self.new_device()?;
        self.of_new_device = Some(self.uncut(Scenario::GoodImage)?);
        for scenario in Scenario::ALL {
            let course = self.uncut(scenario)?;
            self.courses.insert(scenario, course);
        }
        Ok(())
    }

    /// A device that has made its key and has taken an update.
    pub(crate) fn begin(&mut self) -> Result<(), String> {
        self.new_device()?;
        self.uncut(Scenario::GoodImage).map(drop)
    }

    /// Takes over a copy of a state directory that was kept.
    pub(crate) fn adopt(&mut self, kept: &Path) -> Result<(), String> {
        self.new_device()?;
        let here = |what: String| format!("{}: {what}", kept.display());
        let provides = std::fs::read(kept.join(PROVIDES)).map_err(|e| here(e.to_string()))?;
        folder::copy(kept, &self.state_dir()).map_err(|e| here(e.to_string()))?;
        // Versions start high above those the device may have had.
        self.updates = 30_000;
        if kept.join("flash.bin").exists() {
            self.installed = update::look(&self.state_dir(), self.layout)?.software;
            self.installed.provides = serde_json::from_slice(&provides).map_err(|e| here(e.to_string()))?;
        }
        Ok(())
    }

    /// Cuts the power once, at a planned moment.
    pub(crate) fn round(&mut self, planned: &Planned) -> Round {
        let Planned { scenario, kind, per_mille, how } = *planned;
        let course =
            if kind == Kind::KeyWrite { self.of_new_device.as_ref() } else { self.courses.get(&scenario) };
        let count = course.map_or(0, |course| match kind {
            Kind::Timer => course.takes.as_millis() as u64,
            _ => course.counts.get(kind.word()).copied().unwrap_or(0),
        });
        let number = 1 + per_mille * count / 1000;
        self.round_at(Moment { lane: self.number, scenario, kind, number, how })
    }

    /// Cuts the power once.
    pub(crate) fn round_at(&mut self, moment: Moment) -> Round {
        let mut round =
            Round { moment, cut: false, end: None, violations: Vec::new(), transcript: String::new() };
        if let Err(why) = self.try_round(moment, &mut round) {
            round.violations.push(why);
        }
        if !round.violations.is_empty() {
            let again = self.keep(moment).and_then(|command| {
                round.transcript += &command;
                self.begin()
            });
            round.violations.extend(again.err());
        }
        round
    }

    fn try_round(&mut self, moment: Moment, round: &mut Round) -> Result<(), String> {
        if moment.kind == Kind::KeyWrite {
            self.new_device()?;
        }
        folder::copy(&self.state_dir(), &self.folder.join("before")).map_err(|e| e.to_string())?;
        let old = self.installed.clone();
        let (deployment, new) = self.offer(moment.scenario, &old)?;
        let mut device = self.start_to_halt(moment)?;
        let cut = self.cut(&mut device, moment, &deployment);
        round.transcript += &device.transcript();
        round.cut = cut?;
        let settled = settled(&device) || !round.cut;
        drop(device);
        let inventory_updates = self.inventory_updates();
        let reports = self.reports(&deployment).len();
        let before = Before { inventory_updates, reports, settled, lines: 0 };
        let mut device = self.start(moment.scenario, &[])?;
        let result = self.recover(&mut device, &deployment, &before, (old, new), round);
        round.transcript += "      -- started again\n";
        round.transcript += &device.transcript();
        result
    }

    /// The power is back: judges what came of the cut, and whether the next update succeeds.
    fn recover(
        &mut self,
        device: &mut Device,
        deployment: &str,
        before: &Before,
        (old, new): (Software, Software),
        round: &mut Round,
    ) -> Result<(), String> {
        self.settle(device, deployment)?;
        let good = round.moment.scenario.is_good();
        let mut evidence = self.evidence(device, deployment, before, (old.clone(), new.clone()))?;
        (evidence.good, evidence.uncut) = (good, !round.cut);
        round.end = verdict::end(&evidence).map(str::to_owned);
        let now = if round.end.as_deref() == Some("success") { new } else { old };
        if round.moment.scenario == Scenario::BadModule {
            // The module is not to fail any more.
            device.kill()?;
            self.quiet()?;
            *device = self.start(Scenario::GoodModule, &[])?;
        }
        let scenario =
            if self.updates.is_multiple_of(2) { Scenario::GoodImage } else { Scenario::GoodModule };
        let lines = device.seen.len();
        let before = Before { inventory_updates: self.inventory_updates(), lines, ..Before::default() };
        let (next, newer) = self.offer(scenario, &now)?;
        let settled = self.settle(device, &next);
        evidence.provides = self.provides(&next);
        round.violations.extend(verdict::judge(&evidence));
        settled.map_err(|why| format!("the next update: {why}"))?;
        let mut evidence = self.evidence(device, &next, &before, (now, newer.clone()))?;
        (evidence.good, evidence.uncut) = (true, true);
        let wrong = verdict::judge(&evidence);
        round.violations.extend(wrong.into_iter().map(|text| format!("the next update: {text}")));
        if round.violations.is_empty() {
            self.installed = newer;
        }
        device.kill()?;
        self.quiet()
    }

    /// Lets the power go at the moment. `false`: the update was over before.
    fn cut(&self, device: &mut Device, moment: Moment, deployment: &str) -> Result<bool, String> {
        let fault = (moment.how == How::Lost).then(|| {
            let skip = u32::try_from(moment.number.saturating_sub(1)).unwrap_or(u32::MAX);
            let lost = Fault::report().skip(skip).times(1).drop_request(mender_server::Cut::Reset);
            self.server.fault(lost)
        });
        let mut halted = false;
        if moment.kind == Kind::Timer {
            device.let_run(Duration::from_millis(moment.number));
        } else {
            loop {
                halted = device.wait_for(|event| event == "Halted" || event == "NothingOffered")? == "Halted";
                if halted || self.is_over(deployment) {
                    break;
                }
            }
        }
        if halted && moment.how == How::Taken {
            let taken = || self.reports(deployment).len() as u64 >= moment.number;
            wait("the server to take the report", taken)?;
        }
        if let Some(fault) = fault.filter(|_| halted) {
            wait("the server to lose the report", || self.server.fault_strikes(fault) == 1)?;
        }
        device.kill()?;
        self.quiet()?;
        self.server.clear_faults();
        Ok(halted || (moment.kind == Kind::Timer && !settled(device)))
    }

    /// One update without a cut.
    fn uncut(&mut self, scenario: Scenario) -> Result<Course, String> {
        let old = self.installed.clone();
        let before = Before { inventory_updates: self.inventory_updates(), ..Before::default() };
        let (deployment, new) = self.offer(scenario, &old)?;
        // Counts are printed where there is a longer wait.
        let mut device = self.start(scenario, &["--poll-interval", "0.2"])?;
        let done = self.settle(&mut device, &deployment).and_then(|takes| {
            device.wait_for(|event| event == "NothingOffered")?;
            let mut evidence = self.evidence(&device, &deployment, &before, (old.clone(), new.clone()))?;
            (evidence.good, evidence.uncut) = (scenario.is_good(), true);
            let wrong = verdict::judge(&evidence);
            if wrong.is_empty() { Ok(takes) } else { Err(wrong.join("; ")) }
        });
        let takes =
            done.map_err(|why| format!("{} without a cut: {why}\n{}", scenario.word(), device.transcript()))?;
        device.kill()?;
        self.quiet()?;
        self.installed = if scenario.is_good() { new } else { old };
        let counted = device.seen.iter().rev().find(|line| line["event"] == "Counts");
        let counts = counted.and_then(|line| serde_json::from_value(line["counts"].clone()).ok());
        Ok(Course { counts: counts.ok_or("the device did not count")?, takes })
    }

    /// A device fresh from the factory.
    fn new_device(&mut self) -> Result<(), String> {
        self.devices += 1;
        self.installed = factory();
        folder::copy(Path::new(""), &self.state_dir()).map_err(|e| e.to_string())
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn mac(&self) -> String {
        let [a, b] = (self.devices as u16).to_be_bytes();
        format!("02:00:00:{:02x}:{a:02x}:{b:02x}", self.number)
    }

    fn offer(&mut self, scenario: Scenario, old: &Software) -> Result<(String, Software), String> {
        // A device that is new is not to be offered what others had.
        for old in self.server.deployments().iter().filter(|deployment| !deployment.finished) {
            self.server.abort(&old.id).map_err(|e| e.to_string())?;
        }
        self.updates += 1;
        update::offer(&self.server, scenario, old, &format!("2.{}.{}", self.number, self.updates))
    }

    fn start_to_halt(&self, moment: Moment) -> Result<Device, String> {
        let Moment { scenario, kind, number, how, .. } = moment;
        let halt = match kind {
            Kind::Timer => return self.start(scenario, &[]),
            Kind::Report => format!("report:{number}"),
            _ => format!("{}:{number}:{}", kind.word(), how.word()),
        };
        self.start(scenario, &["--halt-at", &halt])
    }

    fn start(&self, scenario: Scenario, more: &[&str]) -> Result<Device, String> {
        let mut command = Command::new(&self.program);
        command.env_clear().args(["--json", "--log-level", "debug", "--count", "--device-type", DEVICE_TYPE]);
        command.args(["--server-url", &self.server.api_url(), "--identity", &format!("mac={}", self.mac())]);
        command.arg("--ca-file").arg(self.folder.join("ca.pem")).arg("--state-dir").arg(self.state_dir());
        command.args(["--poll-interval", "0.05", "--retry-interval", "0.05", "--commit-deadline", "20"]);
        for (name, value) in [
            ("--page-size", self.layout.page_size),
            ("--program-granule", self.layout.granule),
            ("--slot-size", self.layout.slot_size),
            ("--scratch-size", self.layout.scratch_size),
        ] {
            command.args([name, &value.to_string()]);
        }
        if scenario == Scenario::BadModule {
            command.args(["--module-fail-at", "ArtifactVerifyReboot"]);
        }
        Device::start(command.args(more))
    }

    /// Waits until the update is over at the server and the device looks for the next. Returns how long it had been on at that end.
    fn settle(&self, device: &mut Device, deployment: &str) -> Result<Duration, String> {
        let end = device.age() + PATIENCE;
        let mut over_at = None;
        loop {
            device.wait_for(|event| event == "NothingOffered")?;
            // What was printed before the end came is passed over.
            if let Some(age) = over_at.filter(|_| device.has("InventorySent")) {
                return Ok(age);
            }
            if over_at.is_none() && self.is_over(deployment) {
                over_at = Some(device.age());
                device.drain();
            }
            if device.age() > end {
                return Err("the update does not come to its end".to_owned());
            }
        }
    }

    fn entry(&self, deployment: &str) -> Option<DeviceDeployment> {
        self.server.deployment(deployment)?.devices.into_values().next()
    }

    fn is_over(&self, deployment: &str) -> bool {
        self.entry(deployment).is_some_and(|entry| !entry.final_statuses().is_empty())
    }

    fn reports(&self, deployment: &str) -> Vec<(String, u16)> {
        let reports = self.entry(deployment).map_or_else(Vec::new, |entry| entry.reports);
        reports.into_iter().map(|report| (report.status, report.reply)).collect()
    }

    /// What the device provided when it was offered the deployment, its type aside.
    fn provides(&self, deployment: &str) -> Option<BTreeMap<String, String>> {
        let mut provides = self.entry(deployment)?.provides?;
        provides.remove("device_type");
        Some(provides)
    }

    fn known(&self) -> Option<Known> {
        let mac = self.mac();
        self.server.devices().into_iter().find(|device| device.identity.contains(&mac))
    }

    fn inventory_updates(&self) -> u32 {
        self.known().map_or(0, |device| device.inventory_updates)
    }

    fn evidence(
        &self,
        device: &Device,
        deployment: &str,
        before: &Before,
        (old, new): (Software, Software),
    ) -> Result<Evidence, String> {
        let reports = self.reports(deployment);
        let (early, late) = reports.split_at(before.reports.min(reports.len()));
        let mut evidence = Evidence {
            good: true,
            uncut: true,
            before: early.to_vec(),
            after: late.to_vec(),
            settled_before: before.settled,
            boots: boots(&device.seen[before.lines..]),
            runs: update::look(&self.state_dir(), self.layout)?,
            provides: None,
            inventory: (String::new(), String::new()),
            keys: self.known().map_or(0, |known| known.auth_sets.len()),
            log_lines: self.entry(deployment).map_or(0, |entry| entry.log.len()),
            old,
            new,
        };
        let should = if verdict::end(&evidence) == Some("success") { &evidence.new } else { &evidence.old };
        let should = (should.name().to_owned(), should.version.clone());
        let mac = self.mac();
        let fresh = |known: &Known| {
            known.identity.contains(&mac) && known.inventory_updates > before.inventory_updates
        };
        let said = self.server.wait_for_device(SOON, |known| fresh(known) && inventory(known) == should);
        let said = said.or_else(|| self.known().filter(fresh)).ok_or("no inventory came")?;
        evidence.inventory = inventory(&said);
        Ok(evidence)
    }

    /// Waits until the server has worked off what a dead process sent.
    fn quiet(&self) -> Result<(), String> {
        wait("the server to see the connections end", || {
            let connections = self.server.connections();
            connections.api.open == 0 && connections.storage.open == 0
        })
    }

    /// Keeps the state before the round, and says how to try again.
    fn keep(&self, moment: Moment) -> Result<String, String> {
        let name = format!("mender-sigkill-{moment}").replace(['/', ':'], "-");
        let kept = std::env::temp_dir().join(name);
        let provides = serde_json::json!(self.installed.provides).to_string();
        let copied = folder::copy(&self.folder.join("before"), &kept);
        copied.and_then(|()| std::fs::write(kept.join(PROVIDES), provides)).map_err(|e| e.to_string())?;
        let kept = kept.display();
        Ok(format!("      again: cargo run -p mender-sigkill -- --moment {moment} --state {kept}\n"))
    }
}

fn inventory(known: &Known) -> (String, String) {
    let text = |name: &str| known.inventory.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    (text("artifact_name"), text("firmware_version"))
}

/// The device has put on record that nothing is left to be told of its update.
fn settled(device: &Device) -> bool {
    let mut update = device.seen.iter().skip_while(|line| line["event"] != "DeploymentStarted");
    update.any(|line| line["event"] == "Saved" && line["a"] == 0)
}

fn boots(lines: &[Value]) -> Vec<String> {
    let lines = lines.iter().filter(|line| line["event"] == "mcuboot");
    lines.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
}

/// What a new device is made with: the image `mender-device` generates.
fn factory() -> Software {
    let version = Version { major: 1, minor: 0, revision: 0, build: 0 };
    let image = Image::new(version, Behaviour::Fine).build();
    Software {
        version: version.to_string(),
        hash: hash_of(&image).unwrap_or_default(),
        file: None,
        provides: [("artifact_name".to_owned(), "release-1".to_owned())].into(),
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let end = Instant::now() + SOON;
    while !done() {
        if Instant::now() > end {
            return Err(format!("waited in vain for {what}"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
