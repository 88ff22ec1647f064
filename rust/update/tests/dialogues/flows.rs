// SPDX-License-Identifier: Apache-2.0
//! The deployment flows by which Mender's own client for microcontrollers is tested, for images and for modules.

use crate::device::{
    Device, EMPTY, IMAGE, MODULE, MODULE_ONE_WAY, MODULE_REBOOT, MODULE_REBOOT_ONE_WAY, NEW,
    NEW_INCONSISTENT, OLD,
};
use mender_base::words::ModuleState::{
    ArtifactCommit, ArtifactFailure, ArtifactInstall, ArtifactReboot, ArtifactRollback,
    ArtifactRollbackReboot, ArtifactVerifyReboot, ArtifactVerifyRollbackReboot, Cleanup,
};
use mender_base::words::Stage as Ask;
use mender_base::{Error, Status};
use mender_update::{Kind, Phase};

// ---- 1 success_no_reboot

#[test]
fn flow_01_a_module_without_restart_installs_and_commits() {
    let mut d = Device::new(MODULE);
    d.offered().saves(Phase::Download).reports(Status::Downloading).downloads();
    d.asks(Ask::Install).reports(Status::Installing).saves(Phase::Install).runs(ArtifactInstall);
    d.asks(Ask::Commit).saves(Phase::Commit).runs(ArtifactCommit);
    d.saves(Phase::SuccessPending).reports(Status::Success).runs(Cleanup).saves(Phase::Idle);
    d.sends_inventory().idles();
    assert_eq!(d.on_flash().provides.artifact_name(), NEW);
    assert_eq!(d.saves, 5);
}

#[test]
fn flow_01_an_empty_payload_only_changes_the_record() {
    let mut d = Device::new(EMPTY);
    d.takes().succeeds();
    assert_eq!(d.saves, 3);
}

// ---- 2 success_reboot

#[test]
fn flow_02_an_image_is_armed_restarted_proved_and_confirmed_with_exactly_six_saves() {
    let mut d = Device::new(IMAGE);
    d.offered().saves(Phase::Download).reports(Status::Downloading).downloads();
    d.asks(Ask::Install).reports(Status::Installing).asks(Ask::Reboot).reports(Status::Rebooting);
    d.saves(Phase::Install).arms().saves(Phase::VerifyReboot);
    assert!(d.on_flash().needs_reboot && d.on_flash().supports_rollback);
    d.reboots().self_tests().probes().asks(Ask::Commit).saves(Phase::Commit).runs(ArtifactCommit);
    d.saves(Phase::SuccessPending).reports(Status::Success).saves(Phase::Idle);
    d.nothing_offered().sends_inventory().idles();
    assert_eq!(d.on_flash().provides.artifact_name(), NEW);
    assert!(d.boot.new && d.boot.confirmed);
    assert_eq!((d.saves, d.on_flash().writes), (6, 6));
}

#[test]
fn flow_02_an_image_that_overwrites_the_old_one_is_committed_the_same_way() {
    let mut d = Device::new(IMAGE);
    d.boot.overwrite_only = true;
    d.proves().runs(ArtifactCommit).succeeds();
    // One more than with a way back: the restart is counted.
    assert_eq!(d.saves, 7);
}

#[test]
fn flow_02_a_module_with_restart_verifies_and_commits() {
    let mut d = Device::new(MODULE_REBOOT);
    d.offered().saves(Phase::Download).reports(Status::Downloading).downloads();
    d.asks(Ask::Install).reports(Status::Installing).saves(Phase::Install).runs(ArtifactInstall);
    d.asks(Ask::Reboot).reports(Status::Rebooting).saves(Phase::VerifyReboot).runs(ArtifactReboot).reboots();
    // The restart is counted on flash before the module runs again.
    d.saves(Phase::VerifyReboot).runs(ArtifactVerifyReboot).probes().asks(Ask::Commit).saves(Phase::Commit);
    d.runs(ArtifactCommit).saves(Phase::SuccessPending).reports(Status::Success).runs(Cleanup);
    d.saves(Phase::Idle).nothing_offered().sends_inventory().idles();
    assert_eq!(d.saves, 7);
}

