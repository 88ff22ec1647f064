// SPDX-License-Identifier: Apache-2.0
//! The oracle is shown a device of which one thing is wrong.

use super::*;
use crate::story::{find, layout};
use mender_sim::bootloader;
use mender_sim::mcuboot::Mode;

/// A good update that is over.
fn updated() -> World {
    let setup = Setup::new(find("good").unwrap(), Mode::SwapUsingScratch, layout(1024, 8));
    let mut world = World::start(&setup, 1, false).unwrap();
    world.plan(&[]);
    world.run().unwrap();
    world.step = 0;
    world
}

fn verdict(change: impl FnOnce(&mut World)) -> Result<End, String> {
    let mut world = updated();
    change(&mut world);
    world.judge(0, Faults { hits: 0, cuts: 0, excused: false }).map_err(|Violation(what)| what)
}

fn complaint(change: impl FnOnce(&mut World)) -> String {
    verdict(change).expect_err("a complaint")
}

#[test]
fn the_oracle_sees_flash_that_is_not_as_the_server_was_told() {
    assert_eq!(verdict(|_| {}), Ok(End::Success));
    let said = complaint(|world| {
        let old = world.setup.images[0].clone().unwrap();
        world.flash.as_mut().unwrap().provision(Area::Slot0, &old).unwrap();
        world.truth = Truth::new();
        world.truth.begin(1);
    });
    assert_eq!(said, "told Success, runs release-1");
    let said = complaint(|world| {
        let mut torn = world.setup.images[1].clone().unwrap();
        torn[1500] ^= 1;
        world.flash.as_mut().unwrap().provision(Area::Slot0, &torn).unwrap();
    });
    assert_eq!(said, "neither the old nor the new image runs");
    let said = complaint(|world| {
        let flash = world.flash.as_mut().unwrap();
        let image = world.setup.images[1].clone().unwrap();
        flash.provision(Area::Slot1, &image).unwrap();
        bootloader::request_swap(flash).unwrap();
    });
    assert_eq!(said, "another image would run after a reset");
}

#[test]
fn the_oracle_sees_a_damaged_image_to_fall_back_to_and_one_that_is_armed_and_not_whole() {
    let mut world = updated();
    let (setup, truth) = (Rc::clone(&world.setup), Truth::new());
    let mut flash = world.flash.take().unwrap();
    let [old, new] = [0, 1].map(|number| setup.images[number].clone().unwrap());
    let mut damaged = new.clone();
    damaged[1500] ^= 1;
    for (image, complaint) in [(&new, None), (&damaged, Some("an image is armed that is not whole"))] {
        flash.provision(Area::Slot0, &old).unwrap();
        flash.provision(Area::Slot1, image).unwrap();
        bootloader::request_swap(&mut flash).unwrap();
        let said = oracle::watch(&setup, &truth, &flash).err().map(|Violation(what)| what);
        assert_eq!(said.as_deref().map(|what| &what[..35]), complaint.map(|what| &what[..35]));
    }
    flash.provision(Area::Slot1, &new).unwrap();
    bootloader::request_swap(&mut flash).unwrap();
    mcuboot::boot(&mut flash, setup.mode).unwrap();
    assert_eq!(oracle::watch(&setup, &truth, &flash), Ok(false), "on trial");
    flash.erase(Area::Slot1, 1024).unwrap();
    let said = Violation("the image to fall back to is damaged during the trial".to_owned());
    assert_eq!(oracle::watch(&setup, &truth, &flash), Err(said));
}

#[test]
fn the_oracle_sees_provides_and_files_that_are_not_what_was_installed() {
    let said = complaint(|world| {
        world.link.borrow_mut().server.provides.insert("build".to_owned(), "1".to_owned());
    });
    assert!(said.starts_with("provides"), "{said}");
    let said = complaint(|world| world.shelf.borrow_mut().current = Some(Vec::new()));
    assert_eq!(said, "told Success, and the module's file is another one");
}

#[test]
fn the_oracle_sees_an_end_that_was_told_otherwise_or_not_at_all() {
    let said = complaint(|world| world.link.borrow_mut().server.deployments[0].status = "pending".to_owned());
    assert!(said.contains("and has pending"), "{said}");
    let said = complaint(|world| {
        world.link.borrow_mut().server.deployments[0].reports.push(("failure".to_owned(), 204));
    });
    assert!(said.starts_with("the server was told"), "{said}");
}
