// SPDX-License-Identifier: Apache-2.0
//! Leaving the way of success, from every stage.

use super::{Machine, Stage};
use crate::Kind;
use mender_base::{Error, limits, text};

impl Machine {
    pub(super) fn fail_at(&mut self, stage: Stage, reason: Error) {
        self.stage = stage;
        self.fail(reason);
    }

    /// Leaves the way of success: what was done so far decides what must be undone.
    pub(super) fn fail(&mut self, reason: Error) {
        // The first cause stays: later ones follow from it.
        if self.checkpoint.reason.is_none() {
            self.checkpoint.reason = Some(reason);
        }
        let image = self.checkpoint.kind == Kind::Image;
        let undo = self.checkpoint.supports_rollback;
        self.enter(match self.stage {
            // Nothing is installed yet.
            Stage::Idle
            | Stage::Checking
            | Stage::Inventory
            | Stage::SaveDownload
            | Stage::ReportDownloading
            | Stage::Download
            | Stage::AskInstall
            | Stage::ReportInstalling
            | Stage::SaveInstall => Stage::SaveFailure,
            Stage::AskReboot | Stage::ReportRebooting if image => Stage::SaveFailure,
            Stage::Arm | Stage::SaveVerifyReboot | Stage::ModuleReboot | Stage::Reboot if image => {
                Stage::Disarm
            }
            // The record says Install: after a restart the module undoes it again.
            Stage::Install | Stage::AskReboot | Stage::ReportRebooting if undo => Stage::Rollback,
            // The record says, or may say, that the new software is to prove itself.
            Stage::Arm
            | Stage::SaveVerifyReboot
            | Stage::ModuleReboot
            | Stage::Reboot
            | Stage::SaveBoot
            | Stage::VerifyReboot
            | Stage::Probe
            | Stage::AskCommit
            | Stage::SaveCommit
            | Stage::Commit
                if undo =>
            {
                Stage::SaveRollback
            }
            // It stays for want of a way back, or the way back failed or never ends.
            Stage::Install
            | Stage::AskReboot
            | Stage::ReportRebooting
            | Stage::Arm
            | Stage::SaveVerifyReboot
            | Stage::ModuleReboot
            | Stage::Reboot
            | Stage::SaveBoot
            | Stage::VerifyReboot
            | Stage::Probe
            | Stage::AskCommit
            | Stage::SaveCommit
            | Stage::Commit
            | Stage::SaveRollback
            | Stage::Rollback
            | Stage::SaveRollbackReboot
            | Stage::ModuleRollbackReboot
            | Stage::RollbackReboot
            | Stage::VerifyRollback => return self.give_up(reason),
            // Past all undoing.
            Stage::SaveSuccess
            | Stage::ReportSuccess
            | Stage::Disarm
            | Stage::Failure
            | Stage::SaveFailure
            | Stage::ReportFailure
            | Stage::UploadLog
            | Stage::Cleanup
            | Stage::SaveIdle => Stage::Failure,
        });
    }

    /// The old software does not come back; the name will say so.
    pub(super) fn give_up(&mut self, reason: Error) {
        if self.checkpoint.reason.is_none() {
            self.checkpoint.reason = Some(reason);
        }
        self.inconsistent = true;
        self.enter(Stage::Failure);
    }

    /// What runs is neither the old nor, by its own proof, the new: the name says so (protocol §7.11).
    pub(super) fn mark_inconsistent(&mut self) {
        let provides = &mut self.checkpoint.provides;
        if !core::mem::take(&mut self.inconsistent) || provides.incoming_name().is_empty() {
            return;
        }
        let mut name: text::Text<{ limits::NAME_MAX }> = text::Text::new();
        let fits = name.push_str(provides.incoming_name()).and_then(|()| name.push_str("_INCONSISTENT"));
        if fits.is_ok() && provides.begin(&name).is_ok() {
            provides.commit();
        }
    }
}
