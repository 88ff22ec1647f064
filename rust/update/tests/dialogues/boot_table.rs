// SPDX-License-Identifier: Apache-2.0
//! Every row of the boot table (design: "Boot table"), by the record found and the image that runs.

use crate::device::{
    Device, IMAGE, MODULE, MODULE_ONE_WAY, MODULE_REBOOT, Mcuboot, NEW, NEW_INCONSISTENT, OLD, OTHER_ID,
};
use mender_base::words::ModuleState::{
    ArtifactCommit, ArtifactFailure, ArtifactRollback, ArtifactRollbackReboot, ArtifactVerifyReboot,
    ArtifactVerifyRollbackReboot,
};
use mender_base::words::Stage as Ask;
use mender_base::{Error, Status};
use mender_update::{Action, Phase};

const RUNS_OLD: Mcuboot = Mcuboot {
    new: false,
    confirmed: false,
    armed: false,
    overwrite_only: false,
    refuses: false,
    refused: false,
};
const RUNS_NEW: Mcuboot = Mcuboot { new: true, ..RUNS_OLD };
const RUNS_NEW_CONFIRMED: Mcuboot = Mcuboot { confirmed: true, ..RUNS_NEW };
const RUNS_NEW_OVERWRITTEN: Mcuboot = Mcuboot { overwrite_only: true, ..RUNS_NEW_CONFIRMED };

fn image(phase: Phase, boot: Mcuboot) -> Device {
    Device::found(phase, IMAGE, boot)
}

#[test]
fn boot_none_or_idle_with_any_image_idles_and_confirms_nothing() {
    for boot in [RUNS_OLD, RUNS_NEW, RUNS_NEW_CONFIRMED] {
        for has_record in [true, false] {
            let mut d = image(Phase::Idle, boot);
            if !has_record {
                d.flash = None;
                d = d.restarted(boot);
            }
            d.nothing_offered().sends_inventory().idles();
            assert_eq!((d.boot.confirmed, d.saves), (boot.confirmed, 0));
        }
    }
}

#[test]
fn boot_download_old_resumes_the_same_offer() {
    let mut d = image(Phase::Download, RUNS_OLD);
    d.takes().asks(Ask::Install).reports(Status::Installing).asks(Ask::Reboot).reports(Status::Rebooting);
    d.saves(Phase::Install);
}

#[test]
fn boot_download_old_with_another_offer_reports_failure_and_then_takes_the_other() {
    let mut d = image(Phase::Download, RUNS_OLD);
    d.offered_as(OTHER_ID, Ok(())).saves(Phase::FailurePending).reports(Status::Failure).uploads_log();
    d.saves(Phase::Idle).offered_as(OTHER_ID, Ok(())).saves(Phase::Download).reports(Status::Downloading);
    assert_eq!(&*d.machine.checkpoint.id, OTHER_ID);
}

#[test]
fn boot_download_old_with_no_offer_reports_failure() {
    let mut d = image(Phase::Download, RUNS_OLD);
    d.nothing_offered().saves(Phase::FailurePending).reports(Status::Failure).uploads_log();
    d.saves(Phase::Idle).sends_inventory().idles();
}

#[test]
fn boot_download_old_keeps_asking_while_the_server_cannot_be_reached() {
    let mut d = image(Phase::Download, RUNS_OLD);
    d.check_fails(None).waits(60_000).check_fails(Some(5_000)).waits(5_000).takes();
}

#[test]
fn boot_install_old_disarms_and_fails() {
    image(Phase::Install, RUNS_OLD).disarms().fails(Error::Interrupted, OLD);
}

#[test]
fn boot_install_new_unconfirmed_goes_on_as_verify_reboot() {
    let mut d = image(Phase::Install, RUNS_NEW);
    assert_eq!(d.machine.checkpoint.phase, Phase::VerifyReboot);
    d.self_tests().probes().asks(Ask::Commit).saves(Phase::Commit).runs(ArtifactCommit).succeeds();
}

#[test]
fn boot_verify_reboot_new_unconfirmed_proves_itself_and_commits() {
    let mut d = image(Phase::VerifyReboot, RUNS_NEW);
    d.self_tests().probes().asks(Ask::Commit).saves(Phase::Commit).runs(ArtifactCommit).succeeds();
    assert!(d.boot.confirmed);
}

#[test]
fn boot_verify_reboot_new_confirmed_goes_on_and_cannot_roll_back() {
    for boot in [RUNS_NEW_CONFIRMED, RUNS_NEW_OVERWRITTEN] {
        let mut d = image(Phase::VerifyReboot, boot);
        d.saves(Phase::VerifyReboot)
            .self_tests()
            .probes()
            .asks(Ask::Commit)
            .saves(Phase::Commit)
            .runs(ArtifactCommit)
            .succeeds();
        let mut d = image(Phase::VerifyReboot, boot);
        d.saves(Phase::VerifyReboot).self_test_fails().fails(Error::SelfTest, NEW_INCONSISTENT);
    }
}

