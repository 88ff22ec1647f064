// SPDX-License-Identifier: Apache-2.0
//! The payload files in `data/0000.tar` (artifact format v3; §7.8).

use crate::manifest::Manifest;
use crate::piece::Note;
use mender_base::Error;
use mender_base::sha256::{Hasher, Sha256};

/// The payload file that is being read.
pub(crate) struct Payload {
    /// Its place in the manifest.
    place: usize,
    /// Files that were begun.
    count: u8,
    /// Bytes of the file that were taken.
    offset: u32,
}

impl Payload {
    pub(crate) const fn new() -> Self {
        Self { place: 0, count: 0, offset: 0 }
    }

    const fn index(&self) -> u8 {
        self.count.saturating_sub(1)
    }

    /// A file begins.
    pub(crate) fn begin<H: Hasher>(
        &mut self,
        manifest: &mut Manifest,
        name: &[u8],
        size: u32,
    ) -> Result<Note, Error> {
        self.place = manifest.begin_file::<H>(name)?;
        self.count = self.count.saturating_add(1);
        self.offset = 0;
        Ok(Note::FileStart { index: self.index(), name: name.len(), size })
    }

    /// `len` bytes of the file have come.
    pub(crate) const fn offer(&self, len: usize) -> Note {
        Note::Payload { index: self.index(), offset: self.offset, len }
    }

    /// `len` of them were taken.
    pub(crate) fn take(&mut self, len: usize) -> Result<(), Error> {
        let len = u32::try_from(len).ok().ok_or(Error::Internal)?;
        self.offset = self.offset.checked_add(len).ok_or(Error::Internal)?;
        Ok(())
    }

    /// The file has ended, with this hash.
    pub(crate) fn end(&self, manifest: &Manifest, hash: &Sha256) -> Result<Note, Error> {
        let same = manifest.is_file(self.place, hash);
        if same { Ok(Note::FileEnd { index: self.index() }) } else { Err(Error::FileHash) }
    }
}
