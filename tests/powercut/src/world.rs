// SPDX-License-Identifier: Apache-2.0
//! A device and its server in one value: everything that outlives the power, and the loop that runs the client on it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use mender_client::{Buffers, Client, Config, Phase, Timing};
use mender_port::{Errno, Verdict};
use mender_sim::bootloader;
use mender_sim::host::Unreadable;
use mender_sim::mcuboot::{self, BootError};
use mender_sim::trailer::SwapType;
use mender_sim::{Area, Cut, Flash, FlashError, Host, Moment};
use mender_testkit::image::Behaviour;

use crate::clock::Clock;
use crate::keys::Keys;
use crate::modules::{Module, Shelf};
use crate::net::{Link, Net};
use crate::oracle::{self, Truth};
use crate::plan::{BootFault, Fault, NetFault};
use crate::random::Random;
use crate::records;
use crate::server::{API_HOST, Server};
use crate::story::{Newer, Payload, Setup};
use crate::trace::Trace;

/// The ports of a device.
pub type Ports = Host<Net, Clock, Trace, Module, Keys>;

/// A device that starts more often in one step restarts for ever.
const BOOTS_MAX: u32 = 80;
/// A client that is polled more often in one step is going round in circles.
const POLLS_MAX: u32 = 100_000;
/// How long a key or a record that cannot be read stays so: less than the client tries a record.
const SICK_MS: u64 = 3_000;
/// A wait longer than this is one for the next check or inventory, not one within a deployment.
const QUIET_MS: u32 = 5_000;

/// What went wrong that must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The new software runs, and the server knows.
    Success,
    /// The old software runs, and the server knows.
    Failure,
    /// The server's user ended it.
    Aborted,
}

/// The world between two boots of the device, or before its first.
pub struct World {
    setup: Rc<Setup>,
    seed: u64,
    flash: Option<Flash>,
    /// The network and the server behind it.
    pub link: Rc<RefCell<Link>>,
    shelf: Rc<RefCell<Shelf>>,
    clock: Clock,
    /// What happened.
    pub trace: Trace,
    cuts: VecDeque<Cut>,
    /// Power cuts that happened.
    pub cuts_hit: u32,
    /// One of them came where a good update may fail by it.
    cuts_excuse: bool,
    /// MCUboot was cut while it swapped the new image in.
    half_swapped: bool,
    /// A copy of the world is wanted when the power comes back for the first time.
    pub capture: bool,
    /// That copy.
    pub captured: Option<Box<World>>,
    /// How the steps ended so far.
    pub ends: Vec<End>,
    /// What must be true.
    pub truth: Truth,
    step: usize,
    deployment: Option<usize>,
    boots: u32,
    /// Of each deployment whose end was told, the generation of the record that counted then.
    told_at: Vec<Option<u32>>,
    /// A fault that may make a good update fail is among the planned ones.
    excuses: bool,
    /// Boots from the plan on at which the key or the records cannot be read for a while.
    sick: Vec<BootFault>,
    planned_at_boot: u32,
    /// How often a fault of a boot struck.
    pub boot_faults_hit: u32,
    /// A swap was asked for since the deployment began.
    armed: bool,
    /// Generation of the newest record when the old firmware ran last.
    old_wrote: u32,
    /// Words of the server's that are in the trace.
    words_told: usize,
    /// What was counted from the plan, or the last cut, to the end of the story.
    pub counts: Counts,
}

/// How often each moment came in a run, and what went over the network: from, to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Flash operations.
    pub flash: u64,
    /// Reports whose reply was not read yet.
    pub reports: u64,
    /// Calls of modules.
    pub modules: u64,
    /// Bytes sent.
    pub sent: (u64, u64),
    /// Bytes received.
    pub received: (u64, u64),
    /// Requests.
    pub requests: (u64, u64),
}

/// What went wrong in a step, for the oracle.
struct Faults {
    hits: u32,
    cuts: u32,
    excused: bool,
}

/// What the log says of an image that is not tried again.
const BRAKE: &str = "image was reverted before and is not tried again";

