// SPDX-License-Identifier: Apache-2.0
//! From power to power: MCUboot, the image's firmware, the client's loop, and again.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use mender_client::{Buffers, Client, Config};
use mender_port::{Errno, Notice};
use mender_sim::clock::HostClock;
use mender_sim::keys::{Keys, PublicKey, Random};
use mender_sim::log::{Lines, Sink};
use mender_sim::mcuboot::{self, BootError, Booted, Done};
use mender_sim::modules::Folder;
use mender_sim::trailer::SwapType;
use mender_sim::transport::{Sockets, Trust};
use mender_sim::{Flash, Host};
use mender_testkit::image::{Behaviour, Info};

use crate::console::Console;
use crate::halt::{Counter, halt};
use crate::settings::{Reboot, Settings};
use crate::state_dir;

const EHOSTUNREACH: Errno = Errno(-113);

/// Why the process ends.
pub(crate) enum End {
    /// The device restarts, and whoever started the process does the rest.
    Reboot,
    /// There is no image to boot.
    Brick,
}

type Device = Host<Sockets, HostClock, Lines<Console>, Folder>;

/// What stays the same over restarts.
struct Board<'s> {
    settings: &'s Settings,
    console: Console,
    identity: Vec<(String, String)>,
    verification: Vec<PublicKey>,
    api: Trust,
    storage: Trust,
    counter: Counter,
}

/// Switches the device on; returns when it switches itself off.
///
/// # Errors
/// A sentence for a person.
pub(crate) fn power_on(settings: &Settings) -> Result<End, String> {
    let mut board = Board {
        settings,
        console: Console::new(settings.json),
        identity: Vec::new(),
        verification: read_keys(&settings.verification_keys)?,
        api: trust(&settings.ca_files)?,
        storage: trust(&settings.storage_ca_files)?,
        counter: Counter::default(),
    };
    let (mut flash, new) = state_dir::open_flash(settings)?;
    board.identity = state_dir::identity(settings)?;
    flash.power.plan(settings.cut);
    flash.power.on_cut(halt);
    if new {
        board.note("factory", &format!("new device in {}", settings.state_dir.display()));
    }
    loop {
        let booted = match mcuboot::boot(&mut flash, settings.mode) {
            Ok(booted) => booted,
            Err(BootError::NoBootableImage(why)) => {
                board.note("mcuboot", &format!("no bootable image: {why:?}"));
                return Ok(End::Brick);
            }
            Err(BootError::Flash(why)) => return Err(format!("flash: {why:?}")),
        };
        board.note("mcuboot", &describe(&booted));
        flash = board.run(flash, &booted.image)?;
        if settings.count {
            board.counter.print(&flash.power);
        }
        if settings.reboot == Reboot::Exit {
            return Ok(End::Reboot);
        }
    }
}