// ---- 3 fail_verify_reboot

#[test]
fn flow_03_an_image_that_fails_its_self_test_goes_back_through_a_restart() {
    let mut d = Device::new(IMAGE);
    d.installs().self_test_fails().saves(Phase::Rollback).reboots();
    assert!(!d.boot.new);
    d.fails(Error::SelfTest, OLD);
}

#[test]
fn flow_03_an_image_without_way_back_stays_and_is_called_inconsistent() {
    let mut d = Device::new(IMAGE);
    d.boot.overwrite_only = true;
    d.installs().self_test_fails().fails(Error::SelfTest, NEW_INCONSISTENT);
    assert!(d.boot.new);
}

#[test]
fn flow_03_a_module_that_does_not_verify_is_rolled_back_with_a_restart() {
    let mut d = Device::new(MODULE_REBOOT);
    d.installs().run_fails(ArtifactVerifyReboot);
    d.saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(Error::ModuleFailed, OLD);
}

#[test]
fn flow_03_a_module_without_rollback_that_does_not_verify_is_called_inconsistent() {
    let mut d = Device::new(MODULE_REBOOT_ONE_WAY);
    d.installs()
        .run_fails(ArtifactVerifyReboot)
        .runs(ArtifactFailure)
        .fails(Error::ModuleFailed, NEW_INCONSISTENT);
}

// ---- 4 fail_commit

#[test]
fn flow_04_an_image_that_cannot_be_confirmed_goes_back_through_a_restart() {
    let mut d = Device::new(IMAGE);
    d.proves().run_fails(ArtifactCommit).saves(Phase::Rollback).reboots();
    d.fails(Error::ModuleFailed, OLD);
    assert!(!d.boot.new);
}

#[test]
fn flow_04_an_image_that_was_confirmed_although_confirming_failed_cannot_go_back() {
    let mut d = Device::new(IMAGE);
    d.proves();
    d.boot.confirmed = true;
    d.run_fails(ArtifactCommit).saves(Phase::Rollback).reboots().fails(Error::ModuleFailed, NEW_INCONSISTENT);
    assert!(d.boot.new);
}

#[test]
fn flow_04_a_module_that_fails_its_commit_is_rolled_back_with_a_restart_if_it_had_one() {
    let mut d = Device::new(MODULE_REBOOT);
    d.proves().run_fails(ArtifactCommit).saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(Error::ModuleFailed, OLD);

    let mut d = Device::new(MODULE);
    d.proves().run_fails(ArtifactCommit).saves(Phase::Rollback).runs(ArtifactRollback).runs(ArtifactFailure);
    d.fails(Error::ModuleFailed, OLD);
}

// ---- 5 fail_commit_no_rollback

#[test]
fn flow_05_a_module_that_fails_its_commit_without_rollback_is_called_inconsistent() {
    for payload in [MODULE_ONE_WAY, MODULE_REBOOT_ONE_WAY] {
        let mut d = Device::new(payload);
        d.proves()
            .run_fails(ArtifactCommit)
            .runs(ArtifactFailure)
            .fails(Error::ModuleFailed, NEW_INCONSISTENT);
    }
}

// ---- 6 fail_download

#[test]
fn flow_06_a_failed_download_goes_straight_to_cleanup() {
    for payload in [EMPTY, IMAGE, MODULE, MODULE_REBOOT_ONE_WAY] {
        let mut d = Device::new(payload);
        d.offered().saves(Phase::Download).reports(Status::Downloading).download_fails(Error::FileHash);
        d.fails(Error::FileHash, OLD);
        assert_eq!(d.saves, 3);
    }
}

