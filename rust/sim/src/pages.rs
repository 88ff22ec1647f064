// SPDX-License-Identifier: Apache-2.0
//! MCUboot's swaps without a scratch area: by moving the old image up a page, or by writing the new one a page further up.
//!
//! The state of the swap is in the primary slot's trailer. A revert begins with a trailer in the secondary slot that asks for it, so that
//! a reset while the primary slot's is made new does not lose it.
//!
//! Source: MCUboot, `docs/design.md`, "Swap using move", "Swap using offset", "Reset Recovery".

use crate::flash::{Flash, FlashError};
use crate::layout::Area;
use crate::mcuboot::{Mode, move_pages};
use crate::trailer::{self, Flag, Magic, SwapType, Trailer};

/// A swap that a reset interrupted: its kind and size. While the secondary slot's trailer is there, the swap has not begun.
pub(crate) fn interrupted(flash: &Flash) -> Option<(SwapType, u32)> {
    let (primary, secondary) = (Trailer::of(flash, Area::Slot0), Trailer::of(flash, Area::Slot1));
    let under_way =
        primary.magic == Magic::Good && primary.copy_done == Flag::Unset && secondary.magic != Magic::Good;
    let swap = primary.swap_type.filter(|swap| under_way && *swap != SwapType::None)?;
    Some((swap, primary.swap_size?))
}

/// Swaps from wherever the status in flash says, to the end.
pub(crate) fn run(flash: &mut Flash, mode: Mode, swap: SwapType, size: u32) -> Result<(), FlashError> {
    let page = flash.layout().page_size;
    let count = size.div_ceil(page);
    let resumed = interrupted(flash).is_some();
    let done = if resumed { trailer::last_status(flash) } else { None };
    if done.is_none() {
        begin(flash, mode, swap, size, resumed)?;
    }
    // The number of the next step, as the entries of the status count it.
    let next = done.map_or(0, |entry| entry + 1);
    if mode == Mode::SwapUsingMove {
        move_and_swap(flash, count, next)?;
    } else {
        swap_with_offset(flash, count, next, swap == SwapType::Revert)?;
    }
    let primary = Trailer::of(flash, Area::Slot0);
    if swap != SwapType::Test && primary.image_ok == Flag::Unset {
        trailer::write_image_ok(flash, Area::Slot0)?;
    }
    trailer::write_copy_done(flash, Area::Slot0)
}

/// Makes the primary slot's trailer new, then ends what the secondary slot's asks for.
fn begin(flash: &mut Flash, mode: Mode, swap: SwapType, size: u32, resumed: bool) -> Result<(), FlashError> {
    if swap == SwapType::Revert && !resumed && Trailer::of(flash, Area::Slot1).magic == Magic::Unset {
        trailer::erase(flash, Area::Slot1)?;
        if mode == Mode::SwapUsingMove {
            // From here on the revert looks like an upgrade for good.
            trailer::write_image_ok(flash, Area::Slot1)?;
        } else {
            trailer::write_copy_done(flash, Area::Slot1)?;
            trailer::write_swap_info(flash, Area::Slot1, swap)?;
        }
        trailer::write_swap_size(flash, Area::Slot1, size)?;
        // With a torn magic MCUboot would do without this trailer, and a second reset in the steps that follow would lose the revert.
        flash.never_torn(|flash| trailer::write_magic(flash, Area::Slot1))?;
    }
    if !resumed {
        let for_good = Trailer::of(flash, Area::Slot1).image_ok == Flag::Set;
        trailer::erase(flash, Area::Slot0)?;
        trailer::write_swap_info(flash, Area::Slot0, swap)?;
        if for_good {
            trailer::write_image_ok(flash, Area::Slot0)?;
        }
        trailer::write_swap_size(flash, Area::Slot0, size)?;
        trailer::write_magic(flash, Area::Slot0)?;
    }
    // With an offset, a magic that outlived the flags before it would ask for an upgrade, to the image that runs already.
    let kept = if mode == Mode::SwapUsingOffset { trailer::fields_size(flash.layout()) } else { 0 };
    flash.never_parting(kept, |flash| trailer::erase(flash, Area::Slot1))
}

/// The last page first, the old image moves up by a page; then, the first page first, the two are exchanged. `count` moves are noted
/// from entry 0 on, two steps of each page behind the room for as many moves as a slot has pages.
fn move_and_swap(flash: &mut Flash, count: u32, next: u32) -> Result<(), FlashError> {
    let page = flash.layout().page_size;
    let first_swap = flash.layout().slot_size / page;
    for entry in next..count.max(next) {
        if entry >= first_swap {
            break;
        }
        let to = (count - entry) * page;
        move_pages(flash, (Area::Slot0, to - page), (Area::Slot0, to), page)?;
        trailer::write_status(flash, entry)?;
    }
    for step in next.saturating_sub(first_swap)..count * 2 {
        let at = step / 2 * page;
        if step.is_multiple_of(2) {
            move_pages(flash, (Area::Slot1, at), (Area::Slot0, at), page)?;
        } else {
            move_pages(flash, (Area::Slot0, at + page), (Area::Slot1, at), page)?;
        }
        trailer::write_status(flash, first_swap + step)?;
    }
    Ok(())
}

/// Two steps for each page: the old image's goes to the secondary slot, then the new one's comes. A revert goes the other way round.
fn swap_with_offset(flash: &mut Flash, count: u32, next: u32, back: bool) -> Result<(), FlashError> {
    let page = flash.layout().page_size;
    for entry in next..count * 2 {
        let number = if back { count - 1 - entry / 2 } else { entry / 2 };
        let (at, above) = (number * page, (number + 1) * page);
        let (free, other) = if back { (above, at) } else { (at, above) };
        if entry.is_multiple_of(2) {
            move_pages(flash, (Area::Slot0, at), (Area::Slot1, free), page)?;
        } else {
            move_pages(flash, (Area::Slot1, other), (Area::Slot0, at), page)?;
        }
        trailer::write_status(flash, entry)?;
    }
    if back {
        // What is left there must not be taken for an image.
        flash.erase(Area::Slot1, 0)?;
        trailer::erase(flash, Area::Slot1)?;
    }
    Ok(())
}