enum Ended {
    Reset,
    Done,
}

impl World {
    /// A device as it leaves the factory, or, unless its story is about that, after it has found its server.
    ///
    /// # Errors
    /// What must not happen.
    pub fn start(setup: &Rc<Setup>, seed: u64, text: bool) -> Result<Self, Violation> {
        let mut flash = Flash::new(setup.layout);
        let first = setup.images[0].as_deref().unwrap_or_default();
        flash.provision(Area::Slot0, first).map_err(|e| Violation(format!("factory: {e:?}")))?;
        let clock = Clock::default();
        let server = Server::new(setup.releases.clone());
        let mut world = Self {
            setup: Rc::clone(setup),
            seed,
            flash: Some(flash),
            link: Rc::new(RefCell::new(Link::new(server, clock.clone()))),
            shelf: Rc::default(),
            clock,
            trace: Trace::new(text),
            cuts: VecDeque::new(),
            cuts_hit: 0,
            cuts_excuse: false,
            half_swapped: false,
            capture: false,
            captured: None,
            ends: Vec::new(),
            truth: Truth::new(),
            step: 0,
            deployment: None,
            boots: 0,
            told_at: Vec::new(),
            excuses: false,
            sick: Vec::new(),
            planned_at_boot: 0,
            boot_faults_hit: 0,
            armed: false,
            old_wrote: 0,
            words_told: 0,
            counts: Counts::default(),
        };
        if !setup.story.fresh {
            world.drive()?;
        }
        Ok(world)
    }

    /// The same world once more.
    #[must_use]
    pub fn fork(&self) -> Self {
        let clock = self.clock.fork();
        let flash = self.flash.as_ref();
        Self {
            setup: Rc::clone(&self.setup),
            seed: self.seed,
            flash: flash.map(Flash::fork),
            link: Rc::new(RefCell::new(self.link.borrow().fork(clock.clone()))),
            shelf: Rc::new(RefCell::new(self.shelf.borrow().clone())),
            clock,
            trace: self.trace.fork(),
            cuts: self.cuts.clone(),
            cuts_hit: self.cuts_hit,
            cuts_excuse: self.cuts_excuse,
            half_swapped: self.half_swapped,
            capture: false,
            captured: None,
            ends: self.ends.clone(),
            truth: self.truth.clone(),
            step: self.step,
            deployment: self.deployment,
            boots: self.boots,
            told_at: self.told_at.clone(),
            excuses: self.excuses,
            sick: self.sick.clone(),
            planned_at_boot: self.planned_at_boot,
            boot_faults_hit: self.boot_faults_hit,
            armed: self.armed,
            old_wrote: self.old_wrote,
            words_told: self.words_told,
            counts: self.counts,
        }
    }

    /// Plans what goes wrong from here on.
    pub fn plan(&mut self, faults: &[Fault]) {
        self.planned_at_boot = self.boots;
        let mut link = self.link.borrow_mut();
        for fault in faults {
            match fault {
                Fault::Power(cut) => self.cuts.push_back(*cut),
                Fault::Net(fault) => {
                    self.excuses |= matches!(fault, NetFault::Jump(_));
                    link.faults.push(*fault);
                }
                Fault::Boot(fault) => {
                    // The others are waited for.
                    self.excuses |= matches!(fault, BootFault::Writes(_));
                    self.sick.push(*fault);
                }
            }
        }
        if self.step == 0 && self.ends.is_empty() && self.cuts_hit == 0 {
            link.faults.extend(self.setup.story.faults.iter().filter(|_| self.deployment.is_none()));
        }
        (self.counts.sent.0, self.counts.received.0) = (link.sent, link.received);
        self.counts.requests.0 = link.requests;
        let first = self.cuts.pop_front();
        if let Some(flash) = &mut self.flash {
            flash.power.plan(first);
        }
    }

    /// Other random numbers; bytes come in pieces of random sizes, and now and then none.
    pub fn stutter(&mut self, seed: u64) {
        self.seed = seed;
        self.link.borrow_mut().pieces = Some(Random::new(seed));
    }