#[test]
fn flow_06_a_failed_download_is_not_taken_for_the_image_installed_before() {
    let mut d = Device::new(IMAGE);
    d.proves().runs(ArtifactCommit).succeeds().waits(1_800_000);
    d.offered().saves(Phase::Download).reports(Status::Downloading).download_fails(Error::FileHash);
    d.saves(Phase::FailurePending);
    assert_eq!((d.on_flash().kind, d.on_flash().image_hash), (Kind::Image, [0; 32]));
}

#[test]
fn flow_06_an_offer_that_cannot_be_used_is_failed_without_a_download() {
    let mut d = Device::new(IMAGE);
    d.offered_as(crate::device::ID, Err(Error::OfferDevice)).fails(Error::OfferDevice, OLD);
}

// ---- 7 fail_install

#[test]
fn flow_07_an_image_that_cannot_be_armed_is_disarmed_and_failed() {
    let mut d = Device::new(IMAGE);
    d.gets_ready().arm_fails().disarms().fails(Error::RequestSwap, OLD);
    assert!(!d.boot.armed);
}

#[test]
fn flow_07_a_module_that_fails_to_install_is_rolled_back_without_a_restart() {
    for payload in [MODULE, MODULE_REBOOT] {
        let mut d = Device::new(payload);
        d.gets_ready().run_fails(ArtifactInstall).runs(ArtifactRollback).runs(ArtifactFailure);
        d.fails(Error::ModuleFailed, OLD);
    }
}

#[test]
fn flow_07_a_module_without_rollback_that_fails_to_install_is_called_inconsistent() {
    let mut d = Device::new(MODULE_ONE_WAY);
    d.gets_ready()
        .run_fails(ArtifactInstall)
        .runs(ArtifactFailure)
        .fails(Error::ModuleFailed, NEW_INCONSISTENT);
}

#[test]
fn flow_07_a_module_that_cannot_prepare_the_restart_is_rolled_back_with_one() {
    let mut d = Device::new(MODULE_REBOOT);
    d.gets_ready().runs(ArtifactInstall).asks(Ask::Reboot).reports(Status::Rebooting);
    d.saves(Phase::VerifyReboot).run_fails(ArtifactReboot).saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(Error::ModuleFailed, OLD);
}

// ---- 8 fail_rollback_verify_reboot

#[test]
fn flow_08_a_rollback_that_never_verifies_ends_after_four_restarts() {
    let mut d = Device::new(MODULE_REBOOT);
    d.installs().run_fails(ArtifactVerifyReboot).saves(Phase::Rollback).runs(ArtifactRollback);
    for restart in 2..=4 {
        d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
        assert_eq!(d.machine.checkpoint.reboots, restart);
        d.saves(Phase::RollbackReboot).run_fails(ArtifactVerifyRollbackReboot);
    }
    d.runs(ArtifactFailure).fails(Error::ModuleFailed, NEW_INCONSISTENT);
}

#[test]
fn flow_08_whether_the_restart_into_the_old_software_was_prepared_does_not_matter_if_it_runs() {
    let mut d = Device::new(MODULE_REBOOT);
    d.installs().run_fails(ArtifactVerifyReboot).saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).run_fails(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(Error::ModuleFailed, OLD);
}

#[test]
fn flow_08_an_image_that_mcuboot_does_not_revert_ends_after_four_restarts() {
    let mut d = Device::new(IMAGE);
    d.installs().self_test_fails();
    for restart in 2..=5 {
        d.saves(Phase::Rollback).expect_reboot();
        // MCUboot does nothing, against all it promises.
        d.boot.armed = true;
        d.power_cut();
        assert_eq!(d.machine.checkpoint.reboots, restart);
    }
    d.fails(Error::SelfTest, NEW_INCONSISTENT);
}

// ---- 9 fail_commit_rollback

#[test]
fn flow_09_a_rollback_that_fails_after_a_failed_commit_is_called_inconsistent() {
    for payload in [MODULE, MODULE_REBOOT] {
        let mut d = Device::new(payload);
        d.proves().run_fails(ArtifactCommit).saves(Phase::Rollback).run_fails(ArtifactRollback);
        d.runs(ArtifactFailure).fails(Error::ModuleFailed, NEW_INCONSISTENT);
    }
}

