// SPDX-License-Identifier: Apache-2.0
//! Loop protection, and a store that fails.

use crate::device::{
    Device, EMPTY, IMAGE, MODULE, MODULE_ONE_WAY, MODULE_REBOOT, Mcuboot, NEW, NEW_INCONSISTENT, OLD,
};
use mender_base::limits::{REBOOTS_MAX, RECORD_WRITES_MAX};
use mender_base::words::ModuleState::{
    ArtifactCommit, ArtifactFailure, ArtifactInstall, ArtifactRollback, ArtifactRollbackReboot,
    ArtifactVerifyReboot, ArtifactVerifyRollbackReboot,
};
use mender_base::words::Stage as Ask;
use mender_base::{Error, Status};
use mender_update::{Action, Phase};

#[test]
fn a_deployment_that_has_written_28_records_goes_no_further() {
    let loops = Error::LoopDetected;
    let worn = |d: &mut Device| d.machine.checkpoint.writes = RECORD_WRITES_MAX;
    let mut d = Device::new(IMAGE);
    d.takes().asks(Ask::Install).reports(Status::Installing).asks(Ask::Reboot);
    worn(&mut d);
    d.reports(Status::Rebooting).fails(loops, OLD);
    // Armed: it is disarmed.
    let mut d = Device::new(IMAGE);
    d.gets_ready();
    worn(&mut d);
    d.arms().disarms().fails(loops, OLD);
    // On trial: the way back is still open, and only a way back that fails makes it inconsistent.
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probes();
    worn(&mut d);
    d.asks(Ask::Commit).saves(Phase::Rollback).reboots().fails(loops, OLD);
    let mut d = Device::new(MODULE);
    d.gets_ready().runs(ArtifactInstall);
    worn(&mut d);
    d.asks(Ask::Commit).saves(Phase::Rollback).runs(ArtifactRollback).runs(ArtifactFailure).fails(loops, OLD);
    let mut d = Device::new(MODULE_ONE_WAY);
    d.gets_ready().runs(ArtifactInstall);
    worn(&mut d);
    d.asks(Ask::Commit).runs(ArtifactFailure).fails(loops, NEW_INCONSISTENT);
    // A worn record found at a start.
    let mut d = Device::new(MODULE);
    d.gets_ready();
    worn(&mut d);
    d.store();
    d.power_cut().saves(Phase::Rollback).runs(ArtifactRollback).runs(ArtifactFailure).fails(loops, OLD);
    // A final status is always written.
    let mut d = Device::new(IMAGE);
    d.proves();
    worn(&mut d);
    d.runs(ArtifactCommit).succeeds();
}

#[test]
fn a_download_that_ends_in_a_restart_each_time_is_given_up_after_four() {
    let mut d = Device::new(IMAGE);
    d.offered().saves(Phase::Download);
    for restart in 1..=REBOOTS_MAX {
        d.power_cut().offered().saves(Phase::Download);
        assert_eq!(d.on_flash().reboots, restart);
    }
    d.power_cut().offered().saves(Phase::FailurePending);
    assert_eq!(d.on_flash().reason, Some(Error::Interrupted));
    assert!(d.saves <= 6);
}

#[test]
fn restarts_during_the_download_do_not_count_against_the_new_software() {
    let mut d = Device::new(MODULE_REBOOT);
    d.offered().saves(Phase::Download);
    for _ in 1..REBOOTS_MAX {
        d.power_cut().offered().saves(Phase::Download);
    }
    d.power_cut().installs();
    assert_eq!(d.on_flash().reboots, 1);
    d.runs(ArtifactVerifyReboot)
        .probes()
        .asks(Ask::Commit)
        .saves(Phase::Commit)
        .runs(ArtifactCommit)
        .succeeds();
}