impl Board<'_> {
    fn lines(&self) -> Lines<Console> {
        Lines::new(self.console.clone(), self.settings.json, self.settings.log_level)
    }

    /// A log line from outside the firmware.
    fn note(&self, what: &str, text: &str) {
        self.lines().note(0, what, text);
    }

    /// Runs the firmware in the image until it restarts the device, or the watchdog does.
    fn run(&mut self, flash: Flash, image: &Info) -> Result<Flash, String> {
        let behaviour = image.behaviour.unwrap_or(Behaviour::Fine);
        if behaviour == Behaviour::Hangs {
            thread::sleep(self.settings.watchdog);
            self.note("watchdog", "the image hangs: reset");
            return Ok(flash);
        }
        let (mut io, mut token, mut uri) = ([0; 1024], [0; 1536], [0; 2048]);
        let buffers = Buffers { io: &mut io, token: &mut token, uri: &mut uri };
        let device = self.device(flash, image, behaviour);
        let mut client =
            Client::new(config(self.settings), buffers, device).map_err(|e| e.text().to_owned())?;
        while !client.ports().restart {
            let wait_ms = client.poll();
            if let Some(why) = client.ports_mut().transport.take_error() {
                client.ports_mut().note("network", &why);
            }
            if self.settings.count && wait_ms > 100 {
                self.counter.print(&client.ports().flash.power);
            }
            if wait_ms > 1 && !client.ports().restart {
                thread::sleep(Duration::from_millis(wait_ms.into()));
            }
        }
        Ok(client.exit().into_flash())
    }

    fn device(&self, flash: Flash, image: &Info, behaviour: Behaviour) -> Device {
        let settings = self.settings;
        let sockets = Sockets::new(self.api.clone(), self.storage.clone(), settings.connect_timeout);
        let keys = Keys::new(Random::system(), self.verification.clone());
        let mut folder = Folder::new(&settings.state_dir.join("modules"), settings.payload_types.clone());
        folder.needs_reboot = settings.module_needs_reboot;
        folder.supports_rollback = settings.module_supports_rollback;
        folder.fail_at.clone_from(&settings.module_fail_at);
        folder.pending = settings.module_pending;
        let mut host = Host::new(flash, keys, sockets, HostClock::start(), self.lines(), folder);
        host.mode = settings.mode;
        host.identity.clone_from(&self.identity);
        host.app.inventory.clone_from(&settings.inventory);
        host.app.inventory.push(("firmware_version".to_owned(), image.version.to_string()));
        host.app.self_test_fails = behaviour == Behaviour::FailsSelfTest;
        host.faults.open = (behaviour == Behaviour::NeverReachesServer).then_some(EHOSTUNREACH);
        let console = self.console.clone();
        host.app.on_notice = Some(Box::new(move |notice| match notice {
            Notice::Progress { received, total } => console.progress(received, total),
            Notice::Authenticated
            | Notice::DeploymentStarted
            | Notice::Restarting
            | Notice::DeploymentSucceeded
            | Notice::DeploymentFailed(_) => console.clear(),
        }));
        host
    }
}

fn config(settings: &Settings) -> Config<'_> {
    Config {
        server_url: &settings.server_url,
        device_type: &settings.device_type,
        artifact_name: &settings.artifact_name,
        tenant_token: settings.tenant_token.as_deref(),
        tier: settings.tier,
        timing: settings.timing,
        allow_http: settings.allow_http,
        abort_probe_ms: settings.abort_probe_ms,
        idle_timeout_ms: settings.idle_timeout_ms,
        ..Config::default()
    }
}

fn describe(booted: &Booted) -> String {
    let kind = |swap| match swap {
        SwapType::None => "nothing",
        SwapType::Test => "test swap",
        SwapType::Permanent => "permanent swap",
        SwapType::Revert => "swap back",
    };
    let done = match booted.done {
        Done::Nothing => "nothing to do".to_owned(),
        Done::Upgraded(swap) => format!("{} done", kind(swap)),
        Done::Overwritten => "old image overwritten".to_owned(),
        Done::Resumed(swap) => format!("interrupted {} completed", kind(swap)),
        Done::Refused => "bad image in the secondary slot refused".to_owned(),
    };
    let behaviour = booted.image.behaviour.map_or("", Behaviour::word);
    let hash: String = booted.image.hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{done}; image {} {behaviour} ({hash}…)", booted.image.version)
}

fn trust(files: &[impl AsRef<Path>]) -> Result<Trust, String> {
    Trust::from_pem_files(files.iter().map(AsRef::as_ref)).map_err(|e| e.to_string())
}

/// Reads artifact verification keys.
///
/// # Errors
/// A sentence for a person.
pub(crate) fn read_keys(files: &[impl AsRef<Path>]) -> Result<Vec<PublicKey>, String> {
    let read = |file: &Path| {
        let text = fs::read_to_string(file).map_err(|e| e.to_string());
        text.and_then(|text| PublicKey::from_pem(&text)).map_err(|e| format!("{}: {e}", file.display()))
    };
    files.iter().map(|file| read(file.as_ref())).collect()
}
