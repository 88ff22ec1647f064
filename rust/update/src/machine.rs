// SPDX-License-Identifier: Apache-2.0
//! The states of one deployment and of the time between deployments.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the table of stages has all of them; what is here speaks of the few that are special"
)]

mod boot;
mod failing;
mod stages;

use crate::event::{Action, Event, Report, Timing};
use crate::{Backoff, Checkpoint, Kind, Phase, jittered};
use mender_base::words::{Progress, Verdict};
use mender_base::{Error, Status, limits};
use stages::{Does, Stage};

/// The state machine. It owns the checkpoint; the loop writes it to flash when told to [`Action::Save`].
#[repr(C)]
pub struct Machine {
    stage: Stage,
    backoff: Backoff,
    /// The stage was entered from another one, and its action has not been given out.
    fresh: bool,
    /// The pause is reported, or is being reported.
    deferred: bool,
    /// The old software could not be restored.
    inconsistent: bool,
    /// An image is on trial, and there is no record of who tries it.
    pub unproven: bool,
    /// What is, or is about to be, on flash.
    pub checkpoint: Checkpoint,
    /// Intervals and limits; may be changed while idle.
    pub timing: Timing,
    /// Time and randomness of the event in hand.
    now_ms: u64,
    random: u32,
    wake_at_ms: u64,
    check_at_ms: u64,
    inventory_at_ms: u64,
    hold_until_ms: u64,
    boot_ms: u64,
    probe_since_ms: u64,
}

/// How soon a pending module or self-test is called again.
const PENDING_MS: u32 = 100;
/// How far apart the tries of a device get that the server does not accept, or whose request it does not take: a person does something about
/// it, or nobody (protocol §8.2).
const NOT_ACCEPTED_CAP_MS: u32 = 1_800_000;
/// How far apart the deployments of a device get at most of which one after the other fails, if update checks are not further apart.
const HOLD_OFF_MAX_MS: u32 = 86_400_000;
/// The same after a start of the device, which forgets how long it has waited.
const HOLD_OFF_AT_BOOT_MS: u32 = 3_600_000;
/// Tries of the last record of a deployment.
const END_TRIES: u8 = 10;

impl Machine {
    /// A machine that knows nothing, and whose times are all 0. All zeros, so that memory can be filled with it in one go.
    pub const BLANK: Self = Self {
        checkpoint: Checkpoint::blank(),
        timing: Timing::NONE,
        stage: Stage::Idle,
        now_ms: 0,
        random: 0,
        wake_at_ms: 0,
        check_at_ms: 0,
        inventory_at_ms: 0,
        hold_until_ms: 0,
        boot_ms: 0,
        probe_since_ms: 0,
        backoff: Backoff::new(),
        fresh: false,
        deferred: false,
        inconsistent: false,
        unproven: false,
    };

    /// A machine for the checkpoint that was on flash. [`Machine::boot`] comes next.
    #[must_use]
    pub fn new(checkpoint: Checkpoint, timing: Timing) -> Self {
        Self { checkpoint, timing, ..Self::BLANK }
    }

