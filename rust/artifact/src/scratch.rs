// SPDX-License-Identifier: Apache-2.0
//! The one buffer of the reader. Its uses follow each other: member name, manifest line, decoded signature, then the
//! areas of the header; within those, the text is an entry's name or a string of its JSON.

use mender_base::{Error, limits};

pub(crate) struct Scratch([u8; limits::SCRATCH]);

/// Mark of a key: see [`crate::header`].
pub(crate) type KeyMark = [u8; 4];

const TEXT: usize = 288;
const KEYS: usize = 2 * limits::PAIRS_MAX;
const _: () = assert!(limits::PAIR_KEY_MAX + limits::PAYLOAD_TYPE_MAX + 4 * KEYS + TEXT == limits::SCRATCH);
const _: () =
    assert!(TEXT > limits::PAIR_VALUE_MAX && TEXT > limits::NAME_MAX && TEXT > limits::FILE_NAME_MAX);

/// The buffer while the header is read.
pub(crate) struct Areas<'s> {
    /// Name of an entry, or the JSON string or number that is being read.
    pub(crate) text: &'s mut [u8; TEXT],
    /// Key of the current pair.
    pub(crate) key: &'s mut [u8; limits::PAIR_KEY_MAX],
    /// Payload type of header-info.
    pub(crate) payload_type: &'s mut [u8; limits::PAYLOAD_TYPE_MAX],
    /// Marks of the keys seen: provides, then depends.
    pub(crate) keys: &'s mut [KeyMark],
}

impl Scratch {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self([0; limits::SCRATCH])
    }

    /// All of it.
    pub(crate) fn all(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The same to read; the text area of the header is its start.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key of the current pair.
    pub(crate) fn key(&self) -> &[u8] {
        self.0.get(TEXT..).unwrap_or_default()
    }

    /// The payload type of header-info.
    pub(crate) fn payload_type(&self) -> &[u8] {
        self.0.get(TEXT.saturating_add(limits::PAIR_KEY_MAX)..).unwrap_or_default()
    }

    pub(crate) fn areas(&mut self) -> Result<Areas<'_>, Error> {
        // The sizes are constants that add up, so no error is left after compilation.
        let (text, rest) = self.0.split_first_chunk_mut().ok_or(Error::Internal)?;
        let (key, rest) = rest.split_first_chunk_mut().ok_or(Error::Internal)?;
        let (payload_type, rest) = rest.split_first_chunk_mut().ok_or(Error::Internal)?;
        let (keys, _) = rest.as_chunks_mut();
        Ok(Areas { text, key, payload_type, keys })
    }
}
