// SPDX-License-Identifier: Apache-2.0
//! New software on trial: self-test, probe, commit deadline; and the final status that must be heard.

use crate::device::{Device, IMAGE, MODULE_REBOOT, NEW_INCONSISTENT, OLD};
use mender_base::words::ModuleState::{ArtifactCommit, ArtifactRollback};
use mender_base::words::Stage as Ask;
use mender_base::{Error, Status};
use mender_update::{Action, Event, Phase};

#[test]
fn a_self_test_may_be_pending_until_the_commit_deadline() {
    let mut d = Device::new(IMAGE);
    d.installs();
    assert!(d.machine.is_on_trial());
    d.self_test_pends().waits(100).self_test_pends().waits(100).self_tests().probes();

    let mut d = Device::new(IMAGE);
    d.installs().self_test_pends();
    let mut asked = 0;
    while d.now_ms < 1_000 + 1_800_000 - 100 {
        d.waits(100).self_test_pends();
        asked += 1;
    }
    assert_eq!(asked, 17_999);
    d.waits(100).saves(Phase::Rollback).reboots().fails(Error::CommitDeadline, OLD);
}

#[test]
fn ten_probes_that_fail_lead_back_to_the_old_software() {
    let mut d = Device::new(IMAGE);
    d.timing.probe_ms = u32::MAX;
    d.installs().self_tests();
    for s in [60, 60, 60, 120, 120, 120, 240, 240, 240] {
        d.probe_fails(None).waits(s * 1_000);
    }
    d.probe_fails(None).saves(Phase::Rollback).reboots().fails(Error::ServerUnreachable, OLD);
}

#[test]
fn a_quarter_of_an_hour_of_probes_that_fail_leads_back_to_the_old_software() {
    let mut d = Device::new(IMAGE);
    d.installs().self_tests();
    for s in [60, 60, 60, 120, 120, 120, 240, 240] {
        d.probe_fails(None).waits(s * 1_000);
    }
    d.probe_fails(None).saves(Phase::Rollback).reboots().fails(Error::ServerUnreachable, OLD);
    let mut d = Device::new(MODULE_REBOOT);
    d.timing.probe_tries = 1;
    d.installs().runs(mender_base::words::ModuleState::ArtifactVerifyReboot).probe_fails(None);
    d.saves(Phase::Rollback).runs(ArtifactRollback).saves(Phase::RollbackReboot);
    assert_eq!(d.machine.checkpoint.reason, Some(Error::ServerUnreachable));
}

#[test]
fn the_time_for_probes_begins_with_the_first_one() {
    let mut d = Device::new(IMAGE);
    d.installs();
    d.now_ms += 600_000;
    d.self_tests();
    for s in [60, 60, 60, 120, 120, 120, 240, 240] {
        d.probe_fails(None).waits(s * 1_000);
    }
    d.probe_fails(None).saves(Phase::Rollback);
    assert_eq!(d.machine.checkpoint.reason, Some(Error::ServerUnreachable));
}

#[test]
fn one_probe_that_gets_through_is_enough() {
    let mut d = Device::new(IMAGE);
    d.installs().self_tests();
    for s in [60, 60, 60, 120] {
        d.probe_fails(None).waits(s * 1_000);
    }
    d.probes().asks(Ask::Commit).saves(Phase::Commit).runs(ArtifactCommit).succeeds();
}

#[test]
fn the_commit_deadline_wins_over_a_long_retry_after() {
    let mut d = Device::new(IMAGE);
    (d.timing.poll_ms, d.timing.retry_cap_ms) = (604_800_000, 86_400_000);
    d.installs().self_tests().probe_fails(Some(86_400_000));
    d.waits(1_800_000).saves(Phase::Rollback).reboots().fails(Error::CommitDeadline, OLD);
}

#[test]
fn one_busy_server_does_not_let_the_time_run_out() {
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probe_fails(Some(3_600_000)).waits(300_000);
    d.probes().asks(Ask::Commit).saves(Phase::Commit);
}

#[test]
fn the_commit_deadline_wins_over_an_application_that_defers() {
    let mut d = Device::new(IMAGE);
    d.timing.defer_ms = 1_000_000;
    d.installs().self_tests().probes().defers(Ask::Commit).reports(Status::PauseBeforeCommitting);
    d.waits(1_000_000).defers(Ask::Commit).waits(800_000).saves(Phase::Rollback);
    assert_eq!(d.machine.checkpoint.reason, Some(Error::CommitDeadline));
}