#[test]
fn a_module_that_resets_the_device_in_a_state_does_so_a_few_times_and_no_more() {
    let states = [
        (ArtifactInstall, ArtifactInstall),
        (ArtifactInstall, ArtifactRollback),
        (ArtifactVerifyReboot, ArtifactVerifyReboot),
        (ArtifactVerifyReboot, ArtifactRollback),
        (ArtifactVerifyReboot, ArtifactRollbackReboot),
        (ArtifactVerifyReboot, ArtifactVerifyRollbackReboot),
        (ArtifactCommit, ArtifactCommit),
        (ArtifactCommit, ArtifactFailure),
    ];
    for (fails, resets) in states {
        let mut d = Device::new(MODULE_REBOOT);
        let mut seen = 0;
        let mut answered = 0;
        while !matches!(d.action, Action::UploadLog) {
            match d.action {
                Action::Run(state) if state == resets => {
                    seen += 1;
                    d.power_cut();
                }
                Action::Run(state) if state == fails => {
                    d.run_fails(state);
                }
                Action::Check => {
                    d.offered();
                }
                other => crate::world::go_well(&mut d, other),
            }
            answered += 1;
            assert!(answered < 120, "{resets:?}: {:?}", d.action);
        }
        assert!((1..=i32::from(REBOOTS_MAX) + 1).contains(&seen), "{resets:?} ran {seen} times");
        d.uploads_log().cleans_up();
        let name = &d.on_flash().provides;
        let undone = matches!(
            resets,
            ArtifactInstall | ArtifactVerifyReboot | ArtifactCommit | ArtifactRollbackReboot
        );
        assert_eq!(name.artifact_name(), if undone { OLD } else { NEW_INCONSISTENT }, "{resets:?}");
    }
}

#[test]
fn an_image_without_way_back_whose_self_test_resets_the_device_is_given_up_after_four_restarts() {
    let mut d = Device::new(IMAGE);
    d.boot.overwrite_only = true;
    d.installs();
    for restart in 2..=REBOOTS_MAX {
        d.power_cut().saves(Phase::VerifyReboot);
        assert_eq!(d.on_flash().reboots, restart);
    }
    d.power_cut().saves(Phase::VerifyReboot).fails(Error::LoopDetected, NEW_INCONSISTENT);
}

#[test]
fn a_store_that_fails_on_the_way_forward_fails_the_deployment() {
    let store = Error::StoreWrite;
    Device::new(IMAGE).offered().save_fails(Phase::Download).fails(store, OLD);
    let ready = |payload| {
        let mut d = Device::new(payload);
        d.takes().asks(Ask::Install).reports(Status::Installing);
        d
    };
    let mut d = ready(IMAGE);
    d.asks(Ask::Reboot).reports(Status::Rebooting).save_fails(Phase::Install).fails(store, OLD);
    assert!(!d.boot.armed);
    ready(MODULE_ONE_WAY).save_fails(Phase::Install).fails(store, OLD);
    // Armed without a record of it: it is disarmed.
    let mut d = Device::new(IMAGE);
    d.gets_ready().arms().save_fails(Phase::VerifyReboot).disarms().fails(store, OLD);
    assert!(!d.boot.armed);
    let mut d = Device::new(MODULE_REBOOT);
    d.gets_ready().runs(ArtifactInstall).asks(Ask::Reboot).reports(Status::Rebooting);
    d.save_fails(Phase::VerifyReboot).saves(Phase::Rollback).runs(ArtifactRollback);
    // Not confirmed without a record of it.
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probes().asks(Ask::Commit).save_fails(Phase::Commit).saves(Phase::Rollback);
    d.reboots().fails(store, OLD);
    assert!(!d.boot.new);
}

#[test]
fn a_store_that_fails_at_the_end_does_not_keep_the_server_from_hearing_it() {
    let mut d = Device::new(IMAGE);
    d.proves().runs(ArtifactCommit).save_fails(Phase::SuccessPending).reports(Status::Success);
    // The last record heals it.
    d.saves(Phase::Idle);
    assert_eq!(d.on_flash().provides.artifact_name(), NEW);
    // And if that fails too, the record of the commit leads to the same end.
    let mut d = Device::new(IMAGE);
    d.proves().runs(ArtifactCommit).save_fails(Phase::SuccessPending).reports(Status::Success);
    d.save_fails(Phase::Idle).power_cut().runs(ArtifactCommit).succeeds();

    let mut d = Device::new(IMAGE);
    d.gets_ready()
        .arm_fails()
        .disarms()
        .save_fails(Phase::FailurePending)
        .reports(Status::Failure)
        .uploads_log();
    d.save_fails(Phase::Idle).power_cut().disarms().fails(Error::Interrupted, OLD);
    Device::new(EMPTY).takes().save_fails(Phase::SuccessPending).reports(Status::Success).saves(Phase::Idle);
}