    /// How often a moment came since the last plan or cut.
    fn count(&self, moment: Moment) -> u64 {
        self.flash.as_ref().map_or(0, |flash| flash.power.count(moment))
    }

    /// Runs the story to its end. Between two steps the device is reset.
    ///
    /// # Errors
    /// What must not happen.
    pub fn run(&mut self) -> Result<(), Violation> {
        let story = self.setup.story;
        while let Some(step) = story.steps.get(self.step) {
            let number = self
                .deployment
                .unwrap_or_else(|| self.link.borrow_mut().server.deploy(self.step + 1, step.abort_at_report));
            self.deployment = Some(number);
            self.truth.begin(self.step + 1);
            self.drive()?;
            // A link that is refused once is asked for again.
            let excused = self.cuts_excuse || self.excuses || self.link.borrow().forbidden > 1;
            let end = self.judge(number, Faults { hits: self.struck(), cuts: self.cuts_hit, excused })?;
            self.ends.push(end);
            (self.step, self.deployment) = (self.step + 1, None);
        }
        self.counts.flash = self.count(Moment::Any);
        self.counts.reports = self.count(Moment::Report);
        self.counts.modules = self.count(Moment::Module);
        let link = self.link.borrow();
        (self.counts.sent.1, self.counts.received.1) = (link.sent, link.received);
        self.counts.requests.1 = link.requests;
        Ok(())
    }

    /// How often a fault struck: the power, the network, or flash at a boot that was to be out of order.
    #[must_use]
    pub fn struck(&self) -> u32 {
        self.cuts_hit + self.link.borrow().hits + self.boot_faults_hit
    }

    /// What the oracle has to say of this step.
    fn judge(&mut self, number: usize, faults: Faults) -> Result<End, Violation> {
        let flash = self.flash.as_ref().ok_or_else(|| Violation("no flash".to_owned()))?;
        let (link, shelf) = (self.link.borrow(), self.shelf.borrow());
        let Faults { hits, cuts, excused } = faults;
        let unwritable = self.sick.iter().any(|fault| matches!(fault, BootFault::Writes(_)));
        let seen =
            oracle::Seen { flash, server: &link.server, shelf: &shelf, hits, cuts, excused, unwritable };
        self.truth.judge(&self.setup, self.step, number, &seen)
    }

    /// Deploys the step's release where nothing goes wrong any more.
    fn deploy(&mut self) -> Result<usize, Violation> {
        let number = self.link.borrow_mut().server.deploy(self.step + 1, None);
        self.truth.begin(self.step + 1);
        self.armed = false;
        self.drive()?;
        Ok(number)
    }

    /// The release that failed once more. Where its image had its trial, the brake holds it: it fails by that reason, and no swap is
    /// asked for. Else it is as good as it was made.
    fn run_again(&mut self) -> Result<(), Violation> {
        let Some(last) = self.setup.story.steps.len().checked_sub(1) else { return Ok(()) };
        let step = &self.setup.story.steps[last];
        let tried = self.struck() == 0 && step.proves_bad();
        if self.ends.last() != Some(&End::Failure) || !(step.good || tried) {
            return Ok(());
        }
        self.step = last;
        let number = self.deploy()?;
        let braked = self.link.borrow().server.deployments[number].log.contains(BRAKE);
        let end = self.judge(number, Faults { hits: 0, cuts: 0, excused: braked })?;
        match (braked, end) {
            (true, End::Failure) if self.armed => {
                Err(Violation("an image that the brake holds was armed".to_owned()))
            }
            (true, End::Failure) => Ok(()),
            (false, End::Success) if step.good => Ok(()),
            // The server may have been away: it is tried again, and fails again.
            (false, End::Failure) if step.payload == Payload::Image(Behaviour::NeverReachesServer) => Ok(()),
            (_, end) => Err(Violation(format!("the same release again: {end:?}"))),
        }
    }

