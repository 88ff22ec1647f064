// SPDX-License-Identifier: Apache-2.0
//! The device process against a Mender server over TLS: updates, fall-backs, restarts, power cuts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{Bench, TYPE};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::Behaviour;

#[test]
fn a_good_image_is_swapped_in_and_confirmed() {
    let bench = Bench::new("good");
    let mut device = bench.start(&[]);
    device.wait_for("Authenticated", "");
    let deployment = bench.deploy_image("2.0.0", Behaviour::Fine);
    let end = bench.end_of(&deployment, &mut device);
    assert_eq!(end.final_statuses(), ["success"], "{}", device.transcript());
    device.wait_for("mcuboot", "test swap done");
    device.wait_for("Confirmed", "");
    device.wait_for("InventorySent", "");
    assert_eq!(bench.running().version.to_string(), "2.0.0");
    let inventory = &bench.server.devices()[0].inventory;
    assert_eq!(inventory["firmware_version"], "2.0.0");
    assert_eq!(inventory["artifact_name"], "release-2.0.0");
    drop(device.cut_power());

    let mut device = bench.start(&[]);
    device.wait_for("mcuboot", "nothing to do; image 2.0.0");
    let deployment = bench.deploy_image("3.0.0", Behaviour::Fine);
    assert_eq!(bench.end_of(&deployment, &mut device).final_statuses(), ["success"]);
    assert_eq!(bench.running().version.to_string(), "3.0.0");
}

#[test]
fn flash_of_any_geometry_takes_an_update() {
    for (page_size, granule) in [("1024", "1"), ("2048", "16"), ("8192", "32")] {
        let bench = Bench::new(&format!("geometry-{page_size}"));
        let deployment = bench.deploy_image("2.0.0", Behaviour::Fine);
        let mut device = bench.start(&["--page-size", page_size, "--program-granule", granule]);
        let end = bench.end_of(&deployment, &mut device);
        assert_eq!(end.final_statuses(), ["success"], "{page_size} {granule}: {}", device.transcript());
        assert_eq!(bench.running().version.to_string(), "2.0.0");
    }
}

#[test]
fn a_bad_image_is_swapped_back_and_the_server_hears_why() {
    for (behaviour, reason) in [
        (Behaviour::FailsSelfTest, "self-test"),
        (Behaviour::Hangs, "reverted by the boot loader"),
        (Behaviour::NeverReachesServer, "commit deadline"),
    ] {
        let bench = Bench::new(behaviour.word());
        let mut device = bench.start(&["--commit-deadline", "2"]);
        device.wait_for("Authenticated", "");
        let deployment = bench.deploy_image("2.0.0", behaviour);
        let end = bench.end_of(&deployment, &mut device);
        assert_eq!(end.final_statuses(), ["failure"], "{}", device.transcript());
        device.wait_for("mcuboot", "swap back done; image 1.0.0");
        let message = device.wait_for("DeploymentFailed", "")["message"].to_string();
        assert_eq!(bench.running().version.to_string(), "1.0.0");
        device.wait_for("NothingOffered", "");
        let log = bench.server.only_device_of(&deployment).unwrap().log;
        let said = |part: &str| log.iter().any(|entry| entry.message.contains(part));
        assert!(message.contains(reason) || said(reason), "{behaviour:?}: {message} {log:?}");
        assert!(!log.is_empty());
    }
}

#[test]
fn power_cuts_in_an_update_leave_one_true_report_and_a_device_that_updates_again() {
    let bench = Bench::new("cuts");
    let mut device = bench.start(&[]);
    device.wait_for("NothingOffered", "");
    drop(device.cut_power());
    let kinds =
        ["record-write:9", "page-erase:3", "program:7:torn", "arm:1", "swap:40", "confirm:1", "report:1"];
    for (round, cut) in kinds.iter().enumerate() {
        let version = format!("{}.0.0", round + 2);
        let before = bench.running().version;
        let deployment = bench.deploy_image(&version, Behaviour::Fine);
        let mut device = bench.start(&["--halt-at", cut]);
        device.wait_for("Halted", "");
        let seen = device.cut_power();
        assert!(seen.iter().any(|line| line["kind"] == cut.split(':').next().unwrap()), "{seen:?}");

        let mut device = bench.start(&[]);
        let end = bench.end_of(&deployment, &mut device);
        device.wait_for("NothingOffered", "");
        let end = bench.server.only_device_of(&deployment).unwrap_or(end);
        let running = bench.running().version;
        match end.final_statuses()[..] {
            ["success"] => assert_eq!(running.to_string(), version, "{cut}"),
            ["failure"] => assert_eq!(running, before, "{cut}"),
            ref other => panic!("{cut}: {other:?}\n{}", device.transcript()),
        }
        drop(device.cut_power());
    }
}

