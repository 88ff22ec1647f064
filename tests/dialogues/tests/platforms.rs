// SPDX-License-Identifier: Apache-2.0
//! Whole updates on other links, flashes and buffers than the usual ones.

use mender_dialogues::{
    DEVICE_TYPE, Device, artifact, deploy, deploy_image, final_statuses, good, http, https, module_artifact,
    sized_image, the_next_update_succeeds,
};
use mender_server::Fault;
use mender_sim::mcuboot::Mode;
use mender_sim::{Area, Flash, Layout};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::Behaviour;
use mender_testkit::key::Key;

#[test]
fn a_link_that_carries_a_few_bytes_at_a_time_carries_an_update() {
    let key = Key::generate();
    for at_once in [1, 7, 513] {
        let server = https();
        let mut device = Device::with(&server, |d| {
            d.keys = vec![key.public_pem()];
            d.at_boot = Box::new(move |ports| ports.transport.drop_by_drop = Some(at_once));
        });
        let image = sized_image("2.0.0", Behaviour::Fine, 4 * 1024);
        let deployment = deploy(&server, &artifact("release-2", image).sign(&key).provides("a", "b"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{at_once}\n{}", device.story());
        assert_eq!(server.devices()[0].inventory["a"], "b");
    }
}

#[test]
fn a_link_that_carries_a_few_bytes_at_a_time_and_breaks_carries_an_update_of_a_module() {
    let server = http();
    let mut device = Device::with(&server, |d| {
        d.config.download_tries = 200;
        d.at_boot = Box::new(|ports| ports.transport.drop_by_drop = Some(11));
    });
    server.fault(Fault::download().cut_body(333));
    server.fault(Fault::any().chunked(3));
    let deployment =
        deploy(&server, &module_artifact("release-2").meta_data("{\"a\":[1,2]}".parse().unwrap()));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(device.module_file().as_deref(), Some("release-2"), "{}", device.story());
}

#[test]
fn every_geometry_of_flash_takes_an_update_and_goes_back_from_a_bad_one() {
    for page_size in [1024, 2048, 4096, 8192] {
        for granule in [1, 2, 4, 8, 16, 32] {
            let layout = Layout {
                page_size,
                granule,
                slot_size: 64 * 1024,
                scratch_size: 8192.max(page_size),
                record_size: 2048,
            };
            let mut flash = Flash::new(layout);
            let image = |version, behaviour| sized_image(version, behaviour, 10_007);
            flash.provision(Area::Slot0, &image("1.0.0", Behaviour::Fine)).unwrap();
            let server = http();
            let mut device = Device::with(&server, |d| d.flash = Some(flash));
            for (name, version, behaviour, runs) in [
                ("release-2", "2.0.0", Behaviour::Fine, "2.0.0"),
                ("release-3", "3.0.0", Behaviour::FailsSelfTest, "2.0.0"),
            ] {
                let deployment = deploy_image(&server, name, image(version, behaviour));
                device.update(&server, &deployment);
                assert_eq!(
                    device.version(),
                    runs,
                    "pages of {page_size}, granules of {granule}\n{}",
                    device.story()
                );
            }
        }
    }
}

#[test]
fn images_of_every_length_around_a_page_and_a_granule_are_written_whole() {
    let base = 8192;
    for bytes in (base - 9..=base + 9).chain([4096, 4097, 12_287]) {
        let server = http();
        let mut device = Device::new(&server);
        let image = sized_image("2.0.0", Behaviour::Fine, bytes);
        assert_eq!(image.len(), bytes);
        let deployment = deploy_image(&server, "release-2", image.clone());
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{bytes}\n{}", device.story());
        assert_eq!(device.ports().flash.view(Area::Slot0)[..bytes], image);
    }
}

#[test]
fn larger_buffers_do_as_well() {
    for (io, mode) in [
        (1024, Mode::OverwriteOnly),
        (1025, Mode::default()),
        (2048, Mode::default()),
        (16_384, Mode::default()),
    ] {
        let server = https();
        let mut device = Device::with(&server, |d| {
            d.io_buffer = io;
            d.mode = mode;
            d.config.abort_probe_ms = 1;
        });
        let deployment = deploy_image(&server, "release-2", good("2.0.0"));
        device.run_to_the_end(&server, &deployment);
        assert_eq!(final_statuses(&server, &deployment), ["success"], "{io}\n{}", device.story());
        the_next_update_succeeds(&server, &mut device);
    }
}

#[test]
fn names_as_long_as_they_may_be_go_through_everything() {
    let server = http();
    let name: &'static str = Box::leak("n".repeat(150).into_boxed_str());
    let other = "m".repeat(150);
    let device_type: &'static str = Box::leak("t".repeat(256).into_boxed_str());
    let mut device = Device::with(&server, |d| {
        d.config.artifact_name = name;
        d.config.device_type = device_type;
    });
    let made = Artifact::new(&other, device_type).device_type(DEVICE_TYPE).no_default_software_version();
    let deployment = deploy(&server, &made.file("f", good("2.0.0")));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["success"], "{}", device.story());
    assert_eq!(server.devices()[0].inventory["artifact_name"], other.as_str());
    assert_eq!(server.devices()[0].inventory["device_type"], device_type);
}

#[test]
fn a_name_that_does_not_fit_beside_the_stored_one_fails_the_deployment_and_no_more() {
    let server = http();
    let name: &'static str = Box::leak("n".repeat(256).into_boxed_str());
    let mut device = Device::with(&server, |d| d.config.artifact_name = name);
    let deployment = deploy(&server, &artifact(&"m".repeat(256), good("2.0.0")));
    device.run_to_the_end(&server, &deployment);
    assert_eq!(final_statuses(&server, &deployment), ["failure"], "{}", device.story());
    the_next_update_succeeds(&server, &mut device);
}
