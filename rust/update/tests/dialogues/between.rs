// SPDX-License-Identifier: Apache-2.0
//! Between deployments: when the server is asked, and how soon again.

use crate::device::{Device, ID, IMAGE, OTHER_ID};
use mender_base::{Error, Status};
use mender_update::{Action, Checkpoint, Event, Machine, Phase, Running, Timing};

const RUNS_OLD: Running = Running { new: false, confirmed: true, can_revert: true, refused: false };

#[test]
fn the_first_check_comes_at_a_random_time_within_half_a_minute() {
    let first = |random| {
        let mut m = Machine::new(Checkpoint::factory("release-1"), Timing::default());
        (m.boot(RUNS_OLD, 1_000, random), m.wake_at_ms())
    };
    assert_eq!(first(0).0, Action::Check);
    assert_eq!(first(1 << 31), (Action::Wait, 16_000));
    assert_eq!(first(u32::MAX), (Action::Wait, 30_999));
}

#[test]
fn polls_and_inventories_come_at_their_intervals_with_up_to_a_fifth_more() {
    let mut d = Device::new(IMAGE);
    d.nothing_offered().sends_inventory();
    for _ in 0..15 {
        d.waits(1_800_000).nothing_offered();
    }
    d.waits(1_800_000).nothing_offered().sends_inventory().idles();
    let mut m = Machine::new(Checkpoint::factory("release-1"), Timing::default());
    assert_eq!(m.boot(RUNS_OLD, 0, 0), Action::Check);
    assert_eq!(m.next(Event::NothingOffered, 0, u32::MAX), Action::SendInventory);
    assert_eq!((m.next(Event::InventorySent, 0, 0), m.wake_at_ms()), (Action::Wait, 2_159_999));
}

#[test]
fn what_is_tried_again_comes_at_a_random_time_too_so_that_a_fleet_does_not_come_back_at_once() {
    let wakes = |event: Event<'_>| {
        let mut m = Machine::new(Checkpoint::factory("release-1"), Timing::default());
        assert_eq!(m.boot(RUNS_OLD, 0, 0), Action::Check);
        assert_eq!((m.next(event, 0, u32::MAX), m.is_idle()), (Action::Wait, true));
        m.wake_at_ms()
    };
    // The back-off by a fifth, the server's own word by a tenth.
    assert_eq!(wakes(Event::CheckFailed { accepted: true, retry_after_ms: None }), 71_999);
    assert_eq!(wakes(Event::CheckFailed { accepted: true, retry_after_ms: Some(100_000) }), 109_999);
    // Looks at the inventory by a fifth; the checks are not in their way.
    let mut m =
        Machine::new(Checkpoint::factory("release-1"), Timing { poll_ms: u32::MAX, ..Timing::default() });
    assert_eq!(m.boot(RUNS_OLD, 0, 0), Action::Check);
    assert_eq!(m.next(Event::NothingOffered, 0, 0), Action::SendInventory);
    assert_eq!((m.next(Event::InventorySent, 0, u32::MAX), m.wake_at_ms()), (Action::Wait, 34_559_999));
}

#[test]
fn a_server_that_fails_is_asked_ever_less_often_and_success_forgets_it() {
    let mut d = Device::new(IMAGE);
    for s in [60, 60, 60, 120, 120, 120, 240, 240, 240, 300, 300] {
        d.check_fails(None).waits(s * 1_000);
    }
    d.nothing_offered().sends_inventory().waits(1_800_000).check_fails(None).waits(60_000);
}

#[test]
fn retry_after_is_followed_between_one_second_and_the_poll_interval() {
    let mut d = Device::new(IMAGE);
    d.check_fails(Some(0)).waits(1_000).check_fails(Some(7_000)).waits(7_000);
    d.check_fails(Some(u32::MAX)).waits(1_800_000);
    d.nothing_offered().inventory_fails(Some(90_000)).waits(90_000).sends_inventory().idles();
}

#[test]
fn a_check_asked_for_comes_at_once_but_not_before_the_servers_word() {
    let mut d = Device::new(IMAGE);
    d.nothing_offered().sends_inventory();
    d.machine.check_now(d.now_ms);
    d.answer(Event::Woke).check_fails(Some(100_000));
    d.machine.check_now(d.now_ms);
    d.machine.inventory_due(d.now_ms);
    d.answer(Event::Woke).waits(100_000).nothing_offered().sends_inventory().idles();
}

