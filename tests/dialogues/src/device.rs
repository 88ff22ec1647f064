// SPDX-License-Identifier: Apache-2.0
//! The simulated device: power, boot loader, client.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mender_client::{Buffers, Client, Config, Snapshot, Timing};
use mender_port::{Clock as _, Errno};
use mender_server::Server;
use mender_sim::clock::ManualClock;
use mender_sim::keys::{Keys, PublicKey, Random};
use mender_sim::log::Memory;
use mender_sim::mcuboot::{self, BootError, Mode};
use mender_sim::modules::Folder;
use mender_sim::transport::{Sockets, Trust};
use mender_sim::{Area, Cut, Flash, FlashError, Host, Layout};
use mender_testkit::image::{Behaviour, behaviour_of, version_of};

use crate::{Net, Opened, good, status};

/// The ports of the simulated device.
pub type Ports = Host<Net, ManualClock, Memory, Folder>;

/// The device type of all tests.
pub const DEVICE_TYPE: &str = "sim";
/// A payload type that goes to the folder module.
pub const MODULE: &str = "files";

/// How soon the client may look again at a connection that had nothing.
const TICK: Duration = Duration::from_micros(100);
const TICKS_PER_MS: u32 = 10;
/// Longest real time for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A simulated device that boots, runs and can be cut off its power.
pub struct Device {
    /// The client; `None` only while the device boots.
    client: Option<Client<'static, Ports>>,
    /// The device's time; goes on across restarts, as the server's does.
    pub clock: ManualClock,
    /// The device log, over all boots.
    pub log: Memory,
    /// Settings of the client for the next boot.
    pub config: Config<'static>,
    /// Verification keys for the next boot, PEM.
    pub keys: Vec<String>,
    /// Changes the ports after each boot.
    pub at_boot: Box<dyn FnMut(&mut Ports)>,
    /// Times the device has booted.
    pub boots: u32,
    /// How MCUboot upgrades.
    pub mode: Mode,
    /// What is in flash when the device is made; without it, image 1.0.0 and nothing else.
    pub flash: Option<Flash>,
    /// The identity.
    pub mac: String,
    /// Power cuts to come: after each one, and at the start of the device, the next is planned before MCUboot runs.
    pub cuts: VecDeque<Cut>,
    /// Power cuts that happened.
    pub cuts_hit: u32,
    /// The client's wish to restart is not granted.
    pub stuck: bool,
    /// Size of the client's IO buffer.
    pub io_buffer: usize,
    /// Size of the client's buffer for the token.
    pub token_buffer: usize,
    /// Size of the client's buffer for the URL.
    pub uri_buffer: usize,
    ticks: u32,
    opened: Rc<RefCell<Vec<Opened>>>,
    /// For the server, and for the store.
    trust: [Trust; 2],
    folder: PathBuf,
}

static FOLDERS: AtomicU32 = AtomicU32::new(0);

impl Device {
    /// A device with image 1.0.0 and artifact `release-1` that knows the server's address and CA, and has booted.
    #[must_use]
    pub fn new(server: &Server) -> Self {
        Self::with(server, |_| {})
    }

    /// The same, with other settings.
    ///
    /// # Panics
    /// When the settings are no good.
    #[must_use]
    pub fn with(server: &Server, change: impl FnOnce(&mut Self)) -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("mender-dialogues-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, server.ca_pem()).expect("a file");
        let config = Config {
            server_url: leak(server.api_url()),
            device_type: DEVICE_TYPE,
            artifact_name: "release-1",
            allow_http: server.api_url().starts_with("http:"),
            timing: Timing { poll_ms: 600_000, first_check_ms: 0, ..Timing::default() },
            ..Config::default()
        };
        let mut device = Self {
            client: None,
            clock: ManualClock::default(),
            log: Memory::default(),
            config,
            keys: Vec::new(),
            at_boot: Box::new(|_| {}),
            boots: 0,
            mode: Mode::default(),
            flash: None,
            mac: "02:00:00:00:00:01".to_owned(),
            cuts: VecDeque::new(),
            cuts_hit: 0,
            stuck: false,
            io_buffer: 1024,
            token_buffer: 1536,
            uri_buffer: 1024,
            ticks: 0,
            opened: Rc::default(),
            // Two, so that neither takes up the other's TLS session.
            trust: [(); 2].map(|()| Trust::from_pem_files([ca.as_path()]).expect("a CA")),
            folder,
        };
        change(&mut device);
        let flash = device.flash.take().unwrap_or_else(Self::factory_flash);
        device.boot(flash);
        device
    }

