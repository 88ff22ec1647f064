// SPDX-License-Identifier: Apache-2.0
//! The payload files in `data/0000.tar` (artifact format v3; §7.8).

use crate::manifest::Manifest;
use mender_base::Error;
use mender_base::sha256::{Hasher, Sha256};

/// The payload file that is being read.
#[repr(C)]
pub(crate) struct Payload {
    /// Files that were begun.
    count: u8,
    /// Its place in the manifest.
    place: usize,
    /// Bytes of the file that were taken.
    offset: u32,
}

impl Payload {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { place: 0, count: 0, offset: 0 }
    }

    /// Place of the file in the artifact, from 0.
    pub(crate) const fn index(&self) -> u8 {
        self.count.saturating_sub(1)
    }

    /// A file begins.
    pub(crate) fn begin<H: Hasher>(&mut self, manifest: &mut Manifest, name: &[u8]) -> Result<(), Error> {
        self.place = manifest.begin_file::<H>(name)?;
        self.count = self.count.saturating_add(1);
        self.offset = 0;
        Ok(())
    }

    /// The file's checksum, by the manifest.
    pub(crate) fn sum<'m>(&self, manifest: &'m Manifest) -> &'m Sha256 {
        manifest.sum(self.place)
    }

    /// Bytes of the file that were taken.
    pub(crate) const fn offset(&self) -> u32 {
        self.offset
    }

    /// `len` bytes of the file were taken.
    pub(crate) const fn take(&mut self, len: u32) {
        self.offset = self.offset.saturating_add(len);
    }

    /// The file has ended, with this hash.
    pub(crate) fn end(&self, manifest: &Manifest, hash: &Sha256) -> Result<(), Error> {
        let same = manifest.is_file(self.place, hash);
        if same { Ok(()) } else { Err(Error::FileHash) }
    }
}
