// SPDX-License-Identifier: Apache-2.0
//! A bounded list of string pairs in one byte buffer: provides, depends, identity.
//!
//! Each pair is one length byte and the key, then two length bytes (big-endian) and the value. The same bytes go into records.

use crate::limits;
use crate::text::utf8;
use heapless::VecView;

/// Pairs in at most `N` bytes, in the order they were added; keys are unique.
#[derive(Clone, Default)]
pub struct Pairs<const N: usize> {
    bytes: heapless::Vec<u8, N>,
}

/// A pair did not fit: too many, too long, or an empty key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl<const N: usize> Pairs<N> {
    /// No pairs.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: heapless::Vec::new() }
    }

    /// The encoded bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Pairs from encoded bytes; `None` when they are not whole, too long, or not UTF-8.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut pairs = Self::new();
        extend(&mut pairs.bytes, 0, bytes).then_some(pairs)
    }

    /// The pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        iter(&self.bytes)
    }

    /// Number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets all pairs.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        get(&self.bytes, key)
    }

    /// Adds a pair. A key that is already there is an error: two values for one name have no right order.
    ///
    /// # Errors
    /// [`Full`] when the pair is over a limit of [`limits`], does not fit, or is there already; nothing is changed.
    pub fn push(&mut self, key: &str, value: &str) -> Result<(), Full> {
        push(&mut self.bytes, 0, key, value)
    }
}

/// The value of `key` among encoded pairs.
#[must_use]
#[inline(never)]
pub fn get<'b>(bytes: &'b [u8], key: &str) -> Option<&'b str> {
    iter(bytes).find(|(k, _)| *k == key).map(|(_, v)| v)
}

/// Adds a pair to those that begin at `from`: [`Pairs::push`] for every length.
///
/// # Errors
/// [`Full`], as there.
#[inline(never)]
pub fn push(bytes: &mut VecView<u8>, from: usize, key: &str, value: &str) -> Result<(), Full> {
    let others = bytes.get(from..).unwrap_or_default();
    let too_long = key.is_empty() || key.len() > limits::PAIR_KEY_MAX || value.len() > limits::PAIR_VALUE_MAX;
    if too_long || iter(others).count() >= limits::PAIRS_MAX || get(others, key).is_some() {
        return Err(Full);
    }
    let old = bytes.len();
    let value_len = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
    let key_len = u8::try_from(key.len()).unwrap_or(u8::MAX);
    for part in [&[key_len][..], key.as_bytes(), &value_len, value.as_bytes()] {
        if bytes.extend_from_slice(part).is_err() {
            bytes.truncate(old);
            return Err(Full);
        }
    }
    Ok(())
}

/// Adds encoded pairs to those that begin at `from`; `false` when they are not whole, do not fit, or are not UTF-8.
#[must_use]
#[inline(never)]
pub fn extend(bytes: &mut VecView<u8>, from: usize, more: &[u8]) -> bool {
    let mut rest = more;
    while !rest.is_empty() {
        let Some(((key, value), next)) = split(rest) else { return false };
        if push(bytes, from, key, value).is_err() {
            return false;
        }
        rest = next;
    }
    true
}

type Pair<'a> = (&'a str, &'a str);

#[inline(never)]
fn split(bytes: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (key_len, rest) = bytes.split_first()?;
    let (key, rest) = rest.split_at_checked(usize::from(*key_len))?;
    let (value_len, rest) = rest.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*value_len)))?;
    Some(((utf8(key)?, utf8(value)?), rest))
}

/// The pairs in encoded bytes; stops at the first that is not whole.
pub fn iter(bytes: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (pair, next) = split(rest)?;
        rest = next;
        Some(pair)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_their_bytes() {
        let mut p = Pairs::<64>::new();
        p.push("artifact_name", "release-1").unwrap();
        p.push("empty", "").unwrap();
        let q = Pairs::<64>::from_bytes(p.as_bytes()).unwrap();
        assert_eq!(q.get("artifact_name"), Some("release-1"));
        assert_eq!(q.get("empty"), Some(""));
        assert_eq!(q.len(), 2);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut p = Pairs::<16>::new();
        p.push("a", "b").unwrap();
        for (k, v) in [("a", "c"), ("", "x"), ("key", "0123456789")] {
            assert_eq!(p.push(k, v), Err(Full));
        }
        assert_eq!(p.as_bytes(), b"\x01a\x00\x01b");
        for bytes in [
            &b"\x01"[..],
            b"\x01a\x00",
            b"\x01a\x00\x02b",
            b"\x01\xff\x00\x00",
            b"\x01a\x00\x00\x01a\x00\x00",
        ] {
            assert!(Pairs::<16>::from_bytes(bytes).is_none());
        }
    }
}
