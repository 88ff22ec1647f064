// SPDX-License-Identifier: Apache-2.0
//! Reads Mender artifacts of format version 3 as they come in, in chunks of any size, and checks everything that can be
//! checked before it says so: nothing is stored, nothing is copied, nothing is believed early.
//!
//! Knows: tar, the members of an artifact, their checksums, limits. Does not know: keys and how signatures are verified,
//! what the device is and provides, where payload goes, networks.
//!
//! ```
//! use mender_artifact::{Piece, Reader, Unsigned};
//! use mender_base::{Error, sha256::Soft};
//!
//! fn read(chunk: &mut &[u8], reader: &mut Reader<Soft>) -> Result<(), Error> {
//!     loop {
//!         let (used, piece) = reader.feed(chunk)?;
//!         *chunk = &chunk[used..];
//!         match piece {
//!             None => return Ok(()), // all of the chunk was used
//!             Some(Piece::Signature { manifest, signature }) => {
//!                 let good = verify(manifest, signature);
//!                 reader.signature(good)?;
//!             }
//!             Some(Piece::Payload { data, .. }) => {
//!                 let taken = &data[..data.len().min(256)]; // what the sink wants now
//!                 reader.take(taken)?;
//!                 *chunk = &chunk[taken.len()..];
//!             }
//!             Some(_fact) => {} // remembered; acted on after `Piece::HeaderEnd`
//!         }
//!     }
//! }
//! # fn verify(_: &[u8; 32], _: &[u8]) -> bool { true }
//! let mut reader = Reader::<Soft>::new(Unsigned::Accept);
//! read(&mut &[0u8; 512][..], &mut reader)?;
//! assert_eq!(read(&mut &[0u8; 512][..], &mut reader), Err(Error::MemberOrder)); // an empty archive
//! assert_eq!(reader.finish(), Err(Error::MemberOrder));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Layers
//! `tar` reads one level of archive; `member` and `reader` know the order of the outer one; `manifest`, `signature`,
//! `header` and `payload` know what is in its members. Two later additions have their places:
//! - an inflater stands between the outer member (`header.tar.gz`, `data/0000.tar.gz`) and the archive in it: where
//!   `Reader::content` hands bytes of the member to `Reader::archive`, chosen by the suffix in `member::compression`;
//! - a download that is taken up again after a power cut: a new reader is fed the start of the artifact up to
//!   [`Piece::FileStart`]; the part of the file that is already stored is read back and given to [`Reader::take`],
//!   and the input goes on that much further. The hash comes from what is really stored, never from a record.
//!
//! Source: Mender artifact format, version 3 (mender-artifact, `Documentation/artifact-format-v3.md`); `docs/protocol` §7.
#![no_std]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::string_slice,
    clippy::integer_division,
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_macros
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::string_slice,
        clippy::integer_division,
        reason = "tests may panic"
    )
)]

mod header;
mod manifest;
mod member;
mod payload;
mod piece;
mod reader;
mod scratch;
mod signature;
mod tar;

pub use piece::Piece;
pub use reader::{Reader, Unsigned};
