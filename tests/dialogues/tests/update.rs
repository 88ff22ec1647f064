// SPDX-License-Identifier: Apache-2.0
//! Whole updates of the firmware.

use mender_dialogues::{Device, deploy_image, dialogue, good, https, image, reports};
use mender_testkit::image::Behaviour;

#[test]
fn a_good_image_is_swapped_in_proves_itself_and_stays() {
    let server = https();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.update(&server, &deployment);
    assert_eq!(
        reports(&server, &deployment),
        ["downloading", "installing", "rebooting", "installing", "success"]
    );
    assert_eq!(device.version(), "2.0.0");
    assert_eq!(device.boots, 2);
    let inventory = &server.devices()[0].inventory;
    assert_eq!(inventory["artifact_name"], "release-2");
    assert_eq!(inventory["rootfs-image.zephyr-image.version"], "release-2");
    device.restart();
    device.run_until_quiet();
    assert_eq!(device.version(), "2.0.0", "confirmed");
}

#[test]
fn the_whole_dialogue_of_an_update_is_what_the_protocol_says() {
    let server = https();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", good("2.0.0"));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(
        dialogue(&server),
        [
            "auth 200",
            "check 200",
            "downloading 204",
            "download 200",
            "installing 204",
            "rebooting 204",
            "auth 200",
            "installing 204",
            "success 204",
            // Due since the start, and held back by the update.
            "check 204",
            "inventory 200",
        ]
    );
}

#[test]
fn an_image_that_fails_its_self_test_is_swapped_back_and_says_why() {
    let server = https();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "rebooting", "failure"]);
    assert_eq!(device.version(), "1.0.0");
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains("self-test")), "{log:?}");
}

#[test]
fn an_image_that_hangs_is_reset_by_the_watchdog_and_reverted() {
    let server = https();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::Hangs));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "rebooting", "failure"]);
    assert_eq!((device.version().as_str(), device.boots), ("1.0.0", 3));
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains("reverted")), "{log:?}");
}

#[test]
fn an_image_without_network_is_given_up_and_the_old_one_reports_it() {
    let server = https();
    let mut device = Device::new(&server);
    let deployment = deploy_image(&server, "release-2", image("2.0.0", Behaviour::NeverReachesServer));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "rebooting", "failure"]);
    assert_eq!(device.version(), "1.0.0");
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains("cannot reach the server")), "{log:?}");
}

#[test]
fn three_updates_in_a_row_with_a_bad_one_between_end_on_the_last() {
    let server = https();
    let mut device = Device::new(&server);
    for (name, version, behaviour, runs) in [
        ("release-2", "2.0.0", Behaviour::Fine, "2.0.0"),
        ("release-3", "3.0.0", Behaviour::FailsSelfTest, "2.0.0"),
        ("release-4", "4.0.0", Behaviour::Fine, "4.0.0"),
    ] {
        let deployment = deploy_image(&server, name, image(version, behaviour));
        device.update(&server, &deployment);
        assert_eq!(device.version(), runs, "{name}");
    }
    assert_eq!(device.artifact_name(), "release-4");
}
