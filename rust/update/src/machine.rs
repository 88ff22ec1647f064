// SPDX-License-Identifier: Apache-2.0
//! The states of one deployment and of the time between deployments.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "`stage_action` and `fail` name every stage; the others speak of the few in which their event can come"
)]

mod failing;

use crate::backoff::fraction;
use crate::event::{Action, Event, Report, Running, Timing};
use crate::{Backoff, Checkpoint, Kind, Phase, jittered};
use mender_base::words::{ModuleState, Progress, Stage as Ask, Verdict};
use mender_base::{Error, Status, limits};

/// What the machine waits for: each stage is named by the action it has given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Checking,
    Inventory,
    SaveDownload,
    ReportDownloading,
    Download,
    AskInstall,
    ReportInstalling,
    SaveInstall,
    Install,
    AskReboot,
    ReportRebooting,
    Arm,
    SaveVerifyReboot,
    ModuleReboot,
    Reboot,
    VerifyReboot,
    Probe,
    AskCommit,
    SaveCommit,
    Commit,
    SaveSuccess,
    ReportSuccess,
    Disarm,
    SaveRollback,
    Rollback,
    SaveRollbackReboot,
    ModuleRollbackReboot,
    RollbackReboot,
    SaveBoot,
    VerifyRollback,
    Failure,
    SaveFailure,
    ReportFailure,
    UploadLog,
    Cleanup,
    SaveIdle,
}

/// The state machine. It owns the checkpoint; the loop writes it to flash when told to [`Action::Save`].
pub struct Machine {
    /// What is, or is about to be, on flash.
    pub checkpoint: Checkpoint,
    /// Intervals and limits; may be changed while idle.
    pub timing: Timing,
    stage: Stage,
    check_at_ms: u64,
    inventory_at_ms: u64,
    hold_until_ms: u64,
    boot_ms: u64,
    probe_since_ms: u64,
    backoff: Backoff,
    /// The stage was entered from another one, and its action has not been given out.
    fresh: bool,
    /// The pause is reported, or is being reported.
    deferred: bool,
    /// The old software could not be restored.
    inconsistent: bool,
}

/// How soon a pending module or self-test is called again.
const PENDING_MS: u64 = 100;

impl Machine {
    /// A machine for the checkpoint that was on flash. [`Machine::boot`] comes next.
    #[must_use]
    pub fn new(checkpoint: Checkpoint, timing: Timing) -> Self {
        Self {
            checkpoint,
            timing,
            stage: Stage::Idle,
            check_at_ms: 0,
            inventory_at_ms: 0,
            hold_until_ms: 0,
            boot_ms: 0,
            probe_since_ms: 0,
            backoff: Backoff::default(),
            fresh: false,
            deferred: false,
            inconsistent: false,
        }
    }

    /// The first action after a start of the device: the boot table.
    #[must_use]
    pub fn boot(&mut self, running: Running, now_ms: u64, random: u32) -> Action {
        let first = now_ms.saturating_add(spread(self.timing.first_check_ms, random));
        (self.boot_ms, self.check_at_ms, self.inventory_at_ms) = (now_ms, first, first);
        let c = &mut self.checkpoint;
        if c.phase != Phase::Idle {
            c.reboots = c.reboots.saturating_add(1);
        }
        let image = c.kind == Kind::Image;
        let can_revert = running.can_revert && !running.confirmed;
        let bounded = c.reboots <= limits::REBOOTS_MAX;
        if image && !running.can_revert {
            c.supports_rollback = false;
        }
        match (c.phase, image) {
            (Phase::Idle, _) => self.enter(Stage::Idle),
            // The offer is taken up again if the server still makes it.
            (Phase::Download, _) => self.enter(Stage::Checking),
            (Phase::Install | Phase::VerifyReboot, true) if running.new => {
                c.supports_rollback &= can_revert;
                c.phase = Phase::VerifyReboot;
                self.enter(if can_revert { Stage::VerifyReboot } else { Stage::SaveBoot });
            }
            (Phase::Install, true) => self.fail_at(Stage::Arm, Error::Interrupted),
            (Phase::VerifyReboot, true) => {
                let reason = if running.refused { Error::Refused } else { Error::Reverted };
                // A client that was started anew without a reset finds the swap still armed.
                self.fail_at(Stage::Arm, reason);
            }
            (Phase::Commit, true) if running.new => self.enter(Stage::Commit),
            (Phase::Commit, true) => self.fail_at(Stage::Download, Error::CommitLost),
            (Phase::SuccessPending, _) => self.enter(Stage::ReportSuccess),
            (Phase::Rollback | Phase::FailurePending, true) if running.new && can_revert && bounded => {
                self.enter(Stage::SaveRollback);
            }
            (Phase::Rollback, true) if running.new => self.give_up(Error::RollbackFailed),
            (Phase::Rollback, true) => self.enter(Stage::Failure),
            // MCUboot ends an image that restarts for ever, if it can. All else that does is ended by counting on flash.
            (Phase::Install | Phase::VerifyReboot | Phase::Commit | Phase::Rollback, false)
            | (Phase::RollbackReboot, _) => self.enter(Stage::SaveBoot),
            (Phase::FailurePending, _) => self.enter(Stage::ReportFailure),
        }
        self.act(now_ms)
    }

