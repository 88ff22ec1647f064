// SPDX-License-Identifier: Apache-2.0
//! A model of MCUboot: what it does between reset and the first instruction of the image.
//!
//! It remembers nothing in RAM: each step of a swap is noted in flash, so that a reset at any operation only makes it go on. A swap that
//! uses the scratch area moves groups of pages, the last group first, each in three steps: secondary → scratch, primary → secondary,
//! scratch → primary. The kind of swap is kept in the scratch area while the primary slot's trailer is made new. The swaps without a
//! scratch area are in [`crate::pages`].
//!
//! Knows: slots, trailers, the image format. Does not know: signatures and versions; an image is good when its SHA-256 is.
//!
//! Source: MCUboot, `docs/design.md`, "Image Slots", "Image Trailer", "Swap Status", "Reset Recovery".

use mender_testkit::image;

use crate::flash::{Flash, FlashError};
use crate::layout::{Area, Layout};
use crate::pages;
use crate::power::Moment;
use crate::trailer::{self, Flag, Magic, STEPS, SwapType, Trailer};

/// How MCUboot was built to upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Swap through a scratch area; an image that is not confirmed is swapped back.
    #[default]
    SwapUsingScratch,
    /// Move the old image up by a page, then exchange the images page by page.
    SwapUsingMove,
    /// Exchange the images page by page; the new one is written a page further up than it will run.
    SwapUsingOffset,
    /// Copy over the old image; there is no way back.
    OverwriteOnly,
}

impl Mode {
    /// Without a scratch area a page of one of the slots is kept free.
    pub(crate) fn pages_kept_free(self) -> u32 {
        u32::from(matches!(self, Self::SwapUsingMove | Self::SwapUsingOffset))
    }
}

/// What MCUboot did before it started the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing.
    Nothing,
    /// It swapped, for this reason.
    Upgraded(SwapType),
    /// It copied the new image over the old one.
    Overwritten,
    /// It went on with a swap that a reset had interrupted.
    Resumed(SwapType),
    /// It found the image in the secondary slot bad, spoilt that, and left the primary slot alone.
    Refused,
}

/// The image that runs, and what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booted {
    /// What was done.
    pub done: Done,
    /// The image in the primary slot.
    pub image: image::Info,
}

/// Why no image runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// The image in the primary slot is not whole: the device is a brick.
    NoBootableImage(image::ImageError),
    /// The flash failed: the power went, usually.
    Flash(FlashError),
}

impl From<FlashError> for BootError {
    fn from(e: FlashError) -> Self {
        Self::Flash(e)
    }
}

/// Runs MCUboot after a reset.
///
/// # Errors
/// After [`FlashError::PowerCut`] call it again once the power is back, as the hardware does.
pub fn boot(flash: &mut Flash, mode: Mode) -> Result<Booted, BootError> {
    let done = flash.during(Moment::Swap, |flash| match mode {
        Mode::SwapUsingScratch => boot_swapping(flash),
        Mode::SwapUsingMove | Mode::SwapUsingOffset => boot_by_pages(flash, mode),
        Mode::OverwriteOnly => boot_overwriting(flash),
    })?;
    if flash.power.is_off() {
        return Err(BootError::Flash(FlashError::PowerCut));
    }
    let image = check(flash, Area::Slot0).map_err(BootError::NoBootableImage)?;
    Ok(Booted { done, image })
}

/// What the trailers ask for, before the image is looked at.
#[must_use]
pub fn swap_type(flash: &Flash) -> SwapType {
    let (primary, secondary) = (Trailer::of(flash, Area::Slot0), Trailer::of(flash, Area::Slot1));
    match (secondary.magic, secondary.image_ok) {
        (Magic::Good, Flag::Unset) => SwapType::Test,
        (Magic::Good, Flag::Set) => SwapType::Permanent,
        // Whatever the secondary slot's magic is: it may have been torn while it was written.
        _ if primary.magic == Magic::Good
            && primary.image_ok == Flag::Unset
            && primary.copy_done == Flag::Set =>
        {
            SwapType::Revert
        }
        _ => SwapType::None,
    }
}

