// SPDX-License-Identifier: Apache-2.0
//! SHA-256 behind a trait, so that a chip's hash engine can take the place of the `sha2` crate.

use sha2::block_api::compress256;

/// A SHA-256 value.
pub type Sha256 = [u8; 32];

/// A running SHA-256.
pub trait Hasher: Sized {
    /// To be [restarted](Self::restart) before use. All zeros, so that memory can be filled with it in one go.
    const IDLE: Self;
    /// An empty hash.
    #[must_use]
    fn new() -> Self {
        let mut hash = Self::IDLE;
        hash.restart();
        hash
    }
    /// Empties it.
    fn restart(&mut self);
    /// Adds `data`.
    fn update(&mut self, data: &[u8]);
    /// The hash of all that was added; it is empty afterwards.
    fn finish(&mut self) -> Sha256;
}

/// The hash of `data`.
#[must_use]
pub fn digest<H: Hasher>(data: &[u8]) -> Sha256 {
    let mut h = H::new();
    h.update(data);
    h.finish()
}

/// SHA-256 by the `sha2` crate's block function. Whole blocks are hashed where they lie; only the ends are copied.
#[derive(Clone)]
#[repr(C)]
pub struct Soft {
    tail_len: usize,
    total: u64,
    state: [u32; 8],
    tail: [u8; 64],
}

const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl Soft {
    /// Fills the tail from `data`, hashes it when full, and returns what is left of `data`.
    fn fill_tail<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let room = self.tail.get_mut(self.tail_len..).unwrap_or_default();
        let n = room.len().min(data.len());
        let (now, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
        if let Some(to) = room.get_mut(..now.len()) {
            to.copy_from_slice(now);
        }
        self.tail_len = self.tail_len.saturating_add(n);
        if self.tail_len >= self.tail.len() {
            compress256(&mut self.state, core::slice::from_ref(&self.tail));
            self.tail_len = 0;
        }
        rest
    }
}

impl Hasher for Soft {
    const IDLE: Self = Self { state: [0; 8], total: 0, tail: [0; 64], tail_len: 0 };

    #[inline(never)]
    fn restart(&mut self) {
        // What is in the tail is never looked at beyond its length.
        (self.state, self.total, self.tail_len) = (START, 0, 0);
    }

    fn update(&mut self, mut data: &[u8]) {
        // A usize always fits; the fallback keeps the sum total.
        self.total = self.total.wrapping_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if self.tail_len > 0 {
            data = self.fill_tail(data);
        }
        let (blocks, rest) = data.as_chunks::<64>();
        if !blocks.is_empty() {
            compress256(&mut self.state, blocks);
        }
        if !rest.is_empty() {
            self.fill_tail(rest);
        }
    }

    fn finish(&mut self) -> Sha256 {
        let bits = self.total.wrapping_mul(8).to_be_bytes();
        self.fill_tail(&[0x80]);
        while self.tail_len != 56 {
            self.fill_tail(&[0]);
        }
        self.fill_tail(&bits);
        let mut out = [0; 32];
        let (words, _) = out.as_chunks_mut::<4>();
        for (to, from) in words.iter_mut().zip(self.state) {
            *to = from.to_be_bytes();
        }
        self.restart();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    #[test]
    fn the_hash_does_not_depend_on_how_the_data_is_cut() {
        let data: Vec<u8> = (0..1000u32).map(|i| i.to_le_bytes()[0]).collect();
        let whole = digest::<Soft>(&data);
        for cut in [1, 3, 55, 56, 63, 64, 65, 127, 128, 999] {
            let mut h = Soft::new();
            data.chunks(cut).for_each(|c| h.update(c));
            assert_eq!(h.finish(), whole, "cut {cut}");
        }
    }

    #[test]
    fn the_vectors_of_fips_180_hold() {
        assert_eq!(digest::<Soft>(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest::<Soft>(b"")[..4], [0xe3, 0xb0, 0xc4, 0x42]);
        let v = digest::<Soft>(br#"{"format":"mender","version":3}"#);
        assert_eq!(v[..4], [0x96, 0xbc, 0xd9, 0x65]);
    }
}