// ---- 10 noop_check_deployment

#[test]
fn flow_10_two_idle_polls_write_nothing() {
    let mut d = Device::new(IMAGE);
    d.nothing_offered()
        .sends_inventory()
        .waits(1_800_000)
        .nothing_offered()
        .waits(1_800_000)
        .nothing_offered();
    d.idles();
    assert_eq!(d.saves, 0);
}

// ---- 11 spontaneous_reboot_install

#[test]
fn flow_11_a_module_interrupted_in_its_install_is_rolled_back() {
    for payload in [MODULE, MODULE_REBOOT] {
        let mut d = Device::new(payload);
        d.gets_ready().power_cut().saves(Phase::Install).runs(ArtifactRollback).runs(ArtifactFailure);
        d.fails(Error::Interrupted, OLD);
    }
}

#[test]
fn flow_11_a_module_without_rollback_interrupted_in_its_install_is_called_inconsistent() {
    let mut d = Device::new(MODULE_ONE_WAY);
    d.gets_ready().power_cut().saves(Phase::Install).runs(ArtifactFailure);
    d.fails(Error::Interrupted, NEW_INCONSISTENT);
}

#[test]
fn flow_11_an_image_interrupted_before_it_was_armed_is_failed() {
    let mut d = Device::new(IMAGE);
    d.gets_ready().power_cut().disarms().fails(Error::Interrupted, OLD);
}

#[test]
fn flow_11_an_image_interrupted_between_arming_and_the_record_is_tried() {
    let mut d = Device::new(IMAGE);
    d.gets_ready().arms().power_cut();
    assert!(d.boot.new);
    d.self_tests().probes().asks(Ask::Commit).saves(Phase::Commit).runs(ArtifactCommit).succeeds();
}

// ---- 12 spontaneous_reboot_commit

#[test]
fn flow_12_a_module_interrupted_in_its_commit_is_rolled_back() {
    let mut d = Device::new(MODULE_REBOOT);
    d.proves().power_cut().saves(Phase::Commit).saves(Phase::Rollback).runs(ArtifactRollback);
    d.saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(Error::Interrupted, OLD);

    let mut d = Device::new(MODULE);
    d.proves().power_cut().saves(Phase::Commit).saves(Phase::Rollback).runs(ArtifactRollback);
    d.runs(ArtifactFailure).fails(Error::Interrupted, OLD);
}

#[test]
fn flow_12_a_module_without_rollback_interrupted_in_its_commit_is_called_inconsistent() {
    let mut d = Device::new(MODULE_ONE_WAY);
    d.proves()
        .power_cut()
        .saves(Phase::Commit)
        .runs(ArtifactFailure)
        .fails(Error::Interrupted, NEW_INCONSISTENT);
}

#[test]
fn flow_12_an_image_interrupted_before_it_was_confirmed_was_reverted() {
    let mut d = Device::new(IMAGE);
    d.proves().power_cut();
    assert!(!d.boot.new);
    d.fails(Error::CommitLost, OLD);
}

#[test]
fn flow_12_an_image_interrupted_after_it_was_confirmed_is_confirmed_again_and_succeeds() {
    let mut d = Device::new(IMAGE);
    d.proves().runs(ArtifactCommit).power_cut().runs(ArtifactCommit).succeeds();
}

// ---- 13 test_deployment_abort

#[test]
fn flow_13_an_abort_during_the_download_leaves_no_trace_and_reports_nothing() {
    for payload in [EMPTY, IMAGE, MODULE, MODULE_REBOOT_ONE_WAY] {
        let mut d = Device::new(payload);
        d.offered().saves(Phase::Download).reports(Status::Downloading).download_fails(Error::Aborted);
        d.drops_it();
        assert_eq!(d.saves, 2);
    }
}

// ---- beside the flows