/// As [`swap_type`], by the rules of that mode: with an offset, a revert is noted in the secondary slot while its swap begins.
#[must_use]
pub fn swap_type_in(flash: &Flash, mode: Mode) -> SwapType {
    let secondary = Trailer::of(flash, Area::Slot1);
    let noted = (secondary.magic, secondary.image_ok, secondary.copy_done);
    match (mode, noted) {
        (Mode::SwapUsingOffset, (Magic::Good, Flag::Unset, Flag::Set)) => SwapType::Revert,
        _ => swap_type(flash),
    }
}

/// Where in the secondary slot a new image begins.
#[must_use]
pub fn upload_offset(layout: &Layout, mode: Mode) -> u32 {
    if mode == Mode::SwapUsingOffset { layout.page_size } else { 0 }
}

/// The largest image that can be swapped in that mode.
#[must_use]
pub fn max_image_size(layout: &Layout, mode: Mode) -> u32 {
    layout.max_image_size().saturating_sub(mode.pages_kept_free() * layout.page_size)
}

/// The image in the secondary slot that a swap of that kind would bring.
///
/// # Errors
/// Why it would not be booted.
pub fn candidate(flash: &Flash, mode: Mode, swap: SwapType) -> Result<image::Info, image::ImageError> {
    let at = if swap == SwapType::Revert { 0 } else { upload_offset(flash.layout(), mode) as usize };
    image::check(&flash.view(Area::Slot1)[at..at + max_image_size(flash.layout(), mode) as usize])
}

/// The image in a slot, if it is whole and leaves the trailer its room.
///
/// # Errors
/// Why it would not be booted.
pub fn check(flash: &Flash, slot: Area) -> Result<image::Info, image::ImageError> {
    let room = flash.layout().max_image_size() as usize;
    image::check(&flash.view(slot)[..room])
}

fn boot_swapping(flash: &mut Flash) -> Result<Done, FlashError> {
    if let Some((swap, size)) = interrupted(flash) {
        swap_slots(flash, swap, size)?;
        return Ok(Done::Resumed(swap));
    }
    let swap = swap_type(flash);
    if swap == SwapType::None {
        return Ok(Done::Nothing);
    }
    let Ok(new) = check(flash, Area::Slot1) else {
        spoil(flash)?;
        return Ok(Done::Refused);
    };
    let old_size = check(flash, Area::Slot0).map_or(0, |old| old.size);
    let size = u32::try_from(new.size.max(old_size)).unwrap_or(u32::MAX);
    prepare(flash, Area::Scratch, swap, size)?;
    swap_slots(flash, swap, size)?;
    Ok(Done::Upgraded(swap))
}

/// A swap that a reset interrupted: its kind and size. Where both trailers tell of one, the primary slot's is the newer.
fn interrupted(flash: &Flash) -> Option<(SwapType, u32)> {
    let primary = Trailer::of(flash, Area::Slot0);
    if primary.magic == Magic::Good && primary.copy_done == Flag::Set {
        return None;
    }
    told(flash, &primary).or_else(|| told(flash, &Trailer::of(flash, Area::Scratch)))
}

/// The swap that a trailer says is under way.
fn told(flash: &Flash, trailer: &Trailer) -> Option<(SwapType, u32)> {
    let swap = trailer.swap_type.filter(|swap| *swap != SwapType::None)?;
    let size = trailer.swap_size.filter(|size| *size <= flash.layout().max_image_size())?;
    (trailer.magic == Magic::Good && trailer.copy_done == Flag::Unset).then_some((swap, size))
}

/// Makes an area's trailer new; the magic, written last, makes it count.
fn prepare(flash: &mut Flash, area: Area, swap: SwapType, size: u32) -> Result<(), FlashError> {
    trailer::erase(flash, area)?;
    trailer::write_swap_info(flash, area, swap)?;
    if area == Area::Slot0 && swap == SwapType::Permanent {
        trailer::write_image_ok(flash, area)?;
    }
    trailer::write_swap_size(flash, area, size)?;
    trailer::write_magic(flash, area)
}

