// SPDX-License-Identifier: Apache-2.0
//! What the client must know of a MCUboot image: is it one, does it fit its file, which hash names it.
//!
//! Source: MCUboot, `docs/design.md` "Image format" (`struct image_header`, `struct image_tlv_info`, `struct image_tlv`).

use mender_base::Error;
use mender_base::sha256::Sha256;
use mender_port::{Errno, Slot};

/// Length of the part of the header that is looked at.
pub(crate) const HEADER_LEN: usize = 32;
const MAGIC: u32 = 0x96f3_b83d;
const TLV_MAGIC: u16 = 0x6907;
const TLV_PROTECTED_MAGIC: u16 = 0x6908;
const TLV_SHA256: u16 = 0x10;
/// More than any tool writes; each costs a read of flash.
const TLVS_MAX: u8 = 64;

/// Where an image's TLVs begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    tlv_offset: u32,
    protected_len: u32,
}

/// Checks the header of an image in a file of `file_len` bytes.
///
/// # Errors
/// [`Error::ImageMagic`], [`Error::ImageSize`].
pub(crate) fn layout(header: &[u8; HEADER_LEN], file_len: u32) -> Result<Layout, Error> {
    let [m0, m1, m2, m3, _, _, _, _, h0, h1, p0, p1, s0, s1, s2, s3, ..] = *header;
    if u32::from_le_bytes([m0, m1, m2, m3]) != MAGIC {
        return Err(Error::ImageMagic);
    }
    let header_len = u32::from(u16::from_le_bytes([h0, h1]));
    let protected_len = u32::from(u16::from_le_bytes([p0, p1]));
    let image_len = u32::from_le_bytes([s0, s1, s2, s3]);
    let tlv_offset = header_len.checked_add(image_len).ok_or(Error::ImageSize)?;
    let tlv_end =
        tlv_offset.checked_add(protected_len).and_then(|n| n.checked_add(4)).ok_or(Error::ImageSize)?;
    if image_len == 0 || usize::try_from(header_len).is_ok_and(|n| n < HEADER_LEN) || tlv_end > file_len {
        return Err(Error::ImageSize);
    }
    Ok(Layout { tlv_offset, protected_len })
}

/// Reads the SHA-256 TLV of the image that was written to the slot.
///
/// # Errors
/// [`Error::ImageHash`] when it has none, [`Error::ImageSize`] when its TLVs leave the file, [`Error::SlotRead`].
pub(crate) fn hash(
    slot: &mut impl Slot,
    layout: Layout,
    file_len: u32,
    to: &mut Sha256,
) -> Result<(), Error> {
    let mut offset = layout.tlv_offset;
    if layout.protected_len > 0 {
        let (magic, len) = pair(slot, offset, file_len)?;
        if magic != TLV_PROTECTED_MAGIC || len != layout.protected_len {
            return Err(Error::ImageSize);
        }
        offset = offset.saturating_add(len);
    }
    let (magic, len) = pair(slot, offset, file_len)?;
    let end = offset.checked_add(len).filter(|end| *end <= file_len).ok_or(Error::ImageSize)?;
    if magic != TLV_MAGIC {
        return Err(Error::ImageSize);
    }
    offset = offset.saturating_add(4);
    for _ in 0..TLVS_MAX {
        if offset >= end {
            break;
        }
        let (kind, len) = pair(slot, offset, end)?;
        offset = offset.saturating_add(4);
        if kind == TLV_SHA256 && len == 32 {
            let mut hash = [0; 32];
            if offset.saturating_add(32) > end {
                return Err(Error::ImageSize);
            }
            slot.read(offset, &mut hash).map_err(unreadable)?;
            *to = hash;
            return Ok(());
        }
        offset = offset.saturating_add(len);
    }
    Err(Error::ImageHash)
}

/// Two little-endian 16-bit numbers below `end`.
fn pair(slot: &mut impl Slot, offset: u32, end: u32) -> Result<(u16, u32), Error> {
    if offset.saturating_add(4) > end {
        return Err(Error::ImageSize);
    }
    let mut bytes = [0; 4];
    slot.read(offset, &mut bytes).map_err(unreadable)?;
    let [a, b, c, d] = bytes;
    Ok((u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]).into()))
}

fn unreadable(_: Errno) -> Error {
    Error::SlotRead
}