#[test]
fn a_module_that_fails_in_artifact_failure_or_cleanup_still_ends_its_deployment() {
    let mut d = Device::new(MODULE);
    d.gets_ready().run_fails(ArtifactInstall).runs(ArtifactRollback).run_fails(ArtifactFailure);
    d.saves(Phase::FailurePending)
        .reports(Status::Failure)
        .uploads_log()
        .run_fails(Cleanup)
        .saves(Phase::Idle);
    d.sends_inventory().idles();
}

#[test]
fn a_module_may_take_its_time_in_every_state() {
    let mut d = Device::new(MODULE_REBOOT);
    d.gets_ready()
        .run_pends(ArtifactInstall)
        .waits(100)
        .run_pends(ArtifactInstall)
        .waits(100)
        .runs(ArtifactInstall);
    d.asks(Ask::Reboot).reports(Status::Rebooting).saves(Phase::VerifyReboot);
    d.run_pends(ArtifactReboot).waits(100).runs(ArtifactReboot).reboots().saves(Phase::VerifyReboot);
    d.run_pends(ArtifactVerifyReboot).waits(100).run_fails(ArtifactVerifyReboot).saves(Phase::Rollback);
    d.run_pends(ArtifactRollback).waits(100).runs(ArtifactRollback).saves(Phase::RollbackReboot);
    d.run_pends(ArtifactRollbackReboot).waits(100).runs(ArtifactRollbackReboot).reboots();
    d.saves(Phase::RollbackReboot).run_pends(ArtifactVerifyRollbackReboot).waits(100);
    d.runs(ArtifactVerifyRollbackReboot).run_pends(ArtifactFailure).waits(100).runs(ArtifactFailure);
    d.saves(Phase::FailurePending).reports(Status::Failure).uploads_log();
    d.run_pends(Cleanup).waits(100).runs(Cleanup).saves(Phase::Idle);
}

#[test]
fn what_the_artifact_provides_counts_from_success_pending_on_and_not_before() {
    let mut d = Device::new(IMAGE);
    d.offered().saves(Phase::Download).reports(Status::Downloading);
    let provides = &mut d.machine.checkpoint.provides;
    provides.push("rootfs-image.zephyr-image.version", NEW).unwrap();
    provides.clear("rootfs-image.*");
    d.downloads().asks(Ask::Install).reports(Status::Installing).asks(Ask::Reboot).reports(Status::Rebooting);
    let old_until_now = |d: &Device| {
        let stored = &d.on_flash().provides;
        assert_eq!(stored.stored().collect::<Vec<_>>(), [("artifact_name", OLD)]);
    };
    d.saves(Phase::Install);
    old_until_now(&d);
    d.arms()
        .saves(Phase::VerifyReboot)
        .reboots()
        .self_tests()
        .probes()
        .asks(Ask::Commit)
        .saves(Phase::Commit);
    old_until_now(&d);
    d.runs(ArtifactCommit);
    old_until_now(&d);
    d.saves(Phase::SuccessPending);
    let stored = &d.on_flash().provides;
    let now: Vec<_> = stored.stored().collect();
    assert_eq!(now, [("artifact_name", NEW), ("rootfs-image.zephyr-image.version", NEW)]);
    assert_eq!(d.machine.checkpoint.kind, Kind::Image);
}

#[test]
fn an_image_that_fails_leaves_the_provides_as_they_were() {
    let mut d = Device::new(IMAGE);
    d.offered().saves(Phase::Download).reports(Status::Downloading);
    d.machine.checkpoint.provides.push("rootfs-image.zephyr-image.version", NEW).unwrap();
    d.downloads().asks(Ask::Install).reports(Status::Installing).asks(Ask::Reboot).reports(Status::Rebooting);
    d.saves(Phase::Install).arms().saves(Phase::VerifyReboot).reboots().self_test_fails();
    d.saves(Phase::Rollback).reboots().fails(Error::SelfTest, OLD);
    assert_eq!(d.on_flash().provides.stored().count(), 1);
    assert_eq!(d.on_flash().provides.incoming().count(), 0);
}