/// Swaps from wherever the status in flash says, to the end.
fn swap_slots(flash: &mut Flash, swap: SwapType, size: u32) -> Result<(), FlashError> {
    if told(flash, &Trailer::of(flash, Area::Slot0)) != Some((swap, size)) {
        prepare(flash, Area::Slot0, swap, size)?;
    }
    let (page, group_size) = (flash.layout().page_size, flash.layout().scratch_size);
    let total = size.next_multiple_of(page);
    let groups = total.div_ceil(group_size);
    for entry in trailer::status(flash)..groups * STEPS {
        // The last group first, so that the image header is moved last.
        let group = groups - 1 - entry / STEPS;
        let start = group * group_size;
        let len = group_size.min(total - start);
        match entry % STEPS {
            0 => {
                trailer::erase(flash, Area::Scratch)?;
                copy(flash, (Area::Slot1, start), (Area::Scratch, 0), len)?;
            }
            1 => {
                if entry / STEPS == 0 {
                    trailer::erase(flash, Area::Slot1)?;
                }
                move_pages(flash, (Area::Slot0, start), (Area::Slot1, start), len)?;
            }
            _ => move_pages(flash, (Area::Scratch, 0), (Area::Slot0, start), len)?,
        }
        trailer::write_status(flash, entry)?;
    }
    let primary = Trailer::of(flash, Area::Slot0);
    if swap != SwapType::Test && primary.image_ok == Flag::Unset {
        trailer::write_image_ok(flash, Area::Slot0)?;
    }
    trailer::write_copy_done(flash, Area::Slot0)
}

fn boot_by_pages(flash: &mut Flash, mode: Mode) -> Result<Done, FlashError> {
    let interrupted = pages::interrupted(flash);
    if let Some((swap, size)) = interrupted
        && trailer::last_status(flash).is_some()
    {
        pages::run(flash, mode, swap, size)?;
        return Ok(Done::Resumed(swap));
    }
    // Before its first step is noted, a swap is judged once more.
    let swap = interrupted.map_or_else(|| swap_type_in(flash, mode), |(swap, _)| swap);
    if swap == SwapType::None {
        return Ok(Done::Nothing);
    }
    let Ok(new) = candidate(flash, mode, swap) else {
        spoil_at(flash, upload_offset(flash.layout(), mode))?;
        if interrupted.is_some() && Trailer::of(flash, Area::Slot0).image_ok == Flag::Unset {
            // Else it would be asked for again at the next start.
            trailer::write_image_ok(flash, Area::Slot0)?;
        }
        return Ok(Done::Refused);
    };
    if let Some((swap, size)) = interrupted {
        pages::run(flash, mode, swap, size)?;
        return Ok(Done::Resumed(swap));
    }
    let old_size = check(flash, Area::Slot0).map_or(0, |old| old.size);
    pages::run(flash, mode, swap, u32::try_from(new.size.max(old_size)).unwrap_or(u32::MAX))?;
    Ok(Done::Upgraded(swap))
}

fn boot_overwriting(flash: &mut Flash) -> Result<Done, FlashError> {
    if !matches!(swap_type(flash), SwapType::Test | SwapType::Permanent) {
        return Ok(Done::Nothing);
    }
    let Ok(new) = check(flash, Area::Slot1) else {
        spoil(flash)?;
        return Ok(Done::Refused);
    };
    let size = u32::try_from(new.size).unwrap_or(u32::MAX).next_multiple_of(flash.layout().page_size);
    trailer::erase(flash, Area::Slot0)?;
    move_pages(flash, (Area::Slot1, 0), (Area::Slot0, 0), size)?;
    // Until here a reset starts the copy again; without header and trailer it does not.
    spoil(flash)?;
    Ok(Done::Overwritten)
}

/// Makes the secondary slot's image unusable: header first, so that what is left is not taken for an image.
fn spoil(flash: &mut Flash) -> Result<(), FlashError> {
    spoil_at(flash, 0)
}

fn spoil_at(flash: &mut Flash, header: u32) -> Result<(), FlashError> {
    flash.erase(Area::Slot1, header)?;
    trailer::erase(flash, Area::Slot1)
}

pub(crate) type Place = (Area, u32);

pub(crate) fn move_pages(flash: &mut Flash, from: Place, to: Place, len: u32) -> Result<(), FlashError> {
    let page = flash.layout().page_size;
    (0..len).step_by(page as usize).try_for_each(|offset| flash.erase(to.0, to.1 + offset))?;
    copy(flash, from, to, len)
}

fn copy(flash: &mut Flash, from: Place, to: Place, len: u32) -> Result<(), FlashError> {
    let mut buf = [0; 1024];
    (0..len).step_by(buf.len()).try_for_each(|offset| {
        flash.read(from.0, from.1 + offset, &mut buf)?;
        flash.program(to.0, to.1 + offset, &buf)
    })
}

#[cfg(test)]
#[path = "mcuboot_tests.rs"]
mod tests;
