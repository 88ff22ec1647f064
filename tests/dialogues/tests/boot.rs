// SPDX-License-Identifier: Apache-2.0
//! The boot table, row by row: power goes where it hurts, and comes back.

use mender_client::Phase;
use mender_dialogues::{
    Device, deploy, deploy_image, final_statuses, good, http, image, module_artifact, reports, status,
    the_next_update_succeeds,
};
use mender_port::{Clock as _, Errno};
use mender_server::{Cut as Line, Fault, Server};
use mender_sim::mcuboot::{self, Mode};
use mender_sim::modules::FailAt;
use mender_sim::trailer::SwapType;
use mender_sim::{Area, Cut, Flash, Layout, Moment, Tear, bootloader};
use mender_testkit::image::Behaviour;

fn ready() -> (Server, Device) {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    (server, device)
}

fn log_says(server: &Server, deployment: &str, text: &str) {
    let log = server.only_device_of(deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains(text)), "{text}: {log:?}");
}

/// Whether what the server was told is what runs, and stays so over a restart; then the next update works.
fn ends(server: &Server, device: &mut Device, deployment: &str, verdict: &str, runs: &str) {
    device.run_to_the_end(server, deployment);
    assert_eq!(final_statuses(server, deployment), [verdict], "{}", device.story());
    device.restart();
    device.run_until_quiet();
    assert_eq!(device.version(), runs, "{}", device.story());
    let name = if runs == "1.0.0" { "release-1" } else { "release-2" };
    assert_eq!(device.artifact_name(), name);
    the_next_update_succeeds(server, device);
}

/// Power goes once the checkpoint of that phase is on flash, in a deployment of an image that behaves so.
fn power_goes_after(phase: u8, behaviour: Behaviour, verdict: &str, runs: &str, reason: &str) {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", image("2.0.0", behaviour));
    device.client().check_now();
    device.run_until_logged(&format!("checkpoint: phase {phase},"));
    device.restart();
    device.run_to_the_end(&server, &deployment);
    if !reason.is_empty() {
        log_says(&server, &deployment, reason);
    }
    ends(&server, &mut device, &deployment, verdict, runs);
}

#[test]
fn nothing_on_record_and_an_unconfirmed_image_that_is_left_to_the_application() {
    let server = http();
    let mut flash = Flash::new(Layout { slot_size: 128 * 1024, ..Layout::default() });
    flash.provision(Area::Slot0, &good("1.0.0")).unwrap();
    flash.provision(Area::Slot1, &good("2.0.0")).unwrap();
    bootloader::request_swap(&mut flash).unwrap();
    let mut device = Device::with(&server, |d| d.flash = Some(flash));
    assert_eq!(device.version(), "2.0.0");
    let deployment = deploy_image(&server, "release-3", good("3.0.0"));
    device.run_for(1_700_000);
    assert!(!bootloader::is_confirmed(&device.ports().flash), "never confirmed silently");
    assert_eq!(
        server.devices()[0].inventory["artifact_name"],
        "release-1",
        "the server knows the device all the same"
    );
    assert_eq!(status(&server, &deployment), "", "no update while the slot holds the image to fall back to");
    assert!(device.logged("running image is not confirmed: no update until it is") > 0);
    // The application makes up its mind. What was not looked for is looked for at once.
    device.client().confirm().unwrap();
    let before_ms = device.clock.now_ms();
    device.run_until_logged("deployment of release-3");
    assert!(device.clock.now_ms() - before_ms < 1000);
    device.run_to_the_end(&server, &deployment);
    assert_eq!(device.version(), "3.0.0");
}

#[test]
fn a_report_that_waits_and_an_unconfirmed_image_that_another_updater_brought() {
    for (behaviour, phase, verdict) in
        [(Behaviour::FailsSelfTest, 8, "failure"), (Behaviour::Fine, 5, "success")]
    {
        let (server, mut device) = ready();
        let deployment = deploy_image(&server, "release-2", image("2.0.0", behaviour));
        server.fault(Fault::report().body_contains(verdict).status(503));
        device.client().check_now();
        device.run_until_logged(&format!("checkpoint: phase {phase},"));
        let old = device.version();
        device.restart_with(|mut flash| {
            flash.provision(Area::Slot1, &good("9.0.0")).unwrap();
            bootloader::request_swap(&mut flash).unwrap();
            flash
        });
        assert_eq!(device.version(), "9.0.0");
        device.run_for(3_600_000);
        assert!(!bootloader::is_confirmed(&device.ports().flash), "{verdict}: never confirmed silently");
        server.clear_faults();
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), [verdict], "{}", device.story());
        device.restart();
        assert_eq!(device.version(), old, "{verdict}");
    }
}

