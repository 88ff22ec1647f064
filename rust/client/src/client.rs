// SPDX-License-Identifier: Apache-2.0
//! The client and its loop.
//!
//! What does not run in every poll is `#[inline(never)]`, so that a poll needs little stack beside what it runs.

use crate::call::{self, Call, What, ready_key};
use crate::context::{Context, low};
use crate::download::Download;
use crate::inventory::Inventory;
use crate::io::Io;
use crate::{Buffers, Config, act};
use core::mem::MaybeUninit;
use mender_api::{Call as Asked, Entries as _, Entry, Message, PEM_LEN, Refused, Url, Window};
use mender_artifact::Unsigned;
use mender_base::{Error, Event, Status};
use mender_port::{Channel, DeviceKey, Notice, Platform, ResetCause, SwapState};
use mender_update::{Action, Checkpoint, Event as Happened, Kind, Machine, Phase, Report, Running};

/// Longest time [`Client::poll`] asks for.
pub const POLL_MAX_MS: u32 = 3_600_000;
/// Connections are kept over waits up to this; a server would close them over longer ones.
const KEEP_MS: u64 = 5_000;
/// How often, and how far apart in ms, records that cannot be read are tried again.
const LOAD_TRIES: u8 = 5;
const LOAD_WAIT_MS: u32 = 1_000;
/// How long a restart may take before it counts as not happening.
const REBOOT_MS: u64 = 60_000;

/// What failed last in a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastError {
    /// What the client could not do.
    pub error: Error,
    /// The port's errno, or 0.
    pub errno: i32,
}

/// What the client is at, for a person.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'c> {
    /// Name of the installed artifact.
    pub artifact_name: &'c str,
    /// How far the deployment has come; [`Phase::Idle`] without one.
    pub phase: Phase,
    /// The deployment's id, or empty.
    pub deployment_id: &'c str,
    /// A token is at hand.
    pub authenticated: bool,
    /// What failed last.
    pub last_error: Option<LastError>,
    /// [`Client::abort`] would stop the deployment.
    pub can_abort: bool,
    /// When the next check is due, in ms since boot.
    pub check_at_ms: u64,
}

#[derive(Clone, Copy)]
enum Doing {
    /// The machine has not been asked yet.
    Boot {
        tries: u8,
    },
    /// An action that the next poll runs.
    Next(Action),
    Wait,
    Call,
    Download,
    Reboot,
}

/// What a step came to.
enum Step {
    /// There is more to do, in so many ms; 0 is at once.
    Again(u32),
    /// It is done, and this is next.
    Done(Action),
}

/// The client on its ports. One per device.
#[repr(C)]
pub struct Client<'b, P: Platform> {
    check_asked: bool,
    inventory_asked: bool,
    authentication_asked: bool,
    retry_asked: bool,
    doing: Doing,
    /// Nothing is done before.
    until_ms: u64,
    machine: Machine,
    cx: Context<'b, P>,
    call: Call,
    download: Download<P::Hasher>,
}

impl<'b, P: Platform> Client<'b, P> {
    /// A client that has done nothing yet.
    ///
    /// # Errors
    /// [`Error::ConfigServer`], [`Error::ClearText`], [`Error::ConfigName`], or [`Error::ConfigBuffer`] when a buffer is shorter than
    /// its documentation says.
    pub fn new(config: Config<'b>, buffers: Buffers<'b>, ports: P) -> Result<Self, Error> {
        config.check()?;
        buffers.check()?;
        let mut client = Self::blank(config, buffers, ports);
        client.set_up();
        Ok(client)
    }

    /// As [`new`](Self::new), in the memory where it is to stay: a client is too much for the stack of a small device.
    ///
    /// # Errors
    /// As [`new`](Self::new); nothing is written then.
    pub fn new_in(
        memory: &mut MaybeUninit<Self>,
        config: Config<'b>,
        buffers: Buffers<'b>,
        ports: P,
    ) -> Result<(), Error> {
        config.check()?;
        buffers.check()?;
        memory.write(Self::blank(config, buffers, ports)).set_up();
        Ok(())
    }

    /// What the machine needs to know of the settings.
    fn set_up(&mut self) {
        let Self { cx: Context { config, .. }, machine, .. } = self;
        config.timing.retry_cap_ms = config.timing.retry_cap_ms.min(config.timing.poll_ms);
        machine.timing = config.timing;
        machine.checkpoint.name(config.artifact_name);
    }