    /// The release that failed, if one did, and one more good update, with nothing in the way of either.
    ///
    /// # Errors
    /// What must not happen.
    pub fn run_next(&mut self) -> Result<(), Violation> {
        self.cuts.clear();
        self.sick.clear();
        if let Some(flash) = &mut self.flash {
            flash.power.plan(None);
        }
        {
            let mut link = self.link.borrow_mut();
            (link.faults, link.pieces) = (Vec::new(), None);
        }
        self.run_again()?;
        self.step = self.setup.releases.len() - 2;
        let number = self.deploy()?;
        let end = self.judge(number, Faults { hits: 0, cuts: 0, excused: false })?;
        let link = self.link.borrow();
        let (server, name) = (&link.server, "artifact_name");
        match end {
            End::Success if server.inventory.get(name) == server.provides.get(name) => Ok(()),
            End::Success => Err(Violation(format!("inventory: {:?}", server.inventory))),
            End::Failure | End::Aborted => Err(Violation(format!("the next update: {end:?}"))),
        }
    }

    /// Boots and polls until the server has heard the end of every deployment, and was asked for another one.
    fn drive(&mut self) -> Result<(), Violation> {
        let mut polls = 0;
        for _ in 0..BOOTS_MAX {
            let (mut flash, behaviour) = self.boot_loader()?;
            self.forbid_record(&mut flash);
            let (flash, ended) = self.run_client(flash, behaviour, &mut polls)?;
            self.link.borrow_mut().hang_up();
            self.flash = Some(flash);
            self.age_records();
            self.trace_words();
            if let Ended::Done = ended {
                return Ok(());
            }
        }
        Err(Violation("the device restarts for ever".to_owned()))
    }

    /// From reset to the first instruction of an image that does not hang.
    fn boot_loader(&mut self) -> Result<(Flash, Option<Behaviour>), Violation> {
        for _ in 0..BOOTS_MAX {
            let mut flash = self.flash.take().ok_or_else(|| Violation("no flash".to_owned()))?;
            if flash.power.is_off() {
                self.cuts_hit += 1;
                self.cuts_excuse |= !self.half_swapped && !self.goes_on_after_a_cut(&flash);
                self.link.borrow_mut().server.faults += 1;
                self.trace.tell(self.clock.wall_ms(), "the power is back");
                flash.power.restore();
                flash.power.plan(self.cuts.pop_front());
                if std::mem::take(&mut self.capture) {
                    self.flash = Some(flash);
                    self.captured = Some(Box::new(self.fork()));
                    continue;
                }
            }
            self.boots += 1;
            self.clock.advance(1000);
            let swaps = self.half_swapped || mcuboot::swap_type_in(&flash, self.setup.mode) == SwapType::Test;
            let booted = mcuboot::boot(&mut flash, self.setup.mode);
            let cut = matches!(booted, Err(BootError::Flash(FlashError::PowerCut)));
            // Once the swap is complete the image has had its trial, also if it did not come to run.
            self.half_swapped =
                swaps && cut && mcuboot::swap_type_in(&flash, self.setup.mode) != SwapType::Revert;
            self.trace.tell(self.clock.wall_ms(), &format!("MCUboot: {booted:?}"));
            match booted {
                Ok(booted) if booted.image.behaviour != Some(Behaviour::Hangs) => {
                    self.truth.booted(&self.setup, &flash)?;
                    return Ok((flash, booted.image.behaviour));
                }
                // The watchdog resets it.
                Ok(_) | Err(BootError::Flash(FlashError::PowerCut)) => self.flash = Some(flash),
                Err(e) => return Err(Violation(format!("a brick: {e:?}"))),
            }
        }
        Err(Violation("MCUboot restarts for ever".to_owned()))
    }