#[test]
fn nothing_on_record_and_an_unconfirmed_image_that_is_reverted() {
    let server = http();
    let mut flash = Flash::new(Layout { slot_size: 128 * 1024, ..Layout::default() });
    flash.provision(Area::Slot0, &good("1.0.0")).unwrap();
    flash.provision(Area::Slot1, &good("2.0.0")).unwrap();
    bootloader::request_swap(&mut flash).unwrap();
    let mut device = Device::with(&server, |d| d.flash = Some(flash));
    device.run_for(600_000);
    device.restart();
    assert_eq!(device.version(), "1.0.0");
    device.run_until_quiet();
    assert!(server.deployments().is_empty());
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn download_and_the_same_offer_goes_on() {
    power_goes_after(1, Behaviour::Fine, "success", "2.0.0", "");
}

#[test]
fn download_with_half_the_image_written_and_the_same_offer_goes_on() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    let cut = Cut { moment: Moment::Program, number: 20, tear: Tear::Half };
    device.ports().flash.power.plan(Some(cut));
    device.client().check_now();
    ends(&server, &mut device, &deployment, "success", "2.0.0");
    assert_eq!(device.cuts_hit, 1);
}

#[test]
fn download_and_the_offer_is_gone() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("checkpoint: phase 1,");
    server.abort(&deployment).unwrap();
    device.restart();
    device.run_until("the end", |d| d.snapshot().phase == Phase::Idle);
    assert_eq!(
        (status(&server, &deployment).as_str(), final_statuses(&server, &deployment).len()),
        ("aborted", 0)
    );
    assert_eq!(device.version(), "1.0.0");
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn download_and_another_offer_fails_the_old_one_and_takes_the_new() {
    let (server, mut device) = ready();
    let first = deploy_image(&server, "release-2", good("2.0.0"));
    let second = deploy_image(&server, "release-3", good("3.0.0"));
    device.client().check_now();
    device.run_until_logged("checkpoint: phase 1,");
    server.abort(&first).unwrap();
    device.restart();
    device.run_to_the_end(&server, &second);
    assert_eq!(status(&server, &first), "aborted");
    assert_eq!(
        (device.version().as_str(), final_statuses(&server, &second)),
        ("3.0.0", vec!["success".to_owned()])
    );
}

#[test]
fn download_that_restarts_the_device_again_and_again_is_given_up() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    for _ in 0..20 {
        let begun = device.logged("downloading from byte 0");
        device.run_until("a download or an end", |d| {
            d.logged("downloading from byte 0") > begun || status(&server, &deployment) == "failure"
        });
        if status(&server, &deployment) == "failure" {
            break;
        }
        device.restart();
    }
    assert!((3..=8).contains(&device.boots), "{}\n{}", device.boots, device.story());
    ends(&server, &mut device, &deployment, "failure", "1.0.0");
}

#[test]
fn install_and_the_old_image() {
    power_goes_after(2, Behaviour::Fine, "failure", "1.0.0", "interrupted by a restart");
}

#[test]
fn install_and_a_torn_arming_never_swaps_later() {
    for number in 1..=2 {
        for tear in [Tear::Nothing, Tear::Half, Tear::Bits(1), Tear::Bits(2), Tear::Bits(3), Tear::Bits(4)] {
            let (server, mut device) = ready();
            let deployment = deploy_image(&server, "release-2", good("2.0.0"));
            device.ports().flash.power.plan(Some(Cut { moment: Moment::Arm, number, tear }));
            device.client().check_now();
            device.run_to_the_end(&server, &deployment);
            assert_eq!(device.cuts_hit, 1);
            let runs = device.version();
            let verdict = final_statuses(&server, &deployment);
            assert!(
                matches!((runs.as_str(), verdict[0].as_str()), ("1.0.0", "failure") | ("2.0.0", "success")),
                "{number} {tear:?}: {runs} {verdict:?}"
            );
            if runs == "1.0.0" {
                assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None, "{number} {tear:?}");
            }
            ends(&server, &mut device, &deployment, &verdict[0], &runs);
        }
    }
}

#[test]
fn install_and_the_new_image_because_power_went_between_arming_and_its_record() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("test swap requested");
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::Test);
    assert_eq!(device.logged("checkpoint: phase 3,"), 0);
    device.restart();
    ends(&server, &mut device, &deployment, "success", "2.0.0");
}

#[test]
fn verify_reboot_and_the_new_image() {
    power_goes_after(3, Behaviour::Fine, "success", "2.0.0", "");
}

