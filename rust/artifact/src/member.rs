// SPDX-License-Identifier: Apache-2.0
//! The members of the outer archive (artifact format v3; §7.1).

use mender_base::Error;

/// A member that format version 3 knows. As wide as [`Error`], so that a result of both is two registers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Member {
    Version,
    Manifest,
    Signature,
    Header,
    Data,
    Augment,
}

const NAMES: [(&[u8], Member); 7] = [
    (b"version", Member::Version),
    (b"manifest", Member::Manifest),
    (b"manifest.sig", Member::Signature),
    (b"header.tar", Member::Header),
    (b"data/0000.tar", Member::Data),
    (b"manifest-augment", Member::Augment),
    (b"header-augment.tar", Member::Augment),
];

/// What an archive may be packed with. An inflater would be chosen here (§7.9).
const SUFFIXES: [(&[u8], Error); 3] =
    [(b".gz", Error::CompressedGzip), (b".xz", Error::CompressedXz), (b".zst", Error::CompressedZstd)];

impl Member {
    /// The member of exactly that name, if the reader can read it.
    pub(crate) fn named(name: &[u8]) -> Result<Self, Error> {
        for &(stem, member) in &NAMES {
            let Some(suffix) = name.strip_prefix(stem) else { continue };
            match member {
                Self::Augment => return Err(Error::Augmented),
                _ if suffix.is_empty() => return Ok(member),
                Self::Header | Self::Data => return Err(packed(suffix)),
                Self::Version | Self::Manifest | Self::Signature => {}
            }
        }
        Err(Error::MemberUnknown)
    }
}

fn packed(suffix: &[u8]) -> Error {
    let found = SUFFIXES.iter().find(|(name, _)| *name == suffix);
    found.map_or(Error::MemberUnknown, |(_, error)| *error)
}