    /// All but what is set up afterwards. Inlined with all that it calls, so that each field is written where it is to stay; what is
    /// large is a constant of zeros.
    #[inline(always)]
    fn blank(config: Config<'b>, buffers: Buffers<'b>, ports: P) -> Self {
        Self {
            cx: Context::new(config, Io::new(buffers.io), buffers.token, buffers.uri, ports),
            machine: Machine::BLANK,
            doing: Doing::Boot { tries: 0 },
            until_ms: 0,
            call: const { Call::new() },
            download: const { Download::new() },
            check_asked: false,
            inventory_asked: false,
            authentication_asked: false,
            retry_asked: false,
        }
    }

    /// Does one bounded piece of work. Returns in how many ms it wants to run again: 1…[`POLL_MAX_MS`].
    pub fn poll(&mut self) -> u32 {
        let now_ms = self.cx.ports.now_ms();
        self.take_requests(now_ms);
        match self.step(now_ms) {
            Step::Again(ms) => ms.clamp(1, POLL_MAX_MS),
            Step::Done(action) => {
                self.begin(action, now_ms);
                1
            }
        }
    }

    /// The records were read, so it is known whether there is a deployment.
    fn has_started(&self) -> bool {
        !matches!(self.doing, Doing::Boot { .. })
    }

    /// Asks for a check for updates at the next poll, or when the deployment in progress is over.
    pub fn check_now(&mut self) {
        self.check_asked = true;
    }

    /// Asks for the inventory to be sent at the next poll, changed or not.
    pub fn inventory_now(&mut self) {
        self.inventory_asked = true;
    }

    /// Asks for a new token at the next poll, or when the deployment in progress is over; a check for updates comes with it.
    pub fn authenticate_now(&mut self) {
        self.authentication_asked = true;
    }

    /// Asks for the image that was reverted last to be tried again; a check for updates comes with it.
    pub fn retry(&mut self) {
        self.retry_asked = true;
    }

    /// Stops the deployment in progress, where [`Snapshot::can_abort`]: it is undone and reported as failed.
    #[inline(never)]
    pub fn abort(&mut self) {
        if !self.has_started() {
            return;
        }
        let now_ms = self.cx.ports.now_ms();
        if let Some(action) = self.machine.abort(now_ms) {
            // What was being said on them is broken off.
            self.cx.close(Channel::Api);
            self.cx.close(Channel::Storage);
            self.begin(action, now_ms);
        }
    }

    /// Makes a running image stay that no deployment brought, or that was left unconfirmed by one that is over. A check for updates comes
    /// with it: until then they were not looked for.
    ///
    /// # Errors
    /// [`Error::Busy`]: the client has not started; [`Error::InDeployment`]; [`Error::Confirm`].
    pub fn confirm(&mut self) -> Result<(), Error> {
        if !self.has_started() {
            return Err(Error::Busy);
        }
        if !self.machine.is_between() {
            return Err(Error::InDeployment);
        }
        act::confirm(&mut self.cx)?;
        self.check_asked = true;
        Ok(())
    }

    /// Writes the public device key as PEM and returns its length. Makes the key if there never was one.
    ///
    /// # Errors
    /// [`Error::Busy`]: the client has not started, or the key is about to be made; [`Error::ConfigBuffer`]: `pem` has less than
    /// [`PEM_LEN`] bytes; or what failed of the key.
    pub fn public_key(&mut self, pem: &mut [u8]) -> Result<usize, Error> {
        // Only between its works has the client room to write the record that goes with a new key.
        let free = match self.doing {
            Doing::Wait => self.machine.is_idle(),
            // A network is waited for, or another try.
            Doing::Call => self.machine.is_between() && self.call.is_at_start(),
            Doing::Boot { .. } | Doing::Next(_) | Doing::Download | Doing::Reboot => false,
        };
        if !self.has_started() || !(free || self.machine.checkpoint.key_made) {
            return Err(Error::Busy);
        }
        let cx = &mut self.cx;
        if pem.len() < PEM_LEN {
            return Err(Error::ConfigBuffer);
        }
        if !self.machine.checkpoint.key_made {
            let ready = ready_key(cx, &mut self.machine.checkpoint);
            ready.map_err(|(error, errno)| cx.port_failed(error, errno))?;
        }
        let mut key = [0; 65];
        call::public_key(cx, &mut key)?;
        let mut window = Window::new(pem, 0);
        mender_api::pem(&key, "\n", &mut window);
        Ok(window.written().len())
    }