#[test]
fn boot_verify_reboot_old_is_failure_refused_or_reverted() {
    image(Phase::VerifyReboot, RUNS_OLD).disarms().fails(Error::Reverted, OLD);
    image(Phase::VerifyReboot, Mcuboot { refused: true, ..RUNS_OLD }).disarms().fails(Error::Refused, OLD);
}

#[test]
fn boot_commit_new_confirms_again_and_succeeds() {
    for boot in [RUNS_NEW, RUNS_NEW_CONFIRMED, RUNS_NEW_OVERWRITTEN] {
        let mut d = image(Phase::Commit, boot);
        d.runs(ArtifactCommit).succeeds();
        assert!(d.boot.confirmed);
    }
}

#[test]
fn boot_commit_old_is_failure() {
    image(Phase::Commit, RUNS_OLD).fails(Error::CommitLost, OLD);
}

#[test]
fn boot_success_pending_any_sends_until_it_is_heard() {
    for boot in [RUNS_OLD, RUNS_NEW_CONFIRMED] {
        let mut d = image(Phase::SuccessPending, boot);
        d.report_fails(Status::Success, None).waits(60_000).power_cut();
        d.reports(Status::Success).cleans_up();
        assert_eq!(d.on_flash().provides.artifact_name(), NEW);
        image(Phase::SuccessPending, boot).report_aborted(Status::Success).cleans_up();
    }
}

#[test]
fn boot_failure_pending_any_sends_until_it_is_heard() {
    for boot in [RUNS_OLD, RUNS_NEW_CONFIRMED, RUNS_NEW_OVERWRITTEN] {
        let mut d = image(Phase::FailurePending, boot);
        d.report_fails(Status::Failure, None).waits(60_000).power_cut();
        d.reports(Status::Failure).uploads_log().cleans_up();
        image(Phase::FailurePending, boot).report_aborted(Status::Failure).cleans_up();
    }
}

#[test]
fn boot_failure_pending_new_unconfirmed_restarts_so_that_mcuboot_reverts_and_then_reports() {
    let mut d = image(Phase::FailurePending, RUNS_NEW);
    d.saves(Phase::Rollback).reboots();
    assert!(!d.boot.new);
    d.fails(Error::SelfTest, OLD);
}

#[test]
fn boot_rollback_new_unconfirmed_restarts_so_that_mcuboot_reverts() {
    let mut d = image(Phase::Rollback, RUNS_NEW);
    d.saves(Phase::Rollback).reboots();
    assert!(!d.boot.new);
    d.fails(Error::SelfTest, OLD);
}

#[test]
fn boot_rollback_new_confirmed_cannot_go_back() {
    for boot in [RUNS_NEW_CONFIRMED, RUNS_NEW_OVERWRITTEN] {
        image(Phase::Rollback, boot).fails(Error::SelfTest, NEW_INCONSISTENT);
    }
}

#[test]
fn provides_that_an_older_firmware_has_let_grow_do_not_hide_that_the_old_software_is_gone() {
    let mut d = image(Phase::Rollback, RUNS_NEW_CONFIRMED);
    d.machine.checkpoint.phase = Phase::Rollback;
    let provides = &mut d.machine.checkpoint.provides;
    provides.reset();
    for (key, len) in [("artifact_name", 70), ("a", 75), ("b", 75)] {
        provides.push(key, &"v".repeat(len)).unwrap();
    }
    provides.commit();
    provides.begin(&"ü".repeat(125)).unwrap();
    d.store();
    let mut d = d.restarted(RUNS_NEW_CONFIRMED);
    // Clipped between two letters.
    d.fails(Error::SelfTest, &format!("{}_INCONSISTENT", "ü".repeat(121)));
}

#[test]
fn boot_rollback_old_reports_failure() {
    image(Phase::Rollback, RUNS_OLD).fails(Error::SelfTest, OLD);
}

#[test]
fn boot_rollback_of_an_aborted_deployment_reports_nothing() {
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probe_aborted().saves(Phase::Rollback).power_cut();
    assert!(!d.boot.new);
    d.drops_it_after_its_trial();
}

// ---- the same for update modules, for which the running image says nothing

fn module(phase: Phase) -> Device {
    Device::found(phase, MODULE_REBOOT, RUNS_OLD)
}

#[test]
fn boot_module_install_rolls_back() {
    let mut d = module(Phase::Install);
    // Whether it needs a restart is known only after ArtifactInstall.
    d.machine.checkpoint.needs_reboot = false;
    d.saves(Phase::Install).runs(ArtifactRollback).runs(ArtifactFailure).fails(Error::Interrupted, OLD);
}