#[test]
fn verify_reboot_and_a_reset_while_the_new_image_proves_itself_is_a_revert() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("runs on trial");
    device.restart();
    device.run_to_the_end(&server, &deployment);
    log_says(&server, &deployment, "reverted by the boot loader");
    ends(&server, &mut device, &deployment, "failure", "1.0.0");
}

#[test]
fn verify_reboot_and_a_new_image_that_the_application_has_confirmed_itself() {
    for (behaviour, verdict) in [(Behaviour::Fine, "success"), (Behaviour::FailsSelfTest, "failure")] {
        let server = http();
        let mut device = Device::with(&server, |d| {
            d.at_boot = Box::new(|ports| bootloader::confirm(&mut ports.flash).unwrap());
        });
        let deployment = deploy_image(&server, "release-2", image("2.0.0", behaviour));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), [verdict]);
        let told = server.only_device_of(&deployment).unwrap().substate;
        assert_eq!(told, if verdict == "success" { "could not have been rolled back" } else { "" });
        device.restart();
        assert_eq!(device.version(), "2.0.0");
        if verdict == "failure" {
            assert_eq!(device.artifact_name(), "release-2_INCONSISTENT");
        }
    }
}

#[test]
fn verify_reboot_in_overwrite_only_mode_goes_on_and_cannot_go_back() {
    for (behaviour, verdict, name) in [
        (Behaviour::Fine, "success", "release-2"),
        (Behaviour::FailsSelfTest, "failure", "release-2_INCONSISTENT"),
    ] {
        let server = http();
        let mut device = Device::with(&server, |d| d.mode = Mode::OverwriteOnly);
        let deployment = deploy_image(&server, "release-2", image("2.0.0", behaviour));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), [verdict], "{}", device.story());
        let told = server.only_device_of(&deployment).unwrap().substate;
        assert_eq!(told, if verdict == "success" { "could not have been rolled back" } else { "" });
        assert_eq!(device.version(), "2.0.0", "there is no other");
        assert_eq!(device.artifact_name(), name);
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn c91_an_image_that_mcuboot_reverts_is_reported_as_a_failure_once() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::Hangs));
    device.update(&server, &deployment);
    log_says(&server, &deployment, "reverted by the boot loader");
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "rebooting", "failure"]);
    for _ in 0..3 {
        device.restart();
        device.run_for(1_200_000);
    }
    assert_eq!(reports(&server, &deployment).len(), 4, "never again");
    ends(&server, &mut device, &deployment, "failure", "1.0.0");
}

#[test]
fn commit_and_a_confirmation_that_never_became_durable() {
    power_goes_after(4, Behaviour::Fine, "failure", "1.0.0", "commit did not last");
}

#[test]
fn commit_and_power_that_goes_while_the_image_is_confirmed() {
    for (tear, verdict, runs) in [(Tear::Nothing, "failure", "1.0.0"), (Tear::All, "success", "2.0.0")] {
        let (server, mut device) = ready();
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.ports().flash.power.plan(Some(Cut { moment: Moment::Confirm, number: 1, tear }));
        device.client().check_now();
        ends(&server, &mut device, &deployment, verdict, runs);
        assert_eq!(device.cuts_hit, 1);
    }
}

#[test]
fn commit_and_a_confirmed_image_whose_success_is_not_yet_on_record() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("image confirmed");
    assert_eq!(device.logged("checkpoint: phase 5,"), 0);
    device.restart();
    ends(&server, &mut device, &deployment, "success", "2.0.0");
}

#[test]
fn success_pending_is_sent_until_it_is_heard() {
    power_goes_after(5, Behaviour::Fine, "success", "2.0.0", "");
}

#[test]
fn failure_pending_is_sent_until_it_is_heard_and_its_log_survives() {
    power_goes_after(8, Behaviour::FailsSelfTest, "failure", "1.0.0", "self-test of the new firmware failed");
}

#[test]
fn rollback_and_the_old_image() {
    power_goes_after(6, Behaviour::FailsSelfTest, "failure", "1.0.0", "self-test of the new firmware failed");
}

#[test]
fn rollback_and_still_the_new_image_restarts_again() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.client().check_now();
    device.run_until_logged("checkpoint: phase 6,");
    assert_eq!(device.version(), "2.0.0");
    device.restart_client();
    assert_eq!(device.version(), "2.0.0", "no reset, no revert");
    ends(&server, &mut device, &deployment, "failure", "1.0.0");
}