    /// Whether no deployment is in progress and nothing is being asked.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    /// Whether no deployment is on record, whatever is being asked.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.checkpoint.phase == Phase::Idle
    }

    /// Whether new software runs on trial: until its commit the deadline runs, and nothing may write the slot.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.checkpoint.phase == Phase::VerifyReboot
            && matches!(self.stage, Stage::VerifyReboot | Stage::Probe | Stage::AskCommit)
    }

    /// New software runs on trial, and its time is up.
    #[must_use]
    pub fn is_trial_over(&self, now_ms: u64) -> bool {
        self.is_on_trial() && now_ms >= self.commit_deadline_ms()
    }

    /// Whether the deployment in progress can still be stopped: its software is not being made permanent, there is a way back, and it
    /// is not failing already.
    #[must_use]
    pub fn can_abort(&self) -> bool {
        let c = &self.checkpoint;
        let way_back = match c.phase {
            Phase::Download => true,
            Phase::Install | Phase::VerifyReboot => c.supports_rollback,
            _ => false,
        };
        // A restart that was asked for cannot be stopped.
        way_back && c.reason.is_none() && self.stage != Stage::Reboot
    }

    /// Stops the deployment in progress if [`Machine::can_abort`], whatever was being done; the action that undoes it.
    #[must_use]
    pub fn abort(&mut self, now_ms: u64) -> Option<Action> {
        if !self.can_abort() {
            return None;
        }
        self.now_ms = now_ms;
        self.fail(Error::AbortedHere);
        Some(self.act())
    }

    /// When the next check is due, in ms since boot.
    #[must_use]
    pub fn check_at_ms(&self) -> u64 {
        self.check_at_ms
    }

    /// When new software on trial is given up, in ms since boot.
    #[must_use]
    pub fn commit_deadline_ms(&self) -> u64 {
        after(self.boot_ms, self.timing.commit_deadline_ms)
    }

    /// Until when [`Action::Wait`] waits, in ms since boot.
    #[must_use]
    pub const fn wake_at_ms(&self) -> u64 {
        self.wake_at_ms
    }

    /// Asks for a check as soon as possible. Does not pass a server's `Retry-After`.
    pub fn check_now(&mut self, now_ms: u64) {
        self.check_at_ms = now_ms.max(self.hold_until_ms);
    }

    /// Asks for the inventory to be sent as soon as possible, for instance after a new authentication.
    pub fn inventory_due(&mut self, now_ms: u64) {
        self.inventory_at_ms = now_ms.max(self.hold_until_ms);
    }

    /// Takes what happened and says what to do next.
    #[must_use]
    pub fn next(&mut self, event: Event<'_>, now_ms: u64, random: u32) -> Action {
        (self.now_ms, self.random) = (now_ms, random);
        let then = match event {
            Event::Woke => self.woke(),
            Event::Offered { id, artifact_name, usable } => self.offered(id, artifact_name, usable),
            Event::NothingOffered => {
                self.backoff.reset();
                self.not_offered()
            }
            Event::Conflict => self.not_offered(),
            Event::CheckFailed { accepted, retry_after_ms } => self.check_failed(accepted, retry_after_ms),
            Event::InventorySent => {
                self.inventory_at_ms = self.jittered(self.timing.inventory_ms, 20);
                self.go(Stage::Idle)
            }
            Event::InventoryFailed { retry_after_ms } => {
                self.inventory_at_ms = self.later(retry_after_ms, 0);
                self.go(Stage::Idle)
            }
            Event::Saved(result) => self.saved(result),
            Event::Reported(report) => self.reported(report),
            Event::Downloaded => self.downloaded(),
            Event::DownloadFailed(reason) => self.failed(reason),
            Event::Answered(Verdict::Approve) => {
                let deferred = core::mem::take(&mut self.deferred);
                if deferred && self.stage == Stage::AskCommit {
                    // The other pauses are followed by a report, which hears of an abort.
                    return Action::Report(Status::Installing);
                }
                self.go_on()
            }
            Event::Answered(Verdict::Refuse) => self.failed(Error::ApplicationRefused),
            Event::Answered(Verdict::Defer) if !self.deferred => {
                self.deferred = true;
                return Action::Report(self.pause());
            }
            Event::Answered(Verdict::Defer) => self.wait(self.timing.defer_ms),
            Event::Installed { needs_reboot } => {
                self.checkpoint.needs_reboot = needs_reboot;
                self.go(if needs_reboot { Stage::AskReboot } else { Stage::AskCommit })
            }
            Event::Ran(Ok(Progress::Pending)) => self.wait(PENDING_MS),
            Event::Ran(Ok(Progress::Done)) => self.ran(),
            Event::Ran(Err(reason)) => self.run_failed(reason),
            Event::LogUploaded => self.go_on(),
            Event::RebootReturned => self.reboot_returned(),
        };
        match then {
            Then::Act => self.act(),
            Then::Wait => {
                if self.is_on_trial() {
                    self.wake_at_ms = self.wake_at_ms.min(self.commit_deadline_ms());
                }
                Action::Wait
            }
        }
    }

    #[inline(never)]
    fn enter(&mut self, stage: Stage) {
        self.fresh = stage != self.stage;
        self.stage = stage;
    }

    fn go(&mut self, stage: Stage) -> Then {
        self.enter(stage);
        Then::Act
    }

    /// On to the stage that follows.
    fn go_on(&mut self) -> Then {
        self.go(self.side(self.stage.row().next))
    }

    fn failed(&mut self, reason: Error) -> Then {
        self.fail(reason);
        Then::Act
    }

    fn wait(&mut self, ms: u32) -> Then {
        self.wait_until(after(self.now_ms, ms))
    }

    fn wait_until(&mut self, at_ms: u64) -> Then {
        self.wake_at_ms = at_ms;
        Then::Wait
    }

    /// In `ms` and up to so many percent.
    #[inline(never)]
    fn jittered(&self, ms: u32, percent: u32) -> u64 {
        after(self.now_ms, jittered(ms, percent, self.random))
    }

    /// Of the two halves of a row, the one for the payload in hand.
    fn side<T: Copy>(&self, [image, other]: [T; 2]) -> T {
        if self.checkpoint.kind == Kind::Image { image } else { other }
    }

    // ---- between deployments

    fn woke(&mut self) -> Then {
        if self.is_trial_over(self.now_ms) {
            return self.failed(Error::CommitDeadline);
        }
        self.go(self.stage)
    }

    fn offered(&mut self, id: &str, artifact_name: &str, usable: Result<(), Error>) -> Then {
        self.check_at_ms = self.jittered(self.timing.poll_ms, 20);
        self.deferred = false;
        let c = &mut self.checkpoint;
        let (mut writes, mut reboots) = (0, 0);
        let mut repeated = false;
        if c.phase == Phase::Download {
            if c.id != id {
                // The server has moved on; it still hears what became of the old one. The new one is offered again.
                self.check_now(self.now_ms);
                return self.failed(Error::Interrupted);
            }
            (writes, reboots) = (c.writes, c.reboots);
        } else {
            repeated = c.failed_id == id && c.failures >= limits::FAILURES_MAX;
        }
        let begun = c.begin(id, artifact_name);
        (c.writes, c.reboots) = (writes, reboots);
        let usable = match (repeated, reboots) {
            (true, _) => Err(Error::RepeatedFailure),
            (_, reboots) if reboots > limits::REBOOTS_MAX => Err(Error::Interrupted),
            _ => usable.and(begun),
        };
        self.enter(Stage::SaveDownload);
        if let Err(reason) = usable {
            self.fail(reason);
        }
        Then::Act
    }

    fn not_offered(&mut self) -> Then {
        self.check_at_ms = self.jittered(self.timing.poll_ms, 20);
        if self.checkpoint.phase == Phase::Download {
            return self.failed(Error::Interrupted);
        }
        if self.unproven && self.now_ms < self.commit_deadline_ms() {
            self.check_at_ms = self.check_at_ms.min(self.commit_deadline_ms());
        }
        self.go(Stage::Idle)
    }

    fn check_failed(&mut self, accepted: bool, retry_after_ms: Option<u32>) -> Then {
        self.check_at_ms = self.later(retry_after_ms, if accepted { 0 } else { NOT_ACCEPTED_CAP_MS });
        // What kept the check from the server would keep the inventory too.
        self.inventory_at_ms = self.inventory_at_ms.max(self.check_at_ms);
        if self.checkpoint.phase == Phase::Download {
            return self.wait_until(self.check_at_ms);
        }
        self.go(Stage::Idle)
    }

    /// When to try again: the server's word, within reason, or the back-off, whose cap is at least `cap_ms` (protocol §8.2).
    fn later(&mut self, retry_after_ms: Option<u32>, cap_ms: u32) -> u64 {
        let t = &self.timing;
        let cap_ms = t.retry_cap_ms.max(cap_ms.min(t.poll_ms));
        let backoff_ms = self.backoff.next_ms(t.retry_ms, cap_ms, self.random);
        let at_ms = after(self.now_ms, backoff_ms);
        let Some(ms) = retry_after_ms else { return at_ms };
        self.hold_until_ms = self.jittered(ms.min(t.poll_ms).max(1000), 10);
        // A server that wishes for less than it can bear, again and again, is spared all the same.
        if self.backoff.tries() > 3 { self.hold_until_ms.max(at_ms) } else { self.hold_until_ms }
    }

    /// Where one deployment after the other fails, whatever they are, each wears the slot: the next ones are looked for less and less often.
    fn hold_off(&mut self) {
        let beyond = self.checkpoint.failures_in_all.saturating_sub(limits::FAILURES_MAX);
        if beyond > 0 {
            let factor = 1u32.checked_shl(beyond.into()).unwrap_or(u32::MAX);
            let poll_ms = self.timing.poll_ms;
            let ms = poll_ms.saturating_mul(factor).min(poll_ms.max(HOLD_OFF_MAX_MS));
            self.check_at_ms = self.check_at_ms.max(after(self.now_ms, ms));
        }
    }

    // ---- within a deployment

    fn downloaded(&mut self) -> Then {
        let c = &mut self.checkpoint;
        c.needs_reboot = c.kind == Kind::Image;
        // Restarts during the download are not the new software's.
        c.reboots = 0;
        if c.kind == Kind::Nothing { self.go(Stage::SaveSuccess) } else { self.go_on() }
    }

    /// The action of the stage; stages with nothing to do for this kind of payload are passed over.
    fn act(&mut self) -> Action {
        loop {
            if let Some(action) = self.stage_action() {
                return action;
            }
        }
    }

    /// `None`: the stage was passed over, look again. Every pass moves on towards an end, so this is soon over.
    fn stage_action(&mut self) -> Option<Action> {
        let c = &mut self.checkpoint;
        let module = c.kind == Kind::Module;
        let mut does = self.stage.row().does;
        match self.stage {
            Stage::Idle => return self.idle(),
            Stage::ModuleReboot | Stage::Cleanup if !module => return self.pass(),
            Stage::Failure if !module || c.reboots > limits::REBOOTS_MAX => return self.pass(),
            Stage::VerifyReboot if !module => return Some(Action::SelfTest),
            Stage::Probe if core::mem::take(&mut self.fresh) => self.probe_since_ms = self.now_ms,
            Stage::SaveBoot => does = Does::Save(c.phase),
            Stage::SaveSuccess => c.commit_provides(),
            // An aborted deployment has its final status already.
            Stage::SaveFailure if c.reason == Some(Error::Aborted) && !self.inconsistent => {
                self.enter(Stage::Cleanup);
                return None;
            }
            Stage::SaveFailure => self.mark_inconsistent(),
            Stage::SaveIdle if c.phase != Phase::Idle => c.end(),
            _ => {}
        }
        match does {
            Does::Say(action) => Some(action),
            Does::Save(phase) => self.save(phase),
        }
    }

    fn idle(&mut self) -> Option<Action> {
        let stage = if self.now_ms >= self.check_at_ms {
            Stage::Checking
        } else if self.now_ms >= self.inventory_at_ms {
            Stage::Inventory
        } else {
            self.wake_at_ms = self.check_at_ms.min(self.inventory_at_ms);
            return Some(Action::Wait);
        };
        self.enter(stage);
        None
    }

    fn pass(&mut self) -> Option<Action> {
        self.go_on();
        None
    }

    fn save(&mut self, phase: Phase) -> Option<Action> {
        let c = &mut self.checkpoint;
        // The way back and the end must not be cut short by it; restarts bound them.
        let goes_forward =
            matches!(phase, Phase::Download | Phase::Install | Phase::VerifyReboot | Phase::Commit);
        if goes_forward && c.writes >= limits::RECORD_WRITES_MAX {
            self.fail(Error::LoopDetected);
            return None;
        }
        c.phase = phase;
        c.writes = c.writes.saturating_add(1);
        Some(Action::Save)
    }

    fn saved(&mut self, result: Result<(), Error>) -> Then {
        // Where the deployment must end anyway, a store that fails does not keep it from ending: the server hears the truth,
        // and a restart finds the record before this one, whose row of the boot table leads here again.
        // (Not so `SaveRollbackReboot`: restarts that are not counted would never end.)
        let goes_on = match self.stage {
            Stage::SaveBoot => {
                self.resume();
                return Then::Act;
            }
            // The record before it would tell the end anew at the next restart, and perhaps another one.
            Stage::SaveIdle if result.is_err() && self.backoff.tries() < END_TRIES => {
                let at_ms = self.later(None, 0);
                return self.wait_until(at_ms);
            }
            Stage::SaveIdle => {
                self.hold_off();
                self.inventory_due(self.now_ms);
                true
            }
            stage => matches!(stage, Stage::SaveRollback | Stage::SaveSuccess | Stage::SaveFailure),
        };
        self.backoff.reset();
        match result {
            Err(reason) if !goes_on => self.failed(reason),
            Ok(()) | Err(_) => self.go_on(),
        }
    }

    fn reported(&mut self, report: Report) -> Then {
        let probe = self.stage == Stage::Probe;
        let last = matches!(self.stage, Stage::ReportSuccess | Stage::ReportFailure);
        if last && !matches!(report, Report::Failed { .. }) {
            self.backoff.reset();
        }
        match report {
            Report::Aborted if last => self.go(Stage::Cleanup),
            Report::Aborted => self.failed(Error::Aborted),
            Report::Failed { accepted, retry_after_ms } if last || probe => {
                let cap_ms = if accepted || probe { 0 } else { NOT_ACCEPTED_CAP_MS };
                let mut at_ms = self.later(retry_after_ms, cap_ms);
                if probe {
                    // One busy server is no reason to let the time run out.
                    at_ms = at_ms.min(after(self.now_ms, self.timing.retry_cap_ms));
                }
                let late = self.now_ms >= after(self.probe_since_ms, self.timing.probe_ms);
                if probe && (late || self.backoff.tries() >= self.timing.probe_tries) {
                    return self.failed(Error::ServerUnreachable);
                }
                self.wait_until(at_ms)
            }
            Report::Accepted | Report::Failed { .. } => match self.stage {
                // The pause is told; whether it was heard does not matter.
                Stage::AskInstall | Stage::AskReboot | Stage::AskCommit if self.deferred => {
                    self.wait(self.timing.defer_ms)
                }
                // The report may have taken until then.
                _ if self.is_trial_over(self.now_ms) => self.failed(Error::CommitDeadline),
                _ => self.go_on(),
            },
        }
    }

    fn pause(&self) -> Status {
        match self.stage {
            Stage::AskInstall => Status::PauseBeforeInstalling,
            Stage::AskReboot => Status::PauseBeforeRebooting,
            _ => Status::PauseBeforeCommitting,
        }
    }

    fn ran(&mut self) -> Then {
        let c = &self.checkpoint;
        // Only what has restarted must restart again to be undone.
        if self.stage == Stage::Rollback && c.needs_reboot && c.phase == Phase::Rollback {
            return self.go(Stage::SaveRollbackReboot);
        }
        self.go_on()
    }

    fn run_failed(&mut self, reason: Error) -> Then {
        match self.stage {
            // These are for the module's and the slot's own good: the deployment ends as it would have.
            Stage::Failure | Stage::Cleanup => self.go_on(),
            // Without a way back nobody can say what will run after the next restart.
            Stage::Disarm if !self.checkpoint.supports_rollback => {
                self.give_up(reason);
                Then::Act
            }
            // What counts is whether the old software runs after it, as with Mender's own client.
            Stage::Disarm | Stage::ModuleRollbackReboot => self.go_on(),
            Stage::VerifyRollback if self.checkpoint.reboots < limits::REBOOTS_MAX => {
                self.go(Stage::SaveRollbackReboot)
            }
            _ => self.failed(reason),
        }
    }

    fn reboot_returned(&mut self) -> Then {
        if self.is_between() {
            return self.not_offered();
        }
        let c = &mut self.checkpoint;
        c.reboots = c.reboots.saturating_add(1);
        if self.stage == Stage::RollbackReboot && c.reboots <= limits::REBOOTS_MAX {
            // Nothing but a restart leads back to the old software.
            return self.wait(self.timing.retry_ms);
        }
        self.failed(Error::RebootFailed)
    }
}

/// What an event leads to.
enum Then {
    /// The action of the stage.
    Act,
    /// Nothing until [`Machine::wake_at_ms`].
    Wait,
}

/// A clock of 64 bits that counts milliseconds does not wrap.
fn after(now_ms: u64, ms: u32) -> u64 {
    now_ms.wrapping_add(ms.into())
}
