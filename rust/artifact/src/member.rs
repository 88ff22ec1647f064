// SPDX-License-Identifier: Apache-2.0
//! The members of the outer archive (artifact format v3; §7.1).

use mender_base::Error;

/// A member that format version 3 knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    Version,
    Manifest,
    Signature,
    Header,
    Data,
}

impl Member {
    /// The member of exactly that name.
    pub(crate) fn named(name: &[u8]) -> Result<Self, Error> {
        if name == b"manifest-augment" || name.starts_with(b"header-augment.tar") {
            return Err(Error::Augmented);
        }
        if let Some(suffix) = name.strip_prefix(b"header.tar") {
            return compression(suffix).map(|()| Self::Header);
        }
        if let Some(suffix) = name.strip_prefix(b"data/0000.tar") {
            return compression(suffix).map(|()| Self::Data);
        }
        match name {
            b"version" => Ok(Self::Version),
            b"manifest" => Ok(Self::Manifest),
            b"manifest.sig" => Ok(Self::Signature),
            _ => Err(Error::MemberUnknown),
        }
    }
}

/// Whether an archive with that suffix can be read. An inflater would be chosen here (§7.9).
pub(crate) fn compression(suffix: &[u8]) -> Result<(), Error> {
    match suffix {
        b"" => Ok(()),
        b".gz" => Err(Error::CompressedGzip),
        b".xz" => Err(Error::CompressedXz),
        b".zst" => Err(Error::CompressedZstd),
        _ => Err(Error::MemberUnknown),
    }
}
