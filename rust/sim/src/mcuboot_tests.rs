// SPDX-License-Identifier: Apache-2.0

use mender_testkit::image::{Behaviour, Image, Version};

use super::*;
use crate::bootloader;
use crate::{Cut, Layout, Tear};

fn layout() -> Layout {
    Layout { page_size: 1024, granule: 8, slot_size: 16 * 1024, scratch_size: 2048, record_size: 1024 }
}

fn image_of(version: &str, size: usize) -> Vec<u8> {
    Image::new(Version::parse(version).unwrap(), Behaviour::Fine).size(size).build()
}

fn old() -> Vec<u8> {
    image_of("1.0.0", 5000)
}

fn new() -> Vec<u8> {
    image_of("2.0.0", 7777)
}

const SWAPS: [Mode; 3] = [Mode::SwapUsingScratch, Mode::SwapUsingMove, Mode::SwapUsingOffset];

/// A new image where the mode wants it.
fn upload(flash: &mut Flash, mode: Mode, image: &[u8]) {
    let mut content = vec![0xff; upload_offset(flash.layout(), mode) as usize];
    content.extend_from_slice(image);
    flash.provision(Area::Slot1, &content).unwrap();
}

fn armed(layout: Layout, mode: Mode) -> Flash {
    let mut flash = Flash::new(layout);
    flash.provision(Area::Slot0, &old()).unwrap();
    upload(&mut flash, mode, &new());
    bootloader::request_swap(&mut flash).unwrap();
    flash
}

fn holds(flash: &Flash, slot: Area, image: &[u8]) -> bool {
    flash.view(slot).starts_with(image)
}

const TEARS: [Tear; 5] = [Tear::Nothing, Tear::Half, Tear::Bits(1), Tear::Bits(2), Tear::All];

/// Boots with a cut at operation `number`, then again with power. `None` when there are fewer operations.
fn boot_cut(from: &Flash, mode: Mode, number: u64, tear: Tear) -> Option<(Flash, Booted)> {
    let mut flash = Flash::from_bytes(*from.layout(), from.bytes().to_vec());
    flash.power.plan(Some(Cut { moment: Moment::Swap, number, tear }));
    let first = boot(&mut flash, mode);
    if !flash.power.is_off() {
        return None;
    }
    assert_eq!(first, Err(BootError::Flash(FlashError::PowerCut)));
    flash.power.restore();
    let booted = boot(&mut flash, mode).unwrap_or_else(|e| panic!("cut {number} {tear:?}: {e:?}"));
    assert_eq!(flash.misuse(), None, "cut {number} {tear:?}");
    Some((flash, booted))
}

/// The new image where it lies before its swap and after it was swapped back.
fn new_is_back(flash: &Flash, mode: Mode) -> bool {
    flash.view(Area::Slot1)[upload_offset(flash.layout(), mode) as usize..].starts_with(&new())
}

#[test]
fn a_test_swap_exchanges_the_images_and_is_undone_unless_confirmed() {
    for mode in SWAPS {
        let mut flash = armed(layout(), mode);
        let booted = boot(&mut flash, mode).unwrap();
        assert_eq!(booted.done, Done::Upgraded(SwapType::Test));
        assert_eq!(booted.image.version.to_string(), "2.0.0");
        assert!(holds(&flash, Area::Slot0, &new()) && holds(&flash, Area::Slot1, &old()));
        assert!(!bootloader::is_confirmed(&flash));
        let booted = boot(&mut flash, mode).unwrap();
        assert_eq!(booted.done, Done::Upgraded(SwapType::Revert));
        assert!(holds(&flash, Area::Slot0, &old()) && new_is_back(&flash, mode), "{mode:?}");
        assert!(bootloader::is_confirmed(&flash));
        assert_eq!(boot(&mut flash, mode).unwrap().done, Done::Nothing);
        assert_eq!(flash.misuse(), None);
    }
}

#[test]
fn a_confirmed_image_stays_and_the_next_update_works() {
    for mode in SWAPS {
        let mut flash = armed(layout(), mode);
        boot(&mut flash, mode).unwrap();
        bootloader::confirm(&mut flash).unwrap();
        bootloader::confirm(&mut flash).unwrap();
        assert!(bootloader::is_confirmed(&flash));
        assert_eq!(boot(&mut flash, mode).unwrap().done, Done::Nothing);
        let third = image_of("3.0.0", 3000);
        upload(&mut flash, mode, &third);
        bootloader::request_swap(&mut flash).unwrap();
        boot(&mut flash, mode).unwrap();
        assert!(holds(&flash, Area::Slot0, &third) && holds(&flash, Area::Slot1, &new()), "{mode:?}");
        assert_eq!(boot(&mut flash, mode).unwrap().image.version.to_string(), "2.0.0");
    }
}

#[test]
fn a_swap_that_is_cut_at_any_operation_is_completed() {
    for mode in SWAPS {
        for layout in [
            layout(),
            Layout { granule: 1, ..layout() },
            Layout { granule: 32, slot_size: 32 * 1024, scratch_size: 8192, page_size: 4096, ..layout() },
        ] {
            for tear in TEARS {
                cut_a_swap_everywhere(layout, mode, tear);
            }
        }
    }
}

