// SPDX-License-Identifier: Apache-2.0
//! What the reader hands out.

use mender_base::sha256::Sha256;

/// One thing the artifact said. Pieces come in the order of the artifact.
///
/// `'s` borrows from the reader until its next call, `'i` from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'s, 'i> {
    /// The artifact is signed. The answer is due at once: [`crate::Reader::signature`].
    Signature {
        /// SHA-256 of the manifest, which is what was signed.
        manifest: &'s Sha256,
        /// The decoded signature, 8…512 bytes: 64 are a raw P-256 `r‖s`, others are DER (P-256) or PKCS#1 v1.5 (RSA).
        signature: &'s [u8],
    },
    /// The artifact is not signed, and that is accepted.
    Unsigned,
    /// The name of the artifact: 1…256 bytes without control characters.
    ArtifactName(&'s str),
    /// The group of the artifact, at most 256 bytes.
    ArtifactGroup(&'s str),
    /// The type of the payload, 1…32 bytes; `None` for the empty payload, which has neither files nor meta-data.
    PayloadType(Option<&'s str>),
    /// One of the values the artifact allows for `key`. `device_type`, `artifact_name` and `artifact_group` come here too.
    Depends {
        /// What is restricted, 1…64 bytes.
        key: &'s str,
        /// An allowed value, at most 256 bytes.
        value: &'s str,
    },
    /// All values allowed for `key` were handed out. Without any before, none is allowed.
    DependsEnd {
        /// As in [`Piece::Depends`].
        key: &'s str,
    },
    /// The payload provides this. Each key comes once; `artifact_name` and `device_type` never come.
    Provides {
        /// 1…64 bytes.
        key: &'s str,
        /// At most 256 bytes.
        value: &'s str,
    },
    /// Stored provides whose keys match this pattern are to be removed (`*` is any run); at most 256 bytes.
    Clears(&'s str),
    /// `type-info` has ended. The flags say which members it had: their absence has a meaning (§7.11).
    TypeInfoEnd {
        /// `artifact_provides` was there, if only empty.
        provides: bool,
        /// `clears_artifact_provides` was there, if only empty.
        clears: bool,
    },
    /// The next bytes of a `meta-data` that is not empty, as written. They count as used.
    MetaData(&'i [u8]),
    /// `meta-data` has ended, and it was a JSON object.
    MetaDataEnd,
    /// The header is the one the manifest lists: from now on the facts above may be acted on.
    HeaderEnd,
    /// A payload file begins.
    FileStart {
        /// Its place in the artifact, from 0. No signature covers the order of files; the name is what counts.
        index: u8,
        /// Its name, 1…128 bytes: letters, digits and `_-.,`.
        name: &'s str,
        /// Its length in bytes.
        size: u32,
        /// Its SHA-256, by the manifest. What comes is compared with it at the end.
        sum: &'s Sha256,
    },
    /// The next bytes of the payload file. They do not count as used: see [`crate::Reader::take`].
    Payload {
        /// The file.
        index: u8,
        /// Where in the file they lie, bytes from its start.
        offset: u32,
        /// At least one byte, up to the end of the input or of the file.
        data: &'i [u8],
    },
    /// The payload file has ended, and it is the one the manifest lists.
    FileEnd {
        /// The file.
        index: u8,
    },
    /// The artifact is complete and everything in its manifest was there. Only zero blocks may follow.
    End,
}

/// Which [`Piece`] comes; what is in it is where it was read, until the next call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    // Zero is left to `None`.
    Signature = 1,
    Unsigned,
    ArtifactName,
    ArtifactGroup,
    PayloadType,
    Depends,
    DependsEnd,
    Provides,
    Clears,
    TypeInfoEnd,
    MetaData,
    MetaDataEnd,
    HeaderEnd,
    FileStart,
    Payload,
    FileEnd,
    End,
}
