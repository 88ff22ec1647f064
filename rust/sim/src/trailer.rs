// SPDX-License-Identifier: Apache-2.0
//! The image trailer at the end of a slot, through which the application and MCUboot talk.
//!
//! From the end of the area downwards: magic (16 bytes), image ok, copy done, swap info, swap size, swap status. Each field starts on a
//! multiple of 8 bytes or of the program granule, whichever is more.
//!
//! Source: MCUboot, `docs/design.md`, "Image Trailer".

use crate::flash::{ERASED, Flash, FlashError};
use crate::layout::{Area, Layout};

const MAGIC_SIZE: u32 = 16;
const MAGIC_ALIGN_8: [u8; 16] =
    [0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80];
/// For a field alignment over 8; the first two bytes are then the alignment, little-endian.
const MAGIC_ALIGN_MORE: [u8; 14] =
    [0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a];
const FLAG_SET: u8 = 1;
/// Steps of the swap of one group of pages.
pub(crate) const STEPS: u32 = 3;

/// The magic of a trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// There, and right.
    Good,
    /// There, and wrong.
    Bad,
    /// Erased flash.
    Unset,
}

/// A flag of a trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Set.
    Set,
    /// Neither set nor erased.
    Bad,
    /// Erased flash.
    Unset,
}

/// What MCUboot does, or is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SwapType {
    /// Nothing.
    None = 1,
    /// Swap, and swap back at the next reset unless the image is confirmed by then.
    Test = 2,
    /// Swap for good.
    Permanent = 3,
    /// Swap back.
    Revert = 4,
}

impl SwapType {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::None, Self::Test, Self::Permanent, Self::Revert].into_iter().find(|swap| *swap as u8 == byte)
    }
}

/// The fields of a trailer, swap status aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// A swap was asked for (secondary slot) or made (primary slot).
    pub magic: Magic,
    /// The image is confirmed.
    pub image_ok: Flag,
    /// The swap is complete.
    pub copy_done: Flag,
    /// The kind of swap; `None` when erased or unknown.
    pub swap_type: Option<SwapType>,
    /// Bytes of each slot that take part in the swap; `None` when erased.
    pub swap_size: Option<u32>,
}

impl Trailer {
    /// The trailer of an area as it stands.
    #[must_use]
    pub fn of(flash: &Flash, area: Area) -> Self {
        let at = Offsets::of(flash.layout(), area);
        let view = flash.view(area);
        let byte = |offset: u32| view[offset as usize];
        let flag = |offset| match byte(offset) {
            FLAG_SET => Flag::Set,
            ERASED => Flag::Unset,
            _ => Flag::Bad,
        };
        let magic = &view[at.magic as usize..];
        let size = &view[at.swap_size as usize..][..4];
        Self {
            magic: match magic {
                good if *good == magic_of(flash.layout()) => Magic::Good,
                blank if blank.iter().all(|byte| *byte == ERASED) => Magic::Unset,
                _ => Magic::Bad,
            },
            image_ok: flag(at.image_ok),
            copy_done: flag(at.copy_done),
            swap_type: SwapType::from_byte(byte(at.swap_info)),
            swap_size: size
                .try_into()
                .ok()
                .map(u32::from_le_bytes)
                .filter(|_| size.iter().any(|byte| *byte != ERASED)),
        }
    }
}

/// Where the fields of an area's trailer are.
#[derive(Clone, Copy)]
struct Offsets {
    magic: u32,
    image_ok: u32,
    copy_done: u32,
    swap_info: u32,
    swap_size: u32,
    status: u32,
}

impl Offsets {
    fn of(layout: &Layout, area: Area) -> Self {
        let (end, align) = (layout.size_of(area), field_align(layout));
        let image_ok = end - MAGIC_SIZE.next_multiple_of(align) - align;
        let swap_size = image_ok - 3 * align;
        Self {
            magic: end - MAGIC_SIZE,
            image_ok,
            copy_done: image_ok - align,
            swap_info: image_ok - 2 * align,
            swap_size,
            status: swap_size.saturating_sub(status_size(layout)),
        }
    }
}

fn field_align(layout: &Layout) -> u32 {
    layout.granule.max(8)
}

fn status_size(layout: &Layout) -> u32 {
    (layout.slot_size / layout.page_size * STEPS * layout.granule).next_multiple_of(field_align(layout))
}

fn magic_of(layout: &Layout) -> [u8; 16] {
    if field_align(layout) == 8 {
        return MAGIC_ALIGN_8;
    }
    let mut magic = [0; 16];
    magic[..2].copy_from_slice(&(layout.granule as u16).to_le_bytes());
    magic[2..].copy_from_slice(&MAGIC_ALIGN_MORE);
    magic
}

/// Bytes of a slot's trailer.
pub(crate) fn size(layout: &Layout) -> u32 {
    let align = field_align(layout);
    status_size(layout) + 4 * align + MAGIC_SIZE.next_multiple_of(align)
}

/// Programs `value` at `offset`, filled up with erased bytes to whole granules.
fn put(flash: &mut Flash, area: Area, offset: u32, value: &[u8]) -> Result<(), FlashError> {
    let granule = flash.layout().granule as usize;
    let mut bytes = value.to_vec();
    bytes.resize(value.len().next_multiple_of(granule), ERASED);
    flash.program(area, offset, &bytes)
}

/// Writes the magic.
pub(crate) fn write_magic(flash: &mut Flash, area: Area) -> Result<(), FlashError> {
    let (layout, at) = (*flash.layout(), Offsets::of(flash.layout(), area));
    // With granules over 16 bytes the magic ends the granule it lies in.
    let start = at.magic - at.magic % layout.granule;
    let mut bytes = vec![ERASED; (at.magic - start) as usize];
    bytes.extend(magic_of(&layout));
    put(flash, area, start, &bytes)
}

