// SPDX-License-Identifier: Apache-2.0
//! What somebody at the device asks: to abort a deployment, and to try an image again that was reverted.

use crate::device::{
    Device, IMAGE, MODULE, MODULE_ONE_WAY, MODULE_REBOOT, Mcuboot, NEW, OLD, OTHER_ID, Payload,
};
use mender_base::words::ModuleState::{
    ArtifactFailure, ArtifactInstall, ArtifactRollback, ArtifactRollbackReboot, ArtifactVerifyReboot,
    ArtifactVerifyRollbackReboot,
};
use mender_base::words::Stage as Ask;
use mender_base::{Error, Status};
use mender_update::Phase;

const ABORTED: Error = Error::AbortedHere;

#[test]
fn an_abort_before_anything_is_installed_just_fails_the_deployment() {
    for payload in [IMAGE, MODULE, MODULE_ONE_WAY] {
        let mut d = Device::new(payload);
        d.offered().aborts().fails(ABORTED, OLD);
        let mut d = Device::new(payload);
        d.offered().saves(Phase::Download).aborts().fails(ABORTED, OLD);
        let mut d = Device::new(payload);
        d.offered().saves(Phase::Download).reports(Status::Downloading).aborts().fails(ABORTED, OLD);
        let mut d = Device::new(payload);
        d.takes().defers(Ask::Install).reports(Status::PauseBeforeInstalling).aborts().fails(ABORTED, OLD);
        let mut d = Device::new(payload);
        d.takes().asks(Ask::Install).aborts().fails(ABORTED, OLD);
    }
    // After a restart in mid-download, while the offer is asked for again.
    let mut d = Device::new(IMAGE);
    d.offered().saves(Phase::Download).power_cut().aborts().fails(ABORTED, OLD);
}

#[test]
fn an_abort_disarms_what_is_armed_and_rolls_back_what_is_installed() {
    let mut d = Device::new(IMAGE);
    d.gets_ready().arms().aborts().disarms().fails(ABORTED, OLD);
    assert!(!d.boot.armed);
    let mut d = Device::new(MODULE);
    d.gets_ready().runs(ArtifactInstall).aborts().saves(Phase::Rollback);
    d.runs(ArtifactRollback).runs(ArtifactFailure).fails(ABORTED, OLD);
    let mut d = Device::new(MODULE_REBOOT);
    d.installs().runs(ArtifactVerifyReboot).aborts().saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(ABORTED, OLD);
}

#[test]
fn an_abort_on_trial_brings_the_old_image_back_and_does_not_blame_the_new_one() {
    let on_trial: [fn(&mut Device); 3] = [
        |d| _ = d.installs(),
        |d| _ = d.installs().self_tests(),
        |d| _ = d.installs().self_tests().probes().defers(Ask::Commit),
    ];
    for until in on_trial {
        let mut d = Device::new(IMAGE);
        until(&mut d);
        d.aborts().saves(Phase::Rollback).reboots().fails(ABORTED, OLD);
        assert_eq!(d.on_flash().reverted, 0);
    }
}

#[test]
fn an_abort_that_comes_too_late_or_has_no_way_back_changes_nothing() {
    // Idle.
    Device::new(IMAGE).cannot_abort();
    let mut d = Device::new(IMAGE);
    d.nothing_offered().cannot_abort();
    // The restart is asked for.
    let mut d = Device::new(IMAGE);
    d.gets_ready().arms().saves(Phase::VerifyReboot).cannot_abort();
    // From the commit on.
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probes().asks(Ask::Commit).cannot_abort();
    d.saves(Phase::Commit).cannot_abort();
    // It fails already, for another reason.
    let mut d = Device::new(IMAGE);
    d.installs().self_test_fails().cannot_abort();
    // An image that MCUboot cannot revert, once it may have been swapped in; a module without rollback once it installs.
    let no_way_back = Payload { supports_rollback: false, ..IMAGE };
    let mut d = Device::new(no_way_back);
    d.gets_ready().cannot_abort();
    let mut d = Device::new(MODULE_ONE_WAY);
    d.gets_ready().cannot_abort();
}

/// A deployment of the image that fails on trial, until the device is idle again.
fn reverted() -> Device {
    let mut d = Device::new(IMAGE);
    d.installs().self_test_fails().saves(Phase::Rollback).reboots().fails(Error::SelfTest, OLD);
    d
}

#[test]
fn an_image_that_was_reverted_is_refused_in_another_deployment_too() {
    let mut d = reverted();
    d.power_cut();
    d.takes_as(OTHER_ID).fails(Error::RevertedBefore, OLD);
    assert!(!d.boot.armed);
    // Neither that refusal nor a restart lets it in.
    d.power_cut().takes_as(OTHER_ID).fails(Error::RevertedBefore, OLD);
}

#[test]
fn every_way_for_an_image_not_to_prove_itself_puts_the_brake_on() {
    for reason in [Error::Reverted, Error::Refused, Error::CommitLost] {
        let mut d = Device::new(IMAGE);
        match reason {
            Error::CommitLost => {
                let old = Mcuboot::default();
                d = Device::found(Phase::Commit, IMAGE, old);
            }
            _ => {
                d.boot.refuses = reason == Error::Refused;
                d.gets_ready().arms().saves(Phase::VerifyReboot).reboots();
                if reason == Error::Reverted {
                    d.power_cut();
                }
                d.disarms();
            }
        }
        d.fails(reason, OLD);
        assert_ne!(d.on_flash().reverted, 0, "{reason:?}");
    }
}

#[test]
fn other_failures_do_not_put_the_brake_on() {
    let mut d = Device::new(IMAGE);
    d.takes().refuses(Ask::Install).fails(Error::ApplicationRefused, OLD);
    assert_eq!(d.on_flash().reverted, 0);
    let mut d = Device::new(IMAGE);
    d.gets_ready().arm_fails().disarms().fails(Error::RequestSwap, OLD);
    assert_eq!(d.on_flash().reverted, 0);
    // The server may have been away.
    let mut d = Device::new(IMAGE);
    d.installs().self_tests();
    d.machine.timing.probe_tries = 1;
    d.probe_fails(None).saves(Phase::Rollback).reboots().fails(Error::ServerUnreachable, OLD);
    assert_eq!(d.on_flash().reverted, 0);
    let mut d = Device::new(MODULE_REBOOT);
    d.installs().run_fails(ArtifactVerifyReboot).saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(Error::ModuleFailed, OLD);
    assert_eq!(d.on_flash().reverted, 0);
}

#[test]
fn an_image_is_tried_again_once_somebody_says_so_and_another_image_at_any_time() {
    let mut d = reverted();
    d.machine.checkpoint.reverted = 0;
    d.store();
    d.power_cut().installs().proves_from_trial();
    assert_eq!(d.on_flash().provides.artifact_name(), NEW);
    // Another image than the one that was reverted.
    let mut d = reverted();
    d.machine.checkpoint.reverted ^= 1;
    d.store();
    d.power_cut().installs().proves_from_trial();
    assert_ne!(d.on_flash().reverted, 0, "the old verdict stands");
}