#[test]
fn a_last_record_that_cannot_be_written_is_tried_again_lest_a_restart_tells_another_end() {
    // A module that cannot be undone proves itself anew at a restart, and the end it comes to may be another one.
    let mut d = Device::new(MODULE_ONE_WAY);
    d.takes().asks(Ask::Install).reports(Status::Installing).saves(Phase::Install);
    d.run_fails(ArtifactInstall).runs(ArtifactFailure).saves(Phase::FailurePending);
    d.reports(Status::Failure).uploads_log().runs(mender_base::words::ModuleState::Cleanup);
    d.save_fails(Phase::Idle).waits(60_000).save_fails(Phase::Idle).waits(60_000).saves(Phase::Idle);
    let idle = d.on_flash();
    assert_eq!((idle.failures, idle.id.as_str()), (1, ""));
    d.sends_inventory().idles();
}

#[test]
fn a_store_that_never_works_again_leaves_the_device_reachable() {
    let mut d = Device::new(EMPTY);
    d.takes().saves(Phase::SuccessPending).reports(Status::Success);
    for wait_ms in [60_000, 60_000, 60_000, 120_000, 120_000, 120_000, 240_000, 240_000, 240_000, 300_000] {
        d.save_fails(Phase::Idle).waits(wait_ms);
    }
    d.save_fails(Phase::Idle).sends_inventory().idles();
}

#[test]
fn a_store_that_fails_on_the_way_back_does_not_keep_an_image_from_going_back() {
    let mut d = Device::new(IMAGE);
    d.installs().self_test_fails().save_fails(Phase::Rollback).reboots();
    assert!(!d.boot.new);
    d.disarms().fails(Error::Reverted, OLD);
}

#[test]
fn a_store_that_fails_on_the_way_back_makes_no_module_restart_uncounted() {
    let mut d = Device::new(MODULE_REBOOT);
    d.installs().run_fails(ArtifactVerifyReboot).save_fails(Phase::Rollback).runs(ArtifactRollback);
    d.save_fails(Phase::RollbackReboot).runs(ArtifactFailure).fails(Error::ModuleFailed, NEW_INCONSISTENT);
}

#[test]
fn a_restart_that_cannot_be_counted_goes_on_all_the_same() {
    let mut d = Device::new(MODULE_REBOOT);
    d.gets_ready().runs(ArtifactInstall).asks(Ask::Reboot).reports(Status::Rebooting);
    d.saves(Phase::VerifyReboot).runs(mender_base::words::ModuleState::ArtifactReboot).reboots();
    d.save_fails(Phase::VerifyReboot)
        .runs(ArtifactVerifyReboot)
        .probes()
        .asks(Ask::Commit)
        .saves(Phase::Commit);
    d.runs(ArtifactCommit).succeeds();
}

#[test]
fn a_slot_that_cannot_be_disarmed_fails_the_deployment_and_is_reverted_when_it_is_tried() {
    let mut d = Device::new(IMAGE);
    d.gets_ready().arms().save_fails(Phase::VerifyReboot).disarm_fails().saves(Phase::FailurePending);
    d.report_fails(Status::Failure, None).power_cut();
    assert!(d.boot.new);
    d.saves(Phase::Rollback).reboots();
    assert!(!d.boot.new);
    d.fails(Error::StoreWrite, OLD);
}

#[test]
fn a_slot_that_cannot_be_disarmed_and_would_overwrite_is_told_in_the_name() {
    let mut d = Device::new(IMAGE);
    d.boot.overwrite_only = true;
    d.payload.supports_rollback = false;
    d.gets_ready()
        .arms()
        .save_fails(Phase::VerifyReboot)
        .disarm_fails()
        .fails(Error::StoreWrite, NEW_INCONSISTENT);
}

#[test]
fn a_slot_that_cannot_be_disarmed_after_a_cut_and_would_overwrite_is_told_in_the_name() {
    let overwrites = Mcuboot { overwrite_only: true, ..Mcuboot::default() };
    let mut d = Device::found(Phase::Install, IMAGE, overwrites);
    d.disarm_fails().fails(Error::Interrupted, NEW_INCONSISTENT);
}