    /// Calls `each` for every entry of the log of the deployment in progress, or of the last one since boot; oldest first.
    pub fn deployment_log(&self, each: &mut dyn FnMut(&Entry<'_>)) {
        self.cx.log.visit(each);
    }

    /// What the client is at.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_> {
        let c = &self.machine.checkpoint;
        Snapshot {
            artifact_name: c.provides.artifact_name(),
            phase: c.phase,
            deployment_id: &c.id,
            authenticated: self.cx.token_len > 0,
            last_error: self.cx.last_error,
            can_abort: self.has_started() && self.machine.can_abort(),
            check_at_ms: self.machine.check_at_ms(),
        }
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &P {
        &self.cx.ports
    }

    /// The ports, to be changed between polls.
    pub fn ports_mut(&mut self) -> &mut P {
        &mut self.cx.ports
    }

    /// Closes the connections and gives the ports back; the state is on flash, another client goes on from there.
    pub fn exit(mut self) -> P {
        self.cx.close(Channel::Api);
        self.cx.close(Channel::Storage);
        self.cx.ports
    }

    fn take_requests(&mut self, now_ms: u64) {
        if !self.has_started() {
            return;
        }
        let lost = self.cx.last_error.is_some_and(|last| last.error == Error::KeyLost);
        if lost && self.authentication_asked && self.machine.checkpoint.key_made {
            // Somebody has seen it, and wants the device to be accepted anew. A deployment in progress cannot end without a key. Made
            // here, where nothing else is written: the record of it follows as it is used. Once: what was asked for stays until the
            // deployment is over.
            self.machine.checkpoint.key_made = false;
            self.cx.last_error = None;
            if self.cx.ports.device_key() == Ok(DeviceKey::Absent) {
                // What fails is told when the key is used.
                let _made = call::make_key(&mut self.cx);
            }
        }
        if !self.machine.is_idle() {
            return;
        }
        let mut wake = false;
        if core::mem::take(&mut self.authentication_asked) {
            self.cx.token_len = 0;
            self.check_asked = true;
        }
        if core::mem::take(&mut self.retry_asked) {
            self.release_brake();
            self.check_asked = true;
        }
        if core::mem::take(&mut self.check_asked) {
            self.machine.check_now(now_ms);
            wake = true;
        }
        if core::mem::take(&mut self.inventory_asked) {
            self.cx.inventory_sent = 0;
            self.machine.inventory_due(now_ms);
            wake = true;
        }
        if wake && matches!(self.doing, Doing::Wait | Doing::Next(Action::Wait)) {
            (self.doing, self.until_ms) = (Doing::Wait, now_ms);
        }
    }

    /// The image that was reverted may be tried again, also after a restart.
    #[inline(never)]
    fn release_brake(&mut self) {
        if core::mem::take(&mut self.machine.checkpoint.reverted) != 0 {
            // A store that fails has been logged; until the next restart the word holds all the same.
            let _kept = self.cx.save(&self.machine.checkpoint);
        }
    }

    /// One step of what is being done.
    fn step(&mut self, now_ms: u64) -> Step {
        if let Some(left_ms) = self.until_ms.checked_sub(now_ms).filter(|left_ms| *left_ms > 0) {
            return Step::Again(u32::try_from(left_ms).unwrap_or(u32::MAX));
        }
        let Self { cx, machine, call, download, .. } = self;
        let happened = match self.doing {
            Doing::Boot { tries } => return self.boot(tries, now_ms),
            Doing::Next(action) => return self.run(action, now_ms),
            Doing::Wait => Happened::Woke,
            Doing::Reboot => Happened::RebootReturned,
            Doing::Call => {
                let wait_ms = call.step(cx, &mut machine.checkpoint, low(now_ms));
                if !call.is_done() {
                    if wait_ms == 0 || !machine.is_trial_over(now_ms) {
                        return Step::Again(wait_ms);
                    }
                    // Nor is a network waited for then.
                    cx.close(Channel::Api);
                    call.give_up(Error::CommitDeadline);
                }
                // Connecting may have taken long. How far apart the tries are does not depend on that.
                let now_ms = cx.ports.now_ms();
                return Step::Done(called(cx, machine, call, now_ms));
            }
            Doing::Download => match download.step(cx, call, &mut machine.checkpoint, low(now_ms)) {
                Ok(_) if download.is_done() => Happened::Downloaded,
                Ok(wait_ms) => return Step::Again(wait_ms),
                Err(error) => Happened::DownloadFailed(error),
            },
        };
        Step::Done(self.next(happened, now_ms))
    }

    fn next(&mut self, happened: Happened<'_>, now_ms: u64) -> Action {
        if matches!(happened, Happened::DownloadFailed(Error::Aborted)) {
            aborted(&mut self.cx);
        }
        let random = self.cx.ports.random();
        self.machine.next(happened, now_ms, random)
    }

    /// Reads the records, looks at what runs, and asks the boot table.
    #[inline(never)]
    fn boot(&mut self, tries: u8, now_ms: u64) -> Step {
        let cx = &mut self.cx;
        let loaded = cx.load(&mut self.machine.checkpoint);
        let c = &mut self.machine.checkpoint;
        let trial = c.phase != Phase::Idle && c.kind == Kind::Image;
        let new = match cx.ports.running_hash() {
            Ok(hash) => {
                if c.phase == Phase::Idle {
                    c.runs(&hash, cx.config.artifact_name);
                }
                Ok(trial && hash == c.image_hash)
            }
            Err(errno) if trial => Err(errno),
            Err(_) => Ok(false),
        };
        // A deployment may be on a record that cannot be read just now, and what runs decides how it goes on. Where one copy can be read
        // the other may be the newer. For ever neither is
        // waited for: a device that can still be updated is worth more than one report.
        let unreadable = cx.store_unreadable || new.is_err();
        if unreadable && tries < LOAD_TRIES {
            self.doing = Doing::Boot { tries: tries.saturating_add(1) };
            self.until_ms = now_ms.wrapping_add(LOAD_WAIT_MS.into());
            return Step::Again(LOAD_WAIT_MS);
        }
        let c = &self.machine.checkpoint;
        cx.logging = c.phase != Phase::Idle;
        if c.phase == Phase::FailurePending {
            cx.log.close();
        }
        let cause = cx.ports.reset_cause();
        cx.say(Event::Started, c.provides.artifact_name());
        let mut running = Running { new: false, confirmed: true, can_revert: true, refused: false };
        if trial {
            running.can_revert = cx.ports.can_revert();
            match new {
                Ok(new) => running.new = new,
                Err(errno) => {
                    cx.port_failed(Error::RunningHash, errno);
                }
            }
            // An image that cannot be seen to be confirmed is taken for one on trial: it will be confirmed again.
            running.confirmed = cx.ports.is_confirmed().unwrap_or(false);
            if !running.new
                && matches!(c.phase, Phase::VerifyReboot | Phase::Commit)
                && cause != ResetCause::Unknown
            {
                cx.say(Event::OldRuns, cause.name());
            }
            let swapped = !matches!(c.phase, Phase::Download | Phase::SuccessPending | Phase::FailurePending);
            if swapped && !running.new && !running.confirmed && new.is_ok() {
                // It was confirmed, or nothing would have been downloaded. A power cut can make MCUboot forget that
                // (docs/reliability.md), and the next restart would bring back what did not prove itself. In the other phases no
                // swap of ours is under way: somebody else's image is on trial.
                let _confirmed = act::confirm(cx);
            }
            running.refused = !running.new && cx.ports.swap_state() == SwapState::Refused;
            if running.new && c.phase == Phase::VerifyReboot {
                cx.say(Event::OnTrial, c.provides.incoming_name());
            }
        }
        // A record that was lost may have been that of a deployment; MCUboot is let revert its image (protocol §8.5).
        self.machine.unproven = !loaded && !cx.ports.is_confirmed().unwrap_or(true) && cx.ports.can_revert();
        let random = cx.ports.random();
        Step::Done(self.machine.boot(running, now_ms, random))
    }

    /// Begins an action: what takes several steps becomes what is being done, the rest waits for the next poll.
    #[inline(never)]
    fn begin(&mut self, action: Action, now_ms: u64) {
        self.until_ms = now_ms;
        let Self { cx, machine, call, download, .. } = self;
        let what = match action {
            Action::Check => Some(What::Check),
            Action::Report(status) => Some(What::Status(status)),
            Action::Probe => {
                // The new software proves that it can authenticate, not that it has a token.
                cx.token_len = 0;
                Some(What::Status(Status::Installing))
            }
            Action::UploadLog if !cx.log.is_empty() => Some(What::Log),
            Action::UploadLog
            | Action::Wait
            | Action::Download
            | Action::SendInventory
            | Action::Save
            | Action::Ask(_)
            | Action::Run(_)
            | Action::Arm
            | Action::Disarm
            | Action::SelfTest
            | Action::Reboot => None,
        };
        self.doing = match (what, action) {
            (Some(what), _) => {
                call.begin(what);
                Doing::Call
            }
            (None, Action::Wait) => {
                self.until_ms = machine.wake_at_ms();
                if self.until_ms.saturating_sub(now_ms) > KEEP_MS {
                    cx.close(Channel::Api);
                }
                Doing::Wait
            }
            (None, Action::Download) => {
                let keys = cx.ports.verification_key(0).is_some();
                download.begin(if keys { Unsigned::Refuse } else { Unsigned::Accept }, low(now_ms));
                Doing::Download
            }
            (None, action) => Doing::Next(action),
        };
        if matches!(action, Action::Check)
            && !cx.ports.is_confirmed().unwrap_or(true)
            && self.machine.is_between()
        {
            // The slot holds the image to fall back to, and nobody of ours tries the running one: the application decides. The server
            // hears from the device all the same, by its inventory.
            cx.say(Event::HeldUnconfirmed, "");
            let over = self.machine.unproven && now_ms >= self.machine.commit_deadline_ms();
            // Once: should it still run after that, nothing is gained by another restart.
            self.machine.unproven &= !over;
            let held = if over { Action::Reboot } else { self.next(Happened::NothingOffered, now_ms) };
            self.doing = Doing::Next(held);
        }
    }

    /// Runs an action that is done within a poll.
    #[inline(never)]
    fn run(&mut self, action: Action, now_ms: u64) -> Step {
        let Self { cx, machine, .. } = self;
        let checkpoint = &machine.checkpoint;
        let happened = match action {
            Action::Save => {
                announce(cx, checkpoint);
                Happened::Saved(cx.save(checkpoint))
            }
            Action::SendInventory => {
                let hash = inventory_hash(cx, checkpoint);
                if hash != cx.inventory_sent || hash == 0 {
                    cx.inventory_hash = hash;
                    self.call.begin(What::Inventory);
                    self.doing = Doing::Call;
                    return Step::Again(0);
                }
                Happened::InventorySent
            }
            Action::Ask(stage) => Happened::Answered(cx.ports.approve(stage)),
            Action::Run(state) => act::run(cx, checkpoint, state),
            Action::Arm => Happened::Ran(act::arm(cx)),
            Action::Disarm => Happened::Ran(act::disarm(cx)),
            Action::SelfTest => Happened::Ran(act::self_test(cx)),
            Action::UploadLog => Happened::LogUploaded,
            Action::Reboot => {
                cx.say(Event::Restarting, "");
                cx.ports.notice(Notice::Restarting);
                cx.close(Channel::Api);
                cx.close(Channel::Storage);
                self.doing = Doing::Reboot;
                self.until_ms = now_ms.wrapping_add(REBOOT_MS);
                self.cx.ports.reboot();
                return Step::Again(0);
            }
            // These take several steps and are not left to this function.
            Action::Wait | Action::Check | Action::Report(_) | Action::Probe | Action::Download => {
                return Step::Done(action);
            }
        };
        Step::Done(self.next(happened, now_ms))
    }
}

/// Tells log and application of a beginning or an end, before the record of it is written.
fn announce<P: Platform>(cx: &mut Context<'_, P>, c: &Checkpoint) {
    let mut name = c.provides.incoming_name();
    if name.is_empty() && c.kind == Kind::Nothing {
        // Of an offer that is not understood.
        name = &c.id;
    }
    if c.phase != Phase::Idle && !core::mem::replace(&mut cx.logging, true) {
        cx.log.clear();
        cx.say(Event::DeploymentStarted, name);
        cx.ports.notice(Notice::DeploymentStarted);
    }
    match (c.phase, c.reason) {
        (Phase::SuccessPending, _) => {
            cx.say(Event::Succeeded, c.provides.artifact_name());
            cx.ports.notice(Notice::DeploymentSucceeded);
        }
        (Phase::FailurePending, Some(reason)) => {
            if name.is_empty() {
                // Without an incoming name the stored one says `_INCONSISTENT`.
                name = c.provides.artifact_name();
                cx.say(Event::NameInconsistent, name);
            }
            cx.blame(Event::DeploymentFailed, reason, 0, name);
            cx.log.close();
            // An abort was told when it was heard.
            if reason != Error::Aborted {
                cx.ports.notice(Notice::DeploymentFailed(reason));
            }
        }
        (Phase::Idle, _) => {
            cx.logging = false;
            cx.inventory_sent = 0;
        }
        (
            Phase::Download
            | Phase::Install
            | Phase::VerifyReboot
            | Phase::Commit
            | Phase::Rollback
            | Phase::RollbackReboot
            | Phase::FailurePending,
            _,
        ) => {}
    }
}

/// Tells log and application that the server does not want the deployment any more.
fn aborted<P: Platform>(cx: &mut Context<'_, P>) {
    cx.say(Event::Aborted, "");
    cx.ports.notice(Notice::DeploymentFailed(Error::Aborted));
}

/// What a call's outcome is to the machine.
#[inline(never)]
fn called<P: Platform>(cx: &mut Context<'_, P>, machine: &mut Machine, call: &Call, now_ms: u64) -> Action {
    if core::mem::take(&mut cx.authenticated) {
        machine.inventory_due(now_ms);
    }
    let (status, mut retry_after_ms) = (call.status(), None);
    if let Some(error) = call.error {
        cx.call_failed(error, call.what.name());
        retry_after_ms = call.retry_after_ms;
    }
    let accepted = call.is_soon_worth_a_try();
    let random = cx.ports.random();
    let happened = match call.what {
        What::Check => return checked(cx, machine, call, retry_after_ms, now_ms),
        What::Status(reported) => {
            cx.event(Event::Reported, status.into(), 0, reported.name());
            Happened::Reported(if status == 204 {
                Report::Accepted
            } else if call.is_aborted() {
                if !reported.is_final() {
                    aborted(cx);
                }
                Report::Aborted
            } else {
                Report::Failed { accepted, retry_after_ms }
            })
        }
        What::Log => Happened::LogUploaded,
        What::Inventory if (200..300).contains(&status) => {
            cx.inventory_sent = cx.inventory_hash;
            cx.say(Event::InventorySent, "");
            Happened::InventorySent
        }
        // What the server does not take now it will not take in a minute.
        What::Inventory if status >= 400 && !accepted => {
            cx.call_failed(Error::ServerStatus, call.what.name());
            Happened::InventorySent
        }
        What::Inventory => Happened::InventoryFailed { retry_after_ms },
    };
    machine.next(happened, now_ms, random)
}

fn checked<P: Platform>(
    cx: &mut Context<'_, P>,
    machine: &mut Machine,
    call: &Call,
    retry_after_ms: Option<u32>,
    now_ms: u64,
) -> Action {
    let random = cx.ports.random();
    let status = call.status();
    let (mut refused, offer) = (None, call.offer(cx));
    let happened = match (status, offer) {
        (200, Some(Ok(offer))) => {
            let usable = Url::parse(cx.uri())
                .and_then(|url| if url.tls || cx.config.allow_http { Ok(()) } else { Err(Error::ClearText) });
            Happened::Offered { id: offer.id, artifact_name: offer.artifact_name, usable }
        }
        (200, Some(Err(Refused { error, id, artifact_name }))) => {
            refused = Some(error);
            match id {
                Some(id) => Happened::Offered { id, artifact_name, usable: Err(error) },
                None => Happened::CheckFailed { accepted: true, retry_after_ms: None },
            }
        }
        (204, _) => Happened::NothingOffered,
        (409, _) => Happened::Conflict,
        _ => {
            let accepted = call.is_soon_worth_a_try();
            Happened::CheckFailed { accepted, retry_after_ms }
        }
    };
    let action = machine.next(happened, now_ms, random);
    if let Some(error) = refused {
        cx.call_failed(error, What::Check.name());
    } else if status == 204 {
        cx.say(Event::NothingOffered, "");
    }
    action
}

/// First bytes of the hash of the inventory as it would be sent now.
fn inventory_hash<P: Platform>(cx: &mut Context<'_, P>, checkpoint: &Checkpoint) -> u32 {
    let Context { ports, config, io, .. } = cx;
    let (device_type, provides) = (config.device_type, &checkpoint.provides);
    let inventory = Inventory { device_type, provides, application: ports };
    let asked = Asked::Device { token: "", message: Message::Inventory(&inventory) };
    let [a, b, c, d, ..] = call::hash::<P::Hasher>(io, &asked);
    u32::from_be_bytes([a, b, c, d])
}