#[test]
fn a_module_writes_files_and_undoes_them_when_told_to_fail() {
    let bench = Bench::new("files");
    let installed = bench.state_dir().join("modules/files/current/motd");
    let artifact = |name: &str, text: &str| {
        Artifact::new(name, TYPE).payload_type("files").file("motd", text.as_bytes().to_vec())
    };
    let mut device = bench.start(&["--module-no-reboot"]);
    device.wait_for("Authenticated", "");
    let deployment = bench.deploy("files-1", artifact("files-1", "first"));
    assert_eq!(bench.end_of(&deployment, &mut device).final_statuses(), ["success"]);
    assert_eq!(std::fs::read_to_string(&installed).unwrap(), "first");
    drop(device.cut_power());

    let mut device = bench.start(&["--module-fail-at", "ArtifactVerifyReboot", "--module-pending", "1"]);
    let deployment = bench.deploy("files-2", artifact("files-2", "second"));
    let end = bench.end_of(&deployment, &mut device);
    assert_eq!(end.final_statuses(), ["failure"]);
    device.wait_for("NothingOffered", "");
    assert_eq!(std::fs::read_to_string(&installed).unwrap(), "first");
}

#[test]
fn a_boot_loader_that_overwrites_takes_good_images_and_admits_that_bad_ones_stay() {
    for (behaviour, status, name) in [
        (Behaviour::Fine, "success", "release-2.0.0"),
        (Behaviour::FailsSelfTest, "failure", "release-2.0.0_INCONSISTENT"),
    ] {
        let bench = Bench::new(&format!("overwrite-{}", behaviour.word()));
        let deployment = bench.deploy_image("2.0.0", behaviour);
        let mut device = bench.start(&["--overwrite-only"]);
        device.wait_for("OneWay", "no way back to the old image");
        device.wait_for("mcuboot", "old image overwritten; image 2.0.0");
        if status == "failure" {
            device.wait_for("NameInconsistent", name);
        }
        assert_eq!(bench.end_of(&deployment, &mut device).final_statuses(), [status]);
        device.wait_for("InventorySent", "");
        assert_eq!(bench.running().version.to_string(), "2.0.0");
        assert_eq!(bench.server.devices()[0].inventory["artifact_name"], name);
    }
}

#[test]
fn a_restart_can_end_the_process_for_a_supervisor() {
    let bench = Bench::new("exit");
    let deployment = bench.deploy_image("2.0.0", Behaviour::Fine);
    let mut device = bench.start(&["--reboot", "exit"]);
    assert_eq!(device.exit_code(), Some(85), "{}", device.transcript());
    assert_eq!(bench.running().version.to_string(), "1.0.0", "the swap is MCUboot's");
    let mut device = bench.start(&["--reboot", "exit"]);
    assert_eq!(bench.end_of(&deployment, &mut device).final_statuses(), ["success"]);
    assert_eq!(bench.running().version.to_string(), "2.0.0");
}

#[test]
fn one_state_directory_is_one_device() {
    let bench = Bench::new("twice");
    let mut first = bench.start(&[]);
    first.wait_for("Authenticated", "");
    let mut second = bench.start(&[]);
    assert_eq!(second.exit_code(), Some(2));
    let mut other_pages = bench.start(&["--state-dir", "/dev/null/x"]);
    assert_eq!(other_pages.exit_code(), Some(2));
}
