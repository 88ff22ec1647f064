// SPDX-License-Identifier: Apache-2.0
//! Bytes that survive a power cut: framing, checksum, generation and format version of one record.
//!
//! A record is (numbers big-endian): magic `MNDR`, format, oldest reader that copes, `u16` length of the entries, `u32` generation,
//! entries (`u8` tag, `u16` length, bytes), CRC-32 (ISO-HDLC) of all before. Two copies are kept and written in turn; the valid one with
//! the higher generation counts. Knows bytes; does not know states. `docs/records.md` has every bit.
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

use mender_base::Error;

/// The format this firmware writes.
pub const FORMAT: u8 = 1;
/// The oldest format this firmware reads, and the oldest reader that copes with what it writes.
pub const OLDEST_FORMAT: u8 = 1;

const MAGIC: [u8; 4] = *b"MNDR";
const HEADER_LEN: usize = 12;
const CRC_LEN: usize = 4;
const CRC: crc::Crc<u32, crc::NoTable> = crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);

/// Builds a record in a lent buffer.
pub struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
    fits: bool,
}

impl<'b> Writer<'b> {
    /// Starts a record of `generation`.
    pub fn new(buf: &'b mut [u8], generation: u32) -> Self {
        let mut w = Self { buf, len: 0, fits: true };
        w.put(&MAGIC);
        w.put(&[FORMAT, OLDEST_FORMAT, 0, 0]);
        w.put(&generation.to_be_bytes());
        w
    }

    /// Adds an entry.
    pub fn entry(&mut self, tag: u8, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(len) => {
                self.put(&[tag]);
                self.put(&len.to_be_bytes());
                self.put(bytes);
            }
            Err(_) => self.fits = false,
        }
    }

    /// Ends the record and returns its bytes.
    ///
    /// # Errors
    /// [`Error::RecordTooLong`]: it did not fit the buffer.
    pub fn finish(mut self) -> Result<&'b [u8], Error> {
        let entries = self.len.saturating_sub(HEADER_LEN);
        let len = u16::try_from(entries).map_err(too_long)?;
        if let Some(to) = self.buf.get_mut(6..8).and_then(|s| s.first_chunk_mut::<2>()) {
            *to = len.to_be_bytes();
        }
        let crc = CRC.checksum(self.buf.get(..self.len).unwrap_or_default());
        self.put(&crc.to_be_bytes());
        let Self { buf, len, fits } = self;
        if !fits {
            return Err(Error::RecordTooLong);
        }
        buf.get(..len).ok_or(Error::RecordTooLong)
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buf.get_mut(self.len..end) {
            Some(to) => {
                for (t, f) in to.iter_mut().zip(bytes) {
                    *t = *f;
                }
                self.len = end;
            }
            None => self.fits = false,
        }
    }
}

fn too_long<E>(_: E) -> Error {
    Error::RecordTooLong
}

/// A record whose frame and checksum are right.
#[derive(Clone, Copy, Debug)]
pub struct Record<'b> {
    generation: u32,
    entries: &'b [u8],
}

impl<'b> Record<'b> {
    /// Checks the frame of `bytes`; what follows the record is not looked at, since flash pads.
    ///
    /// # Errors
    /// [`Error::RecordDamaged`], or [`Error::RecordFormat`] when a whole record asks for a newer reader.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        let damaged = Error::RecordDamaged;
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(damaged)?;
        let ([format, oldest], rest) = rest.split_first_chunk::<2>().ok_or(damaged)?;
        let (len, rest) = rest.split_first_chunk::<2>().ok_or(damaged)?;
        let (generation, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let (entries, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into()).ok_or(damaged)?;
        let (crc, _) = rest.split_first_chunk::<CRC_LEN>().ok_or(damaged)?;
        let summed = bytes.get(..HEADER_LEN.saturating_add(entries.len())).ok_or(damaged)?;
        if *magic != MAGIC || CRC.checksum(summed) != u32::from_be_bytes(*crc) {
            return Err(damaged);
        }
        if *oldest > FORMAT || *format < OLDEST_FORMAT {
            return Err(Error::RecordFormat);
        }
        Ok(Self { generation: u32::from_be_bytes(*generation), entries })
    }

    /// The higher one of two valid copies is the newer.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The bytes of the first entry with that tag. Tags nobody asks for are skipped: a newer firmware may have written them.
    #[must_use]
    pub fn get(&self, tag: u8) -> Option<&'b [u8]> {
        let mut rest = self.entries;
        while let Some(([t, high, low], tail)) = rest.split_first_chunk::<3>() {
            let len = u16::from_be_bytes([*high, *low]);
            let (bytes, next) = tail.split_at_checked(len.into())?;
            if *t == tag {
                return Some(bytes);
            }
            rest = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn record(generation: u32) -> Vec<u8> {
        let mut buf = [0; 64];
        let mut w = Writer::new(&mut buf, generation);
        w.entry(1, b"one");
        w.entry(200, b"from a newer firmware");
        w.entry(2, b"");
        w.finish().unwrap().to_vec()
    }

    #[test]
    fn a_record_gives_back_its_entries_and_skips_unknown_ones() {
        let bytes = record(7);
        let r = Record::parse(&bytes).unwrap();
        assert_eq!(r.generation(), 7);
        assert_eq!(r.get(1), Some(&b"one"[..]));
        assert_eq!(r.get(2), Some(&b""[..]));
        assert_eq!(r.get(3), None);
    }

    #[test]
    fn the_bytes_of_format_1_stay_as_they_are() {
        let expected = b"MNDR\x01\x01\x00\x21\x00\x00\x00\x07\x01\x00\x03one\xc8\x00\x15from a newer firmware\x02\x00\x00";
        assert_eq!(record(7)[..expected.len()], expected[..]);
        assert_eq!(record(7)[expected.len()..], 0xc73a_60af_u32.to_be_bytes());
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_seen() {
        let good = record(1);
        for i in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[i] ^= 1 << bit;
                assert!(Record::parse(&bad).is_err(), "byte {i} bit {bit}");
            }
            assert!(Record::parse(&good[..i]).is_err(), "cut at {i}");
        }
        let padded = [&good[..], &[0xff; 9]].concat();
        assert!(Record::parse(&padded).is_ok());
    }

    #[test]
    fn a_record_for_newer_readers_only_is_told_from_a_damaged_one() {
        let mut bytes = record(1);
        bytes[5] = FORMAT + 1;
        let end = bytes.len() - CRC_LEN;
        let crc = CRC.checksum(&bytes[..end]).to_be_bytes();
        bytes[end..].copy_from_slice(&crc);
        assert_eq!(Record::parse(&bytes).unwrap_err(), Error::RecordFormat);
        bytes[5] = FORMAT;
        bytes[4] = FORMAT + 1;
        let crc = CRC.checksum(&bytes[..end]).to_be_bytes();
        bytes[end..].copy_from_slice(&crc);
        assert!(Record::parse(&bytes).is_ok(), "a newer format that old readers cope with");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let mut buf = [0; 20];
        let mut w = Writer::new(&mut buf, 1);
        w.entry(1, b"0123456789");
        assert_eq!(w.finish().unwrap_err(), Error::RecordTooLong);
    }
}
