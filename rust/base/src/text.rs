// SPDX-License-Identifier: Apache-2.0
//! Bounded text and numbers as text, without `core::fmt`.

#[cfg(feature = "error-texts")]
use core::ffi::CStr;

/// Text of at most `N` bytes.
pub type Text<const N: usize> = heapless::String<N>;

/// A text of whatever size.
pub type TextView = heapless::string::StringView;

/// A copy of `s`, if it fits.
#[must_use]
pub fn text<const N: usize>(s: &str) -> Option<Text<N>> {
    let mut t = Text::new();
    assign(&mut t, s).then_some(t)
}

/// Makes `t` a copy of `s`; `false` when that does not fit, and `t` is empty then. One function for every length.
#[inline(never)]
pub fn assign(t: &mut TextView, s: &str) -> bool {
    t.clear();
    t.push_str(s).is_ok()
}

/// The text in these bytes; `None` when they are not UTF-8. Here for all: the result of `core::str::from_utf8` goes through memory, and
/// it is longer, for it takes ASCII by the word.
#[must_use]
#[inline(never)]
pub fn utf8(bytes: &[u8]) -> Option<&str> {
    let Some(chunk) = bytes.utf8_chunks().next() else { return Some("") };
    chunk.invalid().is_empty().then_some(chunk.valid())
}

/// The `n`th of texts that each end with NUL, with its NUL; empty past the last. One string and no table of pointers saves 8 bytes a text.
#[inline(never)]
fn nth_and_nul(texts: &'static str, n: usize) -> &'static [u8] {
    let len = |rest: &[u8]| rest.iter().take_while(|byte| **byte != 0).count().saturating_add(1);
    let mut rest = texts.as_bytes();
    for _ in 0..n {
        rest = rest.get(len(rest)..).unwrap_or_default();
    }
    rest.get(..len(rest)).unwrap_or_default()
}

/// That text for Rust.
pub(crate) fn nth(texts: &'static str, n: usize) -> &'static str {
    match nth_and_nul(texts, n).split_last() {
        Some((_nul, text)) => utf8(text).unwrap_or_default(),
        None => "",
    }
}

/// That text for C.
#[cfg(feature = "error-texts")]
pub(crate) fn nth_for_c(texts: &'static str, n: usize) -> &'static CStr {
    CStr::from_bytes_with_nul(nth_and_nul(texts, n)).unwrap_or_default()
}

/// Decimal digits of a number, at most 20.
#[derive(Clone, Copy)]
pub struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    /// The digits of `n`, without leading zeros.
    #[must_use]
    pub fn new(mut n: u64) -> Self {
        let mut d = Self { digits: [b'0'; 20], start: 20 };
        for to in d.digits.iter_mut().rev() {
            let [digit, ..] = divide(&mut n, 10).to_le_bytes();
            *to = digit.wrapping_add(b'0');
            d.start = d.start.saturating_sub(1);
            if n == 0 {
                break;
            }
        }
        d
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.digits.get(self.start..).and_then(utf8).unwrap_or_default()
    }
}

/// Divides `n` by at most 65536 and returns the remainder, 16 bits at a time: a division of 64 bits is 400 bytes on a 32-bit machine.
#[inline(never)]
pub fn divide(n: &mut u64, by: u32) -> u32 {
    let mut bytes = n.to_be_bytes();
    let (words, _) = bytes.as_chunks_mut::<2>();
    let mut rest: u32 = 0;
    for word in words {
        let part = rest.wrapping_shl(16) | u32::from(u16::from_be_bytes(*word));
        let quotient = part.checked_div(by).unwrap_or(0);
        rest = part.wrapping_sub(quotient.wrapping_mul(by));
        let [_, _, high, low] = quotient.to_be_bytes();
        *word = [high, low];
    }
    *n = u64::from_be_bytes(bytes);
    rest
}

/// The number that `digits` spells in decimal: 1…20 digits, nothing else.
#[must_use]
pub fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        let d = b.checked_sub(b'0').filter(|d| *d < 10)?;
        n.checked_mul(10)?.checked_add(d.into())
    })
}

/// The same, where it fits 32 bits. Most numbers have to.
#[must_use]
#[inline(never)]
pub fn parse_u32(digits: &[u8]) -> Option<u32> {
    u32::try_from(parse_decimal(digits)?).ok()
}

/// Value of one hexadecimal digit, either case.
#[must_use]
pub const fn hex_digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(b.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(b.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

/// Whether `id` has the shape of a UUID as the server writes them: 36 characters, lowercase hexadecimal and hyphens.
/// Nothing else may reach a URL (protocol §0.1).
#[must_use]
pub fn is_uuid(id: &str) -> bool {
    id.len() == crate::limits::DEPLOYMENT_ID_LEN
        && id.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// `a` and `b` are equal, ASCII letters of either case.
#[must_use]
pub const fn same_word(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_go_both_ways() {
        for n in [0, 1, 9, 10, 1234567890, u64::MAX] {
            assert_eq!(parse_decimal(Decimal::new(n).as_str().as_bytes()), Some(n));
        }
        for bad in ["", "-1", "+1", "1 ", "18446744073709551616", "1a"] {
            assert_eq!(parse_decimal(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_number_of_64_bits_is_divided() {
        for n in [0, 999, 1000, u64::from(u32::MAX), u64::MAX] {
            for by in [1, 10, 1000, 65536] {
                let mut quotient = n;
                let rest = divide(&mut quotient, by);
                assert_eq!((quotient, u64::from(rest)), (n / u64::from(by), n % u64::from(by)), "{n}/{by}");
            }
        }
    }

    #[test]
    fn only_the_servers_form_of_a_uuid_passes() {
        assert!(is_uuid("0f6a2c4e-0000-4000-8000-000000000001"));
        for bad in [
            "",
            "0F6a2c4e-0000-4000-8000-000000000001",
            "0f6a2c4e-0000-4000-8000-00000000000/",
            "../../../../../../../../../../../../",
        ] {
            assert!(!is_uuid(bad), "{bad}");
        }
    }
}
