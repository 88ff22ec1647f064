// SPDX-License-Identifier: Apache-2.0
//! What a restart means in each phase: the boot table.

use super::{Machine, Stage, after};
use crate::backoff::fraction;
use crate::{Action, Kind, Phase, Running};
use mender_base::{Error, limits};

impl Machine {
    /// The first action after a start of the device: the boot table.
    #[must_use]
    pub fn boot(&mut self, running: Running, now_ms: u64, random: u32) -> Action {
        (self.now_ms, self.boot_ms, self.random) = (now_ms, now_ms, random);
        // A random time, so that a fleet does not come at once.
        let first_ms = after(now_ms, fraction(self.timing.first_check_ms, random));
        (self.check_at_ms, self.inventory_at_ms) = (first_ms, first_ms);
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
        self.act()
    }

    /// The boot table where MCUboot cannot help, once the restart is counted.
    pub(super) fn resume(&mut self) {
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
}