fn cut_a_swap_everywhere(layout: Layout, mode: Mode, tear: Tear) {
    let start = armed(layout, mode);
    let (mut number, mut reverts) = (1, 0);
    while let Some((flash, booted)) = boot_cut(&start, mode, number, tear) {
        let what = format!("{mode:?}, cut {number} {tear:?}");
        match booted.done {
            Done::Upgraded(SwapType::Revert) => {
                reverts += 1;
                assert!(holds(&flash, Area::Slot0, &old()) && new_is_back(&flash, mode), "{what}");
            }
            Done::Resumed(SwapType::Test) | Done::Upgraded(SwapType::Test) => {
                assert!(holds(&flash, Area::Slot0, &new()) && holds(&flash, Area::Slot1, &old()), "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
        number += 1;
    }
    assert!(number > 20, "the cuts did hit a swap");
    // Cut after the very last operation, the trial is over before the image ran.
    let last_done = usize::from(matches!(tear, Tear::All | Tear::Bits(1)));
    assert_eq!(reverts, last_done, "{mode:?} {tear:?}");
}

#[test]
fn a_revert_that_is_cut_at_any_operation_ends_on_the_old_image_for_good() {
    for mode in SWAPS {
        let mut start = armed(layout(), mode);
        boot(&mut start, mode).unwrap();
        for tear in TEARS {
            let mut number = 1;
            while let Some((flash, _)) = boot_cut(&start, mode, number, tear) {
                let what = format!("{mode:?}, cut {number} {tear:?}");
                assert!(holds(&flash, Area::Slot0, &old()) && new_is_back(&flash, mode), "{what}");
                assert!(bootloader::is_confirmed(&flash), "{what}");
                number += 1;
            }
            assert!(number > 20, "the cuts did hit a revert");
        }
    }
}

#[test]
fn a_swap_that_is_cut_again_and_again_still_ends() {
    for mode in SWAPS {
        let mut flash = armed(layout(), mode);
        let mut cuts = 0;
        let booted = loop {
            flash.power.plan(Some(Cut { moment: Moment::Swap, number: 12, tear: Tear::Half }));
            match boot(&mut flash, mode) {
                Ok(booted) => break booted,
                Err(BootError::Flash(FlashError::PowerCut)) => {
                    cuts += 1;
                    flash.power.restore();
                }
                Err(other) => panic!("{other:?}"),
            }
        };
        assert!(cuts > 3);
        assert_eq!(booted.done, Done::Resumed(SwapType::Test));
        assert!(holds(&flash, Area::Slot0, &new()) && holds(&flash, Area::Slot1, &old()), "{mode:?}");
    }
}

#[test]
fn an_overwrite_that_is_cut_at_any_operation_is_completed_and_cannot_be_undone() {
    let start = armed(layout(), Mode::OverwriteOnly);
    for tear in TEARS {
        let mut number = 1;
        while let Some((mut flash, booted)) = boot_cut(&start, Mode::OverwriteOnly, number, tear) {
            assert!(matches!(booted.done, Done::Overwritten | Done::Refused | Done::Nothing), "{booted:?}");
            assert!(holds(&flash, Area::Slot0, &new()), "cut {number} {tear:?}");
            assert!(bootloader::is_confirmed(&flash), "an unset trailer counts as confirmed");
            assert_eq!(boot(&mut flash, Mode::OverwriteOnly).unwrap().done, Done::Nothing);
            number += 1;
        }
        assert!(number > 10, "the cuts did hit an overwrite");
    }
}

#[test]
fn a_bad_image_is_spoilt_and_the_old_one_runs() {
    for mode in [SWAPS[0], SWAPS[1], SWAPS[2], Mode::OverwriteOnly] {
        for at in [0, 0x200, 4000, 7776] {
            let mut bad = new();
            bad[at] ^= 1;
            let mut flash = Flash::new(layout());
            flash.provision(Area::Slot0, &old()).unwrap();
            upload(&mut flash, mode, &bad);
            bootloader::request_swap(&mut flash).unwrap();
            let mut number = 1;
            while let Some((cut, _)) = boot_cut(&flash, mode, number, Tear::Half) {
                assert!(holds(&cut, Area::Slot0, &old()), "byte {at}, cut {number}");
                number += 1;
            }
            let booted = boot(&mut flash, mode).unwrap();
            assert_eq!(booted.done, Done::Refused, "byte {at}");
            assert!(holds(&flash, Area::Slot0, &old()));
            assert_eq!(bootloader::swap_state(&flash, mode), mender_port::SwapState::Refused);
            assert_eq!(boot(&mut flash, mode).unwrap().done, Done::Nothing);
        }
    }
}

#[test]
fn a_device_whose_only_image_is_broken_is_a_brick_and_says_so() {
    let mut flash = Flash::new(layout());
    assert!(matches!(boot(&mut flash, Mode::SwapUsingScratch), Err(BootError::NoBootableImage(_))));
}
