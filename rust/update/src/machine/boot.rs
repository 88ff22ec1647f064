// SPDX-License-Identifier: Apache-2.0
//! What a restart means in each phase: the boot table.

use super::{HOLD_OFF_AT_BOOT_MS, Machine, Stage, after};
use crate::backoff::fraction;
use crate::{Action, Kind, Phase, Running};
use mender_base::{Error, limits};

impl Machine {
    /// The first action after a start of the device.
    #[must_use]
    pub fn boot(&mut self, running: Running, now_ms: u64, random: u32) -> Action {
        (self.now_ms, self.boot_ms, self.random) = (now_ms, now_ms, random);
        // A random time, so that a fleet does not come at once.
        let first_ms = after(now_ms, fraction(self.timing.first_check_ms, random));
        (self.check_at_ms, self.inventory_at_ms) = (first_ms, first_ms);
        self.hold_off();
        // A device that is switched on for a few hours a day must come to its check, too.
        self.check_at_ms = self.check_at_ms.min(after(first_ms, HOLD_OFF_AT_BOOT_MS));
        self.started(running);
        self.act()
    }

    /// The boot table.
    fn started(&mut self, running: Running) {
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
        let stage = match (c.phase, image) {
            (Phase::Idle, _) => Stage::Idle,
            // The offer is taken up again if the server still makes it.
            (Phase::Download, _) => Stage::Checking,
            (Phase::Install | Phase::VerifyReboot, true) if running.new => {
                c.supports_rollback &= can_revert;
                c.phase = Phase::VerifyReboot;
                if can_revert { Stage::VerifyReboot } else { Stage::SaveBoot }
            }
            (Phase::Install, true) => return self.fail_at(Stage::Arm, Error::Interrupted),
            (Phase::VerifyReboot, true) => {
                let reason = if running.refused { Error::Refused } else { Error::Reverted };
                // A client that was started anew without a reset finds the swap still armed.
                return self.fail_at(Stage::Arm, reason);
            }
            (Phase::Commit, true) if running.new => Stage::Commit,
            (Phase::Commit, true) => return self.fail_at(Stage::Download, Error::CommitLost),
            (Phase::SuccessPending, _) => Stage::ReportSuccess,
            (Phase::Rollback | Phase::FailurePending, true) if running.new && can_revert && bounded => {
                Stage::SaveRollback
            }
            (Phase::Rollback, true) if running.new => return self.give_up(Error::RollbackFailed),
            (Phase::Rollback, true) => Stage::Failure,
            // MCUboot ends an image that restarts for ever, if it can. All else that does is ended by counting on flash.
            (Phase::Install | Phase::VerifyReboot | Phase::Commit | Phase::Rollback, false)
            | (Phase::RollbackReboot, _) => Stage::SaveBoot,
            (Phase::FailurePending, _) => Stage::ReportFailure,
        };
        self.enter(stage);
    }

    /// The boot table where MCUboot cannot help, once the restart is counted.
    pub(super) fn resume(&mut self) {
        if self.checkpoint.reboots > limits::REBOOTS_MAX {
            return self.give_up(Error::LoopDetected);
        }
        let stage = match self.checkpoint.phase {
            Phase::Install => return self.fail_at(Stage::Install, Error::Interrupted),
            Phase::VerifyReboot if self.checkpoint.kind == Kind::Image || self.checkpoint.reboots <= 1 => {
                Stage::VerifyReboot
            }
            // A second restart ends a module's trial, as MCUboot does with an image.
            Phase::VerifyReboot => return self.fail_at(Stage::VerifyReboot, Error::Interrupted),
            Phase::Rollback => Stage::Rollback,
            Phase::RollbackReboot => Stage::VerifyRollback,
            // The commit may have run or not: Mender undoes it.
            _ => return self.fail_at(Stage::Commit, Error::Interrupted),
        };
        self.enter(stage);
    }
}
