// SPDX-License-Identifier: Apache-2.0
//! The inactive image slot, where a new MCUboot image is written.

use crate::Result;

/// The inactive slot. Written once from the start to the end, then read back.
pub trait Slot {
    /// Gets ready for an image of `size` bytes; what MCUboot was asked for before is off. May erase two pages. Never called while the running image is unconfirmed: the slot then holds
    /// the image to fall back to.
    ///
    /// # Errors
    /// [`crate::Errno::ENOSPC`] when MCUboot could not swap an image of that size; nothing was erased.
    fn begin(&mut self, size: u32) -> Result<()>;

    /// Appends a prefix of `data` and returns its length. Erases as it goes, at most one page per call, so 0 means "again".
    /// Bytes short of a program granule may be kept until the next call or [`Slot::finish`].
    ///
    /// # Errors
    /// The slot is dead until the next [`Slot::begin`]: some of `data` may be written.
    fn write(&mut self, data: &[u8]) -> Result<usize>;

    /// Writes what was kept. From now on [`Slot::read`] sees every byte.
    ///
    /// # Errors
    /// As [`Slot::write`].
    fn finish(&mut self) -> Result<()>;

    /// Reads back `buf.len()` bytes at `offset` of the image that was written, all or none.
    ///
    /// # Errors
    /// `buf` is then undefined.
    fn read(&mut self, offset: u32, buf: &mut [u8]) -> Result<()>;

    /// Makes MCUboot ignore the slot: a swap that was asked for will not happen. At most one page erase per call; `true` when done.
    ///
    /// # Errors
    /// The slot may still be armed.
    fn invalidate(&mut self) -> Result<bool>;
}
