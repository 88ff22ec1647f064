// SPDX-License-Identifier: Apache-2.0
//! The table of stages: what each does, what follows it, and what must be undone when it fails. `docs/state-machine.md` has it in words.

use crate::{Action, Phase};
use mender_base::Status;
use mender_base::words::{ModuleState, Stage as Ask};

/// What a stage gives out.
#[derive(Clone, Copy)]
pub(super) enum Does {
    Say(Action),
    /// [`Action::Save`] of this phase.
    Save(Phase),
}

/// What a failure must undo.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Undo {
    /// Nothing is installed yet.
    Nothing,
    /// MCUboot may be asked for a swap already.
    Disarm,
    /// The record says Install: after a restart the module undoes it again.
    Rollback,
    /// The record says, or may say, that the new software is to prove itself.
    SaveRollback,
    /// The way back itself failed, or never ends.
    GiveUp,
    /// Past all undoing.
    Past,
}

/// Of two, the first is for an image, the other for a module (and for a payload with nothing to install, where it comes by).
pub(super) struct Row {
    pub(super) does: Does,
    pub(super) next: [Stage; 2],
    pub(super) undo: [Undo; 2],
}

macro_rules! stages {
    ($($(#[doc = $why:literal])* $name:ident: $does:expr, $image:ident $module:ident, $undo_image:ident $undo_module:ident;)+) => {
        /// What the machine waits for: each stage is named by the action it has given out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Stage {
            $($(#[doc = $why])* $name,)+
        }

        const ROWS: &[Row] = &[$(Row {
            does: $does,
            next: [Stage::$image, Stage::$module],
            undo: [Undo::$undo_image, Undo::$undo_module],
        }),+];
    };
}

use Action::{Arm, Check, Disarm, Download, Probe, Reboot, Report, Run, SendInventory, UploadLog, Wait};
use Does::{Save, Say};

stages! {
    // stage: action, goes on to (image, module), undone by (image, module)
    Idle: Say(Wait), Idle Idle, Nothing Nothing;
    Checking: Say(Check), Idle Idle, Nothing Nothing;
    Inventory: Say(SendInventory), Idle Idle, Nothing Nothing;
    SaveDownload: Save(Phase::Download), ReportDownloading ReportDownloading, Nothing Nothing;
    ReportDownloading: Say(Report(Status::Downloading)), Download Download, Nothing Nothing;
    Download: Say(Download), AskInstall AskInstall, Nothing Nothing;
    // Asked before it is reported, so that the last word at the server is not `pause_…`, and an abort meanwhile is heard.
    AskInstall: Say(Action::Ask(Ask::Install)), ReportInstalling ReportInstalling, Nothing Nothing;
    // An image is installed by arming the swap, a module's payload before the restart.
    ReportInstalling: Say(Report(Status::Installing)), AskReboot SaveInstall, Nothing Nothing;
    SaveInstall: Save(Phase::Install), Arm Install, Nothing Nothing;
    Install: Say(Run(ModuleState::ArtifactInstall)), AskReboot AskReboot, Rollback Rollback;
    AskReboot: Say(Action::Ask(Ask::Reboot)), ReportRebooting ReportRebooting, Nothing Rollback;
    ReportRebooting: Say(Report(Status::Rebooting)), SaveInstall SaveVerifyReboot, Nothing Rollback;
    Arm: Say(Arm), SaveVerifyReboot SaveVerifyReboot, Disarm SaveRollback;
    SaveVerifyReboot: Save(Phase::VerifyReboot), ModuleReboot ModuleReboot, Disarm SaveRollback;
    ModuleReboot: Say(Run(ModuleState::ArtifactReboot)), Reboot Reboot, Disarm SaveRollback;
    Reboot: Say(Reboot), Reboot Reboot, Disarm SaveRollback;
    VerifyReboot: Say(Run(ModuleState::ArtifactVerifyReboot)), Probe Probe, SaveRollback SaveRollback;
    Probe: Say(Probe), AskCommit AskCommit, SaveRollback SaveRollback;
    AskCommit: Say(Action::Ask(Ask::Commit)), SaveCommit SaveCommit, SaveRollback SaveRollback;
    SaveCommit: Save(Phase::Commit), Commit Commit, SaveRollback SaveRollback;
    Commit: Say(Run(ModuleState::ArtifactCommit)), SaveSuccess SaveSuccess, SaveRollback SaveRollback;
    SaveSuccess: Save(Phase::SuccessPending), ReportSuccess ReportSuccess, Past Past;
    ReportSuccess: Say(Report(Status::Success)), Cleanup Cleanup, Past Past;
    Disarm: Say(Disarm), Failure Failure, Past Past;
    SaveRollback: Save(Phase::Rollback), RollbackReboot Rollback, GiveUp GiveUp;
    Rollback: Say(Run(ModuleState::ArtifactRollback)), Failure Failure, GiveUp GiveUp;
    SaveRollbackReboot: Save(Phase::RollbackReboot), ModuleRollbackReboot ModuleRollbackReboot, GiveUp GiveUp;
    ModuleRollbackReboot: Say(Run(ModuleState::ArtifactRollbackReboot)), RollbackReboot RollbackReboot, GiveUp GiveUp;
    RollbackReboot: Say(Reboot), RollbackReboot RollbackReboot, GiveUp GiveUp;
    // Saves the phase it finds; what follows is the boot table's.
    SaveBoot: Save(Phase::Idle), SaveBoot SaveBoot, SaveRollback SaveRollback;
    VerifyRollback: Say(Run(ModuleState::ArtifactVerifyRollbackReboot)), Failure Failure, GiveUp GiveUp;
    Failure: Say(Run(ModuleState::ArtifactFailure)), SaveFailure SaveFailure, Past Past;
    SaveFailure: Save(Phase::FailurePending), ReportFailure ReportFailure, Past Past;
    ReportFailure: Say(Report(Status::Failure)), UploadLog UploadLog, Past Past;
    UploadLog: Say(UploadLog), Cleanup Cleanup, Past Past;
    Cleanup: Say(Run(ModuleState::Cleanup)), SaveIdle SaveIdle, Past Past;
    SaveIdle: Save(Phase::Idle), Idle Idle, Past Past;
}

const IDLE: Row = Row { does: Say(Wait), next: [Stage::Idle; 2], undo: [Undo::Nothing; 2] };

impl Stage {
    /// Its row. (There is one for each; the lookup needs another word for none.)
    #[allow(clippy::as_conversions, reason = "the place of a variant, which has no other name")]
    pub(super) fn row(self) -> &'static Row {
        ROWS.get(self as usize).unwrap_or(&IDLE)
    }
}