    /// Whether the boot table leads on to success from a cut that came while the client ran, and left this: before the new image is asked
    /// for (the download is taken up again), once it is asked for, and once it is confirmed. In between it is reverted, and a module's
    /// states are undone.
    fn goes_on_after_a_cut(&self, flash: &Flash) -> bool {
        const BEFORE_OR_AFTER: [u8; 3] = [0, 1, 5];
        let step = self.setup.story.steps.get(self.step);
        if !step.is_some_and(|step| matches!(step.payload, Payload::Image(_))) {
            return false;
        }
        let phase = records::newest(flash).and_then(|(_, _, record)| records::phase(&record));
        let asked_for = mcuboot::swap_type_in(flash, self.setup.mode) == SwapType::Test;
        let new = self.setup.images[self.step + 1].as_deref();
        let runs = new.is_some_and(|new| flash.view(Area::Slot0).starts_with(new));
        let confirmed = runs && bootloader::is_confirmed(flash);
        phase.is_none_or(|phase| BEFORE_OR_AFTER.contains(&phase)) || asked_for || confirmed
    }

    fn run_client(
        &mut self,
        flash: Flash,
        behaviour: Option<Behaviour>,
        polls: &mut u32,
    ) -> Result<(Flash, Ended), Violation> {
        let (mut io, mut token, mut uri) = ([0; 1024], [0; 512], [0; 256]);
        let buffers = Buffers { io: &mut io, token: &mut token, uri: &mut uri };
        let mut client = Client::new(config(), buffers, self.ports(flash, behaviour))
            .map_err(|e| Violation(format!("configuration: {e:?}")))?;
        let well_again_ms = self.clock.wall_ms() + SICK_MS;
        let boot = self.boots - self.planned_at_boot;
        let (sick, mut given) = (self.sick.iter().any(|fault| fault.boot() == boot), 0);
        let ended = loop {
            if self.clock.wall_ms() >= well_again_ms {
                let faults = &mut client.ports_mut().faults;
                (faults.device_key, faults.record_read, faults.record_write) = (None, None, None);
                faults.one_record_read = None;
            }
            let wait_ms = client.poll();
            *polls += 1;
            let ports = client.ports();
            if sick {
                self.count_boot_faults(ports.given - std::mem::replace(&mut given, ports.given));
            }
            self.look_for_ends(&ports.flash);
            if ports.flash.power.is_off() || ports.restart || self.shelf.borrow().reset {
                break Ended::Reset;
            }
            self.armed |= oracle::watch(&self.setup, &self.truth, &ports.flash)?;
            if let Some(complaint) = self.link.borrow().server.complaints.first() {
                return Err(Violation(format!("the server complains: {complaint}")));
            }
            if wait_ms > QUIET_MS && self.is_over() && client.snapshot().phase == Phase::Idle {
                break Ended::Done;
            }
            if *polls > POLLS_MAX {
                return Err(Violation(format!("no end in sight: {:?}", client.snapshot().phase)));
            }
            self.clock.advance(wait_ms.into());
        };
        let ports = client.exit();
        oracle::watch(&self.setup, &self.truth, &ports.flash)?;
        self.shelf.borrow_mut().reset = false;
        if let Some(misuse) = ports.flash.misuse() {
            return Err(Violation(format!("flash misused: {misuse:?}")));
        }
        Ok((ports.into_flash(), ended))
    }

    fn count_boot_faults(&mut self, given: u32) {
        self.boot_faults_hit += given;
        // A record that could not be written may be the one that says what the server answered.
        if self.sick.iter().any(|fault| matches!(fault, BootFault::Writes(_))) {
            self.link.borrow_mut().server.faults += given;
        }
    }

    /// What the server answered since the last time goes into the trace.
    fn trace_words(&mut self) {
        let link = self.link.borrow();
        let words = &link.server.dialogue[self.words_told..];
        self.words_told = link.server.dialogue.len();
        if !words.is_empty() {
            self.trace.tell(self.clock.wall_ms(), &format!("the server: {words:?}"));
        }
    }

    /// Tells the server which ends the device has put on record: of those it must not hear again.
    fn look_for_ends(&mut self, flash: &Flash) {
        let deployments = &mut self.link.borrow_mut().server.deployments;
        self.told_at.resize(deployments.len(), None);
        for (deployment, told_at) in deployments.iter_mut().zip(&mut self.told_at) {
            if deployment.ended_at.is_none() || deployment.on_record {
                continue;
            }
            let Some((generation, _, record)) = records::newest(flash) else { continue };
            let then = *told_at.get_or_insert(generation);
            deployment.on_record = generation > then && records::is_idle(&record);
        }
    }