    /// Flash of 128 KiB a slot with image 1.0.0.
    ///
    /// # Panics
    /// Never: the image fits.
    #[must_use]
    pub fn factory_flash() -> Flash {
        let mut flash = Flash::new(Layout { slot_size: 128 * 1024, ..Layout::default() });
        flash.provision(Area::Slot0, &good("1.0.0")).expect("an image that fits");
        flash
    }

    /// Runs the boot loader and starts the client on what it booted.
    fn boot(&mut self, mut flash: Flash) {
        let behaviour = self.boot_loader(&mut flash);
        self.start(flash, behaviour);
    }

    fn start(&mut self, flash: Flash, behaviour: Option<Behaviour>) {
        let [api, storage] = self.trust.clone();
        let sockets = Sockets::new(api, storage, Duration::from_secs(5));
        let net = Net::new(sockets, Rc::clone(&self.opened), self.clock.clone());
        let verification = self.keys.iter().map(|pem| PublicKey::from_pem(pem).expect("a key")).collect();
        let keys = Keys::new(Random::seeded(self.boots.into()), verification);
        let modules = Folder::new(&self.folder.join("modules"), vec![MODULE.to_owned()]);
        let mut ports = Host::new(flash, keys, net, self.clock.clone(), self.log.clone(), modules);
        ports.mode = self.mode;
        ports.identity = vec![("mac".to_owned(), self.mac.clone())];
        match behaviour {
            Some(Behaviour::FailsSelfTest) => ports.app.self_test_fails = true,
            Some(Behaviour::NeverReachesServer) => ports.faults.open = Some(Errno(-113)),
            Some(Behaviour::Fine | Behaviour::Hangs) | None => {}
        }
        (self.at_boot)(&mut ports);
        let buffers = Buffers {
            io: leak_bytes(self.io_buffer),
            token: leak_bytes(self.token_buffer),
            uri: leak_bytes(self.uri_buffer),
        };
        let mut client = Client::new(self.config, buffers, ports).expect("a good configuration");
        // It reads its records; until then it would say that it is idle.
        client.poll();
        self.client = Some(client);
    }

    /// From reset to the first instruction of an image that does not hang, through as many resets as it takes.
    fn boot_loader(&mut self, flash: &mut Flash) -> Option<Behaviour> {
        for _ in 0..100 {
            if flash.power.is_off() {
                self.cuts_hit += 1;
                flash.power.restore();
                flash.power.plan(self.cuts.pop_front());
            } else if self.boots == 0 && !self.cuts.is_empty() {
                flash.power.plan(self.cuts.pop_front());
            }
            match mcuboot::boot(flash, self.mode) {
                Ok(booted) => {
                    self.boots += 1;
                    if booted.image.behaviour != Some(Behaviour::Hangs) {
                        return booted.image.behaviour;
                    }
                    // The watchdog resets it.
                }
                Err(BootError::Flash(FlashError::PowerCut)) => {}
                Err(e) => panic!("the device is a brick: {e:?}\n{}", self.story()),
            }
        }
        panic!("the device restarts for ever:\n{}", self.story());
    }

