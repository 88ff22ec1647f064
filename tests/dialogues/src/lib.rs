// SPDX-License-Identifier: Apache-2.0
//! A simulated device and a real server in one process, for tests that read as dialogues.
//!
//! Time is the device's own: it jumps over every wait of the client and stands still while bytes travel, so hours of back-off
//! pass in milliseconds.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mender_client::{Buffers, Client, Config, Timing};
use mender_server::Server;
use mender_sim::clock::ManualClock;
use mender_sim::keys::{Keys, PublicKey, Random};
use mender_sim::log::Memory;
use mender_sim::mcuboot::{self, BootError, Mode};
use mender_sim::modules::Folder;
use mender_sim::transport::{Sockets, Trust};
use mender_sim::{Area, Flash, FlashError, Host, Layout};
use mender_testkit::image::{Behaviour, Image, Version, version_of};

/// The ports of the simulated device.
pub type Ports = Host<Sockets, ManualClock, Memory, Folder>;

/// The device type of all tests.
pub const DEVICE_TYPE: &str = "sim";
/// A payload type that goes to the folder module.
pub const MODULE: &str = "files";

/// An image that behaves as told.
#[must_use]
pub fn image(version: &str, behaviour: Behaviour) -> Vec<u8> {
    Image::new(Version::parse(version).expect("a version"), behaviour).size(48 * 1024).build()
}

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
    ca_pem: String,
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
    #[must_use]
    pub fn with(server: &Server, change: impl FnOnce(&mut Self)) -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("mender-dialogues-{}-{number}", std::process::id()));
        let config = Config {
            server_url: leak(server.api_url()),
            device_type: DEVICE_TYPE,
            artifact_name: "release-1",
            allow_http: true,
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
            ca_pem: server.ca_pem().to_owned(),
            folder,
        };
        change(&mut device);
        let layout = Layout { slot_size: 128 * 1024, ..Layout::default() };
        let mut flash = Flash::new(layout);
        flash.provision(Area::Slot0, &image("1.0.0", Behaviour::Fine)).expect("an image that fits");
        device.boot(flash);
        device
    }

    /// Runs the boot loader and starts the client on what it booted.
    fn boot(&mut self, mut flash: Flash) {
        let booted = loop {
            match mcuboot::boot(&mut flash, self.mode) {
                Ok(booted) => break booted,
                Err(BootError::Flash(FlashError::PowerCut)) => flash.power.restore(),
                Err(e) => panic!("the device is a brick: {e:?}"),
            }
        };
        let trust = self.trust();
        let sockets = Sockets::new(trust.clone(), trust, Duration::from_secs(5));
        let verification = self.keys.iter().map(|pem| PublicKey::from_pem(pem).expect("a key")).collect();
        let keys = Keys::new(Random::seeded(self.boots.into()), verification);
        let modules = Folder::new(&self.folder.join("modules"), vec![MODULE.to_owned()]);
        let mut ports = Host::new(flash, keys, sockets, self.clock.clone(), self.log.clone(), modules);
        ports.mode = self.mode;
        ports.identity = vec![("mac".to_owned(), "02:00:00:00:00:01".to_owned())];
        match booted.image.behaviour {
            Some(Behaviour::FailsSelfTest) => ports.app.self_test_fails = true,
            Some(Behaviour::NeverReachesServer) => ports.faults.open = Some(mender_port::Errno(-113)),
            Some(Behaviour::Fine | Behaviour::Hangs) | None => {}
        }
        (self.at_boot)(&mut ports);
        let buffers = Buffers { io: leak_bytes(1024), token: leak_bytes(1536), uri: leak_bytes(1024) };
        self.boots += 1;
        self.client = Some(Client::new(self.config, buffers, ports).expect("a good configuration"));
    }

    fn trust(&self) -> Trust {
        std::fs::create_dir_all(&self.folder).expect("a folder");
        let file = self.folder.join("ca.pem");
        std::fs::write(&file, &self.ca_pem).expect("a file");
        Trust::from_pem_files([file.as_path()]).expect("a CA")
    }

    /// The client.
    pub fn client(&mut self) -> &mut Client<'static, Ports> {
        self.client.as_mut().expect("a booted device")
    }

    /// The ports.
    pub fn ports(&mut self) -> &mut Ports {
        self.client().ports_mut()
    }

    /// Version of the image that runs.
    pub fn version(&mut self) -> String {
        let running = version_of(self.ports().flash.view(Area::Slot0)).expect("an image");
        format!("{}.{}.{}", running.major, running.minor, running.revision)
    }

    /// One poll; time goes on by what the client wants to wait, bytes that travel take a real millisecond. A restart the client
    /// asks for happens.
    pub fn poll(&mut self) -> u32 {
        let wait_ms = self.client().poll();
        assert!((1..=mender_client::POLL_MAX_MS).contains(&wait_ms));
        if self.ports().restart || self.ports().flash.power.is_off() {
            self.restart();
            return 1;
        }
        if wait_ms > 20 {
            self.clock.advance(wait_ms.into());
        } else if wait_ms > 1 {
            std::thread::sleep(Duration::from_millis(1));
            self.clock.advance(1);
        }
        wait_ms
    }

    /// The device starts anew: by itself, by its reset button, or because the power came back.
    pub fn restart(&mut self) {
        let ports = self.client.take().expect("a booted device").exit();
        let mut flash = ports.into_flash();
        flash.power.restore();
        self.boot(flash);
    }

    /// Polls until `done`, for at most some seconds of real time.
    ///
    /// # Panics
    /// When that does not come; with the device's log.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < deadline, "waited for {what} in vain:\n{}", self.log.lines().join("\n"));
            self.poll();
        }
    }

    /// Polls until the device log has a line with this text, counted from now.
    pub fn run_until_logged(&mut self, text: &str) {
        let seen = self.log.lines().len();
        self.run_until(text, |d| d.log.lines().iter().skip(seen).any(|line| line.contains(text)));
    }

    /// Polls until the client has nothing to do for a while: between deployments, or waiting to try again.
    pub fn run_until_quiet(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "never quiet:\n{}", self.log.lines().join("\n"));
            if self.poll() > 5_000 {
                return;
            }
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
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

/// What was reported for the only deployment of the only device, in order.
#[must_use]
pub fn reports(server: &Server, deployment: &str) -> Vec<String> {
    server
        .only_device_of(deployment)
        .map_or_else(Vec::new, |d| d.reports.into_iter().map(|r| r.status).collect())
}
