// SPDX-License-Identifier: Apache-2.0
//! The IO buffer: bytes lie where they were received until they are used; nothing is moved.
//!
//! Its end is lent as scratch to what reads replies of the device API, which are received into the rest.

use mender_api::Next;

/// A lent buffer and the part of it that holds received bytes.
pub(crate) struct Io<'b> {
    buf: &'b mut [u8],
    start: usize,
    end: usize,
}

impl<'b> Io<'b> {
    pub(crate) fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, start: 0, end: 0 }
    }

    /// The received bytes that are not used yet. Asked for with every piece, and hardly longer than a call.
    #[inline(always)]
    pub(crate) fn data(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// How much may be received while the scratch is in use.
    pub(crate) fn before_scratch(&self) -> usize {
        self.buf.len().saturating_sub(Next::SCRATCH)
    }

    /// The received bytes, and the scratch.
    pub(crate) fn data_and_scratch(&mut self) -> (&[u8], &mut [u8]) {
        let (data, scratch) = self.buf.split_at_mut_checked(self.before_scratch()).unwrap_or_default();
        (data.get(self.start..self.end).unwrap_or_default(), scratch)
    }

    pub(crate) fn scratch(&self) -> &[u8] {
        self.buf.get(self.before_scratch()..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// The whole buffer, to be received into or written in; what was in it is gone.
    pub(crate) fn fresh(&mut self) -> &mut [u8] {
        (self.start, self.end) = (0, 0);
        self.buf
    }

    /// So many bytes were received into [`Io::fresh`].
    pub(crate) fn received(&mut self, len: usize) {
        (self.start, self.end) = (0, len.min(self.buf.len()));
    }

    /// So many bytes of [`Io::data`] were used.
    pub(crate) fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }
}