    fn ports(&self, flash: Flash, behaviour: Option<Behaviour>) -> Ports {
        let keys = Keys::new(self.seed ^ (u64::from(self.boots) << 32));
        let module = Module(Rc::clone(&self.shelf));
        self.clock.boot();
        let net = Net(Rc::clone(&self.link));
        let mut ports = Host::new(flash, keys, net, self.clock.clone(), self.trace.clone(), module);
        ports.mode = self.setup.mode;
        ports.identity = vec![("mac".to_owned(), "02:00:00:00:00:01".to_owned())];
        let boot = self.boots - self.planned_at_boot;
        ports.faults.device_key = self.sick.contains(&BootFault::Key(boot)).then_some(Errno::EIO);
        ports.faults.record_read = self.sick.contains(&BootFault::Records(boot)).then_some(Errno::EIO);
        ports.faults.record_write = self.sick.contains(&BootFault::Writes(boot)).then_some(Errno::EIO);
        ports.faults.one_record_read = self.sick.iter().find_map(|fault| match fault {
            BootFault::Copy(id, spared, at) if *at == boot => {
                Some(Unreadable { id: *id, spared: *spared, errno: Errno::EIO })
            }
            _ => None,
        });
        if self.setup.story.defers {
            ports.app.verdicts = std::array::from_fn(|_| VecDeque::from([Verdict::Defer; 2]));
        }
        match behaviour {
            Some(Behaviour::FailsSelfTest) => ports.app.self_test_fails = true,
            Some(Behaviour::NeverReachesServer) => ports.faults.open = Some(Errno(-113)),
            Some(Behaviour::Fine | Behaviour::Hangs) | None => {}
        }
        ports
    }

    /// The server has heard the end of all deployments, and was asked for another since.
    fn is_over(&self) -> bool {
        self.link.borrow().server.quiet_checks > 0
    }

    fn is_old(&self, flash: &Flash) -> bool {
        flash.view(Area::Slot0).starts_with(self.setup.images[0].as_deref().unwrap_or_default())
    }

    /// What the new image wrote last, the old one cannot read: it asks for a newer reader. The other copy is there.
    fn forbid_record(&mut self, flash: &mut Flash) {
        if self.setup.story.newer_records != Newer::OneForbidden
            || !self.is_old(flash)
            || records::readable(flash) < 2
        {
            return;
        }
        let newest = records::newest(flash).filter(|(generation, ..)| *generation > self.old_wrote);
        if let Some((_, area, forbidden)) =
            newest.and_then(|(n, area, r)| Some((n, area, records::forbidden(&r)?)))
        {
            records::put(flash, area, &forbidden);
        }
    }

    /// What a newer image wrote is in its newer format.
    fn age_records(&mut self) {
        let Some(mut flash) = self.flash.take() else { return };
        if self.is_old(&flash) {
            self.old_wrote = records::newest(&flash).map_or(0, |(generation, ..)| generation);
        } else if self.setup.story.newer_records == Newer::All {
            age(&mut flash);
        }
        self.flash = Some(flash);
    }
}

fn age(flash: &mut Flash) {
    for area in records::AREAS {
        let newer = records::stored(flash, area).and_then(|record| records::newer(&record));
        if let Some(newer) = newer.filter(|_| !flash.power.is_off()) {
            records::put(flash, area, &newer);
        }
    }
}

fn config() -> Config<'static> {
    const URL: &str = "http://mender.example";
    debug_assert!(URL.ends_with(API_HOST));
    Config {
        server_url: URL,
        device_type: "sim",
        artifact_name: "release-1",
        allow_http: true,
        timing: Timing { poll_ms: 600_000, first_check_ms: 0, ..Timing::default() },
        ..Config::default()
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
