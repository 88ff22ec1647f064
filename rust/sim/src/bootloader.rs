// SPDX-License-Identifier: Apache-2.0
//! The `Boot` port: MCUboot as the running application sees it, through the trailers.

use mender_base::sha256::Sha256;
use mender_port::{Errno, Result, SwapState};
use mender_testkit::image;

use crate::flash::{Flash, FlashError};
use crate::layout::Area;
use crate::mcuboot::{self, Mode};
use crate::power::Moment;
use crate::trailer::{self, Flag, Magic, SwapType, Trailer};

/// The SHA-256 TLV of the image in the primary slot.
///
/// # Errors
/// `-ENOENT` when there is none.
pub fn running_hash(flash: &Flash) -> Result<Sha256> {
    powered(flash)?;
    image::hash_of(flash.view(Area::Slot0)).ok_or(Errno(-2))
}

/// The primary slot's image is confirmed, or its trailer was never written.
#[must_use]
pub fn is_confirmed(flash: &Flash) -> bool {
    let trailer = Trailer::of(flash, Area::Slot0);
    trailer.image_ok == Flag::Set || trailer.magic == Magic::Unset
}

/// Sets image-ok in the primary slot where that means anything, as `boot_write_img_confirmed` does.
///
/// # Errors
/// `-EFAULT` when the trailer is damaged, or what the flash said.
pub fn confirm(flash: &mut Flash) -> Result<()> {
    powered(flash)?;
    let trailer = Trailer::of(flash, Area::Slot0);
    match (trailer.magic, trailer.image_ok) {
        (Magic::Good, Flag::Unset) => {
            Ok(flash.during(Moment::Confirm, |flash| trailer::write_image_ok(flash, Area::Slot0))?)
        }
        (Magic::Good, Flag::Set | Flag::Bad) | (Magic::Unset, _) => Ok(()),
        (Magic::Bad, _) => Err(Errno(-14)),
    }
}

/// Writes the trailer that asks for a test swap, as `boot_request_upgrade` does: a good magic is left as it is.
///
/// # Errors
/// `-EFAULT` when there is a bad magic, or what the flash said.
pub fn request_swap(flash: &mut Flash) -> Result<()> {
    powered(flash)?;
    match Trailer::of(flash, Area::Slot1).magic {
        Magic::Good => Ok(()),
        Magic::Unset => Ok(flash.during(Moment::Arm, |flash| {
            trailer::write_magic(flash, Area::Slot1)?;
            trailer::write_swap_info(flash, Area::Slot1, SwapType::Test)
        })?),
        Magic::Bad => Err(Errno(-14)),
    }
}

/// What is left of the image in the secondary slot.
#[must_use]
pub fn swap_state(flash: &Flash, mode: Mode) -> SwapState {
    let at = mcuboot::upload_offset(flash.layout(), mode) as usize;
    match image::version_of(&flash.view(Area::Slot1)[at..]) {
        Some(_) => SwapState::Whole,
        None => SwapState::Refused,
    }
}

fn powered(flash: &Flash) -> Result<()> {
    if flash.power.is_off() { Err(FlashError::PowerCut.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cut, Layout, Tear};

    #[test]
    fn arming_twice_changes_nothing_and_torn_arming_is_an_error_until_the_trailer_is_erased() {
        let mut flash = Flash::new(Layout::default());
        request_swap(&mut flash).unwrap();
        let once = flash.bytes().to_vec();
        request_swap(&mut flash).unwrap();
        assert_eq!(flash.bytes(), once);

        let mut flash = Flash::new(Layout::default());
        flash.power.plan(Some(Cut { moment: Moment::Arm, number: 1, tear: Tear::Half }));
        request_swap(&mut flash).unwrap_err();
        flash.power.restore();
        assert_eq!(request_swap(&mut flash), Err(Errno(-14)));
        assert_eq!(crate::mcuboot::swap_type(&flash), SwapType::None);
        trailer::erase(&mut flash, Area::Slot1).unwrap();
        request_swap(&mut flash).unwrap();
        assert_eq!(crate::mcuboot::swap_type(&flash), SwapType::Test);
    }

    #[test]
    fn an_untouched_factory_flash_counts_as_confirmed_and_confirming_it_writes_nothing() {
        let mut flash = Flash::new(Layout::default());
        assert!(is_confirmed(&flash));
        confirm(&mut flash).unwrap();
        assert_eq!(flash.counts(Area::Slot0).programs, 0);
    }
}