#[test]
fn an_image_without_way_back_that_misses_the_deadline_stays_and_is_called_inconsistent() {
    let mut d = Device::new(IMAGE);
    d.boot.overwrite_only = true;
    d.timing.retry_cap_ms = 1_800_000;
    d.installs().self_tests().probe_fails(Some(1_800_000)).waits(1_800_000);
    d.fails(Error::CommitDeadline, NEW_INCONSISTENT);
}

#[test]
fn the_trial_ends_with_the_record_of_the_commit() {
    let mut d = Device::new(IMAGE);
    d.installs().self_tests().probes().asks(Ask::Commit);
    assert!(!d.machine.is_on_trial());
    d.now_ms += 10_000_000;
    d.saves(Phase::Commit).runs(ArtifactCommit).succeeds();
}

#[test]
fn a_final_status_is_sent_until_it_is_heard_across_restarts() {
    for status in [Status::Success, Status::Failure] {
        let mut d = Device::new(IMAGE);
        match status {
            Status::Success => d.proves().runs(ArtifactCommit).saves(Phase::SuccessPending),
            _ => d.installs().self_test_fails().saves(Phase::Rollback).reboots().saves(Phase::FailurePending),
        };
        for _restart in 0..40 {
            d.report_fails(status, None).waits(60_000).report_fails(status, Some(3_000)).waits(3_000);
            d.power_cut();
        }
        let saves = d.saves;
        d.reports(status);
        if status == Status::Failure {
            d.uploads_log();
        }
        d.saves(Phase::Idle);
        assert_eq!(d.saves, saves + 1, "waiting to be heard wears no flash");
        d.power_cut().nothing_offered().sends_inventory().idles();
    }
}

#[test]
fn retry_after_of_a_final_status_is_followed_within_reason() {
    let mut d = Device::new(IMAGE);
    d.proves().runs(ArtifactCommit).saves(Phase::SuccessPending);
    d.report_fails(Status::Success, Some(0)).waits(1_000);
    d.report_fails(Status::Success, Some(u32::MAX)).waits(1_800_000).reports(Status::Success);
}

#[test]
fn a_restart_that_does_not_happen_disarms_the_image_and_fails() {
    let mut d = Device::new(IMAGE);
    d.gets_ready()
        .arms()
        .saves(Phase::VerifyReboot)
        .reboot_returns()
        .disarms()
        .fails(Error::RebootFailed, OLD);
    assert!(!d.boot.armed);
}

#[test]
fn a_restart_that_does_not_happen_rolls_a_module_back() {
    use mender_base::words::ModuleState::{ArtifactInstall, ArtifactReboot};
    let mut d = Device::new(MODULE_REBOOT);
    d.gets_ready()
        .runs(ArtifactInstall)
        .asks(Ask::Reboot)
        .reports(Status::Rebooting)
        .saves(Phase::VerifyReboot);
    d.runs(ArtifactReboot).reboot_returns().saves(Phase::Rollback);
    // From here on a cut finds Rollback on flash, not VerifyReboot: what is undone is never committed.
    d.power_cut().saves(Phase::Rollback).runs(ArtifactRollback).saves(Phase::RollbackReboot);
}

#[test]
fn a_restart_into_the_old_software_that_does_not_happen_is_tried_again_and_then_told() {
    let mut d = Device::new(IMAGE);
    d.installs().self_test_fails().saves(Phase::Rollback);
    for _ in 2..=4 {
        d.reboot_returns().waits(60_000);
    }
    d.reboot_returns().fails(Error::SelfTest, NEW_INCONSISTENT);
    // It would have helped: the new image was never confirmed.
    d.power_cut();
    assert!(!d.boot.new);
}

#[test]
fn a_wait_that_is_cut_short_by_nothing_asks_again() {
    let mut d = Device::new(IMAGE);
    d.nothing_offered().sends_inventory();
    let wait = (d.action, d.machine.wake_at_ms());
    d.answer(Event::Woke);
    assert_eq!((d.action, d.machine.wake_at_ms()), wait);
    assert_eq!(wait.0, Action::Wait);
}
