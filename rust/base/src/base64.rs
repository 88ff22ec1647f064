// SPDX-License-Identifier: Apache-2.0
//! Base64 with the standard alphabet and padding (RFC 4648 §4), a group at a time, in place of a heap.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn digit(six: u8) -> u8 {
    ALPHABET.get(usize::from(six & 63)).copied().unwrap_or(b'=')
}

/// Four base64 characters of 1…3 bytes; more bytes are not looked at.
#[must_use]
pub fn encode_group(bytes: &[u8]) -> [u8; 4] {
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (a, b, c) = (at(0), at(1), at(2));
    let pad = |i: usize, d: u8| if i < bytes.len() { d } else { b'=' };
    [digit(a >> 2), digit((a & 3) << 4 | b >> 4), pad(1, digit((b & 15) << 2 | c >> 6)), pad(2, digit(c))]
}

/// A strict decoder that is fed a byte at a time.
///
/// Refuses the URL-safe alphabet, spaces within, characters after padding, and non-zero bits under it.
#[derive(Clone, Default)]
pub struct Decoder {
    bits: u32,
    count: u8,
    padding: u8,
    bad: bool,
}

impl Decoder {
    /// Nothing decoded yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bits: 0, count: 0, padding: 0, bad: false }
    }

    /// Takes one character; the decoded byte, if one is complete.
    pub fn push(&mut self, c: u8) -> Option<u8> {
        let Some(six) = ALPHABET.iter().position(|known| *known == c) else {
            if c == b'=' {
                self.padding = self.padding.saturating_add(1);
                self.bad |= self.count < 2;
                self.step(0);
            } else {
                self.bad = true;
            }
            return None;
        };
        self.bad |= self.padding > 0;
        self.step(u32::try_from(six).unwrap_or(0))
    }

    fn step(&mut self, six: u32) -> Option<u8> {
        self.bits = self.bits.wrapping_shl(6) | six;
        self.count = self.count.wrapping_add(1) & 3;
        let byte = match self.count {
            2 => self.bits >> 4,
            3 => self.bits >> 2,
            0 => self.bits,
            _ => return None,
        };
        // Under padding no bit may be set: another text would decode to the same bytes.
        if self.padding > 0 {
            self.bad |= byte & 0xff != 0;
        }
        Some(byte.to_le_bytes()[0])
    }

    /// Whether all characters made up whole groups.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.bad && self.count == 0 && self.padding <= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::{string::String, vec::Vec};

    fn encode(data: &[u8]) -> String {
        data.chunks(3).flat_map(encode_group).map(char::from).collect()
    }

    fn decode(text: &str) -> Option<Vec<u8>> {
        let mut d = Decoder::default();
        let out = text.bytes().filter_map(|c| d.push(c)).collect();
        d.is_complete().then_some(out)
    }

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()), "{text}");
        }
        assert_eq!(decode(&encode(&[0xff, 0xef, 0xbe])).unwrap(), [0xff, 0xef, 0xbe]);
    }

    #[test]
    fn what_is_not_strict_base64_is_refused() {
        for bad in
            ["Z", "Zg", "Zg=", "Zg===", "Zh==", "Z===", "=", "Zm9v=", "Zg==Zg==", "Zm9_", "Zm 9v", "Zm9v\n"]
        {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
