// SPDX-License-Identifier: Apache-2.0
//! What somebody at the device, or its application, asks of the client.

use mender_client::Phase;
use mender_dialogues::{
    Device, deploy_image, final_statuses, good, http, image, reports, the_next_update_succeeds,
};
use mender_port::ResetCause;
use mender_server::Server;
use mender_sim::mcuboot;
use mender_sim::trailer::SwapType;
use mender_testkit::image::Behaviour;

fn ready() -> (Server, Device) {
    let server = http();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    (server, device)
}

fn log_of(server: &Server, deployment: &str) -> String {
    let entries = server.only_device_of(deployment).unwrap().log;
    entries.iter().map(|entry| entry.message.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_image_that_was_reverted_is_not_tried_by_another_deployment_until_somebody_asks_for_it() {
    let (server, mut device) = ready();
    let hangs = || image("2.0.0", Behaviour::Hangs);
    let first = deploy_image(&server, "release-2", hangs());
    device.update(&server, &first);
    assert_eq!(final_statuses(&server, &first), ["failure"]);
    let boots = device.boots;
    // The same image under another name, in another deployment, after a restart.
    device.restart();
    let second = deploy_image(&server, "release-2b", hangs());
    device.run_to_the_end(&server, &second);
    assert_eq!(reports(&server, &second), ["downloading", "failure"]);
    assert!(log_of(&server, &second).contains("image was reverted before"), "{}", device.story());
    assert_eq!(mcuboot::swap_type(&device.ports().flash), SwapType::None);
    assert_eq!(device.boots, boots + 1, "no restart but the test's own");
    // Told to, it is tried once more.
    device.client().retry();
    device.run_until_quiet();
    device.restart();
    let third = deploy_image(&server, "release-2c", hangs());
    device.run_to_the_end(&server, &third);
    assert_eq!(reports(&server, &third), ["downloading", "installing", "rebooting", "failure"]);
    // Another image is no worse for it.
    the_next_update_succeeds(&server, &mut device);
}

#[test]
fn an_abort_during_the_download_is_reported_and_the_same_image_may_come_again() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("downloading from byte 0");
    device.client().abort();
    device.run_until("the end of it", |d| d.snapshot().phase == Phase::Idle);
    assert_eq!(reports(&server, &deployment), ["downloading", "failure"]);
    assert!(log_of(&server, &deployment).contains("deployment aborted on the device"));
    let again = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &again);
    assert_eq!(final_statuses(&server, &again), ["success"]);
    assert_eq!(device.version(), "2.0.0");
}

#[test]
fn an_abort_on_trial_brings_the_old_image_back() {
    let (server, mut device) = ready();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.client().check_now();
    device.run_until_logged("runs on trial");
    device.client().abort();
    device.run_to_the_end(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "rebooting", "failure"]);
    assert_eq!((device.version().as_str(), device.artifact_name().as_str()), ("1.0.0", "release-1"));
    let again = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &again);
    assert_eq!(final_statuses(&server, &again), ["success"]);
}

#[test]
fn the_log_of_an_image_that_hung_names_the_watchdog() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.at_boot = Box::new(|ports| ports.reset_cause = ResetCause::Watchdog);
    });
    device.run_until_quiet();
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::Hangs));
    device.update(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"]);
    let log = log_of(&server, &deployment);
    assert!(log.contains("old image runs again, reset cause: watchdog"), "{log}");
}