/// Sets the image-ok flag, which must be unset.
pub(crate) fn write_image_ok(flash: &mut Flash, area: Area) -> Result<(), FlashError> {
    let at = Offsets::of(flash.layout(), area).image_ok;
    put(flash, area, at, &[FLAG_SET])
}

/// Sets the copy-done flag, which must be unset.
pub(crate) fn write_copy_done(flash: &mut Flash, area: Area) -> Result<(), FlashError> {
    let at = Offsets::of(flash.layout(), area).copy_done;
    put(flash, area, at, &[FLAG_SET])
}

/// Writes the kind of swap.
pub(crate) fn write_swap_info(flash: &mut Flash, area: Area, swap: SwapType) -> Result<(), FlashError> {
    let at = Offsets::of(flash.layout(), area).swap_info;
    put(flash, area, at, &[swap as u8])
}

/// Writes how many bytes are swapped.
pub(crate) fn write_swap_size(flash: &mut Flash, area: Area, size: u32) -> Result<(), FlashError> {
    let at = Offsets::of(flash.layout(), area).swap_size;
    put(flash, area, at, &size.to_le_bytes())
}

/// Notes in the primary slot that a step of a group of pages is done; `entry` is group × [`STEPS`] + step.
pub(crate) fn write_status(flash: &mut Flash, entry: u32) -> Result<(), FlashError> {
    let (at, granule) = (Offsets::of(flash.layout(), Area::Slot0).status, flash.layout().granule);
    put(flash, Area::Slot0, at + entry * granule, &[FLAG_SET])
}

/// How many entries, from the first without a gap, are noted in the primary slot.
pub(crate) fn status(flash: &Flash) -> u32 {
    let (at, granule) = (Offsets::of(flash.layout(), Area::Slot0).status, flash.layout().granule);
    let entries = flash.layout().slot_size / flash.layout().page_size * STEPS;
    let view = flash.view(Area::Slot0);
    (0..entries).take_while(|entry| view[(at + entry * granule) as usize] != ERASED).count() as u32
}

/// The last entry that is noted in the primary slot, whatever is missing before it.
pub(crate) fn last_status(flash: &Flash) -> Option<u32> {
    let (at, granule) = (Offsets::of(flash.layout(), Area::Slot0).status, flash.layout().granule);
    let entries = flash.layout().slot_size / flash.layout().page_size * STEPS;
    let view = flash.view(Area::Slot0);
    (0..entries).rev().find(|entry| view[(at + entry * granule) as usize] != ERASED)
}

/// Length of what follows the status: swap size, flags, magic.
pub(crate) fn fields_size(layout: &Layout) -> u32 {
    size(layout) - status_size(layout)
}

/// Erases the pages that hold the trailer of a slot, the last page first, or all of the scratch area, the first page first.
pub(crate) fn erase(flash: &mut Flash, area: Area) -> Result<(), FlashError> {
    let (size, page) = (flash.layout().size_of(area), flash.layout().page_size);
    if area == Area::Scratch {
        return (0..size).step_by(page as usize).try_for_each(|offset| flash.erase(area, offset));
    }
    let trailer = flash.layout().trailer_pages_size();
    (size - trailer..size).step_by(page as usize).rev().try_for_each(|offset| flash.erase(area, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_where_mcuboot_has_them() {
        let mut flash = Flash::new(Layout { slot_size: 64 * 1024, ..Layout::default() });
        write_magic(&mut flash, Area::Slot1).unwrap();
        write_swap_info(&mut flash, Area::Slot1, SwapType::Test).unwrap();
        write_image_ok(&mut flash, Area::Slot1).unwrap();
        let end = &flash.view(Area::Slot1)[64 * 1024 - 40..];
        assert_eq!(end[..8], [2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "swap info");
        assert_eq!(end[8..16], [0xff; 8], "copy done");
        assert_eq!(end[16], 1, "image ok");
        assert_eq!(end[24..], MAGIC_ALIGN_8);
    }

    #[test]
    fn every_field_can_be_written_once_on_every_granule() {
        for granule in [1, 2, 4, 8, 16, 32] {
            let layout = Layout { granule, slot_size: 64 * 1024, ..Layout::default() };
            let mut flash = Flash::new(layout);
            let unset = Trailer::of(&flash, Area::Slot0);
            assert_eq!(
                (unset.magic, unset.image_ok, unset.copy_done),
                (Magic::Unset, Flag::Unset, Flag::Unset)
            );
            assert_eq!((unset.swap_type, unset.swap_size), (None, None));
            write_swap_info(&mut flash, Area::Slot0, SwapType::Revert).unwrap();
            write_swap_size(&mut flash, Area::Slot0, 77_777).unwrap();
            write_copy_done(&mut flash, Area::Slot0).unwrap();
            write_image_ok(&mut flash, Area::Slot0).unwrap();
            write_magic(&mut flash, Area::Slot0).unwrap();
            let set = Trailer::of(&flash, Area::Slot0);
            assert_eq!(
                (set.magic, set.image_ok, set.copy_done),
                (Magic::Good, Flag::Set, Flag::Set),
                "{granule}"
            );
            assert_eq!((set.swap_type, set.swap_size), (Some(SwapType::Revert), Some(77_777)));
            let entries = layout.slot_size / layout.page_size * STEPS;
            (0..entries).for_each(|entry| write_status(&mut flash, entry).unwrap());
            assert_eq!(status(&flash), entries);
            assert_eq!(flash.misuse(), None);
        }
    }
}