    /// The client.
    ///
    /// # Panics
    /// Never: it is there between the calls of this type's methods.
    pub fn client(&mut self) -> &mut Client<'static, Ports> {
        self.client.as_mut().expect("a booted device")
    }

    /// What the client is at.
    pub fn snapshot(&mut self) -> Snapshot<'_> {
        self.client().snapshot()
    }

    /// Name of the installed artifact.
    pub fn artifact_name(&mut self) -> String {
        self.snapshot().artifact_name.to_owned()
    }

    /// The ports.
    pub fn ports(&mut self) -> &mut Ports {
        self.client().ports_mut()
    }

    /// Version of the image that runs.
    ///
    /// # Panics
    /// When none does.
    pub fn version(&mut self) -> String {
        let running = version_of(self.ports().flash.view(Area::Slot0)).expect("an image");
        format!("{}.{}.{}", running.major, running.minor, running.revision)
    }

    /// The content of the folder module's file, if it is installed.
    pub fn module_file(&mut self) -> Option<String> {
        let folder = self.ports().modules.current(MODULE);
        std::fs::read_to_string(folder.join("config.txt")).ok()
    }

    /// How often the checkpoint was written: each write erases its one page.
    pub fn record_writes(&mut self) -> u64 {
        let flash = &self.ports().flash;
        flash.counts(Area::RecordA).erases + flash.counts(Area::RecordB).erases
    }

    /// Pages that the client has erased.
    fn erases(&mut self) -> u64 {
        let flash = &self.ports().flash;
        Area::ALL.into_iter().map(|area| flash.counts(area).erases).sum()
    }

    /// Whether the client has ever touched the slot for new images.
    pub fn slot_touched(&mut self) -> bool {
        let counts = self.ports().flash.counts(Area::Slot1);
        counts.erases > 0 || counts.programs > 0
    }

    /// The connections since the last call.
    pub fn take_opened(&mut self) -> Vec<Opened> {
        self.opened.take()
    }

    /// The end of the device log, for who reads why a test failed.
    #[must_use]
    pub fn story(&self) -> String {
        let lines = self.log.lines();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// How often the device log has this text.
    #[must_use]
    pub fn logged(&self, text: &str) -> usize {
        self.log.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// One poll; time goes on by what the client wants to wait, and as in reality while it waits for bytes. A restart the client asks
    /// for happens, and power that went comes back.
    ///
    /// # Panics
    /// When the client wants to wait longer than it may.
    pub fn poll(&mut self) {
        let wait_ms = self.poll_once();
        self.wait(wait_ms);
    }

    fn poll_once(&mut self) -> u32 {
        let erased = self.erases();
        let wait_ms = self.client().poll();
        assert!((1..=mender_client::POLL_MAX_MS).contains(&wait_ms));
        let erased = self.erases() - erased;
        assert!(erased <= 2, "{erased} pages erased in one poll:\n{}", self.story());
        if std::mem::take(&mut self.ports().restart) && !self.stuck || self.ports().flash.power.is_off() {
            self.restart();
            return 1;
        }
        wait_ms
    }

    fn wait(&mut self, wait_ms: u32) {
        if wait_ms > 20 {
            self.clock.advance(wait_ms.into());
        } else if wait_ms > 1 {
            std::thread::sleep(TICK);
            self.ticks = (self.ticks + 1) % TICKS_PER_MS;
            self.clock.advance(u64::from(self.ticks == 0));
        }
    }

    /// The device starts anew: by itself, by its reset button, or because the power came back.
    pub fn restart(&mut self) {
        let flash = self.switch_off();
        self.boot(flash);
    }

    /// Takes the flash out of the device, which starts anew with the flash `put_back` makes of it.
    pub fn restart_with(&mut self, put_back: impl FnOnce(Flash) -> Flash) {
        let flash = self.switch_off();
        self.boot(put_back(flash));
    }

    /// The application ends the client and starts it again, without a reset.
    pub fn restart_client(&mut self) {
        self.restart_client_with(|flash| flash);
    }

    /// The same on the flash that `change` makes of it; boot loader and image stay as they are.
    pub fn restart_client_with(&mut self, change: impl FnOnce(Flash) -> Flash) {
        let flash = change(self.switch_off());
        let behaviour = behaviour_of(flash.view(Area::Slot0));
        self.start(flash, behaviour);
    }

    fn switch_off(&mut self) -> Flash {
        let ports = self.client.take().expect("a booted device").exit();
        assert_eq!(ports.flash.misuse(), None, "flash misused:\n{}", self.story());
        ports.into_flash()
    }

    /// Polls until `done`, for at most some seconds of real time.
    ///
    /// # Panics
    /// When that does not come; with the device's log.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "waited for {what} in vain:\n{}", self.story());
            self.poll();
        }
    }

    /// Polls until the device log has a line with this text, counted from now.
    ///
    /// # Panics
    /// As [`Device::run_until`].
    pub fn run_until_logged(&mut self, text: &str) {
        let seen = self.logged(text);
        self.run_until(text, |d| d.logged(text) > seen);
    }

    /// Polls until the client has nothing to do for a while: between deployments, or waiting to try again. For how long, in ms; none
    /// of that time has passed.
    ///
    /// # Panics
    /// As [`Device::run_until`].
    pub fn run_until_quiet(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let wait_ms = self.poll_once();
            if wait_ms > 5_000 {
                return wait_ms;
            }
            self.wait(wait_ms);
            assert!(Instant::now() < deadline, "never quiet:\n{}", self.story());
        }
    }

    /// Polls for so long, by the device's clock.
    ///
    /// # Panics
    /// As [`Device::run_until`].
    pub fn run_for(&mut self, ms: u64) {
        let end = self.clock.now_ms() + ms;
        self.run_until("time to pass", |d| d.clock.now_ms() >= end);
    }

    /// The module states that were run and the restarts that were asked for, over all boots; a state that was pending once.
    #[must_use]
    pub fn states(&self) -> Vec<String> {
        let lines = self.log.lines();
        let words = lines.iter().filter_map(|line| line.split_once(' ')).map(|(_, word)| word);
        let is_state = |word: &&str| {
            *word == "Cleanup"
                || *word == "restarting"
                || (word.starts_with("Artifact") && !word.contains(' '))
        };
        let mut states: Vec<String> = words.filter(is_state).map(str::to_owned).collect();
        states.dedup();
        states
    }

    /// When the device log got lines with this text, in ms.
    ///
    /// # Panics
    /// Never: every line begins with its time.
    #[must_use]
    pub fn times_of(&self, text: &str) -> Vec<u64> {
        let lines = self.log.lines();
        let hits = lines.iter().filter(|line| line.contains(text));
        hits.map(|line| line.split(' ').next().and_then(|ms| ms.parse().ok()).expect("a time")).collect()
    }

    /// Checks now and polls until the deployment has ended at the server, and the device has nothing left to do.
    ///
    /// # Panics
    /// As [`Device::run_until`].
    pub fn update(&mut self, server: &Server, deployment: &str) {
        self.client().check_now();
        self.run_to_the_end(server, deployment);
    }

    /// Polls until the deployment has ended at the server, and the device has nothing left to do.
    ///
    /// # Panics
    /// As [`Device::run_until`].
    pub fn run_to_the_end(&mut self, server: &Server, deployment: &str) {
        let ended =
            |s: &str| ["success", "failure", "aborted", "already-installed", "noartifact"].contains(&s);
        self.run_until("the end of the deployment", |_| ended(&status(server, deployment)));
        self.run_until("an idle client", |d| d.snapshot().phase == mender_client::Phase::Idle);
        self.run_until_quiet();
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let (Some(client), false) = (&self.client, std::thread::panicking()) {
            assert_eq!(client.ports().flash.misuse(), None, "flash misused:\n{}", self.story());
        }
        // Nothing depends on it.
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn leak_bytes(len: usize) -> &'static mut [u8] {
    Box::leak(vec![0; len].into_boxed_slice())
}