#[test]
fn an_inventory_that_fails_is_sent_again_after_the_back_off() {
    let mut d = Device::new(IMAGE);
    d.nothing_offered().inventory_fails(None).waits(60_000).inventory_fails(None).waits(60_000);
    d.sends_inventory().idles();
}

#[test]
fn c32_a_conflict_at_the_check_clears_the_deployment_and_is_not_retried_at_once() {
    let mut d = Device::new(IMAGE);
    d.conflicts().sends_inventory().waits(1_800_000).nothing_offered();

    // A deployment on record: the server has failed it; the report ends it here too.
    let mut d = Device::found(Phase::Download, IMAGE, Default::default());
    d.conflicts().saves(Phase::FailurePending).reports(Status::Failure).uploads_log().saves(Phase::Idle);
    d.sends_inventory().idles();
    assert_eq!(d.on_flash().phase, Phase::Idle);
    assert_eq!((d.action, d.machine.wake_at_ms()), (Action::Wait, d.now_ms + 1_800_000));
}

#[test]
fn c30_the_same_deployment_right_after_its_failure_waits_and_the_fourth_is_refused_without_a_download() {
    let mut d = Device::new(IMAGE);
    for failures in 1..=3 {
        d.offered().saves(Phase::Download).reports(Status::Downloading).download_fails(Error::FileHash);
        d.saves(Phase::FailurePending).reports(Status::Failure).uploads_log().saves(Phase::Idle);
        assert_eq!(d.on_flash().failures, failures);
        if failures == 1 {
            d.sends_inventory();
        } else {
            d.sends_inventory().idles();
        }
        d.waits(1_800_000);
    }
    let before = d.saves;
    d.offered().saves(Phase::FailurePending);
    assert_eq!(d.on_flash().reason, Some(Error::RepeatedFailure));
    d.reports(Status::Failure).uploads_log().saves(Phase::Idle).sends_inventory();
    assert_eq!(d.saves, before + 2);
    // A restart does not make it forget; another deployment does.
    d.power_cut().offered().saves(Phase::FailurePending).reports(Status::Failure).uploads_log();
    d.saves(Phase::Idle).sends_inventory().waits(1_800_000);
    d.offered_as(OTHER_ID, Ok(())).saves(Phase::Download).reports(Status::Downloading);
    d.download_fails(Error::FileHash).saves(Phase::FailurePending).reports(Status::Failure).uploads_log();
    // The fourth time that the slot was written for nothing.
    d.saves(Phase::Idle).sends_inventory().waits(3_600_000);
    d.offered_as(ID, Ok(())).saves(Phase::Download).reports(Status::Downloading);
}

#[test]
fn deployments_that_fail_one_after_the_other_write_the_slot_ever_less_often_whatever_their_ids() {
    let mut d = Device::new(IMAGE);
    let half_hours = [1, 1, 1, 2, 4, 8, 16, 32, 48, 48];
    for (n, waits) in half_hours.into_iter().enumerate() {
        let id = format!("{n:08}-0000-4000-8000-000000000000");
        d.offered_as(&id, Ok(())).saves(Phase::Download).reports(Status::Downloading);
        d.download_fails(Error::FileHash).saves(Phase::FailurePending).reports(Status::Failure).uploads_log();
        d.saves(Phase::Idle).sends_inventory().idles();
        assert_eq!(d.machine.check_at_ms() - d.now_ms, waits * 1_800_000, "{n}");
        d.now_ms = d.machine.check_at_ms();
        d.machine.inventory_due(u64::MAX);
        d.answer(Event::Woke);
    }
    // A restart does not make it forget, but one that comes every day does not keep it from its check; somebody who asks is answered, and a
    // success ends it.
    d.power_cut();
    assert_eq!(d.machine.check_at_ms() - d.now_ms, 3_600_000);
    d.machine.check_now(d.now_ms);
    d.answer(Event::InventorySent).installs().proves_from_trial();
    assert_eq!(d.on_flash().failures_in_all, 0);
}

#[test]
fn an_abort_is_no_failure_of_the_deployment() {
    let mut d = Device::new(IMAGE);
    for _ in 0..5 {
        d.offered().saves(Phase::Download).report_aborted(Status::Downloading).saves(Phase::Idle);
        assert_eq!(d.on_flash().failures, 0);
        d.sends_inventory().waits(1_800_000);
    }
    d.offered().saves(Phase::Download);
}