#[test]
fn a_client_that_is_ended_and_started_again_without_a_reset_loses_nothing() {
    for (behaviour, verdict) in [(Behaviour::Fine, "success"), (Behaviour::FailsSelfTest, "failure")] {
        let phases: &[u8] = if verdict == "success" { &[1, 3, 4, 5, 0] } else { &[6, 8, 0] };
        for phase in phases {
            let (server, mut device) = ready();
            let deployment = deploy_image(&server, "release-2", image("2.0.0", behaviour));
            device.client().check_now();
            device.run_until_logged(&format!("checkpoint: phase {phase},"));
            device.restart_client();
            device.run_to_the_end(&server, &deployment);
            let told = final_statuses(&server, &deployment);
            assert_eq!(told.len(), 1, "{phase}\n{}", device.story());
            device.restart();
            let runs = device.version();
            let expected = if told[0] == "success" { "2.0.0" } else { "1.0.0" };
            assert_eq!(runs, expected, "{phase} {told:?}\n{}", device.story());
            the_next_update_succeeds(&server, &mut device);
        }
    }
}

#[test]
fn a_restart_that_does_not_happen_disarms_the_swap_and_fails() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("checkpoint: phase 3,");
    // The platform's restart returns, and nothing happens.
    device.stuck = true;
    device.run_to_the_end(&server, &deployment);
    device.stuck = false;
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
    log_says(&server, &deployment, "restart did not happen");
    ends(&server, &mut device, &deployment, "failure", "1.0.0");
}

#[test]
fn a_swap_that_cannot_be_asked_for_fails_the_deployment() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.ports().faults.request_swap = Some(Errno::EIO);
    device.client().check_now();
    device.run_to_the_end(&server, &deployment);
    log_says(&server, &deployment, "requesting the swap failed (errno -5)");
    device.ports().faults.request_swap = None;
    ends(&server, &mut device, &deployment, "failure", "1.0.0");
}

#[test]
fn a_confirmation_that_fails_brings_the_old_image_back() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(|ports| ports.faults.confirm = Some(Errno::EIO));
    });
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    log_says(&server, &deployment, "confirming the image failed");
    device.at_boot = Box::new(|_| {});
    ends(&server, &mut device, &deployment, "failure", "1.0.0");
}

#[test]
fn records_that_cannot_be_written_fail_the_deployment_and_not_the_device() {
    for phase in [0, 1, 2, 3, 4] {
        let server = http();
        let mut device = Device::new(&server);
        device.run_until_quiet();
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.client().check_now();
        if phase > 0 {
            device.run_until_logged(&format!("checkpoint: phase {phase},"));
        }
        device.at_boot = Box::new(|ports| ports.faults.record_write = Some(Errno::EIO));
        device.ports().faults.record_write = Some(Errno::EIO);
        device.run_for(7_200_000);
        device.at_boot = Box::new(|_| {});
        device.ports().faults.record_write = None;
        device.run_to_the_end(&server, &deployment);
        let told = final_statuses(&server, &deployment);
        assert_eq!(told.len(), 1, "{phase}: {told:?}\n{}", device.story());
        device.restart();
        device.run_until_quiet();
        let expected = if told[0] == "success" { "2.0.0" } else { "1.0.0" };
        assert_eq!(device.version(), expected, "{phase}\n{}", device.story());
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn module_rows_of_the_boot_table_end_truthfully_wherever_power_goes() {
    for fail_at in ["", "ArtifactVerifyReboot", "ArtifactCommit"] {
        let phases: &[u8] = if fail_at.is_empty() { &[1, 2, 3, 4, 5] } else { &[6, 7, 8] };
        for phase in phases {
            let server = http();
            let mut device = Device::with(&server, |d| {
                d.at_boot = Box::new(move |ports| {
                    ports.modules.fail_at = FailAt::from_name(fail_at).into_iter().collect();
                });
            });
            let deployment = deploy(&server, &module_artifact("release-2"));
            device.run_until_logged(&format!("checkpoint: phase {phase},"));
            device.restart();
            device.run_to_the_end(&server, &deployment);
            let told = final_statuses(&server, &deployment);
            let what = format!("{fail_at} {phase} {told:?}\n{}", device.story());
            match told.first().map(String::as_str) {
                Some("success") => assert_eq!(device.module_file().as_deref(), Some("release-2"), "{what}"),
                Some("failure") => assert_eq!(device.module_file(), None, "{what}"),
                _ => panic!("{what}"),
            }
            assert_eq!(told.len(), 1, "{what}");
            device.at_boot = Box::new(|_| {});
            device.restart();
            the_next_update_succeeds(&server, &mut device);
        }
    }
}

#[test]
fn a_line_that_is_down_at_boot_does_not_end_a_trial_that_can_still_succeed() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("checkpoint: phase 3,");
    let away = server.fault(Fault::auth().times(9).drop_request(Line::Reset));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(server.fault_strikes(away), 9);
    assert!(device.clock.now_ms() > 120_000);
    ends(&server, &mut device, &deployment, "success", "2.0.0");
}