#[test]
fn boot_module_verify_reboot_verifies() {
    let mut d = module(Phase::VerifyReboot);
    d.saves(Phase::VerifyReboot).runs(ArtifactVerifyReboot).probes().asks(Ask::Commit).saves(Phase::Commit);
}

#[test]
fn boot_module_verify_reboot_a_second_time_rolls_back() {
    let mut d = module(Phase::VerifyReboot);
    d.saves(Phase::VerifyReboot).power_cut().saves(Phase::VerifyReboot).saves(Phase::Rollback);
    d.runs(ArtifactRollback).saves(Phase::RollbackReboot);
    assert_eq!(d.machine.checkpoint.reason, Some(Error::Interrupted));
}

#[test]
fn boot_module_commit_rolls_back() {
    let mut d = module(Phase::Commit);
    d.saves(Phase::Commit).saves(Phase::Rollback).runs(ArtifactRollback).saves(Phase::RollbackReboot);
    let mut d = Device::found(Phase::Commit, MODULE_ONE_WAY, RUNS_OLD);
    d.saves(Phase::Commit).runs(ArtifactFailure).fails(Error::Interrupted, NEW_INCONSISTENT);
}

#[test]
fn boot_module_rollback_rolls_back_again() {
    let mut d = module(Phase::Rollback);
    d.saves(Phase::Rollback).runs(ArtifactRollback).saves(Phase::RollbackReboot).runs(ArtifactRollbackReboot);
    let mut d = Device::found(Phase::Rollback, MODULE, RUNS_OLD);
    d.saves(Phase::Rollback).runs(ArtifactRollback).runs(ArtifactFailure).fails(Error::SelfTest, OLD);
}

#[test]
fn boot_module_rollback_reboot_verifies_the_old_software() {
    let mut d = module(Phase::RollbackReboot);
    d.saves(Phase::RollbackReboot).runs(ArtifactVerifyRollbackReboot).runs(ArtifactFailure);
    d.fails(Error::SelfTest, OLD);
}

#[test]
fn boot_module_with_a_final_status_pending_sends_it() {
    module(Phase::SuccessPending).reports(Status::Success).cleans_up();
    module(Phase::FailurePending).reports(Status::Failure).uploads_log().cleans_up();
}

// ---- catalogue

#[test]
fn c91_an_image_that_mcuboot_reverts_is_reported_as_failure_exactly_once() {
    let mut d = Device::new(IMAGE);
    // The new image runs, hangs, and is reset by the watchdog.
    d.installs().power_cut();
    assert!(!d.boot.new);
    d.disarms().fails(Error::Reverted, OLD);
    d.power_cut().nothing_offered().sends_inventory().idles();
    assert!(matches!(d.action, Action::Wait));
}

#[test]
fn c90_a_record_that_is_corrupt_or_foreign_is_discarded_and_the_device_starts_clean() {
    let whole = image(Phase::VerifyReboot, RUNS_NEW).flash.unwrap();
    let mut discarded = 0;
    for i in 0..whole.len() {
        let mut d = image(Phase::VerifyReboot, RUNS_NEW);
        d.flash.as_mut().unwrap()[i] ^= 0x10;
        d = d.restarted(RUNS_NEW);
        // MCUboot is left to revert an image that nobody tries.
        d.nothing_offered().sends_inventory().idles();
        assert!(!d.boot.confirmed);
        discarded += 1;
    }
    assert_eq!(discarded, whole.len());
    // The frame is right, the entries are of a firmware whose ids or phases are others.
    let entry = |tag: u8, bytes: &[u8]| {
        let mut d = image(Phase::VerifyReboot, RUNS_NEW);
        d.flash = Some(with_entry(&whole, tag, bytes));
        d.restarted(RUNS_NEW).nothing_offered().sends_inventory().idles();
    };
    entry(1, &[9, 1, 0]);
    entry(1, &[3, 3, 0]);
    entry(1, &[3]);
    entry(2, &[b'a'; 37]);
    entry(2, b"not-a-uuid");
    entry(2, &[0xff; 36]);
    entry(3, &[200]);
    entry(9, &[0, 0]);
    entry(6, &[2; 31]);
}

/// The record with one entry's bytes replaced, its length and checksum made right.
fn with_entry(record: &[u8], tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut buf = [0; 1024];
    let mut w = mender_records::Writer::new(&mut buf, 7);
    let parsed = mender_records::Record::parse(record).unwrap();
    let mut replaced = 0;
    for t in 1..=11 {
        match parsed.get(t) {
            Some(_) if t == tag => {
                w.entry(t, bytes);
                replaced += 1;
            }
            Some(b) => w.entry(t, b),
            None => {}
        }
    }
    assert_eq!(replaced, 1);
    w.finish().unwrap().to_vec()
}
