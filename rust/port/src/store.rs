// SPDX-License-Identifier: Apache-2.0
//! Small records that outlive a power cut.

use crate::Result;

/// The records the client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordId {
    /// One copy of the client's state.
    A = 0,
    /// The other copy.
    B = 1,
    /// The deployment log.
    Log = 2,
}

/// A key-value store with whole-record writes (Zephyr settings). Its writes need not be atomic: the client keeps two copies and a CRC.
pub trait Store {
    /// Reads a record into `buf` and returns its length; `None` when there is none.
    ///
    /// # Errors
    /// The record cannot be read, or is longer than `buf`. Never an error for a record that was never written.
    fn read(&mut self, id: RecordId, buf: &mut [u8]) -> Result<Option<usize>>;

    /// Writes a record. When it returns, the record outlives a power cut; a cut within may leave it old, new, torn or absent.
    ///
    /// # Errors
    /// The record is old, new, torn or absent. The other records are as they were.
    fn write(&mut self, id: RecordId, bytes: &[u8]) -> Result<()>;
}
