// SPDX-License-Identifier: Apache-2.0
//! A window over a message that is never whole in memory.
//!
//! JSON strings are escaped here and not by `serde-json-core`: that writes into a slice that holds all of a string, cannot
//! put one string into another, and its `to_slice` for a single `&str` links a reachable panic and 750 bytes on a Cortex-M4.
//! `serde_json` is the oracle of the tests.

use mender_base::base64;
use mender_base::text::Decimal;

/// Keeps the bytes `skip..skip + buf.len()` of whatever is written to it, and counts all.
///
/// A message is written as often as it needs windows, so its writer must give the same bytes each time. With an empty buffer
/// it only counts.
pub struct Window<'b> {
    buf: &'b mut [u8],
    skip: u32,
    total: u32,
    /// In how many JSON strings the bytes are: each adds a layer of escapes.
    quotes: u8,
}

impl<'b> Window<'b> {
    /// A window that begins `skip` bytes into the message.
    pub const fn new(buf: &'b mut [u8], skip: u32) -> Self {
        Self { buf, skip, total: 0, quotes: 0 }
    }

    /// Bytes of the message so far; after the writer is done, its length.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// The part of the message that fell into the window.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        let len = usize::try_from(self.total.saturating_sub(self.skip)).unwrap_or(usize::MAX);
        self.buf.get(..len).unwrap_or(self.buf)
    }

    /// Writes bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.byte(*b);
        }
    }

    /// Writes text.
    pub fn str(&mut self, text: &str) {
        self.put(text.as_bytes());
    }

    /// Writes a number in decimal.
    pub fn decimal(&mut self, n: u64) {
        self.str(Decimal::new(n).as_str());
    }

    /// Writes `pattern` with its marks replaced by `values` in turn: `@` by the text itself, `%` by the text for a URL, `$` by a JSON
    /// string. One call for what would be many.
    pub fn fill(&mut self, pattern: &str, values: &[&str]) {
        let mut values = values.iter();
        for b in pattern.bytes() {
            let mut value = || values.next().copied().unwrap_or_default();
            match b {
                b'@' => self.str(value()),
                b'%' => self.percent(value()),
                b'$' => self.json_string(value()),
                _ => self.byte(b),
            }
        }
    }

    /// Writes a JSON string: quotes and, between them, `text` with its escapes.
    pub fn json_string(&mut self, text: &str) {
        self.open_string();
        self.str(text);
        self.close_string();
    }

    /// Begins a JSON string, in which all that is written gets its escapes; it may again be JSON with strings, but no deeper.
    pub fn open_string(&mut self) {
        self.byte(b'"');
        self.quotes = self.quotes.saturating_add(1);
    }

    /// Ends it.
    pub fn close_string(&mut self) {
        self.quotes = self.quotes.saturating_sub(1);
        self.byte(b'"');
    }

    /// Writes `bytes` in base64 (RFC 4648 §4) with padding.
    pub fn base64(&mut self, bytes: &[u8]) {
        for group in bytes.chunks(3) {
            self.put(&base64::encode_group(group));
        }
    }

    /// Writes `text` for a URL: all but the unreserved characters of RFC 3986 §2.3 as `%XX`.
    pub fn percent(&mut self, text: &str) {
        for b in text.bytes() {
            if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
                self.byte(b);
            } else {
                self.put(&[b'%', hex(b >> 4), hex(b)]);
            }
        }
    }

    fn byte(&mut self, b: u8) {
        if self.quotes == 0 {
            return self.raw(b);
        }
        // RFC 8259 §7.
        match b {
            b'"' | b'\\' => {
                self.within(b'\\');
                self.within(b);
            }
            b'\n' => {
                self.within(b'\\');
                self.raw(b'n');
            }
            0..=0x1f => {
                self.within(b'\\');
                for b in [b'u', b'0', b'0', hex(b >> 4), hex(b)] {
                    self.raw(b);
                }
            }
            _ => self.raw(b),
        }
    }

    /// A quote or backslash of a JSON string, which may itself be within one.
    fn within(&mut self, b: u8) {
        if self.quotes > 1 {
            self.raw(b'\\');
        }
        self.raw(b);
    }

    fn raw(&mut self, b: u8) {
        let at = self.total.checked_sub(self.skip).and_then(|at| usize::try_from(at).ok());
        if let Some(to) = at.and_then(|at| self.buf.get_mut(at)) {
            *to = b;
        }
        self.total = self.total.saturating_add(1);
    }
}

/// The lower half of `b` as a digit.
fn hex(b: u8) -> u8 {
    b"0123456789ABCDEF".get(usize::from(b & 15)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::{String, ToString};

    fn written(f: impl Fn(&mut Window<'_>)) -> String {
        let mut buf = [0; 4096];
        let mut w = Window::new(&mut buf, 0);
        f(&mut w);
        assert_eq!(w.written().len(), w.total() as usize);
        let whole = String::from_utf8(w.written().to_vec()).unwrap();
        for size in [1, 7, 64] {
            let (mut buf, mut all) = ([0; 64], std::vec::Vec::new());
            while all.len() < whole.len() {
                let mut w = Window::new(&mut buf[..size], all.len() as u32);
                f(&mut w);
                assert_eq!(w.total() as usize, whole.len());
                all.extend_from_slice(w.written());
            }
            assert_eq!(all, whole.as_bytes());
        }
        whole
    }

    #[test]
    fn strings_are_escaped_as_json_readers_expect() {
        let all: String = (0..0x250u32).filter_map(char::from_u32).chain("\u{2028}😀".chars()).collect();
        let once = written(|w| w.json_string(&all));
        assert_eq!(serde_json::from_str::<String>(&once).unwrap(), all);
        let twice = written(|w| {
            w.open_string();
            w.json_string(&all);
            w.close_string();
        });
        let inner = serde_json::from_str::<String>(&twice).unwrap();
        assert_eq!(serde_json::from_str::<String>(&inner).unwrap(), all);
        assert_eq!(written(|w| w.json_string("a\"\\\n\0é")), r#""a\"\\\n\u0000é""#);
    }

    #[test]
    fn numbers_base64_and_percent_are_written() {
        assert_eq!(written(|w| w.decimal(u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|w| w.base64(b"foobars")), "Zm9vYmFycw==");
        assert_eq!(written(|w| w.percent("aZ09-._~ /+%é")), "aZ09-._~%20%2F%2B%25%C3%A9");
    }

    #[test]
    fn a_pattern_is_filled_in_turn() {
        assert_eq!(
            written(|w| w.fill("@/%{$:$}@", &["a b", "a b", "a\"b", "", "%$"])),
            "a b/a%20b{\"a\\\"b\":\"\"}%$"
        );
        assert_eq!(written(|w| w.fill("x@y$", &[])), "xy\"\"");
    }

    #[test]
    fn an_empty_window_counts() {
        let mut w = Window::new(&mut [], 0);
        w.str("hello");
        assert_eq!((w.total(), w.written()), (5, &b""[..]));
    }

    #[test]
    fn a_window_behind_the_end_stays_empty() {
        let mut buf = [0; 4];
        let mut w = Window::new(&mut buf, 9);
        w.str("hello");
        assert_eq!((w.total(), w.written()), (5, &b""[..]));
    }
}
