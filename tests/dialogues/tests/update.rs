// SPDX-License-Identifier: Apache-2.0
//! Whole updates.

use mender_dialogues::{DEVICE_TYPE, Device, image, reports};
use mender_server::{Config, DeploymentSpec, Server};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::Behaviour;

fn server() -> Server {
    Server::start(Config::https()).unwrap()
}

fn deploy(server: &Server, name: &str, image: Vec<u8>) -> String {
    server.upload(Artifact::new(name, DEVICE_TYPE).file("zephyr.signed.bin", image).build()).unwrap();
    server.deploy(DeploymentSpec::all(name)).unwrap()
}

#[test]
fn a_good_image_is_swapped_in_proves_itself_and_stays() {
    let server = server();
    let mut device = Device::new(&server);
    device.run_until_quiet();
    let deployment = deploy(&server, "release-2", image("2.0.0", Behaviour::Fine));
    device.client().check_now();
    device.run_until_logged("installed");
    device.run_until_quiet();
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
fn an_image_that_fails_its_self_test_is_swapped_back_and_says_why() {
    let server = server();
    let mut device = Device::new(&server);
    let deployment = deploy(&server, "release-2", image("2.0.0", Behaviour::FailsSelfTest));
    device.run_until_logged("failed");
    device.run_until("the end", |_| {
        server
            .deployment(&deployment)
            .is_some_and(|_| reports(&server, &deployment).last().is_some_and(|s| s == "failure"))
    });
    device.run_until_quiet();
    assert_eq!(reports(&server, &deployment), ["downloading", "installing", "rebooting", "failure"]);
    assert_eq!(device.version(), "1.0.0");
    let log = server.only_device_of(&deployment).unwrap().log;
    assert!(log.iter().any(|entry| entry.message.contains("self-test")), "{log:?}");
}
