// SPDX-License-Identifier: Apache-2.0
//! The server answers a report with 409 (aborted) or 404 (unknown): the deployment is undone as far as it went, and no final status is
//! reported, since the server has one.

use crate::device::{
    Device, EMPTY, IMAGE, MODULE, MODULE_ONE_WAY, MODULE_REBOOT, MODULE_REBOOT_ONE_WAY, NEW, NEW_INCONSISTENT,
};
use mender_base::words::ModuleState::{
    ArtifactCommit, ArtifactFailure, ArtifactInstall, ArtifactRollback, ArtifactRollbackReboot,
    ArtifactVerifyReboot, ArtifactVerifyRollbackReboot,
};
use mender_base::words::Stage as Ask;
use mender_base::{Error, Status};
use mender_update::Phase;

#[test]
fn c33_an_abort_is_obeyed_at_every_report() {
    // downloading: the slot is not touched.
    for payload in [EMPTY, IMAGE, MODULE] {
        Device::new(payload).offered().saves(Phase::Download).report_aborted(Status::Downloading).drops_it();
    }
    // In mid-download.
    Device::new(IMAGE)
        .offered()
        .saves(Phase::Download)
        .reports(Status::Downloading)
        .download_fails(Error::Aborted)
        .drops_it();
    // installing: nothing is installed, nothing armed.
    for payload in [IMAGE, MODULE, MODULE_REBOOT_ONE_WAY] {
        let mut d = Device::new(payload);
        d.takes().asks(Ask::Install).report_aborted(Status::Installing).drops_it();
        assert_eq!(d.saves, 2);
    }
    // rebooting: not armed yet, not restarted.
    let mut d = Device::new(IMAGE);
    d.takes().asks(Ask::Install).reports(Status::Installing).asks(Ask::Reboot);
    d.report_aborted(Status::Rebooting).drops_it();
    assert!(!d.boot.armed);
    let mut d = Device::new(MODULE_REBOOT);
    d.gets_ready().runs(ArtifactInstall).asks(Ask::Reboot).report_aborted(Status::Rebooting);
    d.runs(ArtifactRollback).runs(ArtifactFailure).drops_it();
    // The probe: back to the old software.
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probe_aborted().saves(Phase::Rollback).reboots().drops_it_after_its_trial();
    let mut d = Device::new(MODULE_REBOOT);
    d.installs().runs(ArtifactVerifyReboot).probe_aborted().saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot)
        .runs(ArtifactVerifyRollbackReboot)
        .runs(ArtifactFailure)
        .drops_it_after_its_trial();
    // success: it is too late, the new software stays.
    for payload in [EMPTY, IMAGE, MODULE] {
        let mut d = Device::new(payload);
        if payload == EMPTY {
            d.takes();
        } else {
            d.proves().runs(ArtifactCommit);
        }
        d.saves(Phase::SuccessPending).report_aborted(Status::Success).cleans_up();
        assert_eq!(d.on_flash().provides.artifact_name(), NEW);
    }
    // failure: nothing more to say, and no log.
    let mut d = Device::new(IMAGE);
    d.gets_ready()
        .arm_fails()
        .disarms()
        .saves(Phase::FailurePending)
        .report_aborted(Status::Failure)
        .cleans_up();
}

#[test]
fn an_abort_during_a_pause_is_obeyed() {
    let mut d = Device::new(IMAGE);
    d.takes().defers(Ask::Install).report_aborted(Status::PauseBeforeInstalling).drops_it();
    let mut d = Device::new(IMAGE);
    d.takes().asks(Ask::Install).reports(Status::Installing).defers(Ask::Reboot);
    d.report_aborted(Status::PauseBeforeRebooting).drops_it();
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probes().defers(Ask::Commit).report_aborted(Status::PauseBeforeCommitting);
    d.saves(Phase::Rollback).reboots().drops_it_after_its_trial();
    let mut d = Device::new(MODULE);
    d.gets_ready().runs(ArtifactInstall).defers(Ask::Commit).report_aborted(Status::PauseBeforeCommitting);
    d.saves(Phase::Rollback).runs(ArtifactRollback).runs(ArtifactFailure).drops_it_after_its_trial();
}

#[test]
fn an_abort_that_comes_too_late_to_go_back_is_told_in_the_name_and_to_the_server() {
    for payload in [MODULE_ONE_WAY, MODULE_REBOOT_ONE_WAY] {
        let mut d = Device::new(payload);
        d.installs();
        if payload.needs_reboot {
            d.runs(ArtifactVerifyReboot).probe_aborted();
        } else {
            d.defers(Ask::Commit).report_aborted(Status::PauseBeforeCommitting);
        }
        d.runs(ArtifactFailure).saves(Phase::FailurePending).report_aborted(Status::Failure).cleans_up();
        assert_eq!(d.on_flash().provides.artifact_name(), NEW_INCONSISTENT);
    }
    let mut d = Device::new(IMAGE);
    d.boot.overwrite_only = true;
    d.installs().self_tests().probe_aborted().saves(Phase::FailurePending);
    d.report_aborted(Status::Failure).cleans_up();
    assert_eq!(d.on_flash().provides.artifact_name(), NEW_INCONSISTENT);
}