    /// The boot table where MCUboot cannot help, once the restart is counted.
    fn resume(&mut self) {
        if self.checkpoint.reboots > limits::REBOOTS_MAX {
            return self.give_up(Error::LoopDetected);
        }
        match self.checkpoint.phase {
            Phase::Install => self.fail_at(Stage::Install, Error::Interrupted),
            Phase::VerifyReboot if self.checkpoint.kind == Kind::Image || self.checkpoint.reboots <= 1 => {
                self.enter(Stage::VerifyReboot);
            }
            // A second restart ends a module's trial, as MCUboot does with an image.
            Phase::VerifyReboot => self.fail_at(Stage::VerifyReboot, Error::Interrupted),
            Phase::Rollback => self.enter(Stage::Rollback),
            Phase::RollbackReboot => self.enter(Stage::VerifyRollback),
            // The commit may have run or not: Mender undoes it.
            _ => self.fail_at(Stage::Commit, Error::Interrupted),
        }
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

    /// When new software on trial is given up, in ms since boot.
    #[must_use]
    pub fn commit_deadline_ms(&self) -> u64 {
        after(self.boot_ms, self.timing.commit_deadline_ms)
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
        let wait_until_ms = match event {
            Event::Woke => self.woke(now_ms),
            Event::Offered { id, artifact_name, usable } => {
                self.offered(id, artifact_name, usable, now_ms, random)
            }
            Event::NothingOffered => {
                self.backoff.reset();
                self.not_offered(now_ms, random)
            }
            Event::Conflict => self.not_offered(now_ms, random),
            Event::CheckFailed { retry_after_ms } => self.check_failed(retry_after_ms, now_ms, random),
            Event::InventorySent => {
                self.inventory_at_ms = after(now_ms, jittered(self.timing.inventory_ms, 20, random));
                self.go(Stage::Idle)
            }
            Event::InventoryFailed { retry_after_ms } => {
                self.inventory_at_ms = self.later(retry_after_ms, now_ms, random);
                self.go(Stage::Idle)
            }
            Event::Saved(result) => self.saved(result, now_ms),
            Event::Reported(report) => self.reported(report, now_ms, random),
            Event::Downloaded => self.downloaded(),
            Event::DownloadFailed(reason) => self.failed(reason),
            Event::Answered(Verdict::Defer) if !self.deferred => {
                self.deferred = true;
                return Action::Report(self.pause());
            }
            Event::Answered(verdict) => self.answered(verdict, now_ms),
            Event::Installed { needs_reboot } => {
                self.checkpoint.needs_reboot = needs_reboot;
                self.go(if needs_reboot { Stage::AskReboot } else { Stage::AskCommit })
            }
            Event::Ran(Ok(Progress::Pending)) => Some(now_ms.saturating_add(PENDING_MS)),
            Event::Ran(Ok(Progress::Done)) => self.ran(),
            Event::Ran(Err(reason)) => self.run_failed(reason),
            Event::LogUploaded => self.go(Stage::Cleanup),
            Event::RebootReturned => self.reboot_returned(now_ms),
        };
        match wait_until_ms {
            Some(at) if self.is_on_trial() => Action::Wait { until_ms: at.min(self.commit_deadline_ms()) },
            Some(until_ms) => Action::Wait { until_ms },
            None => self.act(now_ms),
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.fresh = stage != self.stage;
        self.stage = stage;
    }

    fn go(&mut self, stage: Stage) -> Option<u64> {
        self.enter(stage);
        None
    }

    fn failed(&mut self, reason: Error) -> Option<u64> {
        self.fail(reason);
        None
    }

    // ---- between deployments

    fn woke(&mut self, now_ms: u64) -> Option<u64> {
        if self.is_on_trial() && now_ms >= self.commit_deadline_ms() {
            return self.failed(Error::CommitDeadline);
        }
        self.go(self.stage)
    }

    fn offered(
        &mut self,
        id: &str,
        artifact_name: &str,
        usable: Result<(), Error>,
        now_ms: u64,
        random: u32,
    ) -> Option<u64> {
        self.check_at_ms = after(now_ms, jittered(self.timing.poll_ms, 20, random));
        self.deferred = false;
        let c = &mut self.checkpoint;
        let mut usable = usable;
        if c.phase == Phase::Download {
            if c.id != id {
                // The server has moved on; it still hears what became of the old one. The new one is offered again.
                self.check_now(now_ms);
                return self.failed(Error::Interrupted);
            }
            let (writes, reboots) = (c.writes, c.reboots);
            usable = usable.and(c.begin(id, artifact_name));
            (c.writes, c.reboots) = (writes, reboots);
            if reboots > limits::REBOOTS_MAX {
                usable = Err(Error::Interrupted);
            }
        } else {
            let repeated = c.failed_id == id && c.failures >= limits::FAILURES_MAX;
            usable = usable.and(c.begin(id, artifact_name));
            if repeated {
                usable = Err(Error::RepeatedFailure);
            }
        }
        self.enter(Stage::SaveDownload);
        if let Err(reason) = usable {
            self.fail(reason);
        }
        None
    }

    fn not_offered(&mut self, now_ms: u64, random: u32) -> Option<u64> {
        self.check_at_ms = after(now_ms, jittered(self.timing.poll_ms, 20, random));
        if self.checkpoint.phase == Phase::Download {
            return self.failed(Error::Interrupted);
        }
        self.go(Stage::Idle)
    }

    fn check_failed(&mut self, retry_after_ms: Option<u32>, now_ms: u64, random: u32) -> Option<u64> {
        self.check_at_ms = self.later(retry_after_ms, now_ms, random);
        // What kept the check from the server would keep the inventory too.
        self.inventory_at_ms = self.inventory_at_ms.max(self.check_at_ms);
        if self.checkpoint.phase == Phase::Download {
            return Some(self.check_at_ms);
        }
        self.go(Stage::Idle)
    }

    /// When to try again: the server's word, within reason, or the back-off (protocol §8.2).
    fn later(&mut self, retry_after_ms: Option<u32>, now_ms: u64, random: u32) -> u64 {
        let t = &self.timing;
        let backoff_ms = self.backoff.next_ms(t.retry_ms, t.retry_cap_ms, random);
        let Some(ms) = retry_after_ms else { return after(now_ms, backoff_ms) };
        self.hold_until_ms = after(now_ms, jittered(ms.clamp(1000, t.poll_ms.max(1000)), 10, random));
        self.hold_until_ms
    }

    // ---- within a deployment

    fn downloaded(&mut self) -> Option<u64> {
        let kind = self.checkpoint.kind;
        self.checkpoint.needs_reboot = kind == Kind::Image;
        // Restarts during the download are not the new software's.
        self.checkpoint.reboots = 0;
        self.go(if kind == Kind::Nothing { Stage::SaveSuccess } else { Stage::AskInstall })
    }

    /// The action of the stage; stages with nothing to do for this kind of payload are passed over.
    fn act(&mut self, now_ms: u64) -> Action {
        loop {
            if let Some(action) = self.stage_action(now_ms) {
                return action;
            }
        }
    }

    /// `None`: the stage was passed over, look again. Every pass moves on towards an end, so this is soon over.
    fn stage_action(&mut self, now_ms: u64) -> Option<Action> {
        let kind = self.checkpoint.kind;
        Some(match self.stage {
            Stage::Idle if now_ms >= self.check_at_ms => self.pass(Stage::Checking)?,
            Stage::Idle if now_ms >= self.inventory_at_ms => self.pass(Stage::Inventory)?,
            Stage::Idle => Action::Wait { until_ms: self.check_at_ms.min(self.inventory_at_ms) },
            Stage::Checking => Action::Check,
            Stage::Inventory => Action::SendInventory,
            Stage::SaveDownload => self.save(Phase::Download)?,
            Stage::ReportDownloading => Action::Report(Status::Downloading),
            Stage::Download => Action::Download,
            // Asked before it is reported, so that the last word at the server is not `pause_…`, and an abort meanwhile is heard.
            Stage::AskInstall => Action::Ask(Ask::Install),
            Stage::ReportInstalling => Action::Report(Status::Installing),
            Stage::SaveInstall => self.save(Phase::Install)?,
            Stage::Install => Action::Run(ModuleState::ArtifactInstall),
            Stage::AskReboot => Action::Ask(Ask::Reboot),
            Stage::ReportRebooting => Action::Report(Status::Rebooting),
            Stage::Arm => Action::Arm,
            Stage::SaveVerifyReboot => self.save(Phase::VerifyReboot)?,
            Stage::ModuleReboot if kind == Kind::Module => Action::Run(ModuleState::ArtifactReboot),
            Stage::ModuleReboot => self.pass(Stage::Reboot)?,
            Stage::Reboot | Stage::RollbackReboot => Action::Reboot,
            Stage::VerifyReboot if kind == Kind::Module => Action::Run(ModuleState::ArtifactVerifyReboot),
            Stage::VerifyReboot => Action::SelfTest,
            Stage::Probe => {
                if core::mem::take(&mut self.fresh) {
                    self.probe_since_ms = now_ms;
                }
                Action::Probe
            }
            Stage::AskCommit => Action::Ask(Ask::Commit),
            Stage::SaveCommit => self.save(Phase::Commit)?,
            Stage::Commit => Action::Run(ModuleState::ArtifactCommit),
            Stage::SaveSuccess => {
                self.checkpoint.provides.commit();
                self.save(Phase::SuccessPending)?
            }
            Stage::ReportSuccess => Action::Report(Status::Success),
            Stage::Disarm => Action::Disarm,
            Stage::SaveRollback => self.save(Phase::Rollback)?,
            Stage::Rollback => Action::Run(ModuleState::ArtifactRollback),
            Stage::SaveRollbackReboot => self.save(Phase::RollbackReboot)?,
            Stage::ModuleRollbackReboot => Action::Run(ModuleState::ArtifactRollbackReboot),
            Stage::VerifyRollback => Action::Run(ModuleState::ArtifactVerifyRollbackReboot),
            Stage::SaveBoot => self.save(self.checkpoint.phase)?,
            Stage::Failure if kind == Kind::Module && self.checkpoint.reboots <= limits::REBOOTS_MAX => {
                Action::Run(ModuleState::ArtifactFailure)
            }
            Stage::Failure => self.pass(Stage::SaveFailure)?,
            // An aborted deployment has its final status already.
            Stage::SaveFailure if self.checkpoint.reason == Some(Error::Aborted) && !self.inconsistent => {
                self.pass(Stage::Cleanup)?
            }
            Stage::SaveFailure => {
                self.mark_inconsistent();
                self.save(Phase::FailurePending)?
            }
            Stage::ReportFailure => Action::Report(Status::Failure),
            Stage::UploadLog => Action::UploadLog,
            Stage::Cleanup if kind == Kind::Module => Action::Run(ModuleState::Cleanup),
            Stage::Cleanup => self.pass(Stage::SaveIdle)?,
            Stage::SaveIdle => {
                self.checkpoint.end();
                self.save(Phase::Idle)?
            }
        })
    }

    fn pass(&mut self, stage: Stage) -> Option<Action> {
        self.enter(stage);
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

    fn saved(&mut self, result: Result<(), Error>, now_ms: u64) -> Option<u64> {
        let image = self.checkpoint.kind == Kind::Image;
        // Where the deployment must end anyway, a store that fails does not keep it from ending: the server hears the truth,
        // and a restart finds the record before this one, whose row of the boot table leads here again.
        let (next, goes_on) = match self.stage {
            Stage::SaveDownload => (Stage::ReportDownloading, false),
            Stage::SaveInstall => (if image { Stage::Arm } else { Stage::Install }, false),
            Stage::SaveVerifyReboot => (Stage::ModuleReboot, false),
            Stage::SaveCommit => (Stage::Commit, false),
            Stage::SaveRollback if image => (Stage::RollbackReboot, true),
            Stage::SaveRollback => (Stage::Rollback, true),
            // Not without a record: restarts that are not counted would never end.
            Stage::SaveRollbackReboot => (Stage::ModuleRollbackReboot, false),
            Stage::SaveBoot => {
                self.resume();
                return None;
            }
            Stage::SaveSuccess => (Stage::ReportSuccess, true),
            Stage::SaveFailure => (Stage::ReportFailure, true),
            _ => {
                self.inventory_due(now_ms);
                (Stage::Idle, true)
            }
        };
        self.backoff.reset();
        match result {
            Err(reason) if !goes_on => self.failed(reason),
            Ok(()) | Err(_) => self.go(next),
        }
    }

    fn reported(&mut self, report: Report, now_ms: u64, random: u32) -> Option<u64> {
        use Stage::{AskCommit, AskInstall, AskReboot, Probe, ReportFailure, ReportSuccess};
        let image = self.checkpoint.kind == Kind::Image;
        match (self.stage, report) {
            (ReportSuccess, Report::Accepted | Report::Aborted) | (ReportFailure, Report::Aborted) => {
                self.go(Stage::Cleanup)
            }
            (ReportFailure, Report::Accepted) => self.go(Stage::UploadLog),
            (ReportSuccess | ReportFailure, Report::Failed { retry_after_ms }) => {
                Some(self.later(retry_after_ms, now_ms, random))
            }
            (_, Report::Aborted) => self.failed(Error::Aborted),
            (Probe, Report::Failed { retry_after_ms }) => {
                let late = now_ms >= after(self.probe_since_ms, self.timing.probe_ms);
                let at = self.later(retry_after_ms, now_ms, random);
                if late || self.backoff.tries() >= self.timing.probe_tries {
                    return self.failed(Error::ServerUnreachable);
                }
                Some(at)
            }
            (Probe, Report::Accepted) => self.go(AskCommit),
            // The pause is told; whether it was heard does not matter.
            (AskInstall | AskReboot | AskCommit, Report::Accepted | Report::Failed { .. }) => {
                Some(after(now_ms, self.timing.defer_ms))
            }
            (stage, Report::Accepted | Report::Failed { .. }) => self.go(match stage {
                Stage::ReportDownloading => Stage::Download,
                // An image is installed by arming the swap, a module's payload before the restart.
                Stage::ReportInstalling if image => AskReboot,
                Stage::ReportRebooting if !image => Stage::SaveVerifyReboot,
                _ => Stage::SaveInstall,
            }),
        }
    }

    fn pause(&self) -> Status {
        match self.stage {
            Stage::AskInstall => Status::PauseBeforeInstalling,
            Stage::AskReboot => Status::PauseBeforeRebooting,
            _ => Status::PauseBeforeCommitting,
        }
    }

    fn answered(&mut self, verdict: Verdict, now_ms: u64) -> Option<u64> {
        match verdict {
            Verdict::Approve => {
                self.deferred = false;
                self.go(match self.stage {
                    Stage::AskInstall => Stage::ReportInstalling,
                    Stage::AskReboot => Stage::ReportRebooting,
                    _ => Stage::SaveCommit,
                })
            }
            Verdict::Refuse => self.failed(Error::ApplicationRefused),
            Verdict::Defer => Some(after(now_ms, self.timing.defer_ms)),
        }
    }

    fn ran(&mut self) -> Option<u64> {
        // Only what has restarted must restart again to be undone.
        let restarted = self.checkpoint.needs_reboot && self.checkpoint.phase == Phase::Rollback;
        self.go(match self.stage {
            Stage::Arm => Stage::SaveVerifyReboot,
            Stage::ModuleReboot => Stage::Reboot,
            Stage::VerifyReboot => Stage::Probe,
            Stage::Commit => Stage::SaveSuccess,
            Stage::Rollback if restarted => Stage::SaveRollbackReboot,
            Stage::ModuleRollbackReboot => Stage::RollbackReboot,
            Stage::Failure => Stage::SaveFailure,
            Stage::Cleanup => Stage::SaveIdle,
            _ => Stage::Failure,
        })
    }

    fn run_failed(&mut self, reason: Error) -> Option<u64> {
        match self.stage {
            // These are for the module's and the slot's own good: the deployment ends as it would have.
            Stage::Failure => self.enter(Stage::SaveFailure),
            Stage::Cleanup => self.enter(Stage::SaveIdle),
            // Without a way back nobody can say what will run after the next restart.
            Stage::Disarm if !self.checkpoint.supports_rollback => self.give_up(reason),
            Stage::Disarm => self.enter(Stage::Failure),
            // What counts is whether the old software runs after it, as with Mender's own client.
            Stage::ModuleRollbackReboot => self.enter(Stage::RollbackReboot),
            Stage::VerifyRollback if self.checkpoint.reboots < limits::REBOOTS_MAX => {
                self.enter(Stage::SaveRollbackReboot);
            }
            _ => self.fail(reason),
        }
        None
    }

    fn reboot_returned(&mut self, now_ms: u64) -> Option<u64> {
        let c = &mut self.checkpoint;
        c.reboots = c.reboots.saturating_add(1);
        if self.stage == Stage::RollbackReboot && c.reboots <= limits::REBOOTS_MAX {
            // Nothing but a restart leads back to the old software.
            return Some(after(now_ms, self.timing.retry_ms));
        }
        self.failed(Error::RebootFailed)
    }
}

fn after(now_ms: u64, ms: u32) -> u64 {
    now_ms.saturating_add(ms.into())
}

/// A random time in 0…`ms`.
fn spread(ms: u32, random: u32) -> u64 {
    fraction(ms, random).into()
}
